"""The Plan panel at the right of the wizard: what the draft will take, always in step."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Advice, Plan
from studio.pages.wizard.plan_rows import AdviceCard, MemoryRow, PlanRow, TimeCard
from studio.widgets.card import Dot, Hairline, Panel
from studio.widgets.figures import (
    MISSING,
    NARROW,
    count,
    percent,
    rough_duration,
    size,
    whole,
)
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll

PANEL_PX = 292


class PlanPanel(Panel):
    """Time, size, tokens, loss, memory, disk, electricity, and what to know before the start.

    Signals:
        fix_chosen (object): A way out of a bad plan was taken; carries its `Fix`.
    """

    fix_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", left_line=True, parent=parent)
        self.setFixedWidth(PANEL_PX)
        self._state_dot = Dot("ok", round_=True, edge=6)
        self._state = Label("up to date", "label", "muted")
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(Label("Plan", "title"))
        head.addStretch(1)
        head.addWidget(self._state_dot, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self._state)
        self.time = TimeCard()
        self._rows = {
            name: PlanRow(name, tip)
            for name, tip in (
                ("Parameters", "Trained numbers in the model, shared embeddings counted once"),
                ("Training tokens", "Tokens read in all, repeats included"),
                ("Expected val loss", "Nats per token on held-out text"),
                ("Disk for checkpoints", "Weights and optimizer of those that stay"),
                ("Memory index", "Size on disk"),
                ("Validation budget", "Share of the time in which held-out text is measured"),
                ("Electricity", "Of the whole computer while it trains"),
            )
        }
        self.memory = MemoryRow()
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 18, 16, 16)
        column.setSpacing(0)
        column.addLayout(head)
        column.addSpacing(12)
        column.addWidget(self.time)
        column.addSpacing(6)
        self._hairlines: dict[str, Hairline] = {}
        for name, row in self._rows.items():
            column.addWidget(row)
            self._hairlines[name] = Hairline()
            column.addWidget(self._hairlines[name])
            if name == "Expected val loss":
                column.addWidget(self.memory)
                column.addWidget(Hairline())
        column.addSpacing(12)
        self._advice_place = QVBoxLayout()
        self._advice_place.setSpacing(8)
        column.addLayout(self._advice_place)
        column.addStretch(1)
        self._advice: tuple[Advice, ...] = ()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 0, 0, 0)
        outer.addWidget(ClearScroll(inner))

    def show_plan(self, plan: Plan, draft: Draft, *, measuring: bool = False) -> None:
        """Show a plan; called on every change of the draft.

        Args:
            plan: Its figures.
            draft: What they belong to.
            measuring: A probe is at work: figures are about to change.
        """
        wrong = bool(plan.obstacle)
        state = "cannot work" if wrong else "measuring" if measuring else "up to date"
        self._state_dot.set_colour("danger" if wrong else "info" if measuring else "ok")
        self._state.set_text(state)
        self.time.show_plan(plan, measuring=measuring)
        for label in (*(row.value for row in self._rows.values()), self.memory.value):
            label.set_tone("muted" if measuring else "text")
        self._show_size(plan, draft)
        self._show_index(plan, draft)
        self._show_costs(plan)
        wrong_setting: tuple[Advice, ...] = ()
        if plan.error is not None:
            ways = () if plan.repaired is None else (plan.repaired,)
            wrong_setting = (Advice("danger", "This cannot work yet.", plan.obstacle, fixes=ways),)
        self._show_advice((*wrong_setting, *plan.advice))

    def _show_size(self, plan: Plan, draft: Draft) -> None:
        exactly = f"{whole(plan.parameters)} exactly"
        self._rows["Parameters"].show_value(
            count(plan.parameters), "", exactly if plan.parameters else ""
        )
        ratio = plan.tokens_per_parameter
        self._rows["Training tokens"].show_value(
            count(plan.training_tokens),
            f"{ratio:.1f} per parameter, {whole(plan.steps)} steps" if ratio is not None else "",
        )
        outcome = plan.outcome
        loss = outcome.loss if outcome else None
        known = loss is not None and math.isfinite(loss.loss)
        self._rows["Expected val loss"].show_value(
            f"{loss.loss:.2f} ± {loss.band:.2f}" if loss and known else MISSING,
            "",
            loss.source if loss else "",
        )
        on_gpu = outcome is not None and plan.around.machine.device_of(outcome.spec) == "cuda"
        self.memory.show_memory(outcome.memory if outcome else None, on_gpu=on_gpu)

    def _show_index(self, plan: Plan, draft: Draft) -> None:
        row = self._rows["Memory index"]
        first = draft.use_index and not plan.index_is_built and plan.index_seconds is not None
        row.setVisible(first)
        self._hairlines["Memory index"].setVisible(first)
        if first:
            about = rough_duration(plan.index_seconds)
            row.show_value(f"about {size(plan.index_bytes)}", f"built first, about {about}")

    def _show_costs(self, plan: Plan) -> None:
        outcome = plan.outcome
        disk, measure, energy = (
            self._rows[name]
            for name in ("Disk for checkpoints", "Validation budget", "Electricity")
        )
        if outcome is None:
            for row in (disk, measure, energy):
                row.show_value(MISSING)
            return
        free = outcome.disk.free
        disk.show_value(
            size(outcome.disk.checkpoints),
            f"{size(free)} free on this disk" if free is not None else "",
            f"{size(outcome.disk.checkpoint)} each, {size(outcome.disk.peak)} at the most",
        )
        each, times = outcome.validation, outcome.validation.times
        measure.show_value(
            percent(each.share, 0 if each.share >= 0.0095 else 1),
            f"{times:,} times, {rough_duration(each.seconds)} each, every {each.every_steps:,}"
            " steps",
        )
        power = outcome.energy
        cost = ""
        if power.cost is not None:
            cost = (
                f"about {power.currency} {power.cost:,.2f} at {power.currency} {power.per_kwh:.2f}"
                " per kWh"
            )
        guess = " guessed" if power.is_guess else ""
        energy.show_value(
            f"{kwh_text(power.kwh)}{NARROW}kWh", cost or f"at {power.power_w:,.0f}{NARROW}W{guess}"
        )

    def _show_advice(self, advice: tuple[Advice, ...]) -> None:
        if advice == self._advice:
            return
        self._advice = advice
        while (item := self._advice_place.takeAt(0)) is not None:
            if (card := item.widget()) is not None:
                card.hide()
                card.deleteLater()
        for each in advice:
            shown = AdviceCard(each)
            shown.fix_chosen.connect(self.fix_chosen)
            self._advice_place.addWidget(shown)


def kwh_text(kwh: float) -> str:
    """Kilowatt-hours with as many digits as say something."""
    return f"{kwh:,.1f}" if kwh >= 1 else f"{kwh:.2g}" if kwh >= 0.001 else "0.001"
