"""The four charts of a run: loss, speed, what the computer does, gradient norm; one x axis."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from studio.charts import marks
from studio.charts.card import ChartCard, LegendEntry
from studio.charts.content import Content, Curve, Limit, Points
from studio.charts.feed import StepFeed, SystemFeed
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.redraw import RedrawQueue
from studio.charts.strips import GPU_COLUMNS, HOST_COLUMNS, SystemStrips
from studio.runs.model import RESERVED_MAX, JobModel
from studio.widgets import figures
from studio.widgets.controls import CheckBox
from studio.widgets.label import Part

STEP_COLUMNS: Final = ("loss", "tokens_per_s", "grad_norm")
_LEGEND: Final = (
    LegendEntry("line", "raw_loss", "raw"),
    LegendEntry("line", "s1", "train"),
    LegendEntry("dot", "s2", "validation"),
    LegendEntry("diamond", "muted", "checkpoint"),
)
_CARD_PX: Final = {1: 280, 2: 230}
"""Least height of a card with so many of them side by side."""
_OPENED_ROWS: Final = 2_000
"""So many steps at once come when a run is opened: someone waits for the charts."""
_EVENT_LEGEND: Final = (LegendEntry("dot", "warn", "event"),)


class Dashboard(QWidget):
    """The charts of one run; call `sync` when the model has news.

    Args:
        model: The run.

    Signals:
        checkpoint_clicked: A checkpoint's diamond was clicked; carries its step.
    """

    checkpoint_clicked = Signal(int)

    def __init__(self, model: JobModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.steps = StepFeed(STEP_COLUMNS)
        self.system = SystemFeed(GPU_COLUMNS + HOST_COLUMNS, self.steps.timeline)
        self.link = ChartLink(self.steps.timeline, self)
        self.queue = RedrawQueue(self)
        self._marks_key: tuple[object, ...] = ()
        self._make_contents()
        self._make_cards()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self._columns = 0
        self._arrange(2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.sync()

    # --- what it shows -------------------------------------------------------------------------

    def sync(self) -> None:
        """Take in what the model has learned since the last time."""
        before = len(self.steps.timeline)
        self.steps.reserve(min(self.model.total_steps, RESERVED_MAX))
        grew = self.steps.sync(self.model.steps)
        opened = len(self.steps.timeline) - before > _OPENED_ROWS
        self._set_extents()
        seconds = self.system.sync(self.model.system)
        key = marks.key(self.model)
        if grew or key != self._marks_key:
            self._marks_key = key
            self._set_marks()
            for chart in (self.loss, self.speed, self.norm):
                chart.refresh(at_once=opened)
        if grew or seconds:
            self.strips.sync(marks.gpu_limits(self.model), at_once=opened)

    def set_smoothing(self, steps: int) -> None:
        """Draw the training loss as the mean of this many steps; 1 shows it as it is."""
        self._smooth.smooth = steps
        self.loss.refresh()

    def set_log_y(self, log: bool) -> None:
        """Make the loss axis logarithmic or linear."""
        self.loss.content.log_y = log
        self.loss.refresh()

    def steps_in_view(self) -> tuple[int, int]:
        """First and last step that the charts show."""
        if not self.link.zoomed or not len(self.steps.timeline):
            return 1, max(len(self.steps.timeline), 1)
        low, high = self.link.visible()
        mode = self.link.mode
        first, last = (
            self.steps.timeline.step_at(mode, low),
            self.steps.timeline.step_at(mode, high),
        )
        return first or 1, last or 1

    @property
    def charts(self) -> list[PlotCanvas]:
        """Every chart, for export."""
        return [self.loss, self.speed, *self.strips.charts, self.norm]

    @property
    def cards(self) -> list[ChartCard]:
        """The four cards, in reading order."""
        return [self._loss_card, self._speed_card, self.strips, self._norm_card]

    # --- making it -----------------------------------------------------------------------------

    def _make_contents(self) -> None:
        timeline, lines = self.steps.timeline, self.steps.lines
        raw = Curve(lines["loss"], "raw_loss", "train raw", ring=False)
        self._smooth = Curve(lines["loss"], "s1", "train smooth", smooth=200, strong=True)
        self._validations = Points(timeline, colour="s2", name="validation")
        self._checkpoints = Points(timeline, colour="muted", shape="diamond")
        self._weights_only = Points(timeline, colour="line2", shape="diamond")
        self._loss_content = Content(
            timeline,
            curves=[raw, self._smooth],
            points=[self._checkpoints, self._validations, self._weights_only],
            empty="The first step is not done yet",
        )
        speed = Curve(lines["tokens_per_s"], "s1", band=True, strong=True)
        self._speed_content = Content(timeline, curves=[speed], value_digits=None)
        norm = Curve(lines["grad_norm"], "s6", band=True)
        self._norm_content = Content(timeline, curves=[norm], log_y=True)

    def _make_cards(self) -> None:
        self.loss = self._chart(self._loss_content, "Loss by step")
        self.loss.mark_clicked.connect(self.checkpoint_clicked)
        self.speed = self._chart(self._speed_content, "Tokens per second by step")
        self.norm = self._chart(self._norm_content, "Gradient norm by step")
        self._loss_card = ChartCard("Loss", _LEGEND)
        self._log_x = CheckBox("log x", quiet=True)
        self._log_x.toggled.connect(self.link.set_log)
        self._loss_card.add_right(self._log_x)
        self._loss_card.add_chart(self.loss)
        self._speed_card = ChartCard("Tokens per second")
        self._speed_card.add_chart(self.speed)
        self.strips = SystemStrips(self.system, self.link, self.queue)
        self._norm_card = ChartCard("Gradient norm")
        self._norm_card.remark.set_text("log y")
        self._norm_card.add_chart(self.norm)

    def _set_extents(self) -> None:
        timeline = self.steps.timeline
        if len(timeline):
            ends = [0, len(timeline) - 1]
            for mode in ("steps", "tokens", "time"):
                first, last = timeline.at(mode, ends)
                self.link.set_extent(mode, float(first), float(last))

    def _set_marks(self) -> None:
        model, lines = self.model, self.steps.lines
        marks.set_validations(self._validations, model.validations, model.best)
        marks.set_checkpoints(self._checkpoints, self._weights_only, model.checkpoints)
        self._loss_content.limits = marks.plateaus(model) or marks.entropies(model)
        self._loss_content.flags = marks.flags(model)
        clip = marks.clip_norm(model.spec)
        self._norm_content.limits = (
            [Limit(clip, f"clipped above {marks.norm_text(clip)}")] if clip else []
        )
        spikes = marks.spike_notes(model.status.notes, lines["grad_norm"], clip)
        self._norm_content.notes = spikes
        self._norm_card.legend.set_entries(_EVENT_LEGEND if spikes else ())
        speed = lines["tokens_per_s"]
        average = marks.average_speed(model)
        self._speed_content.notes = marks.slow_notes(model.status.notes, speed, average)
        self._speed_card.remark.set_parts(
            "average ", Part(figures.whole(average), "mono_small", "text")
        )

    def _chart(self, content: Content, name: str) -> PlotCanvas:
        return PlotCanvas(content, self.link, self.queue, name=name)

    def set_columns(self, columns: int) -> None:
        """Show the charts side by side or stacked."""
        if columns != self._columns:
            self._arrange(columns)

    def _arrange(self, columns: int) -> None:
        self._columns = columns
        for place, card in enumerate(self.cards):
            self._grid.removeWidget(card)
            self._grid.addWidget(card, place // columns, place % columns)
            card.setMinimumHeight(_CARD_PX[columns])
        for index in range(4):
            self._grid.setColumnStretch(index, 1 if index < columns else 0)
            self._grid.setRowStretch(index, 1 if index < 4 // columns else 0)
