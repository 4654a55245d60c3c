"""What happens when a token is pointed at: the popover, and the question for its sources."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, QRect, QTimer
from PySide6.QtWidgets import QWidget

from studio.pages.playground.popover import TokenPopover
from studio.pages.playground.sources import FIRST_PLACES, MORE_PLACES, SourcesPanel
from studio.pages.playground.writer import Writer
from studio.widgets.token_text import TokenText
from trainer_core.protocol import SourcesFound, TokenWritten

_POPOVER_MS = 150
_SOURCES_MS = 120


class Pointer(QObject):
    """Keeps popover and source cards with the token that is meant.

    Leaving the text hides the popover but keeps the cards, so that they can be reached.
    """

    def __init__(
        self, text: TokenText, sources: SourcesPanel, writer: Writer, page: QWidget
    ) -> None:
        super().__init__(page)
        self._text = text
        self._sources = sources
        self._writer = writer
        self._page = page
        self._number = -1
        """The token that the cards are about."""
        self._found: SourcesFound | None = None
        self.popover = TokenPopover(page)
        self._popover_timer = QTimer(self, singleShot=True, interval=_POPOVER_MS)
        self._popover_timer.timeout.connect(self._show_popover)
        self._sources_timer = QTimer(self, singleShot=True, interval=_SOURCES_MS)
        self._sources_timer.timeout.connect(self._ask)
        text.token_hovered.connect(self._on_current_changed)
        text.token_pinned.connect(self._on_pinned)
        text.scrolled.connect(self._on_scrolled)
        sources.more_wanted.connect(self._on_more_wanted)
        writer.text_cleared.connect(self.forget)
        writer.sources_found.connect(self._on_sources_found)
        writer.sources_failed.connect(self._on_sources_failed)

    def hide(self) -> None:
        """Take the popover away."""
        self._popover_timer.stop()
        self.popover.hide()

    def forget(self) -> None:
        """No token is meant any more."""
        self.hide()
        self._sources_timer.stop()
        self._number = -1
        self._sources.close_document()
        self._sources.set_pinned(False)
        self._sources.show_nothing()

    def _token(self) -> TokenWritten | None:
        tokens = self._writer.tokens
        return tokens[self._number] if 0 <= self._number < len(tokens) else None

    def _on_current_changed(self, _number: int) -> None:
        current = self._text.current
        if current < 0:
            self.hide()
            return
        if current == self._number and self.popover.isVisible():
            return
        self._mean(current)

    def _on_pinned(self, number: int) -> None:
        self._sources.set_pinned(number >= 0)
        current = self._text.current
        if current < 0:
            self.hide()
        else:
            self._mean(current)

    def _mean(self, number: int) -> None:
        """Show everything about a token."""
        changed = number != self._number
        self._number = number
        if changed:
            self._found = None
        token = self._token()
        if token is None:
            return
        if self.popover.isVisible():
            self._show_popover()
        else:
            self._popover_timer.start()
        if changed and not self._sources.shows_document:
            self._sources.show_token(token)
        if changed and token.match_length:
            self._sources_timer.start()

    def _show_popover(self) -> None:
        token = self._token()
        rect = self._text.token_rect(self._number)
        visible = self._text.viewport().rect()
        if token is None or self._text.current != self._number or not rect.intersects(visible):
            self.popover.hide()
            return
        self.popover.show_token(token, pinned=self._text.pinned >= 0)
        if self._found is not None:
            self.popover.show_sources(self._found)
        corner = self._text.viewport().mapTo(self._page, QPoint(0, 0))
        self.popover.place(rect.translated(corner), self._room())

    def _room(self) -> QRect:
        """The height of the page below its header, at the width of the text and its margins."""
        column = QRect(self._text.mapTo(self._page, QPoint(0, 0)), self._text.size())
        return QRect(column.left() - 8, 60, column.width() + 16, self._page.height() - 64)

    def _on_scrolled(self) -> None:
        if self._text.pinned >= 0 and self.popover.isVisible():
            self._show_popover()
        elif self.popover.isVisible():
            self.popover.hide()

    def _ask(self) -> None:
        if not self._writer.find_sources(self._number, FIRST_PLACES):
            self._on_sources_failed("The model was unloaded; generate again to see the sources.")

    def _on_more_wanted(self) -> None:
        self._writer.find_sources(self._number, MORE_PLACES)

    def _on_sources_found(self, found: SourcesFound) -> None:
        token = self._token()
        if token is None or (found.request, found.token_index) != (token.request, token.index):
            return
        self._found = found
        self._sources.show_sources(found)
        if self.popover.isVisible():
            self.popover.show_sources(found)

    def _on_sources_failed(self, why: str) -> None:
        if self._number >= 0:
            self._sources.show_nothing(why)
