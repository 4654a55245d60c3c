"""The chart of the compare page: validation losses of several runs over one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import QWidget

from studio.charts.card import ChartCard
from studio.charts.content import Content, Curve
from studio.charts.crosshair import Box, BoxRow
from studio.charts.lines import Line, Timeline, XMode
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.readout import position_label
from studio.charts.redraw import RedrawQueue
from studio.pages.compare.facts import Compared, same_tokenizer, short_names
from studio.pages.compare.settings import change_role, change_text
from studio.theme import DASHES, text_width
from studio.widgets import figures
from studio.widgets.controls import CheckBox, Segmented

MODES: Final[tuple[XMode, ...]] = ("steps", "tokens", "time")
_TITLES: Final[dict[XMode, str]] = {
    "steps": "training steps",
    "tokens": "training tokens",
    "time": "training time",
}
_NAME_PX: Final = 110


class CompareChart(ChartCard):
    """Validation loss, or bits per byte, by steps, tokens or time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Validation loss", parent=parent)
        self._runs: tuple[Compared, ...] = ()
        self._base: Compared | None = None
        self._of_curve: dict[int, Compared] = {}
        self.link = ChartLink(None, self)
        self.mode = Segmented(
            [("steps", "Steps"), ("tokens", "Tokens"), ("time", "Time")], "tokens", name="X axis"
        )
        self.mode.chosen.connect(self._on_mode)
        self.log_x = CheckBox("Log x")
        self.log_x.toggled.connect(self.link.set_log)
        self.bits = CheckBox("Bits per byte")
        self.bits.toggled.connect(self._fill)
        for widget in (self.mode, self.log_x, self.bits):
            self.add_right(widget)
        self.content = Content(
            Timeline(), empty="No validation yet", x_title=_TITLES["tokens"], right_margin=24
        )
        self.canvas = PlotCanvas(
            self.content,
            self.link,
            RedrawQueue(self),
            name="Validation loss of the runs",
            make_box=self._make_box,
            read=self._read,
        )
        self.add_chart(self.canvas)
        self._on_mode("tokens")

    def show_runs(self, runs: Sequence[Compared], base: Compared | None) -> None:
        """Show these runs; differences are to the base."""
        self._runs, self._base = tuple(runs), base
        comparable = same_tokenizer(runs)
        self.bits.setEnabled(comparable)
        self.bits.setToolTip("" if comparable else "The tokenizers differ: losses do not compare")
        for mode in MODES:
            ends = [run.positions(mode) for run in runs if run.validations]
            if ends:
                first = min(float(x[0]) for x in ends)
                self.link.set_extent(mode, first, max(float(x[-1]) for x in ends))
        self._fill()

    @property
    def shows_bits(self) -> bool:
        """Whether bits per byte are shown in place of losses."""
        return self.bits.isChecked() or not same_tokenizer(self._runs)

    def _fill(self, _checked: bool = False) -> None:
        bits = self.shows_bits
        self.set_title("Bits per byte" if bits else "Validation loss")
        names = short_names([run.row.name for run in self._runs])
        curves = []
        self._of_curve = {}
        for run, name in zip(self._runs, names, strict=True):
            if not run.validations:
                continue
            timeline = Timeline()
            timeline.update(*(run.positions(mode) for mode in MODES))
            line = Line(timeline)
            values = run.values(bits)
            line.append(values)
            curve = Curve(
                line,
                f"s{run.slot + 1}",
                run.row.name,
                strong=True,
                dash=DASHES[run.slot],
                end_label=f"{figures.loss(float(values[-1]))} {name}",
            )
            self._of_curve[id(curve)] = run
            curves.append(curve)
        self.content.curves = curves
        widest = max((text_width(name, "label") for name in names), default=0)
        self.content.right_margin = 72 + min(widest, _NAME_PX)
        self.canvas.refresh()

    def _read(self, curve: Curve, at: float) -> float:
        run = self._of_curve.get(id(curve))
        return math.nan if run is None else run.value_at(self.link.mode, at, self.shows_bits)

    def _make_box(self, at: float) -> Box:
        mode, bits = self.link.mode, self.shows_bits
        names = dict(
            zip(
                [run.row.id for run in self._runs],
                short_names([run.row.name for run in self._runs]),
                strict=True,
            )
        )
        base = math.nan if self._base is None else self._base.value_at(mode, at, bits)
        rows = []
        for run in self._runs:
            value = run.value_at(mode, at, bits)
            if math.isnan(value):
                continue
            is_base = self._base is not None and run.row.id == self._base.row.id
            change = value - base
            known = not is_base and math.isfinite(change)
            rows.append(
                BoxRow(
                    f"s{run.slot + 1}",
                    names[run.row.id],
                    figures.loss(value),
                    change_text(change, 3) if known else "",
                    (change_role(change, 3) or "muted") if known else "muted",
                )
            )
        rows.sort(key=lambda row: row.value)
        place = position_label(mode, at, at)
        title = {"steps": f"at step {place}", "tokens": f"at {place} tokens", "time": f"at {place}"}
        to = f"to {names[self._base.row.id]}" if self._base is not None and len(rows) > 1 else ""
        return Box(tuple(rows), title[mode], to, on_right=True)

    def _on_mode(self, key: str) -> None:
        mode = next(each for each in MODES if each == key)
        self.content.x_title = _TITLES[mode]
        self.link.set_mode(mode)
        self.canvas.refresh()
