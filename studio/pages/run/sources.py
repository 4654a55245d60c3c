"""What a run has seen of each source, what each costs it, and the way on behind that."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets import figures
from studio.widgets.card import Hairline
from studio.widgets.controls import SecondaryButton
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.scroll import ClearScroll
from trainer_core.records import SourceSeen, SourcesSeen, Validated

SERIES: Final = ("s1", "s2", "s3", "s5", "s4", "s6")
ROW_PX: Final = 50
_BAR_TOP: Final = 22
_BAR_PX: Final = 4


class SeenBars(QWidget):
    """A row for each source: its name, the share that was seen, a bar, and the tokens."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sources: tuple[SourceSeen, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def set_sources(self, sources: tuple[SourceSeen, ...]) -> None:
        """Show these."""
        if sources != self.sources:
            self.sources = sources
            told = (f"{each.name}: {figures.percent(each.share)} seen" for each in sources)
            self.setAccessibleName(", ".join(told))
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """All rows."""
        return QSize(240, ROW_PX * len(self.sources))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Names at the left, shares at the right, bars and tokens below."""
        palette = theme().palette
        painter = painter_for(self)
        width = float(self.width())
        middle = Qt.AlignmentFlag.AlignVCenter
        for number, source in enumerate(self.sources):
            top = float(number * ROW_PX)
            line = QRectF(0, top, width, 20)
            painter.setFont(font("secondary"))
            painter.setPen(QColor(palette.text))
            elide = Qt.TextElideMode.ElideRight
            name = painter.fontMetrics().elidedText(source.name, elide, int(width) - 64)
            painter.drawText(line, middle, name)
            painter.setFont(font("mono_small"))
            share = figures.percent(source.share)
            painter.drawText(line, middle | Qt.AlignmentFlag.AlignRight, share)
            track = QRectF(0, top + _BAR_TOP, width, _BAR_PX)
            rounded_box(painter, track, 2, fill=palette.bg3)
            done = QRectF(0, track.top(), max(width * source.share, 1.0), _BAR_PX)
            colour = getattr(palette, SERIES[number % len(SERIES)])
            rounded_box(painter, done, 2, fill=colour)
            painter.setFont(font("label"))
            painter.setPen(QColor(palette.muted))
            below = QRectF(0, track.bottom() + 1, width, 18)
            painter.drawText(below, middle, seen_words(source))
        painter.end()


def seen_words(source: SourceSeen) -> str:
    """Tokens seen of all, and how often where that is more than once."""
    words = f"{figures.count(source.seen)} of {figures.count(source.tokens)} tokens"
    passes = source.drawn / source.tokens if source.tokens else 0.0
    return f"{words}, {passes:.2f} passes" if source.drawn > source.seen else words


class SourcesPanel(QWidget):
    """Shares seen, losses by source, and a button to go on behind what was seen.

    Signals:
        continue_wanted: A new run shall go on from this one, on text that it has not seen.
    """

    continue_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.when = Label("", "label", "muted")
        self.bars = SeenBars()
        self.whole = Label("", "secondary", "muted", wrap=True)
        self.go_on = SecondaryButton("Continue on unseen text", "play", size="small")
        self.go_on.clicked.connect(self.continue_wanted)
        self.losses_title = card_title("Validation by source")
        self.losses = QVBoxLayout()
        self.losses.setSpacing(4)
        self._line = Hairline()
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(0)
        column.addWidget(card_title("Seen of the training text"))
        column.addWidget(self.when)
        column.addSpacing(10)
        column.addWidget(self.bars)
        column.addSpacing(2)
        column.addWidget(self.whole)
        column.addSpacing(10)
        column.addWidget(self.go_on, 0, Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(14)
        column.addWidget(self._line)
        column.addSpacing(12)
        column.addWidget(self.losses_title)
        column.addSpacing(6)
        column.addLayout(self.losses)
        column.addStretch(1)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(ClearScroll(inside))
        self._shown: Validated | None = None

    def show_seen(self, seen: SourcesSeen, last: Validated | None, *, obstacle: str) -> None:
        """Show what was seen.

        Args:
            seen: The newest record of it.
            last: The last validation, whose sets are listed.
            obstacle: Why no run can go on from this one now, or an empty string.
        """
        self.when.set_text(f"up to the checkpoint of step {seen.step:,}")
        self.bars.set_sources(seen.sources)
        self.whole.set_parts(*whole_words(seen.sources))
        left = any(each.seen < each.tokens for each in seen.sources)
        self.go_on.set_text("Continue on unseen text" if left else "Continue with this text")
        self.go_on.setEnabled(not obstacle)
        self.go_on.setToolTip(obstacle)
        self._show_losses(last)

    def _show_losses(self, last: Validated | None) -> None:
        if last is self._shown:
            return
        self._shown = last
        while (item := self.losses.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        there = last is not None and bool(last.sets)
        self._line.setVisible(there)
        self.losses_title.setVisible(there)
        if last is None or not there:
            return
        self.losses.addWidget(_loss("All held-out text", last.loss, last.bits_per_byte, mine=True))
        for each in last.sets:
            measured = each.measured
            self.losses.addWidget(_loss(each.name, measured.loss, measured.bits_per_byte))


def whole_words(sources: tuple[SourceSeen, ...]) -> list[Part]:
    """What was seen of all sources together, in a sentence."""
    tokens, seen = sum(s.tokens for s in sources), sum(s.seen for s in sources)
    if seen >= tokens:
        return [Part("All of it was seen; from here on everything repeats.")]
    share = Part(figures.percent(seen / tokens if tokens else 0.0), "mono", "text")
    left = Part(figures.count(tokens - seen), "mono", "text")
    return [Part("Together "), share, Part("; "), left, Part(" tokens are still new.")]


def _loss(name: str, loss: float, bits_per_byte: float, *, mine: bool = False) -> QWidget:
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(10)
    line.addWidget(Label(name, "secondary", "text" if mine else "muted"), 1)
    figure = Label(figures.loss(loss), "mono_small", elide=False)
    line.addWidget(figure)
    bits = Label("", "label", "muted", elide=False)
    bits.set_parts(Part(figures.loss(bits_per_byte), "mono_small"), Part(" bits per byte"))
    line.addWidget(bits)
    return row
