"""The checkpoints of a run with their room on the disk: keep one for good, or remove one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.home.facts import BUSY
from studio.runs.checkpoint_files import CheckpointFile, delete_checkpoint, keep_checkpoint
from studio.storage.rows import RunRow
from studio.widgets import figures
from studio.widgets.ask_popover import AskPopover
from studio.widgets.controls import IconButton
from studio.widgets.label import Label, Part


class CheckpointList(QWidget):
    """One line a checkpoint, the newest first, and what all of them take.

    Signals:
        changed: One was removed or marked: read the folder again.
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._run: RunRow | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.total = Label("", "secondary", "muted", wrap=True)
        column.addWidget(self.total)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        column.addLayout(self._rows)

    def show_files(self, run: RunRow, files: Sequence[CheckpointFile], note: str = "") -> None:
        """Show what lies in a run's folder.

        Args:
            run: The run.
            files: Its checkpoints, the newest first.
            note: Which of them stay, or why they cannot be told.
        """
        self._run = run
        total = sum(each.size_bytes for each in files)
        words = f"{figures.plural(len(files), 'checkpoint')}, {figures.size(total)}"
        self.total.set_text(f"{words if files else 'None'}. {note}")
        while (item := self._rows.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for place, each in enumerate(files):
            self._rows.addWidget(self._row(each, is_newest=place == 0))

    def _row(self, file: CheckpointFile, *, is_newest: bool) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        loss = "" if file.val_loss is None else f"loss {figures.loss(file.val_loss)}"
        more = [loss, "best" if file.best else "", "" if file.resumable else "weights alone"]
        words = Label("", "mono")
        words.set_parts(
            Part(f"step {file.step:,}"),
            Part("  " + ", ".join(each for each in more if each), "secondary", "muted"),
        )
        row.addWidget(words, 1)
        row.addWidget(Label(figures.size(file.size_bytes), "mono", elide=False))
        can_write = not self._context.library.read_only
        word = "No longer keep" if file.kept else "Keep, whatever the rules say:"
        keep = IconButton("pin", f"{word} step {file.step:,}", edge=26)
        keep.setCheckable(True)
        keep.setChecked(file.kept)
        keep.setEnabled(can_write)
        keep.clicked.connect(partial(self._keep, file))
        remove = IconButton("trash-2", f"Remove step {file.step:,}", edge=26)
        busy = self._run is not None and self._run.facts.state in BUSY
        remove.setEnabled(can_write and not is_newest and not busy)
        if is_newest:
            remove.setToolTip("The newest stays: the run goes on from it")
        remove.clicked.connect(lambda: self._ask(file, remove))
        row.addWidget(keep)
        row.addWidget(remove)
        return holder

    def _keep(self, file: CheckpointFile) -> None:
        self._context.undo.do(
            f"Step {file.step:,} {'no longer kept' if file.kept else 'kept for good'}",
            partial(keep_checkpoint, file, kept=not file.kept),
            partial(keep_checkpoint, file, kept=file.kept),
            quiet=True,
        )
        self.changed.emit()

    def _ask(self, file: CheckpointFile, button: QWidget) -> None:
        best = " It is the best one that is left." if file.best else ""
        AskPopover(
            self.window(),
            f"Remove the checkpoint of step {file.step:,}?",
            f"{figures.size(file.size_bytes)} are freed.{best} There is no way back.",
            "Remove",
            lambda: self._delete(file),
        ).open_at(button.mapToGlobal(QPoint(0, button.height() + 4)))

    def _delete(self, file: CheckpointFile) -> None:
        run, context = self._run, self._context
        if run is None:
            return

        def done(freed: int) -> None:
            context.say(f"Step {file.step:,} removed: {figures.size(freed)} freed")
            self.changed.emit()

        context.tasks.run_op(
            lambda: delete_checkpoint(run.folder, file.step), done, owner=self, lane="work"
        )
