"""The Plan panel at the right of the wizard: what the draft will take, always in step."""

from __future__ import annotations

import time

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Advice, Plan
from studio.theme import theme
from studio.widgets.card import Card, Dot, Hairline, Panel
from studio.widgets.figures import (
    MISSING,
    count,
    duration,
    rough_duration,
    size,
    weekday_clock,
    whole,
)
from studio.widgets.label import Label, Part
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box
from studio.widgets.scroll import ClearScroll

_RIGHT = Qt.AlignmentFlag.AlignRight


class PlanRow(QWidget):
    """A figure of the plan with a line of context below."""

    def __init__(self, name: str, tooltip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = Label(MISSING, "mono", elide=False, align=_RIGHT)
        self.context = Label("", "label", "muted", align=_RIGHT)
        label = Label(name, "body", "muted")
        label.set_tooltip(tooltip)
        self._name = name
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label, 1)
        row.addWidget(self.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 9, 0, 9)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.context)

    def show_value(self, value: str, context: str = "") -> None:
        """Show a figure; "–" while there is none."""
        self.value.set_text(value)
        self.context.set_text(context)
        self.context.setVisible(bool(context))
        self.setAccessibleName(f"{self._name}: {value} {context}".strip())


class AdviceCard(QWidget):
    """A warning or a hint: one bold sentence, then the consequence."""

    def __init__(self, advice: Advice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._advice = advice
        text = Label("", "secondary", wrap=True)
        text.set_parts(Part(advice.title, "strong"), Part(f" {advice.text}" if advice.text else ""))
        column = QVBoxLayout(self)
        column.setContentsMargins(36, 10, 12, 10)
        column.addWidget(text)
        self.setAccessibleName(f"{advice.title} {advice.text}".strip())
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Soft ground and a sign."""
        role = theme().palette.role(self._advice.level)
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 6, fill=role.soft)
        sign = "info" if self._advice.level == "info" else "triangle-alert"
        draw_icon(painter, sign, role.on_soft, 12, 12, 14)
        painter.end()


class PlanPanel(Panel):
    """Time, size, tokens, disk, and what to know before the start."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", left_line=True, parent=parent)
        self.setFixedWidth(292)
        self._state_dot = Dot("ok", round_=True, edge=6)
        self._state = Label("up to date", "label", "muted")
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(Label("Plan", "title"))
        head.addStretch(1)
        head.addWidget(self._state_dot, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self._state)
        self._time = Label(MISSING, "tile", elide=False)
        self._time_name = Label("Estimated time", "label", "muted")
        self._time_from = Label("", "label", "muted", wrap=True)
        self._finish = Label("", "label", align=_RIGHT)
        time_card = Card(padding=12, spacing=2, ground="bg2")
        time_card.body.addWidget(self._time_name)
        time_card.body.addWidget(self._time)
        foot = QHBoxLayout()
        foot.addWidget(self._time_from, 1)
        foot.addWidget(self._finish)
        time_card.body.addLayout(foot)
        self._rows = {
            name: PlanRow(name, tip)
            for name, tip in (
                ("Parameters", "Trained numbers in the model, embeddings counted once"),
                ("Training tokens", "Tokens read in all, repeats included"),
                ("Passes over the data", "How often each training token is read"),
                ("Disk for checkpoints", "Weights and optimizer of those that stay"),
                ("Memory index", "Size on disk"),
                ("Validation", "How often held-out text is measured"),
            )
        }
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 18, 16, 16)
        column.setSpacing(0)
        column.addLayout(head)
        column.addSpacing(12)
        column.addWidget(time_card)
        column.addSpacing(6)
        for row in self._rows.values():
            column.addWidget(row)
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

    def show_plan(self, plan: Plan, draft: Draft) -> None:
        """Show a plan; called on every change of the draft."""
        wrong = bool(plan.obstacle)
        self._state_dot.set_colour("danger" if wrong else "ok")
        self._state.set_text("cannot work" if wrong else "up to date")
        self._show_time(plan)
        self._rows["Parameters"].show_value(
            count(plan.parameters), f"{whole(plan.parameters)} exactly" if plan.parameters else ""
        )
        ratio = plan.tokens_per_parameter
        self._rows["Training tokens"].show_value(
            count(plan.training_tokens),
            f"{ratio:.1f} per parameter, {whole(plan.steps)} steps" if ratio is not None else "",
        )
        passes = plan.passes
        self._rows["Passes over the data"].show_value(
            MISSING if passes is None else f"{passes:.2f}",
            f"of {count(draft.data.train_tokens)} tokens" if draft.data else "",
        )
        kept = f"{plan.checkpoints_kept} kept, {size(plan.checkpoint_bytes)} each"
        self._rows["Disk for checkpoints"].show_value(
            size(plan.disk_bytes), kept if plan.disk_bytes is not None else ""
        )
        self._show_index(plan, draft)
        self._show_validation(plan)
        wrong_setting: tuple[Advice, ...] = ()
        if plan.error is not None:
            wrong_setting = (Advice("danger", "This cannot work yet.", plan.obstacle),)
        self._show_advice((*wrong_setting, *plan.advice))

    def _show_time(self, plan: Plan) -> None:
        estimate = plan.estimate
        if estimate is None:
            known = plan.spec is not None
            self._time.set_text(MISSING)
            self._time_from.set_text("measured in the first minute of the run" if known else "")
            self._finish.set_text("")
            return
        about = "" if estimate.exact else "about "
        self._time.set_text(f"{about}{duration(estimate.seconds)}")
        self._time_from.set_text(f"from {estimate.from_run}, on this computer")
        clock = weekday_clock(time.time() + estimate.seconds)
        self._finish.set_parts(Part("finishes "), Part(clock, "mono_small", "accent"))

    def _show_index(self, plan: Plan, draft: Draft) -> None:
        row = self._rows["Memory index"]
        if not draft.use_index:
            row.show_value("off")
        elif plan.index_is_built:
            row.show_value(size(plan.index_bytes), "built")
        elif plan.index_seconds is not None:
            about = rough_duration(plan.index_seconds)
            row.show_value(f"about {size(plan.index_bytes)}", f"built first, about {about}")
        else:
            row.show_value(MISSING)

    def _show_validation(self, plan: Plan) -> None:
        row = self._rows["Validation"]
        if plan.spec is None:
            row.show_value(MISSING)
            return
        every = plan.spec.evaluation.every_steps
        times = -(-plan.spec.budget.steps // every)
        row.show_value(f"{times:,} times", f"every {every:,} steps")

    def _show_advice(self, advice: tuple[Advice, ...]) -> None:
        if advice == self._advice:
            return
        self._advice = advice
        while (item := self._advice_place.takeAt(0)) is not None:
            if (card := item.widget()) is not None:
                card.hide()
                card.deleteLater()
        for each in advice:
            self._advice_place.addWidget(AdviceCard(each))
