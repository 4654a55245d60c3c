"""What the Plan panel is made of: figures with context, the time, the memory, and advice."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.wizard.plan import Advice, Plan
from studio.planner import MemoryEstimate, TimeEstimate
from studio.theme import theme
from studio.widgets.card import Card, Dot
from studio.widgets.controls import LinkButton
from studio.widgets.figures import (
    MISSING,
    NARROW,
    day,
    duration,
    gib,
    rough_duration,
    weekday_clock,
)
from studio.widgets.label import Label, Part
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box

_RIGHT = Qt.AlignmentFlag.AlignRight
_GIB = float(1 << 30)
_FIXES_MAX = 2
_DAY_S = 86_400.0
_DAYS_FROM_S = 20 * _DAY_S
"""From here on hours say too much."""
_WEEKDAY_S = 6 * _DAY_S
"""What is further away than this is told by its day: the weekday comes round."""


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

    def show_value(self, value: str, context: str = "", tooltip: str = "") -> None:
        """Show a figure; "–" while there is none."""
        self.value.set_text(value)
        self.value.set_tooltip(tooltip)
        self.context.set_text(context)
        self.context.setVisible(bool(context))
        self.setAccessibleName(f"{self._name}: {value} {context}".strip())


class TimeCard(Card):
    """The estimated time, its band, and when the training is done."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=12, spacing=2, ground="bg2", parent=parent)
        self._name = Label("Estimated time", "label", "muted")
        self.value = Label(MISSING, "tile", elide=False)
        self._band = Label("", "label", "muted")
        self._finish = Label("", "label", elide=False, align=_RIGHT)
        foot = QHBoxLayout()
        foot.addWidget(self._band, 1)
        foot.addWidget(self._finish)
        self.body.addWidget(self._name)
        self.body.addWidget(self.value)
        self.body.addLayout(foot)

    def show_plan(self, plan: Plan, *, measuring: bool) -> None:
        """Show a plan's time."""
        computer = plan.around.machine.name
        self._name.set_text(f"Estimated time on this {computer or 'computer'}")
        self.value.set_tone("muted" if measuring else "text")
        outcome = plan.outcome
        if outcome is None:
            self.value.set_text(MISSING)
            self._band.set_text("")
            self._finish.set_text("")
            return
        took = outcome.time
        reckoned = took.source == "reckoned"
        text = rough_duration(took.seconds) if reckoned else duration(took.seconds)
        if took.seconds >= _DAYS_FROM_S:
            text = f"{took.seconds / _DAY_S:,.0f}{NARROW}days"
        self.value.set_text(f"about {text}" if reckoned else text)
        self._band.set_text("not measured yet" if reckoned else f"± {rough_duration(took.band_s)}")
        self.value.set_tooltip(source_words(took))
        soon = took.seconds < _WEEKDAY_S
        clock = weekday_clock(outcome.finish_s) if soon else day(outcome.finish_s)
        self._finish.set_parts(Part("finishes "), Part(clock, "mono_small", "accent"))
        self.setAccessibleName(
            f"{self._name.text()}: {self.value.text()}, {self._band.text()}, finishes {clock}"
        )


def source_words(took: TimeEstimate) -> str:
    """Where an estimate comes from, in a sentence."""
    if took.source == "probe":
        exact = "" if took.exact else ", another batch or way to train"
        return f"Measured on this computer{exact}; validation and checkpoints are in it."
    if took.source == "run":
        scaled = "" if took.exact else ", scaled to this size"
        return f"From {took.from_run}{scaled}; validation and checkpoints are in it."
    return "Reckoned from the arithmetic it takes; measure batch sizes to know better."


class MemoryRow(QWidget):
    """Memory of the device: what the model takes, what the batch takes, what stays free."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = Label("Memory", "body", "muted")
        self.value = Label(MISSING, "mono", elide=False, align=_RIGHT)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._name, 1)
        head.addWidget(self.value)
        self._bar = SharesBar()
        self._free = Label("", "label", "muted", elide=False, align=_RIGHT)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        for colour, word in (("s3", "model, optimizer"), ("s5", "batch")):
            foot.addWidget(Dot(colour, edge=8), 0, Qt.AlignmentFlag.AlignVCenter)
            foot.addWidget(Label(word, "label", "muted", elide=False))
        foot.addStretch(1)
        foot.addWidget(self._free)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 9, 0, 9)
        column.setSpacing(5)
        column.addLayout(head)
        column.addWidget(self._bar)
        column.addLayout(foot)

    def show_memory(self, memory: MemoryEstimate | None, *, on_gpu: bool) -> None:
        """Show what a plan takes; "–" while a setting is wrong."""
        name = "VRAM" if on_gpu else "RAM"
        self._name.set_text(name)
        if memory is None:
            self.value.set_text(MISSING)
            self._bar.set_shares(0.0, 0.0)
            self._free.set_text("")
            return
        total, limit = memory.total / _GIB, memory.limit / _GIB
        about = "" if memory.source == "measured" else "about "
        of = f" / {gib(limit, 0)}" if memory.limit else ""
        digits = 1 if total >= 0.95 else 2
        self.value.set_text(f"{about}{gib(total, digits)}{of}{NARROW}GiB")
        whole = max(memory.limit, memory.total, 1)
        self._bar.set_shares(memory.model / whole, memory.activations / whole)
        over = memory.total - memory.limit
        words = ""
        if memory.limit:
            words = f"{gib(over / _GIB)} too much" if over > 0 else f"{gib(limit - total)} free"
        self._free.set_text(words)
        self._free.set_tone("danger" if memory.limit and over > 0 else "muted")
        self.setAccessibleName(f"{name}: {self.value.text()}, {words}")


class SharesBar(QWidget):
    """Two shares of a whole, one after the other, 6 px high."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shares = (0.0, 0.0)
        self.setFixedHeight(7)
        repaint_on_theme(self)

    def set_shares(self, first: float, second: float) -> None:
        """Show others."""
        if (first, second) != self._shares:
            self._shares = (first, second)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track and both parts."""
        palette = theme().palette
        painter = painter_for(self)
        box = QRectF(self.rect())
        clip = QPainterPath()
        clip.addRoundedRect(box, 3, 3)
        painter.setClipPath(clip)
        painter.fillRect(box, QColor(palette.bg3))
        left = 0.0
        for share, colour in zip(self._shares, (palette.s3, palette.s5), strict=True):
            width = share * box.width()
            painter.fillRect(QRectF(left, 0, width, box.height()), QColor(colour))
            left += width
            if share:
                painter.fillRect(QRectF(left - 1, 0, 1, box.height()), QColor(palette.bg1))
        painter.end()


class AdviceCard(QWidget):
    """A warning or a hint: one bold sentence, the consequence, and ways out in one click.

    Signals:
        fix_chosen (object): A way out was taken; carries its `Fix`.
    """

    fix_chosen = Signal(object)

    def __init__(self, advice: Advice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._advice = advice
        text = Label("", "secondary", wrap=True)
        text.set_parts(Part(advice.title, "strong"), Part(f" {advice.text}" if advice.text else ""))
        column = QVBoxLayout(self)
        column.setContentsMargins(36, 10, 12, 10)
        column.setSpacing(6)
        column.addWidget(text)
        self.buttons: list[LinkButton] = []
        for fix in advice.fixes[:_FIXES_MAX]:
            button = LinkButton(fix.label)
            button.clicked.connect(partial(self.fix_chosen.emit, fix))
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
            self.buttons.append(button)
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
