"""The way back to a checkpoint, and past the batches that did harm."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.run.steering.facts import (
    UnreadableError,
    checkpoint_before,
    read_batches,
    spikes,
    taken_back,
    ways_back,
)
from studio.runs.model import JobModel
from studio.widgets import figures
from studio.widgets.controls import CheckBox, ComboBox, DangerButton, LineEdit
from studio.widgets.field import Field
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label


class RewindForm(QWidget):
    """Which checkpoint, which batches to leave out, and whether to train on at once.

    Signals:
        wanted: Carries the step of the checkpoint, first and last step to leave out or None, and
            whether to go on.
    """

    wanted = Signal(int, object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: JobModel | None = None
        self._steps: list[int] = []
        self.checkpoint = ComboBox("Back to the checkpoint")
        self.checkpoint.currentIndexChanged.connect(self._on_changed)
        self.skip = CheckBox("Leave out the batch of step")
        self.skip.toggled.connect(self._on_changed)
        self.batches = LineEdit("", "168,412 or 168,400-168,420", name="Steps to leave out")
        self.batches.textEdited.connect(self._on_changed)
        self.batches.returnPressed.connect(self._on_go)
        self._wrong = Label("", "label", "danger", wrap=True)
        self.go_on = CheckBox("Train on from there at once", True)
        self._lost = Label("", "secondary", "muted", wrap=True)
        self.go = DangerButton("Rewind", "rotate-ccw")
        self.go.clicked.connect(self._on_go)
        self._lay_out()

    def show_model(self, model: JobModel, before: int | None = None) -> None:
        """Offer the checkpoints of a run.

        Args:
            model: The run.
            before: Go back to before this step and leave its batch out.
        """
        self._model = model
        found = ways_back(model)
        steps = [each.step for each in found]
        if steps != self._steps:
            chosen = self.chosen
            self._steps = steps
            self.checkpoint.blockSignals(True)
            self.checkpoint.clear()
            for each in found:
                words = f"step {each.step:,}"
                if each.val_loss is not None:
                    words += f", validation {figures.loss(each.val_loss)}"
                self.checkpoint.addItem(words)
            self.checkpoint.setCurrentIndex(steps.index(chosen) if chosen in steps else 0)
            self.checkpoint.blockSignals(False)
        if before is not None:
            way = checkpoint_before(model, before)
            if way is not None:
                self.checkpoint.setCurrentIndex(steps.index(way.step))
            self.skip.setChecked(way is not None)
            self.batches.setText(f"{before:,}")
        elif not self.batches.text() and spikes(model):
            self.batches.setText(f"{spikes(model)[-1]:,}")
        self._refresh()

    @property
    def chosen(self) -> int | None:
        """Step of the checkpoint, or None where there is none."""
        place = self.checkpoint.currentIndex()
        return self._steps[place] if 0 <= place < len(self._steps) else None

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(12)
        column.addWidget(Field("Back to the checkpoint", self.checkpoint))
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.skip)
        row.addWidget(self.batches, 1)
        column.addLayout(row)
        column.addWidget(self._wrong)
        column.addWidget(self.go_on, 0, Qt.AlignmentFlag.AlignLeft)
        words = QHBoxLayout()
        words.setSpacing(8)
        words.addWidget(IconLabel("info", "muted", 14), 0, Qt.AlignmentFlag.AlignTop)
        words.addWidget(self._lost, 1)
        column.addLayout(words)
        column.addWidget(self.go, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    def _read(self) -> tuple[int, int] | None:
        """The batches to leave out; None for none, or when they cannot be used."""
        step = self.chosen
        self._wrong.hide()
        self.batches.set_invalid(False)
        if step is None or not self.skip.isChecked():
            return None
        try:
            return read_batches(self.batches.text(), step)
        except UnreadableError as error:
            self._wrong.set_text(str(error))
            self._wrong.show()
            self.batches.set_invalid(True)
            return None

    def _refresh(self) -> None:
        step, model = self.chosen, self._model
        self.batches.setEnabled(self.skip.isChecked())
        skipped = self._read()
        if step is None or model is None:
            self._lost.set_text("There is no checkpoint that a training can go on from.")
            self.go.setEnabled(False)
            return
        stopped = "The training is stopped first. " if model.alive else ""
        self._lost.set_text(stopped + taken_back(model, step))
        self.go.set_text(f"Rewind to step {step:,}")
        moves = step < model.step or skipped is not None
        self.go.setEnabled(moves and (skipped is not None or not self.skip.isChecked()))

    def _on_changed(self, _what: object = None) -> None:
        self._refresh()

    def _on_go(self) -> None:
        step = self.chosen
        if step is not None and self.go.isEnabled():
            self.wanted.emit(step, self._read(), self.go_on.isChecked())
