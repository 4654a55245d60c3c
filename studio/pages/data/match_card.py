"""The card of the longest matches: what the index knows of held-out text, or how to get one."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedWidget, QWidget

from studio.pages.data.charts import STRONG_MATCH, MatchChart
from studio.pages.data.facts import DatasetFacts, MatchBar
from studio.pages.data.index_state import IndexNow
from studio.pages.data.index_words import outdated_words
from studio.pages.data.offer import IndexOffer
from studio.theme import theme
from studio.widgets.card import Card, Dot
from studio.widgets.controls import LinkButton
from studio.widgets.figures import percent
from studio.widgets.headings import card_title
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box

_WORTH_FEEDING = 0.2
"""Share of right guesses from which the match is called worth its place in the model."""


_WITH_BOTH_KEYS_PX = 376


def bold(text: str) -> Part:
    """A figure within a sentence."""
    return Part(text, "mono", "text")


class MatchCard(Card):
    """What the index knows of held-out text, or how to get an index.

    Signals:
        build_requested (object): The index is to be built with a `BuildForm`, gone on with, or
            given the new documents (None).
        anew_requested: The index is to be removed and built from the beginning.
        stop_requested: The build is to end.
        settings_edited: What the build will take may be another.
    """

    build_requested = Signal(object)
    anew_requested = Signal()
    stop_requested = Signal()
    settings_edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, parent=parent)
        self._keys = QWidget()
        keys = QHBoxLayout(self._keys)
        keys.setContentsMargins(0, 0, 0, 0)
        keys.setSpacing(6)
        self._bar_key = QWidget()
        bar_key = QHBoxLayout(self._bar_key)
        bar_key.setContentsMargins(0, 0, 6, 0)
        bar_key.setSpacing(6)
        bar_key.addWidget(Dot("s1"), 0, Qt.AlignmentFlag.AlignVCenter)
        bar_key.addWidget(Label("tokens", "secondary", "muted"))
        keys.addWidget(self._bar_key)
        keys.addWidget(_LineKey(), 0, Qt.AlignmentFlag.AlignVCenter)
        keys.addWidget(Label("guess right", "secondary", "muted"))
        head = QHBoxLayout()
        head.addWidget(card_title("Longest match in training data"), 1)
        head.addWidget(self._keys)
        self._notice = OutdatedNotice()
        self._notice.update_requested.connect(lambda: self.build_requested.emit(None))
        self._notice.anew_requested.connect(self.anew_requested)
        self._chart = MatchChart()
        self._summary = Label("", "secondary", "muted", wrap=True)
        self.offer = IndexOffer()
        self.offer.build_requested.connect(self.build_requested)
        self.offer.stop_requested.connect(self.stop_requested)
        self.offer.edited.connect(self.settings_edited)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._figures_view())
        self._stack.addWidget(self.offer)
        self.body.addLayout(head)
        self.body.addWidget(self._stack, 1)

    def _figures_view(self) -> QWidget:
        view = QWidget()
        column = QGridLayout(view)
        column.setContentsMargins(0, 0, 0, 0)
        column.setVerticalSpacing(8)
        column.addWidget(self._notice, 0, 0)
        column.addWidget(self._chart, 1, 0)
        column.addWidget(self._summary, 2, 0)
        column.setRowStretch(1, 1)
        return view

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out the bars' key before the heading would be cut."""
        super().resizeEvent(event)
        self._bar_key.setVisible(self.width() >= _WITH_BOTH_KEYS_PX)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show the figures, or the state of the index while there are none."""
        index = facts.index
        outdated = index.kind == "outdated"
        gone = index.outdated is not None and index.outdated.reason == "missing"
        ready = bool(facts.matches) and (index.kind == "ready" or (outdated and not gone))
        self._keys.setVisible(ready)
        self._stack.setCurrentIndex(0 if ready else 1)
        self._notice.show_index(index if ready and outdated else None)
        if ready:
            self._chart.show_bars(facts.matches)
            self._summary.set_parts(*match_summary(facts.matches))
        else:
            self.offer.show_index(index)


class OutdatedNotice(QWidget):
    """One sentence on why the index does not fit its text any more, and what can be done.

    Signals:
        update_requested: The index is to be brought up to date.
        anew_requested: It is to be built from the beginning.
    """

    update_requested = Signal()
    anew_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = Label("", "secondary", "warn", wrap=True)
        self._update = LinkButton("Add them")
        self._update.clicked.connect(self.update_requested)
        self._anew = LinkButton("Build anew")
        self._anew.clicked.connect(self.anew_requested)
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 7, 10, 7)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        sign = IconLabel("triangle-alert", "warn", 14)
        grid.addWidget(sign, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._text, 0, 1)
        links = QHBoxLayout()
        links.setSpacing(14)
        links.addWidget(self._update)
        links.addWidget(self._anew)
        links.addStretch(1)
        grid.addLayout(links, 1, 1)
        self.hide()
        repaint_on_theme(self)

    @property
    def text(self) -> str:
        """What is said."""
        return self._text.text()

    def show_index(self, index: IndexNow | None) -> None:
        """Show why an index is out of date, or nothing."""
        self.setVisible(index is not None)
        if index is not None and index.outdated is not None:
            self._text.set_text(outdated_words(index))
            grown = index.outdated.reason == "grown"
            self._update.set_text("Add them" if grown else "Build again")
            self._anew.setVisible(grown)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A soft warning ground."""
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 6, fill=theme().palette.warn.soft)
        painter.end()


def match_summary(bars: tuple[MatchBar, ...]) -> list[Part]:
    """What the chart means, in a sentence."""
    total = sum(bar.tokens for bar in bars)
    right = sum(bar.tokens * bar.hit_rate for bar in bars if bar.tokens) / total
    strong = sum(bar.tokens for bar in bars if bar.low >= STRONG_MATCH) / total
    worth = (
        ", so the match is worth feeding to the model."
        if right >= _WORTH_FEEDING
        else ", so the match will help the model little."
    )
    return [
        Part("Measured on held-out text. The index names the right next token "),
        bold(percent(right)),
        Part(" of the time; "),
        bold(percent(strong)),
        Part(f" of tokens have a match of {STRONG_MATCH} or more{worth}"),
    ]


class _LineKey(QWidget):
    """The key of the line: a stroke with a hollow disc."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(18, 10)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        palette = theme().palette
        painter = painter_for(self)
        painter.fillRect(QRectF(0, 4.25, 18, 1.5), QColor(palette.s2))
        painter.setPen(QColor(palette.s2))
        painter.setBrush(QColor(palette.bg1))
        painter.drawEllipse(QRectF(6, 2, 6, 6))
        painter.end()
