"""What can be done to a dataset, as the data page asks for it: build, stop, read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.data import jobs as data_jobs
from studio.pages.data.build_form import BuildForm
from studio.pages.data.index_state import IndexNow
from studio.pages.data.index_words import go_on_words
from studio.pages.wizard.target import WizardTarget
from studio.storage.rows import DatasetRow
from studio.widgets import figures
from studio.widgets.ask_popover import AskPopover
from studio.widgets.menu import Menu
from trainer_core.errors import SpecError


class DatasetActions(QObject):
    """Carries out what was asked for, in threads.

    Args:
        context: The studio.
        parent: The page; nothing is called after it is gone.

    Signals:
        copy_requested: A dataset with the same settings is wanted, to change some of them.
        export_requested: The documents are to be written out for other programs.
        done: A dataset or its jobs are others than before.
        setting_refused (object): A setting of a build cannot be used; carries the `SpecError`.
    """

    copy_requested = Signal()
    export_requested = Signal()
    done = Signal()
    setting_refused = Signal(object)

    def __init__(self, context: Context, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._page = parent

    def build(self, row: DatasetRow, form: BuildForm | None = None) -> None:
        """Build the index with these settings; None goes on, or adds what is new."""
        library, supervisor = self._context.library, self._context.supervisor
        self._run(lambda: data_jobs.build_index(library, supervisor, row.id, form))

    def build_anew(self, row: DatasetRow) -> None:
        """Remove the index and build it from the beginning."""
        library, supervisor = self._context.library, self._context.supervisor
        self._run(lambda: data_jobs.build_anew(library, supervisor, row.id))

    def read_again(self, row: DatasetRow) -> None:
        """Begin again to read the text."""

        def resume() -> DatasetRow:
            self._context.supervisor.resume(row.folder)
            return row

        self._run(resume)

    def stop(self, folder: Path | None) -> None:
        """End the job of a folder."""
        if folder is not None:
            future = self._context.supervisor.stop(folder)
            self._context.tasks.follow(future, failure=self._context.toast, owner=self)

    def new_run(self, row: DatasetRow) -> None:
        """Begin a run with this data."""
        self._context.navigate("wizard", WizardTarget(dataset_id=row.id))

    def open_menu(self, row: DatasetRow, index: IndexNow, at: QPoint, *, is_read: bool) -> None:
        """What can be done to a dataset, as a menu at a global point."""
        menu = Menu(self._page)
        if is_read:
            menu.add("New run with this data", lambda: self.new_run(row), "plus")
            for word, act in self._of_index(row, index):
                menu.add(word, act, "zap")
            menu.add("Export", self.export_requested.emit, "upload")
        menu.add("Copy with other settings…", self.copy_requested.emit, "copy")
        if index.kind == "building":
            menu.add("Stop the build", lambda: self.stop(row.index_folder), "square")
        where = QUrl.fromLocalFile(str(row.folder))
        menu.add("Open folder", lambda: QDesktopServices.openUrl(where), "folder-open")
        menu.addSeparator()
        can_write = not self._context.library.read_only
        menu.add("Move to trash", lambda: self.trash(row, at), "trash-2", enabled=can_write)
        menu.open_at(at)

    def trash(self, row: DatasetRow, at: QPoint) -> None:
        """Move a dataset to the trash; where runs learned from it, the user is asked first."""
        library = self._context.library

        def count() -> list[str]:
            runs = library.runs(archived=True)
            return [run.name for run in runs if run.dataset_id == row.id]

        def ask(runs: list[str]) -> None:
            if not runs:
                self._trash(row)
                return
            who = runs[0] if len(runs) == 1 else figures.plural(len(runs), "run")
            AskPopover(
                self._page.window(),
                f"Move {row.name} to the trash?",
                f"{who} learned from it. Checkpoints and curves stay whole, but to resume,"
                " evaluate or continue it must be restored first.",
                "Move to trash",
                lambda: self._trash(row),
            ).open_at(at)

        self._context.tasks.run_op(count, ask, owner=self)

    def _trash(self, row: DatasetRow) -> None:
        library = self._context.library
        self._context.undo.do(
            f"{row.name} moved to the trash",
            lambda: library.trash_dataset(row.id),
            lambda: library.restore_dataset(row.id),
        )

    def _of_index(self, row: DatasetRow, index: IndexNow) -> list[tuple[str, Callable[[], None]]]:
        """What can be done about the index in its state."""
        words = {
            "absent": "Build the index",
            "stopped": go_on_words(index),
            "failed": "Try again",
        }
        grown = index.outdated is not None and index.outdated.reason == "grown"
        found: list[tuple[str, Callable[[], None]]] = []
        if index.kind in words:
            found.append((words[index.kind], lambda: self.build(row)))
        if index.kind == "outdated" and grown:
            found.append(("Add the new documents", lambda: self.build(row)))
        if index.kind in ("ready", "outdated", "stopped", "failed"):
            found.append(("Build the index anew", lambda: self.build_anew(row)))
        return found

    def _run(self, op: Callable[[], DatasetRow]) -> None:
        def done(row: DatasetRow) -> None:
            for folder in (row.folder, row.index_folder):
                if folder is not None:
                    self._context.watcher.look_now(folder)
            self.done.emit()

        def refused(error: Exception) -> None:
            if isinstance(error, SpecError):
                self.setting_refused.emit(error)
            else:
                self._context.toast(error)

        self._context.tasks.run_op(op, done, refused, owner=self)
