"""The middle of the playground: the legend, the text by tokens, and what it took to write it."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from studio.pages.playground.stats import STRONG_MATCH, MatchShares
from studio.pages.playground.words import count_parts, ended_words, rate_parts
from studio.theme import font, theme
from studio.widgets.card import Card, Hairline, Panel
from studio.widgets.controls import QuietButton, SecondaryButton
from studio.widgets.empty import EmptyState, ErrorCard, LoadingBlocks
from studio.widgets.figures import percent
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.token_text import TokenText
from trainer_core.errors import KnownError
from trainer_core.protocol import GenerationEnded

View = Literal["empty", "loading", "error", "text"]
_RATE_FROM_PX = 620
_VIEWS: tuple[View, ...] = ("empty", "loading", "error", "text")


class OutputCard(Card):
    """The generated text, or why there is none yet.

    Signals:
        empty_clicked (): The button of the empty state.
        error_clicked (): The button of the error.
        continue_requested (): The model is to go on where it stopped.
    """

    empty_clicked = Signal()
    error_clicked = Signal()
    continue_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=0, spacing=0, parent=parent)
        self.body.setContentsMargins(1, 1, 1, 1)
        self.text = TokenText()
        self.text.setAccessibleName("Generated text")
        self._stack = QStackedWidget()
        for view in (self._empty_view(), self._loading_view(), self._error_view(), self.text):
            self._stack.addWidget(view)
        legend = QHBoxLayout()
        legend.setContentsMargins(16, 0, 16, 0)
        legend.addWidget(HeatLegend(), 1)
        self.body.addLayout(legend)
        self.body.addWidget(Hairline())
        self.body.addWidget(self._stack, 1)
        self.body.addWidget(Hairline())
        self.body.addLayout(self._footer())

    def _empty_view(self) -> QWidget:
        self._empty_place = QVBoxLayout()
        view = QWidget()
        view.setLayout(self._empty_place)
        return view

    def _loading_view(self) -> QWidget:
        self._loading_text = Label("", "secondary", "muted")
        view = QWidget()
        self._loading_column = QVBoxLayout(view)
        self._loading_column.setContentsMargins(20, 20, 20, 20)
        self._loading_column.setSpacing(12)
        self._loading_column.addWidget(self._loading_text)
        self._blocks: LoadingBlocks | None = None
        self._loading_column.addStretch(1)
        return view

    def _error_view(self) -> QWidget:
        view = QWidget()
        self._error_place = QVBoxLayout(view)
        self._error_place.setContentsMargins(16, 16, 16, 16)
        self._error_place.addStretch(1)
        self._error: ErrorCard | None = None
        return view

    def _footer(self) -> QHBoxLayout:
        self._ended = Label("", "secondary", "muted", elide=False)
        self._count = Label("", "secondary", "muted", elide=False)
        self._rate = Label("", "secondary", "muted", elide=False)
        self._note = Label("", "secondary", "warn")
        self.copy = QuietButton("Copy", "copy", size="small")
        self.copy.clicked.connect(self.text.copy)
        self.go_on = SecondaryButton("Continue", "chevron-right", size="small")
        self.go_on.clicked.connect(self.continue_requested)
        row = QHBoxLayout()
        row.setContentsMargins(16, 6, 12, 6)
        row.setSpacing(16)
        row.addWidget(self._ended)
        row.addWidget(self._count)
        row.addWidget(self._rate)
        row.addWidget(self._note, 1)
        row.addWidget(self.copy)
        row.addWidget(self.go_on)
        self.clear_footer()
        return row

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the rate out where there is no room for it."""
        super().resizeEvent(event)
        self._rate.setVisible(self.width() >= _RATE_FROM_PX)

    # --- what is shown -----------------------------------------------------------------------

    @property
    def view(self) -> View:
        """What stands in the middle."""
        return _VIEWS[self._stack.currentIndex()]

    def show_text(self) -> None:
        """Show the tokens."""
        self._stack.setCurrentWidget(self.text)

    def show_empty(self, sentence: str, button: str = "", icon: str = "") -> None:
        """Show one sentence and perhaps one button."""
        while (item := self._empty_place.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        state = EmptyState(sentence, button, icon)
        state.clicked.connect(self.empty_clicked)
        self._empty_place.addWidget(state)
        self._stack.setCurrentIndex(0)

    def show_loading(self, words: str) -> None:
        """Show that the model is being loaded."""
        self._loading_text.set_text(words)
        if self.view == "loading":
            return
        if self._blocks is not None:
            self._blocks.deleteLater()
        self._blocks = LoadingBlocks(rows=6, height=22)
        self._loading_column.insertWidget(1, self._blocks)
        self._stack.setCurrentIndex(1)

    def show_error(self, error: KnownError, button: str, details: str = "") -> None:
        """Show what happened, and a way on."""
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
        self._error = ErrorCard(error, details, button=button)
        self._error.clicked.connect(self.error_clicked)
        self._error_place.insertWidget(0, self._error)
        self._stack.setCurrentIndex(2)

    def clear_footer(self) -> None:
        """Say nothing of an earlier text."""
        for label in (self._ended, self._count, self._rate, self._note):
            label.set_text("")
        self.copy.setEnabled(False)
        self.go_on.setEnabled(False)

    def show_progress(self, tokens: int, seconds: float) -> None:
        """Say how far the text is, while it is written."""
        self._ended.set_text("Writing")
        self._count.set_parts(*count_parts(tokens, seconds))
        self._rate.set_parts(*rate_parts(tokens, seconds))
        self.copy.setEnabled(tokens > 0)
        self.go_on.setEnabled(False)

    def show_ended(self, ended: GenerationEnded, tokens: int, seconds: float) -> None:
        """Say how the text ended.

        Args:
            ended: What the server said last.
            tokens: Of the whole text, with what was continued.
            seconds: The same.
        """
        self._ended.set_text(ended_words(ended))
        self._count.set_parts(*count_parts(tokens, seconds))
        self._rate.set_parts(*rate_parts(tokens, seconds))
        self._note.set_text(ended.note)
        self.copy.setEnabled(tokens > 0)
        self.go_on.setEnabled(tokens > 0 and ended.reason in ("max_tokens", "cancelled"))

    def show_note(self, note: str) -> None:
        """Say what is absent or was cut off."""
        self._note.set_text(note)


class HeatLegend(QWidget):
    """What the colours mean."""

    _HEIGHT = 40

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(self._HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._words = ["0–3", "4–7", "8–15", "16–31", "32+"]
        self._line = "verbatim run of 32+"
        self.setAccessibleName("Match length by colour")
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Title, swatches, line."""
        palette = theme().palette
        painter = painter_for(self)
        painter.setFont(font("label"))
        metrics = painter.fontMetrics()
        middle = self.height() / 2
        align = Qt.AlignmentFlag.AlignVCenter

        def write(left: float, words: str) -> float:
            painter.setPen(QColor(palette.muted))
            width = metrics.horizontalAdvance(words)
            painter.drawText(QRectF(left, 0, width + 2, self.height()), align, words)
            return left + width

        left = write(0, "Match length")
        for heat, words in zip(palette.heat, self._words, strict=True):
            swatch = QRectF(left + 14, middle - 6, 20, 12)
            border = None if heat.background else palette.line2
            rounded_box(painter, swatch, 3, fill=heat.background, border=border)
            left = write(swatch.right() + 8, words)
        for line in (self._line, "verbatim"):
            if left + 44 + metrics.horizontalAdvance(line) <= self.width():
                painter.fillRect(QRectF(left + 18, middle - 1, 20, 2), QColor(palette.text))
                write(left + 44, line)
                break
        painter.end()


class ShareBar(Panel):
    """The bar at the bottom: how much of the text is backed by matches.

    Signals:
        export_requested (): The text is to be written to a file.
    """

    export_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", top_line=True, parent=parent)
        self.setFixedHeight(48)
        self._bar = _StepBar()
        self._words = Label("", "secondary")
        self._reference = Label("", "secondary", "muted", elide=False)
        self.export = SecondaryButton("Export text", "upload", size="small")
        self.export.clicked.connect(self.export_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 1, 24, 0)
        row.setSpacing(16)
        row.addWidget(self._bar)
        row.addWidget(self._words, 1)
        row.addWidget(self._reference)
        row.addWidget(self.export)
        self.show_shares(MatchShares())

    def show_shares(self, shares: MatchShares) -> None:
        """Show the shares of a text."""
        self._bar.show_steps(shares.by_step if shares.tokens else ())
        self._bar.setVisible(shares.tokens > 0)
        self.export.setEnabled(shares.tokens > 0)
        if not shares.tokens:
            self._words.set_text("")
            return
        parts = [
            Part(percent(shares.strong, 0), "strong"),
            Part(f" of tokens were backed by a match of {STRONG_MATCH} tokens or more; "),
            Part(percent(shares.verbatim, 0), "strong"),
            Part(" copied verbatim runs of 32+"),
        ]
        if shares.own >= 0.005:
            parts += [Part("; "), Part(percent(shares.own, 0), "strong"), Part(" repeat this text")]
        self._words.set_parts(*parts)

    def show_reference(self, share: float | None) -> None:
        """Show what is usual: the same share of held-out text."""
        text = f"Held-out text: {percent(share, 0)} at {STRONG_MATCH} or more"
        self._reference.set_text("" if share is None else text)


class _StepBar(QWidget):
    """The share of each heat step, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: tuple[float, ...] = ()
        self.setFixedSize(160, 10)
        repaint_on_theme(self)

    def show_steps(self, steps: tuple[float, ...]) -> None:
        """Show other shares."""
        self._steps = steps
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One piece for each step that occurs."""
        palette = theme().palette
        painter = painter_for(self)
        left = 0.0
        for share, heat in zip(self._steps, palette.heat, strict=False):
            width = share * self.width()
            if width > 0.5:
                colour = QColor(heat.background or palette.bg3)
                painter.fillRect(QRectF(left, 0, max(width - 1, 1), self.height()), colour)
            left += width
        painter.end()
