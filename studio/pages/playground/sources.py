"""The right column of the playground: where the token under the pointer came from."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.pages.playground.document import DocumentText, DocumentView
from studio.pages.playground.servers import RunFacts
from studio.pages.playground.words import kind_words, places_words
from studio.widgets.card import Hairline, Panel
from studio.widgets.controls import LinkButton
from studio.widgets.figures import plural
from studio.widgets.headings import card_title
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.scroll import ClearScroll
from studio.widgets.source_card import HeatChip, SourceCard
from studio.widgets.token_run import token_label
from trainer_core.protocol import SourcePlace, SourcesFound, TokenWritten

WIDTH_PX = 336
FIRST_PLACES = 8
MORE_PLACES = 50
_CARDS_KEPT = 50


class SourcesPanel(Panel):
    """Cards for the places behind one token, or one document opened at the spot.

    Signals:
        document_wanted (object): The document of this `SourcePlace` is to be read.
        more_wanted (): More places of the same token are wanted.
    """

    document_wanted = Signal(object)
    more_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", left_line=True, parent=parent)
        self.setFixedWidth(WIDTH_PX)
        self._run = RunFacts()
        self._match_length = 0
        self._wanted: SourcePlace | None = None
        self._cards: list[SourceCard] = []
        self.document = DocumentView()
        self.document.closed.connect(self.close_document)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._cards_view())
        self._stack.addWidget(self.document)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 0, 0, 0)
        outer.addWidget(self._stack)
        self.show_nothing()

    def _cards_view(self) -> QWidget:
        self._follows_icon = IconLabel("pin", "muted", 12)
        self._follows = Label("follows the pointer", "label", "muted")
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(card_title("Where this came from"), 1)
        head.addWidget(self._follows_icon)
        head.addWidget(self._follows)
        self._chip = HeatChip()
        self._counts = Label("", "secondary", "muted")
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self._chip)
        line.addWidget(self._counts, 1)
        top = QVBoxLayout()
        top.setContentsMargins(14, 16, 14, 12)
        top.setSpacing(6)
        top.addLayout(head)
        top.addLayout(line)
        self._sentence = Label("", "body", "muted", wrap=True)
        self._words = QWidget()
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self._more = LinkButton("", trailing_icon="chevron-down")
        self._more.clicked.connect(self.more_wanted)
        self._about = Label("", "label", "muted", wrap=True)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        words = QVBoxLayout(self._words)
        words.setContentsMargins(14, 12, 14, 8)
        words.addWidget(self._sentence)
        column.addWidget(self._words)
        column.addLayout(self._list)
        foot = QVBoxLayout()
        foot.setContentsMargins(14, 12, 14, 12)
        foot.setSpacing(10)
        foot.addWidget(self._more)
        foot.addWidget(self._about)
        column.addLayout(foot)
        column.addStretch(1)
        view = QWidget()
        rows = QVBoxLayout(view)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(top)
        rows.addWidget(Hairline())
        rows.addWidget(ClearScroll(inner), 1)
        return view

    # --- content -----------------------------------------------------------------------------

    @property
    def cards(self) -> list[SourceCard]:
        """The cards that are shown."""
        return self._cards

    def show_run(self, run: RunFacts) -> None:
        """Tell which data the places are in."""
        self._run = run
        where = f"in {run.dataset}, training part" if run.dataset else "in the training text"
        self._about.set_text(f"Source text is shown as it stands {where}.")

    def set_pinned(self, pinned: bool) -> None:
        """Whether the token stays, or follows the pointer."""
        self._follows.set_text("pinned" if pinned else "follows the pointer")
        self._follows_icon.set_icon("pin", "accent" if pinned else "muted")

    def show_nothing(self, sentence: str = "") -> None:
        """No token is meant."""
        self._clear()
        self._chip.hide()
        self._counts.set_text("")
        wanted = "Point at a coloured token to see where it came from; click to pin it."
        self._say(sentence or wanted)

    def show_token(self, token: TokenWritten) -> None:
        """A token is meant; its places follow by `show_sources`."""
        backed = token.match_length if token.followed else 0
        self._chip.show_token(token_label(token.data), backed)
        self._chip.show()
        self._match_length = token.match_length
        if token.match_length == 0:
            self._clear()
            self._counts.set_text("no match")
            self._say(kind_words(token))

    def show_sources(self, found: SourcesFound) -> None:
        """The places of the token that is meant."""
        self._clear()
        if not found.places:
            self._counts.set_text("no match" if not found.match_length else "")
            self._say(found.note or "Nothing in the training text ends like this.")
            return
        self._match_length = found.match_length
        self._counts.set_text(places_words(found))
        self._say("")
        for place in found.places[:_CARDS_KEPT]:
            card = SourceCard(place, found.match_length, code=self._run.is_code)
            card.open_requested.connect(self._on_open_requested)
            self._list.addWidget(card)
            self._cards.append(card)
        left = found.occurrences - len(found.places)
        self._more.setVisible(left > 0 and len(found.places) < MORE_PLACES)
        self._more.set_text(f"{plural(left, 'more place')}")
        self._about.show()

    def open_document(self, document: DocumentText) -> None:
        """Show the document that was asked for."""
        if self._wanted is not None:
            self.document.show_text(document)

    def close_document(self) -> None:
        """Back to the cards."""
        self._wanted = None
        self._stack.setCurrentIndex(0)

    @property
    def shows_document(self) -> bool:
        """Whether a document is open."""
        return self._stack.currentIndex() == 1

    def _on_open_requested(self, place: SourcePlace) -> None:
        self._wanted = place
        self.document.show_place(place, self._match_length, code=self._run.is_code)
        self._stack.setCurrentIndex(1)
        self.document_wanted.emit(place)

    def _say(self, sentence: str) -> None:
        self._sentence.set_text(sentence)
        self._words.setVisible(bool(sentence))

    def _clear(self) -> None:
        for card in self._cards:
            self._list.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards = []
        self._more.hide()
        self._about.hide()
