"""What can be done with a project from Home; what changes the library can be undone."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.home.facts import BUSY, ProjectSummary
from studio.pages.runs.actions import RunListActions
from studio.storage.rows import RunRow
from studio.widgets import figures
from studio.widgets.menu import Menu
from studio.widgets.name_popover import NamePopover


class HomeActions(QObject):
    """The actions on projects; those on runs are those of the list of runs.

    Args:
        context: The studio.
        page: What menus and popovers belong to.
    """

    def __init__(self, context: Context, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self.runs = RunListActions(context, page)

    def project_menu(self, summary: ProjectSummary, at: QPoint) -> None:
        """The menu of a project."""
        project, run = summary.project, summary.shown
        can_write = not self._context.library.read_only
        menu = Menu(self._page)
        menu.add("Open", lambda: self._context.navigate("runs", project.id), "layout-grid")
        if run is not None:
            menu.add("Open its run", lambda: self._context.navigate("run", run.id), "activity")
        menu.addSeparator()
        menu.add("Rename…", lambda: self._rename(summary, at), "pencil", enabled=can_write)
        word = "Put back" if summary.archived else "Put away"
        busy = any(each.facts.state in BUSY for each in summary.runs)
        menu.add(
            word,
            lambda: self._put_away(summary, archived=not summary.archived),
            "archive-restore" if summary.archived else "archive",
            enabled=can_write and not busy and (bool(summary.runs) or summary.archived),
        )
        if run is not None:
            menu.add("Open folder", lambda: self.runs.open_folder(run.folder), "folder-open")
        menu.addSeparator()
        menu.add("Move to trash", lambda: self.trash(summary, at), "trash-2", enabled=can_write)
        menu.open_at(at)

    def run_menu(self, run: RunRow, at: QPoint) -> None:
        """The menu of a run."""
        self.runs.run_menu(run, at)

    def resume(self, run: RunRow) -> None:
        """Go on with a run where it stopped."""
        self.runs.resume(run)

    def trash(self, summary: ProjectSummary, at: QPoint) -> None:
        """Move a project and its runs to the trash; those at work are stopped first."""
        library, project = self._context.library, summary.project
        count = figures.plural(len(summary.runs), "run")
        what = f"{project.name} with {count}" if summary.runs else project.name

        def throw_away() -> None:
            self._context.undo.do(
                f"{what} moved to the trash",
                lambda: library.trash_project(project.id),
                lambda: library.restore_project(project.id),
            )

        self.runs.after_stopping(summary.runs, at, throw_away)

    def _rename(self, summary: ProjectSummary, at: QPoint) -> None:
        project, library = summary.project, self._context.library

        def renamed(name: str) -> None:
            self._context.undo.do(
                f"{project.name} renamed to {name}",
                lambda: library.change_project(project.id, name=name),
                lambda: library.change_project(project.id, name=project.name),
                quiet=True,
            )

        NamePopover(self._page.window(), "Rename the project", project.name, renamed).open_at(at)

    def _put_away(self, summary: ProjectSummary, *, archived: bool) -> None:
        library, project = self._context.library, summary.project
        before: list[RunRow] = []

        def change() -> None:
            runs = [run.id for run in library.runs(project.id, archived=True)]
            before[:] = library.sort_runs(runs, archived=archived)

        self._context.undo.do(
            f"{project.name} put {'away' if archived else 'back'}",
            change,
            lambda: library.put_back_runs(before),
        )
