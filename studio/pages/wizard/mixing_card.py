"""The wizard's card on mixing: how often each source is drawn, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from studio.pages.typed import parse, parse_percent
from studio.pages.wizard.draft import MIXING, Draft, field_message
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.sequences import (
    POINTS_MAX,
    Mixing,
    MixPoint,
    SequenceForm,
    SourceChoice,
    SourceShare,
    shares_of,
)
from studio.theme import theme
from studio.widgets.card import Card, Dot
from studio.widgets.choices import Segmented
from studio.widgets.controls import IconButton, LineEdit, SecondaryButton
from studio.widgets.figures import MISSING, count, percent
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme

_MODES: Final[tuple[tuple[Mixing, str], ...]] = (
    ("remaining", "By what is left"),
    ("weights", "Fixed weights"),
    ("schedule", "Schedule"),
)
_WHAT: Final[dict[Mixing, str]] = {
    "remaining": "Each source is drawn by what is left of it, so that all end together.",
    "weights": "The same mix from the first step to the last. A source that ends begins again.",
    "schedule": "Weights move from one point of the training to the next along a straight line.",
}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
SERIES: Final = ("s1", "s2", "s3", "s5", "s4", "s6")


class ShareBar(QWidget):
    """Shares of sources side by side, in their colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shares: tuple[float, ...] = ()
        self.setFixedHeight(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def set_shares(self, shares: Sequence[float]) -> None:
        """Show these, from 0 to 1 each."""
        self._shares = tuple(shares)
        self.setAccessibleName(", ".join(percent(share) for share in shares))
        self.update()

    def sizeHint(self) -> QSize:
        """Any width."""
        return QSize(200, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """One bar for each that is not empty."""
        palette = theme().palette
        painter = painter_for(self)
        painter.setPen(Qt.PenStyle.NoPen)
        left = 0.0
        for number, share in enumerate(self._shares):
            width = share * self.width()
            if width >= 1.0:
                painter.setBrush(QColor(getattr(palette, SERIES[number % len(SERIES)])))
                painter.drawRoundedRect(QRectF(left, 0, max(width - 2, 1.0), 8), 2, 2)
            left += width
        painter.end()


class MixingCard(Card):
    """Weights of sources over the training; hidden where there is but one source.

    Signals:
        form_changed (object): Carries the new `SequenceForm`.
    """

    form_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=10, parent=parent)
        self._form = SequenceForm()
        self._sources: tuple[SourceChoice, ...] = ()
        self._laid_out: tuple[object, ...] = ()
        self.modes = Segmented([*_MODES], name="Mixing")
        self.modes.chosen.connect(self._on_mode_chosen)
        head = QHBoxLayout()
        head.addWidget(card_title("Mixing"), 1)
        head.addWidget(self.modes)
        self._what = Label("", "secondary", "muted", wrap=True)
        self._bar = ShareBar()
        self._table = QWidget()
        self._error = Label("", "label", "danger", wrap=True)
        self._error.hide()
        self.further = SecondaryButton("Add a point", "plus", size="small")
        self.further.clicked.connect(self._on_further_clicked)
        foot = QHBoxLayout()
        foot.addWidget(self._error, 1)
        foot.addStretch(1)
        foot.addWidget(self.further)
        self.body.addLayout(head)
        self.body.addWidget(self._what)
        self.body.addWidget(self._bar)
        self._place = QHBoxLayout()
        self._place.addWidget(self._table)
        self.body.addLayout(self._place)
        self.body.addLayout(foot)
        self.weights: dict[tuple[int, str], LineEdit] = {}
        self.ats: dict[int, LineEdit] = {}
        self._given: dict[str, tuple[Label, Label]] = {}

    def show_draft(self, draft: Draft, plan: Plan) -> None:
        """Show how the chosen data is mixed."""
        self._sources = draft.data.sources if draft.data is not None else ()
        self._form = form = draft.sequences
        self.setVisible(len(self._sources) > 1)
        if len(self._sources) < 2:
            return
        points = form.in_force(self._sources)
        self.modes.set_current(form.mixing)
        self._what.set_text(_WHAT[form.mixing])
        self._lay_out(points)
        for number, point in enumerate(points):
            self._show_point(number, point)
        self.further.setVisible(form.mixing == "schedule" and len(points) < POINTS_MAX)
        self._show_shares(draft, plan)
        error = plan.error
        wrong = error is not None and error.field.startswith(MIXING)
        self._error.set_text(field_message(error) if wrong and error is not None else "")
        self._error.setVisible(wrong)

    # --- the table -----------------------------------------------------------------------------

    def _lay_out(self, points: Sequence[MixPoint]) -> None:
        """Make the table anew where it has other rows or columns."""
        wanted = (self._form.mixing, len(points), self._sources)
        if wanted == self._laid_out:
            return
        self._laid_out = wanted
        old, self._table = self._table, QWidget()
        self._place.replaceWidget(old, self._table)
        old.hide()
        old.deleteLater()
        grid = QGridLayout(self._table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        self.weights.clear()
        self.ats.clear()
        self._given.clear()
        last = 3 + len(points)
        for column, text in ((2, "Tokens"), (last, "Of the run"), (last + 1, "Passes")):
            grid.addWidget(Label(text, "label", "muted", elide=False, align=_RIGHT), 0, column)
        for number in range(len(points)):
            grid.addWidget(self._point_head(number, len(points)), 0, 3 + number)
        for row, source in enumerate(self._sources, 1):
            self._add_source(grid, row, source, len(points))

    def _point_head(self, number: int, points: int) -> QWidget:
        """What stands above a column of weights."""
        if self._form.mixing == "weights":
            return Label("Weight", "label", "muted", align=_RIGHT)
        if number == 0:
            return Label("at the start", "label", "muted", align=_RIGHT)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        edit = LineEdit(mono=True, name=f"Point {number + 1} at")
        edit.setFixedWidth(46)
        edit.setAlignment(_RIGHT)
        edit.textEdited.connect(partial(self._on_at_edited, number))
        self.ats[number] = edit
        row.addStretch(1)
        row.addWidget(edit)
        row.addWidget(Label("%", "label", "muted", elide=False))
        if points > 2:
            away = IconButton("x", "Remove this point", edge=16)
            away.clicked.connect(partial(self._on_point_removed, number))
            row.addWidget(away)
        return holder

    def _add_source(self, grid: QGridLayout, row: int, source: SourceChoice, points: int) -> None:
        dot = Dot(SERIES[(row - 1) % len(SERIES)])
        grid.addWidget(dot, row, 0, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(Label(source.name, "body"), row, 1)
        tokens = Label(count(source.train_tokens), "mono", "muted", elide=False, align=_RIGHT)
        grid.addWidget(tokens, row, 2)
        for number in range(points):
            edit = LineEdit(mono=True, name=f"Weight of {source.name}")
            edit.setFixedWidth(60)
            edit.setAlignment(_RIGHT)
            edit.textEdited.connect(partial(self._on_weight_edited, number, source.name))
            self.weights[number, source.name] = edit
            grid.addWidget(edit, row, 3 + number, Qt.AlignmentFlag.AlignRight)
        share = Label(MISSING, "mono", elide=False, align=_RIGHT)
        passes = Label(MISSING, "mono", elide=False, align=_RIGHT)
        for column, label in ((3 + points, share), (4 + points, passes)):
            label.setMinimumWidth(52)
            grid.addWidget(label, row, column)
        self._given[source.name] = share, passes

    # --- figures -------------------------------------------------------------------------------

    def _show_point(self, number: int, point: MixPoint) -> None:
        at = self.ats.get(number)
        if at is not None:
            _show_text(at, point.at, isinstance(parse_percent(point.at), int | float))
        for source in self._sources:
            text = point.weight(source.name)
            weight = parse(text) if text.strip() else 0
            good = not isinstance(weight, str) and weight >= 0
            _show_text(self.weights[number, source.name], text, good)

    def _show_shares(self, draft: Draft, plan: Plan) -> None:
        found: dict[str, SourceShare] = {}
        if plan.spec is not None and draft.data is not None:
            found = shares_of(plan.spec.data, self._sources, draft.training_tokens)
        self._bar.set_shares([found[s.name].share for s in self._sources if s.name in found])
        for source in self._sources:
            share, passes = self._given[source.name]
            given = found.get(source.name)
            share.set_text(percent(given.share) if given else MISSING)
            passes.set_text(f"{given.passes:.2f}" if given else MISSING)

    # --- reactions -----------------------------------------------------------------------------

    def _on_mode_chosen(self, key: str) -> None:
        mode = next(mode for mode, _ in _MODES if mode == key)
        self.form_changed.emit(self._form.with_mixing(mode, self._sources))

    def _on_weight_edited(self, number: int, source: str, text: str) -> None:
        point = self._form.points[number].with_weight(source, text)
        self.form_changed.emit(self._form.with_point(number, point))

    def _on_at_edited(self, number: int, text: str) -> None:
        point = replace(self._form.points[number], at=text)
        self.form_changed.emit(self._form.with_point(number, point))

    def _on_further_clicked(self) -> None:
        self.form_changed.emit(self._form.with_further_point())

    def _on_point_removed(self, number: int) -> None:
        self.form_changed.emit(self._form.without_point(number))


def _show_text(edit: LineEdit, text: str, good: bool) -> None:
    if edit.text() != text:
        edit.setText(text)
    edit.set_invalid(not good)
