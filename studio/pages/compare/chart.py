"""The chart of the compare page: losses of several runs over one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from PySide6.QtWidgets import QWidget

from studio.charts.card import ChartCard
from studio.charts.content import Content, Curve, Ribbon
from studio.charts.crosshair import Box, BoxRow
from studio.charts.lines import Doubles, Line, Timeline, XMode
from studio.charts.link import ChartLink
from studio.charts.plot import PlotCanvas
from studio.charts.readout import position_label
from studio.charts.redraw import RedrawQueue
from studio.pages.compare.facts import Compared, Metric, same_tokenizer, short_names
from studio.pages.compare.seeds import can_join, spread
from studio.pages.compare.settings import change_role, change_text
from studio.theme import DASHES, text_width
from studio.widgets import figures
from studio.widgets.controls import CheckBox, IconButton, Segmented
from studio.widgets.menu import Menu

MODES: Final[tuple[XMode, ...]] = ("steps", "tokens", "time", "flop")
_TITLES: Final[dict[XMode, str]] = {
    "steps": "training steps",
    "tokens": "training tokens",
    "time": "training time",
    "flop": "floating-point operations: 6 N + attention, times tokens",
}
_WORDS: Final[dict[Metric, str]] = {
    "validation": "Validation loss",
    "training": "Training loss",
}
_WORDS_OF_BITS: Final[dict[Metric, str]] = {
    "validation": "Bits per byte",
    "training": "Training bits per byte",
}
HEAD_PX: Final = 48
_NAME_PX: Final = 110
_MEANS: Final = 200
"""A training loss is drawn as the mean of this part of it, so that noise does not hide it."""


class CompareChart(ChartCard):
    """Validation or training loss, or bits per byte, by steps, tokens, time or arithmetic.

    Attributes:
        seeds: Draws runs that differ in their seed alone as one line; hidden without such.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Validation loss", head_px=HEAD_PX, parent=parent)
        self._runs: tuple[Compared, ...] = ()
        self._base: Compared | None = None
        self._of_curve: dict[int, Compared] = {}
        self.kind: Metric = "validation"
        self.link = ChartLink(None, self)
        self.choose_metric = IconButton("chevron-down", "Choose the loss", edge=22)
        self.choose_metric.clicked.connect(self._on_choose_metric)
        self._row.insertWidget(1, self.choose_metric)
        self.mode = Segmented(
            [("steps", "Steps"), ("tokens", "Tokens"), ("time", "Time"), ("flop", "FLOP")],
            "tokens",
            name="X axis",
        )
        self.mode.chosen.connect(self._on_mode)
        self.mode.setToolTip(
            "FLOP: 6 N + 12 L H D T for each token, with attention; 6 N alone for curves of other"
            " programs, whose shape is not known"
        )
        self.seeds = CheckBox("Seeds as one", True)
        self.seeds.hide()
        self.log_x = CheckBox("Log x")
        self.log_x.toggled.connect(self.link.set_log)
        self.bits = CheckBox("Bits per byte")
        self.bits.toggled.connect(self._fill)
        for widget in (self.mode, self.seeds, self.log_x, self.bits):
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

    def show_runs(
        self,
        runs: Sequence[Compared],
        base: Compared | None,
        all_runs: Sequence[Compared] | None = None,
    ) -> None:
        """Show these runs; differences are to the base.

        Args:
            runs: What gets a line each.
            base: One of them.
            all_runs: The same, with seeds by themselves.
        """
        self._runs, self._base = tuple(runs), base
        self.seeds.setVisible(can_join(all_runs or runs))
        comparable = same_tokenizer(runs)
        self.bits.setEnabled(comparable and any(not math.isnan(r.bits_per_nat) for r in runs))
        why = "" if self.bits.isEnabled() else "Nobody knows how many bytes a token has here"
        self.bits.setToolTip(why if comparable else "The tokenizers differ: losses do not compare")
        self._fill()

    @property
    def shows_bits(self) -> bool:
        """Whether bits per byte are shown in place of losses."""
        return self.bits.isChecked() or not same_tokenizer(self._runs)

    def set_kind(self, metric: Metric) -> None:
        """Show validation or training losses."""
        self.kind = metric
        self._fill()

    def key_pressed(self, key: str) -> None:
        """Do what a key of the page means: `log`, `reset` or `let_go`."""
        if key == "log":
            self.log_x.toggle()
        elif key == "reset":
            self.link.reset()
        else:
            self.link.pin(None)

    # --- filling -------------------------------------------------------------------------------

    def _fill(self, _checked: bool = False) -> None:
        bits = self.shows_bits
        self.set_title((_WORDS_OF_BITS if bits else _WORDS)[self.kind])
        self.canvas.setAccessibleName(f"{self.title} of the runs")
        self._set_extents()
        names = short_names([run.row.name for run in self._runs])
        curves, ribbons = [], []
        self._of_curve = {}
        mode = self.link.mode
        for run, name in zip(self._runs, names, strict=True):
            values = run.values(bits, self.kind)
            if not np.isfinite(values).any() or not run.has(mode):
                continue
            curve = self._curve(run, name, values)
            self._of_curve[id(curve)] = run
            curves.append(curve)
            if run.members and self.kind == "validation":
                ribbons.append(self._ribbon(run, curve.line.timeline, bits))
        self.content.curves, self.content.ribbons = curves, ribbons
        self.content.empty = self._why_empty()
        widest = max((text_width(name, "label") for name in names), default=0)
        self.content.right_margin = 72 + min(widest, _NAME_PX)
        self.canvas.refresh()

    def _curve(self, run: Compared, name: str, values: Doubles) -> Curve:
        timeline = Timeline()
        columns = [run.positions(mode, self.kind) for mode in MODES]
        timeline.update(columns[0], columns[1], columns[2], columns[3])
        line = Line(timeline)
        line.append(values)
        smooth = max(1, len(values) // _MEANS) if self.kind == "training" else 0
        last = line.value_at(float(columns[0][-1]), smooth)
        return Curve(
            line,
            f"s{run.slot + 1}",
            run.row.name,
            smooth=smooth,
            strong=True,
            dash=DASHES[run.slot],
            end_label="" if math.isnan(last) else f"{figures.loss(last)} {name}",
        )

    @staticmethod
    def _ribbon(run: Compared, timeline: Timeline, bits: bool) -> Ribbon:
        low, high = Line(timeline), Line(timeline)
        for line, values in zip((low, high), spread(run, bits=bits), strict=True):
            line.append(values)
        return Ribbon(low, high, f"s{run.slot + 1}")

    def _set_extents(self) -> None:
        for mode in MODES:
            drawn = [run for run in self._runs if run.has(mode) and self._has_values(run)]
            ends = [run.positions(mode, self.kind) for run in drawn]
            if ends:
                above = [float(each[each > 0][0]) for each in ends if (each > 0).any()]
                self.link.set_extent(mode, min(above, default=1.0), max(each[-1] for each in ends))

    def _has_values(self, run: Compared) -> bool:
        return bool(np.isfinite(run.values(self.shows_bits, self.kind)).any())

    def _why_empty(self) -> str:
        if self._runs and not any(run.has(self.link.mode) for run in self._runs):
            return {
                "time": "The logs tell no times",
                "tokens": "Nobody knows how many tokens a step has",
                "flop": "Nobody knows how large these models are",
            }.get(self.link.mode, "")
        return "No validation yet" if self.kind == "validation" else "No training loss yet"

    # --- reading -------------------------------------------------------------------------------

    def _read(self, curve: Curve, at: float) -> float:
        run = self._of_curve.get(id(curve))
        return math.nan if run is None else self._value(run, curve, at)

    def _value(self, run: Compared, curve: Curve, at: float) -> float:
        mode = self.link.mode
        if self.kind == "validation":
            return run.value_at(mode, at, self.shows_bits)
        x = run.positions(mode, "training")
        row = int(curve.line.timeline.place(mode, [at])[0])
        if not len(x) or not x[0] <= at <= x[-1]:
            return math.nan
        step = float(curve.line.timeline.at("steps", min(row, len(x) - 1)))
        return curve.line.value_at(step, curve.smooth)

    def _make_box(self, at: float) -> Box:
        mode, base = self.link.mode, self._base
        short = short_names([run.row.name for run in self._runs])
        names = {run.row.id: name for run, name in zip(self._runs, short, strict=True)}
        found = [
            (run, self._value(run, curve, at))
            for curve in self.content.curves
            if (run := self._of_curve.get(id(curve))) is not None
        ]
        of_base = next((v for run, v in found if base and run.row.id == base.row.id), math.nan)
        found = sorted((each for each in found if not math.isnan(each[1])), key=lambda e: e[1])
        rows = []
        for run, value in found:
            change = value - of_base
            known = base is not None and run.row.id != base.row.id and math.isfinite(change)
            rows.append(
                BoxRow(
                    f"s{run.slot + 1}",
                    names[run.row.id],
                    figures.loss(value),
                    change_text(change, 3) if known else "",
                    (change_role(change, 3) or "muted") if known else "muted",
                )
            )
        place = position_label(mode, at, at)
        title = {
            "steps": f"at step {place}",
            "tokens": f"at {place} tokens",
            "time": f"at {place}",
            "flop": f"at {place} FLOP",
        }
        has_base = base is not None and len(rows) > 1 and not math.isnan(of_base)
        to = f"to {names[base.row.id]}" if has_base and base is not None else ""
        return Box(tuple(rows), title[mode], to, on_right=True)

    # --- reactions -----------------------------------------------------------------------------

    def _on_choose_metric(self) -> None:
        menu = Menu(self)
        for metric, word in _WORDS.items():
            icon = "check" if metric == self.kind else ""
            menu.add(word, partial(self.set_kind, metric), icon)
        button = self.choose_metric
        menu.open_at(button.mapToGlobal(button.rect().bottomLeft()))

    def _on_mode(self, key: str) -> None:
        mode = next(each for each in MODES if each == key)
        self.content.x_title = _TITLES[mode]
        self.link.set_mode(mode)
        self._fill()
