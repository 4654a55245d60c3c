"""What can be done with a project or a run from Home, each in a thread, with errors shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.home.facts import BUSY, RESUMABLE, ProjectSummary
from studio.pages.wizard.target import WizardTarget
from studio.storage.rows import RunRow
from studio.widgets.menu import Menu
from studio.widgets.name_popover import NamePopover
from trainer_core.errors import KnownError


class HomeActions(QObject):
    """The actions; `changed` is called when the library holds something else.

    Args:
        context: The studio.
        page: What menus and popovers belong to.
        changed: Reads the library again.
    """

    def __init__(self, context: Context, page: QWidget, changed: Callable[[], None]) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._changed = changed

    # --- projects ---

    def project_menu(self, summary: ProjectSummary, at: QPoint) -> None:
        """The menu of a project."""
        project, run = summary.project, summary.shown
        can_write = not self._context.library.read_only
        menu = Menu(self._page)
        menu.add("Open", lambda: self._context.navigate("runs", project.id), "layout-grid")
        if run is not None:
            menu.add("Open its run", lambda: self._context.navigate("run", run.id), "activity")
        menu.addSeparator()
        menu.add("Rename…", lambda: self._rename_project(summary, at), "pencil", enabled=can_write)
        word = "Put back" if summary.archived else "Put away"
        busy = any(each.facts.state in BUSY for each in summary.runs)
        menu.add(
            word,
            lambda: self._archive_project(project.id, archived=not summary.archived),
            "archive-restore" if summary.archived else "archive",
            enabled=can_write and not busy and (bool(summary.runs) or summary.archived),
        )
        if run is not None:
            menu.add("Open folder", lambda: self.open_folder(run.folder), "folder-open")
        menu.open_at(at)

    def _rename_project(self, summary: ProjectSummary, at: QPoint) -> None:
        project, library = summary.project, self._context.library
        self._ask_name(
            "Rename the project",
            project.name,
            at,
            lambda name: self._change(lambda: library.change_project(project.id, name=name)),
        )

    def _archive_project(self, project_id: int, *, archived: bool) -> None:
        library = self._context.library

        def change() -> None:
            for run in library.runs(project_id, archived=True):
                library.change_run(run.id, archived=archived)

        self._change(change)

    # --- runs ---

    def run_menu(self, run: RunRow, at: QPoint) -> None:
        """The menu of a run."""
        context = self._context
        can_write = not context.library.read_only
        state = run.facts.state
        menu = Menu(self._page)
        menu.add("Open", lambda: context.navigate("run", run.id), "activity")
        if state in RESUMABLE:
            menu.add("Resume", lambda: self.resume(run), "play")
        if state in BUSY:
            menu.add("Pause", lambda: self.pause(run), "pause")
        menu.add(
            "Try in playground",
            lambda: context.navigate("playground", run.id),
            "message-square-text",
            enabled=run.facts.best_loss is not None,
        )
        menu.add("Compare", lambda: context.navigate("compare", run.id), "chart-no-axes-column")
        menu.add(
            "Again with changes",
            lambda: context.navigate("wizard", WizardTarget(run_id=run.id)),
            "refresh-cw",
            enabled=can_write,
        )
        goes_on = WizardTarget(run_id=run.id, continues=True)
        menu.add(
            "Continue on unseen text",
            lambda: context.navigate("wizard", goes_on),
            "play",
            enabled=can_write and state not in BUSY and run.facts.best_loss is not None,
        )
        menu.addSeparator()
        menu.add("Rename…", lambda: self._rename_run(run, at), "pencil", enabled=can_write)
        menu.add(
            "Put back" if run.archived else "Put away",
            lambda: self._change(
                lambda: context.library.change_run(run.id, archived=not run.archived)
            ),
            "archive-restore" if run.archived else "archive",
            enabled=can_write and state not in BUSY,
        )
        menu.add("Open folder", lambda: self.open_folder(run.folder), "folder-open")
        menu.open_at(at)

    def resume(self, run: RunRow) -> None:
        """Go on with a run where it stopped."""
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
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._context.toast(
                KnownError(
                    "No program of this computer opens folders.",
                    safe=f"The folder is {folder}.",
                    do="Open it by hand.",
                )
            )

    def _rename_run(self, run: RunRow, at: QPoint) -> None:
        library = self._context.library
        self._ask_name(
            "Rename the run",
            run.name,
            at,
            lambda name: self._change(lambda: library.change_run(run.id, name=name)),
        )

    # --- parts ---

    def _ask_name(self, title: str, name: str, at: QPoint, accept: Callable[[str], object]) -> None:
        NamePopover(self._page.window(), title, name, accept).open_at(at)

    def _change(self, op: Callable[[], object]) -> None:
        self._context.tasks.run_op(op, lambda _done: self._changed(), owner=self)
