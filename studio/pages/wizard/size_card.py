"""The card "Is this the right size?": the chart, what it says in words, and a way to follow it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.wizard.plan import Fix, Plan
from studio.pages.wizard.size_chart import SizeChart
from studio.planner import LAW, LAW_SOURCE, REPEATS_SOURCE, SizeCurve, curve_of
from studio.planner.cautions import model_values
from studio.planner.scaling import plain_parameters
from studio.planner.sizes import with_size
from studio.theme import theme
from studio.widgets.card import Card
from studio.widgets.controls import LinkButton
from studio.widgets.figures import count
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme

_SHORT_LAW = LAW.replace("L(N, D)", "L").replace(" / ", "/")
_WORTH_IT = 0.02
"""Nats per token that another size must promise before it is proposed."""


class LegendLine(QWidget):
    """A short stretch of a curve, solid or dashed."""

    def __init__(self, colour: str, *, dashed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour, self._dashed = colour, dashed
        self.setFixedSize(14, 8)
        repaint_on_theme(self)

    def set_colour(self, colour: str) -> None:
        """Another palette colour, by name."""
        self._colour = colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The line."""
        painter = painter_for(self)
        colour = QColor(str(getattr(theme().palette, self._colour)))
        if self._dashed:
            pen = QPen(colour, 2)
            pen.setDashPattern([2, 1.2])
            painter.setPen(pen)
            painter.drawLine(0, 4, 14, 4)
        else:
            painter.fillRect(QRectF(0, 3, 14, 2), colour)
        painter.end()


class SizeCard(Card):
    """Expected losses of other sizes for the same computing.

    Signals:
        fix_chosen (object): The best size is wanted; carries a `Fix`.
    """

    fix_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=15, spacing=4, parent=parent)
        head = QHBoxLayout()
        head.addWidget(card_title("Is this the right size?"), 1)
        self._best = LinkButton("")
        self._best.clicked.connect(self._on_best_clicked)
        head.addWidget(self._best)
        self._main = LegendLine("s1")
        self._main_word = Label("with index", "label", "muted", elide=False)
        self._plain = LegendLine("s2", dashed=True)
        self._plain_word = Label("plain", "label", "muted", elide=False)
        legend = QHBoxLayout()
        legend.setSpacing(6)
        legend.addWidget(Label("Expected val loss", "label", "muted", elide=False))
        for widget in (self._main, self._main_word, self._plain, self._plain_word):
            legend.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        legend.addStretch(1)
        self.chart = SizeChart()
        self._words = Label("", "secondary", "muted", wrap=True)
        self._law = Label("", "label", "muted", wrap=True)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addLayout(legend)
        column.addWidget(self.chart, 1)
        column.addWidget(self._words)
        column.addWidget(self._law)
        self.body.addLayout(head)
        self.body.addLayout(column, 1)
        self._fix: Fix | None = None

    def show_plan(self, plan: Plan) -> None:
        """Show the sizes around a plan."""
        outcome = plan.outcome
        self._main_word.setVisible(outcome is not None)
        if outcome is None or plan.data is None:
            self.chart.show_curve(None, 0.0, 0.0, 0.0, 0, index=False)
            self._words.set_text("")
            self._best.hide()
            return
        index = outcome.spec.model.match_input
        own = float(plain_parameters(outcome.spec.model))
        # The axis counts what the panel counts: a match input's parameters among them.
        curve = _counted(curve_of(outcome.spec, plan.data, plan.around), outcome.parameters / own)
        self.chart.show_curve(
            curve,
            float(outcome.parameters),
            outcome.loss.loss,
            outcome.loss.band,
            plan.around.machine.memory_bytes(outcome.spec),
            index=index,
        )
        self._main.set_colour("s1" if index else "s2")
        self._main_word.set_text("with index" if index else "plain")
        for widget in (self._plain, self._plain_word):
            widget.setVisible(index)
        self._show_words(plan, curve)
        self._law.set_parts(Part("Hoffmann et al., 2022: "), Part(_SHORT_LAW, "axis"))
        self._law.set_tooltip(
            f"{LAW}: N parameters, D training tokens, L in nats per token.\n{LAW_SOURCE}.\n"
            f"Text that is read again counts less: {REPEATS_SOURCE}.\n"
            f"Here: {outcome.loss.source}."
        )

    def _show_words(self, plan: Plan, curve: SizeCurve) -> None:
        outcome = plan.outcome
        if outcome is None:
            return
        own = float(outcome.parameters)
        low, high = curve.near
        if low <= own <= high:
            words = f"{count(own)} is the best size for this effort."
        else:
            side = "smaller" if curve.best < own else "larger"
            words = f"{count(curve.best)}, a {side} model, would be the best for this effort."
        self._words.set_text(
            f"{words} From {count(low)} to {count(high)} the loss stays within 0.01."
        )
        gain = outcome.loss.loss - curve.best_loss
        limit = curve.memory_limit
        fits = limit is None or curve.best <= limit
        offered = not low <= own <= high and gain > _WORTH_IT and fits
        self._best.setVisible(offered)
        self._fix = None
        if offered and plan.data is not None:
            spec = with_size(outcome.spec, curve.best * plain_parameters(outcome.spec.model) / own)
            # The same computing: a model of half the size reads twice the text.
            tokens = outcome.tokens * own / curve.best
            label = f"Take {count(curve.best)}"
            self._fix = Fix(label, {**model_values(spec), "tokens": tokens})
            self._best.set_text(label)

    def _on_best_clicked(self) -> None:
        if self._fix is not None:
            self.fix_chosen.emit(self._fix)


def _counted(curve: SizeCurve, ratio: float) -> SizeCurve:
    """The curve with sizes multiplied, where more is counted as a model's parameters."""
    limit = curve.memory_limit
    return replace(
        curve,
        parameters=curve.parameters * ratio,
        best=curve.best * ratio,
        near=(curve.near[0] * ratio, curve.near[1] * ratio),
        memory_limit=None if limit is None else limit * ratio,
    )
