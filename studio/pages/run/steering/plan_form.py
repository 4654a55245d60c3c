"""Another learning rate or end for a run, and what follows from them while one types."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.run.facts import lr_text
from studio.pages.run.steering.course import CoursePicture
from studio.pages.run.steering.facts import (
    OutlookRow,
    Plan,
    UnreadableError,
    outlook,
    plan_of,
    read_lr,
    read_steps,
    refusal_of,
    unseen_end,
    warning_of,
)
from studio.runs.model import JobModel
from studio.widgets.controls import CheckBox, LineEdit, PrimaryButton, SecondaryButton
from studio.widgets.field import Field
from studio.widgets.headings import card_title
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part

_GROWTH: Final = ((1.25, "A quarter more"), (1.5, "Half more"), (2.0, "Twice"))
_WHY_MOST: Final = 2000


class PlanForm(QWidget):
    """Fields for the peak learning rate and the end; see `show_model`.

    Args:
        extends: Whether it is for a finished run: the end alone then decides.

    Signals:
        wanted: The plan shall change; carries the new peak or None, the new end or None, and why.
    """

    wanted = Signal(object, object, str)

    def __init__(self, *, extends: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._extends = extends
        self._model: JobModel | None = None
        self._for: tuple[float, int] | None = None
        self._shown: list[OutlookRow] = []
        self.lr = LineEdit("", name="Peak learning rate", mono=True)
        self.end = LineEdit("", name="Ends at step", mono=True)
        self.why = LineEdit("", "why, for the record", name="Why")
        self.why.setMaxLength(_WHY_MOST)
        self.lr_field = Field("Peak learning rate", self.lr)
        self.end_field = Field("Ends at step", self.end)
        self.rise = CheckBox("Let the learning rate rise and fall once more")
        self.rise.setVisible(extends)
        self.lr.setEnabled(not extends)
        self.rise.toggled.connect(self._on_rise)
        self.course = CoursePicture()
        self.remark = Label("", "secondary", "muted", wrap=True)
        self._remark_icon = IconLabel("info", "muted", 14)
        word = "Extend and go on" if extends else "Change the plan"
        self.go = PrimaryButton(word, "play" if extends else "check")
        self.go.clicked.connect(self._on_go)
        self._rows = QGridLayout()
        self._lay_out()
        self.lr.textEdited.connect(self._on_edited)
        self.end.textEdited.connect(self._on_edited)
        for field in (self.lr, self.end, self.why):
            field.returnPressed.connect(self._on_go)

    def show_model(self, model: JobModel) -> None:
        """Show a run's plan; what is being typed stays until the plan itself changes."""
        self._model = model
        plan = plan_of(model)
        if plan is None:
            self.go.setEnabled(False)
            return
        if (plan.lr, plan.steps) != self._for:
            self._for = (plan.lr, plan.steps)
            self.lr.setText(lr_text(plan.lr))
            end = plan.steps
            if self._extends:
                end = unseen_end(model) or round(plan.steps * 1.25)
            self.end.setText(f"{end:,}")
            self._show_growth(plan.steps)
        self._refresh()

    @property
    def ready(self) -> bool:
        """Whether it holds another plan that can be taken."""
        return self.go.isEnabled()

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(12)
        pair = QHBoxLayout()
        pair.setSpacing(12)
        pair.addWidget(self.lr_field, 1)
        pair.addWidget(self.end_field, 1)
        column.addLayout(pair)
        growth = QHBoxLayout()
        growth.setSpacing(8)
        self.growth: list[SecondaryButton] = []
        for factor, word in _GROWTH:
            button = SecondaryButton(word, size="small")
            button.clicked.connect(lambda _=False, by=factor: self._grow(by))
            growth.addWidget(button)
            self.growth.append(button)
        self.unseen = SecondaryButton("All new text", size="small")
        self.unseen.clicked.connect(self._on_unseen)
        growth.addWidget(self.unseen)
        growth.addStretch(1)
        column.addLayout(growth)
        column.addWidget(self.rise, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(card_title("What follows"))
        self._rows.setHorizontalSpacing(16)
        self._rows.setVerticalSpacing(4)
        self._rows.setColumnStretch(0, 1)
        column.addLayout(self._rows)
        column.addWidget(self.course)
        remark = QHBoxLayout()
        remark.setSpacing(8)
        remark.addWidget(self._remark_icon, 0, Qt.AlignmentFlag.AlignTop)
        remark.addWidget(self.remark, 1)
        column.addLayout(remark)
        column.addWidget(Field("Note", self.why))
        column.addWidget(self.go, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    # --- keeping it true -----------------------------------------------------------------------

    def _read(self) -> tuple[float | None, int | None]:
        """What the fields say, None for what cannot be used; errors stand beside the fields."""
        model = self._model
        lr: float | None = None
        end: int | None = None
        wrong_lr = wrong_end = ""
        try:
            lr = read_lr(self.lr.text())
        except UnreadableError as error:
            wrong_lr = str(error)
        try:
            end = read_steps(self.end.text(), model.step if model is not None else 0)
        except UnreadableError as error:
            wrong_end = str(error)
        self.lr_field.set_error(wrong_lr)
        self.end_field.set_error(wrong_end)
        return lr, end

    def _refused(self, model: JobModel, lr: float | None, end: int | None) -> bool:
        """Whether the trainer would refuse the change; then it says why beside the field."""
        field, why = refusal_of(model, lr, end)
        if why:
            (self.end_field if field == "steps" else self.lr_field).set_error(why)
        return bool(why)

    def _refresh(self) -> None:
        model = self._model
        plan = plan_of(model) if model is not None else None
        if model is None or plan is None:
            return
        lr, end = self._read()
        usable = lr is not None and end is not None
        new_lr = lr is not None and self._is_new_lr(lr, plan)
        new_end = end is not None and end != plan.steps
        wanted = new_end if self._extends else new_lr or new_end
        refused = usable and self._refused(model, lr if new_lr else None, end if new_end else None)
        self.go.setEnabled(usable and wanted and not refused)
        if lr is None or end is None:
            self.go.setToolTip("Correct the marked field first")
            self._show_rows(outlook(model, plan.lr, plan.steps, time.time()))
            return
        self.go.setToolTip("" if self.go.isEnabled() else "Nothing is changed yet")
        self._show_rows(outlook(model, lr, end, time.time()))
        if not refused:
            self.course.show_plan(model, lr if new_lr else None, end if new_end else None)
        words = warning_of(model, lr, end)
        self.remark.set_text(words or self._usual_words(model))
        self._remark_icon.set_icon("info", "warn" if "undo" in words else "muted")

    def _is_new_lr(self, lr: float, plan: Plan) -> bool:
        """Whether a peak is to be taken: at the end of a course even the same one makes it rise."""
        return self.rise.isChecked() if self._extends else lr_text(lr) != lr_text(plan.lr)

    def _on_rise(self, rises: bool) -> None:
        self.lr.setEnabled(rises)
        self._refresh()

    def _usual_words(self, model: JobModel) -> str:
        if self._extends:
            return "The run goes on from its last checkpoint, in the order in which it read so far."
        if model.alive:
            return "Taken at the next step, and written into the run's record."
        return "Written into the run's record; it holds when the run goes on."

    def _show_rows(self, rows: list[OutlookRow]) -> None:
        if rows == self._shown:
            return
        self._shown = rows
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for number, row in enumerate(rows):
            self._rows.addWidget(Label(row.name, "secondary", "muted", elide=False), number, 0)
            now = Label(row.now, "mono", "muted" if row.changes else "text", elide=False)
            self._rows.addWidget(now, number, 1, Qt.AlignmentFlag.AlignRight)
            if row.changes:
                then = Label("", "mono", elide=False)
                then.set_parts(Part("→ ", "mono", "muted"), Part(row.then))
                self._rows.addWidget(then, number, 2, Qt.AlignmentFlag.AlignRight)

    def _show_growth(self, steps: int) -> None:
        end = unseen_end(self._model) if self._model is not None else None
        self.unseen.setVisible(end is not None)
        if end is not None:
            self.unseen.setToolTip(f"Up to step {end:,}, where the new text ends")

    # --- what the user does --------------------------------------------------------------------

    def _on_edited(self, _text: str) -> None:
        self._refresh()

    def _grow(self, factor: float) -> None:
        plan = plan_of(self._model) if self._model is not None else None
        if plan is not None:
            self.end.setText(f"{round(plan.steps * factor):,}")
            self._refresh()

    def _on_unseen(self) -> None:
        end = unseen_end(self._model) if self._model is not None else None
        if end is not None:
            self.end.setText(f"{end:,}")
            self._refresh()

    def _on_go(self) -> None:
        plan = plan_of(self._model) if self._model is not None else None
        lr, end = self._read()
        if plan is None or lr is None or end is None or not self.go.isEnabled():
            return
        new_lr = lr if self._is_new_lr(lr, plan) else None
        new_end = end if end != plan.steps else None
        self.wanted.emit(new_lr, new_end, self.why.text().strip())
