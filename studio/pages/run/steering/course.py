"""The learning rate over a run, as it is planned and as it would be, in a small chart."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.charts.card import Legend, LegendEntry
from studio.charts.content import Content, Curve, Flag
from studio.charts.lines import Doubles, Line, Timeline
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.redraw import RedrawQueue
from studio.runs.model import JobModel
from trainer_core.records import PlanChanged
from trainer_core.spec import TrainSpec
from trainer_core.training_plan import TrainingPlan

POINTS: Final = 400
_HEIGHT_PX: Final = 170
_DASH: Final = (4, 3)
_LEGEND: Final = (
    LegendEntry("line", "s1", "with the change"),
    LegendEntry("dash", "s6", "as planned", _DASH),
)


def course(plan: TrainingPlan, steps: Doubles) -> Doubles:
    """Learning rate at steps, (n,); NaN behind the end of the plan."""
    found = [plan.lr_at(int(step)) if step <= plan.steps else np.nan for step in steps]
    return np.array(found, dtype=np.float64)


def sampled_steps(first: int, last: int, corners: tuple[int, ...] = ()) -> Doubles:
    """Steps over a run, close enough for a chart, with the corners of its course among them."""
    even = np.unique(np.linspace(first, max(last, first + 1), POINTS).round())
    there = [float(step) for step in corners if first <= step <= last]
    found: Doubles = np.unique(np.concatenate([even, np.array(there, dtype=np.float64)]))
    return found


class CoursePicture(QWidget):
    """Two courses of the learning rate; the crosshair reads them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.timeline = Timeline()
        self._content = Content(self.timeline, value_digits=3, empty="The plan is not known yet")
        self._shown: tuple[object, ...] = ()
        self._link = ChartLink(self.timeline, self)
        self._queue = RedrawQueue(self)
        self.chart = PlotCanvas(
            self._content, self._link, self._queue, name="Learning rate by step, with the change"
        )
        self.chart.setFixedHeight(_HEIGHT_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(Legend(_LEGEND))
        column.addWidget(self.chart)

    @property
    def curves(self) -> list[Curve]:
        """What is drawn: the plan in force, then the other one."""
        return self._content.curves

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(400, _HEIGHT_PX + 20)

    def show_plan(self, model: JobModel, lr: float | None, steps: int | None) -> None:
        """Show the plan in force, and the one with a change after the newest step.

        Args:
            model: The run.
            lr: Another peak, or None.
            steps: Another end, or None.
        """
        spec, now = model.spec, model.plan
        if now is None or not isinstance(spec, TrainSpec):
            return
        grain = max(max(now.steps, steps or 0) // POINTS, 1)
        key = (now.changes, model.step // grain, lr, steps)
        if key == self._shown:
            return  # the run has gone on by less than a pixel
        self._shown = key
        then = now
        if lr is not None or steps is not None:
            change = PlanChanged(time_s=0.0, step=model.step, lr=lr, steps=steps)
            then = now.changed(change)
        corners = (spec.optimizer.warmup_steps, model.step, model.step + 1, now.steps, then.steps)
        place = sampled_steps(1, max(now.steps, then.steps), corners)
        self.timeline.update(place, place, place)
        self._link.set_extent("steps", 1.0, float(place[-1]))
        planned, changed = Line(self.timeline), Line(self.timeline)
        planned.append(course(now, place))
        changed.append(course(then, place))
        self._content.curves = [
            Curve(planned, "s6", "as planned", dash=_DASH),
            Curve(changed, "s1", "with the change", strong=True),
        ]
        self._content.flags = [Flag(model.step, "now", "muted")] if model.step else []
        self.chart.refresh(at_once=True)
