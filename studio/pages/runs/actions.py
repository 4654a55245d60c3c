"""What can be done with runs from a list of them: one, or several at once. All can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.home.facts import BUSY, RESUMABLE
from studio.pages.queue.offer import start_or_wait
from studio.pages.runs.tags import TagPopover
from studio.pages.wizard.target import WizardTarget
from studio.storage.rows import RunRow
from studio.widgets import figures
from studio.widgets.ask_popover import AskPopover
from studio.widgets.menu import Menu
from studio.widgets.name_popover import NamePopover
from trainer_core.errors import KnownError


class RunListActions(QObject):
    """The actions on runs; what changes the library goes through the undo stack.

    Args:
        context: The studio.
        page: What menus and popovers belong to.
        tags: Gives every tag in use, to choose from.
    """

    def __init__(
        self, context: Context, page: QWidget, tags: Callable[[], Sequence[str]] = lambda: ()
    ) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._tags = tags

    # --- menus ---------------------------------------------------------------------------------

    def run_menu(
        self, run: RunRow, at: QPoint, details: Callable[[], object] | None = None
    ) -> None:
        """The menu of one run.

        Args:
            run: With its live figures.
            at: A global point.
            details: Shows all about it beside the list, where the page can.
        """
        context = self._context
        can_write = not context.library.read_only
        trained = run.kind == "train"
        state = run.facts.state
        menu = Menu(self._page)
        menu.add("Open", lambda: context.navigate("run", run.id), "activity")
        if details is not None:
            menu.add("Details", details, "info")
        if trained and state in RESUMABLE:
            menu.add("Resume", lambda: self.resume(run, at), "play")
        if trained:
            self._add_queue(menu, run, at, can_write=can_write)
        if trained and state in BUSY:
            menu.add("Pause", lambda: self.pause(run), "pause")
        if trained:
            menu.add(
                "Try in playground",
                lambda: context.navigate("playground", run.id),
                "message-square-text",
                enabled=run.facts.best_loss is not None,
            )
        menu.add("Compare", lambda: context.navigate("compare", run.id), "chart-no-axes-column")
        if trained:
            self._add_successors(menu, run, can_write=can_write)
        menu.addSeparator()
        menu.add("Rename…", lambda: self.rename(run, at), "pencil", enabled=can_write)
        self._add_sorting(menu, [run], at, can_write=can_write)
        menu.add("Open folder", lambda: self.open_folder(run.folder), "folder-open")
        menu.addSeparator()
        self._add_trash(menu, [run], at, can_write=can_write)
        menu.open_at(at)

    def runs_menu(self, runs: Sequence[RunRow], at: QPoint) -> None:
        """The menu of several runs."""
        can_write = not self._context.library.read_only
        menu = Menu(self._page)
        menu.add(
            f"Compare {len(runs)} runs",
            lambda: self.compare(runs),
            "chart-no-axes-column",
            enabled=2 <= len(runs) <= COMPARED_MAX,
        )
        menu.addSeparator()
        self._add_sorting(menu, runs, at, can_write=can_write)
        menu.addSeparator()
        self._add_trash(menu, runs, at, can_write=can_write)
        menu.open_at(at)

    def _add_queue(self, menu: Menu, run: RunRow, at: QPoint, *, can_write: bool) -> None:
        queue = self._context.queue
        if queue is None:
            return
        entry = queue.entry_of(run.folder)
        if entry is not None:
            menu.add(
                "Take out of the queue", lambda: queue.remove([entry.id]), "x", enabled=can_write
            )
        elif run.facts.state in RESUMABLE:
            menu.add(
                "Wait in the queue", lambda: queue.add([run.folder]), "clock", enabled=can_write
            )

    def _add_successors(self, menu: Menu, run: RunRow, *, can_write: bool) -> None:
        context = self._context
        menu.add(
            "Clone with changes",
            lambda: context.navigate("wizard", WizardTarget(run_id=run.id)),
            "copy",
            enabled=can_write,
        )
        goes_on = WizardTarget(run_id=run.id, continues=True)
        menu.add(
            "Continue on unseen text",
            lambda: context.navigate("wizard", goes_on),
            "play",
            enabled=can_write and run.facts.state not in BUSY and run.facts.best_loss is not None,
        )
        menu.add(
            "Seeds and sweeps…",
            lambda: context.navigate("variants", run.id),
            "dices",
            enabled=can_write,
        )
        if run.group_id is not None:
            menu.add("Open its group", lambda: context.navigate("group", run.group_id), "columns-3")

    def _add_sorting(
        self, menu: Menu, runs: Sequence[RunRow], at: QPoint, *, can_write: bool
    ) -> None:
        star = not all(run.starred for run in runs)
        menu.add(
            "Star" if star else "Take the star off",
            lambda: self.star(runs, starred=star),
            "star",
            enabled=can_write,
        )
        menu.add("Tags…", lambda: self.tag(runs, at), "tag", enabled=can_write)
        menu.add(
            "Move to project…", lambda: self.ask_project(runs, at), "layout-grid", enabled=can_write
        )
        away = not all(run.archived for run in runs)
        idle = all(run.facts.state not in BUSY for run in runs)
        menu.add(
            "Put away" if away else "Put back",
            lambda: self.put_away(runs, archived=away),
            "archive" if away else "archive-restore",
            enabled=can_write and idle,
        )

    def _add_trash(
        self, menu: Menu, runs: Sequence[RunRow], at: QPoint, *, can_write: bool
    ) -> None:
        menu.add("Move to trash", lambda: self.trash(runs, at), "trash-2", enabled=can_write)

    # --- going on ------------------------------------------------------------------------------

    def compare(self, runs: Sequence[RunRow]) -> None:
        """Compare up to six runs."""
        self._context.navigate("compare", [run.id for run in runs[:COMPARED_MAX]])

    def resume(self, run: RunRow, at: QPoint | None = None) -> None:
        """Go on with a run where it stopped, or have it wait while another one trains."""
        start_or_wait(self._context, self._page, run, lambda: self._resume(run), at)

    def _resume(self, run: RunRow) -> None:
        context = self._context
        if context.library.read_only:
            context.toast(
                KnownError(
                    context.library.read_only_reason,
                    safe="This one shows everything, but can change nothing.",
                    do="Resume the run there.",
                )
            )
            return

        def resumed(_pid: int) -> None:
            context.keeper.follow(run)
            context.watcher.look_now(run.folder)

        context.tasks.run_op(
            lambda: context.supervisor.resume(run.folder), resumed, owner=self, lane="work"
        )

    def pause(self, run: RunRow) -> None:
        """Have a run save and end."""
        context = self._context
        context.tasks.follow(context.supervisor.pause(run.folder), owner=self)

    def open_folder(self, folder: Path) -> None:
        """Show a folder in the system's file manager."""
        if folder.is_dir() and QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            return
        there = folder.is_dir()
        self._context.toast(
            KnownError(
                "No program of this computer opens folders." if there else "The folder is gone.",
                safe=f"The folder is {folder}." if there else "What the library knows is kept.",
                do="Open it by hand." if there else f"Put {folder} back, or remove the run.",
            )
        )

    # --- changes that can be undone ------------------------------------------------------------

    def rename(self, run: RunRow, at: QPoint) -> None:
        """Ask for another name."""
        library, before = self._context.library, run.name

        def renamed(name: str) -> None:
            self._context.undo.do(
                f"{before} renamed to {name}",
                lambda: library.change_run(run.id, name=name),
                lambda: library.change_run(run.id, name=before),
                quiet=True,
            )

        NamePopover(self._page.window(), "Rename the run", before, renamed).open_at(at)

    def star(self, runs: Sequence[RunRow], *, starred: bool) -> None:
        """Star runs, or no longer."""
        what = "Star given to" if starred else "Star taken from"
        self._sort(f"{what} {_named(runs)}", runs, starred=starred, quiet=True)

    def put_away(self, runs: Sequence[RunRow], *, archived: bool) -> None:
        """Put runs away, or back."""
        self._sort(f"{_named(runs)} put {'away' if archived else 'back'}", runs, archived=archived)

    def move(self, runs: Sequence[RunRow], project_id: int, project: str) -> None:
        """Move runs to another project."""
        self._sort(f"{_named(runs)} moved to {project}", runs, project_id=project_id)

    def ask_project(self, runs: Sequence[RunRow], at: QPoint) -> None:
        """Offer the projects that runs can be moved to."""
        library = self._context.library

        def offer(found: list[tuple[int, str]]) -> None:
            menu = Menu(self._page)
            here = {run.project_id for run in runs}
            for project_id, name in found:
                move = partial(self.move, runs, project_id, name)
                menu.add(name, move, enabled=here != {project_id})
            menu.addSeparator()
            menu.add("New project…", lambda: self._move_to_new(runs, at), "plus")
            menu.open_at(at)

        self._context.tasks.run_op(
            lambda: [(row.id, row.name) for row in library.projects()], offer, owner=self
        )

    def _move_to_new(self, runs: Sequence[RunRow], at: QPoint) -> None:
        def made(name: str) -> None:
            library = self._context.library
            self._context.tasks.run_op(
                lambda: library.add_project(name),
                lambda project: self.move(runs, project.id, project.name),
                owner=self,
            )

        NamePopover(self._page.window(), "New project", "", made, word="Create").open_at(at)

    def tag(self, runs: Sequence[RunRow], at: QPoint) -> None:
        """Ask for tags to put on and to take off."""
        TagPopover(
            self._page.window(), [run.tags for run in runs], self._tags(), self.tagger(runs)
        ).open_at(at)

    def tagger(self, runs: Sequence[RunRow]) -> Callable[[Sequence[str], Sequence[str]], None]:
        """Puts tags on runs and takes others off, when it is called with them."""

        def changed(add: Sequence[str], remove: Sequence[str]) -> None:
            library, ids = self._context.library, [run.id for run in runs]
            before: list[RunRow] = []

            def do() -> None:
                before[:] = library.tag_runs(ids, add=add, remove=remove)

            self._context.undo.do(
                f"Tags of {_named(runs)} changed",
                do,
                lambda: library.put_back_runs(before),
                quiet=True,
            )

        return changed

    def trash(self, runs: Sequence[RunRow], at: QPoint) -> None:
        """Move runs to the trash; those at work are stopped first, after asking."""
        self.after_stopping(runs, at, lambda: self._trash(runs))

    def after_stopping(self, runs: Sequence[RunRow], at: QPoint, go_on: Callable[[], None]) -> None:
        """Do something once none of these runs is at work; where one is, the user is asked first.

        Args:
            runs: Those that must rest.
            at: Where to ask, a global point.
            go_on: What is done then.
        """
        busy = [run for run in runs if self._is_at_work(run)]
        if not busy:
            go_on()
            return
        one = len(busy) == 1
        AskPopover(
            self._page.window(),
            f"Stop {_named(busy)} first?",
            f"{'It is' if one else 'They are'} at work. A checkpoint is saved before the end, and"
            " everything can be taken out of the trash again.",
            "Stop and move to trash",
            lambda: self._stop_then(busy, go_on),
        ).open_at(at)

    def _trash(self, runs: Sequence[RunRow]) -> None:
        library, ids = self._context.library, [run.id for run in runs]
        self._context.undo.do(
            f"{_named(runs)} moved to the trash",
            lambda: library.trash_runs(ids),
            lambda: library.restore_runs(ids),
        )

    def _is_at_work(self, run: RunRow) -> bool:
        """By its process where the run is followed, else by what is last known of it."""
        model = self._context.watcher.model(run.folder)
        if model is not None and model.caught_up:
            return model.alive
        queue = self._context.queue
        waits = queue is not None and queue.entry_of(run.folder) is not None
        return run.facts.state in BUSY and not waits

    def _stop_then(self, runs: Sequence[RunRow], go_on: Callable[[], None]) -> None:
        """Stop runs one beside the other, and go on when the last one has ended."""
        waiting = {run.id for run in runs}

        def ended(run_id: int, _how: object) -> None:
            waiting.discard(run_id)
            if not waiting:
                go_on()

        for run in runs:
            self._context.tasks.follow(
                self._context.supervisor.stop(run.folder),
                partial(ended, run.id),
                owner=self,
            )

    def _sort(
        self,
        label: str,
        runs: Sequence[RunRow],
        *,
        project_id: int | None = None,
        archived: bool | None = None,
        starred: bool | None = None,
        quiet: bool = False,
    ) -> None:
        library, ids = self._context.library, [run.id for run in runs]
        before: list[RunRow] = []

        def do() -> None:
            before[:] = library.sort_runs(
                ids, project_id=project_id, archived=archived, starred=starred
            )

        self._context.undo.do(label, do, lambda: library.put_back_runs(before), quiet=quiet)


COMPARED_MAX = 6


def _named(runs: Sequence[RunRow]) -> str:
    return runs[0].name if len(runs) == 1 else figures.plural(len(runs), "run")
