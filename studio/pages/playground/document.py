"""A training document opened at the spot where a match stands, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QColor, QDesktopServices, QFont, QKeyEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets.controls import IconButton, LinkButton
from studio.widgets.label import Label
from studio.widgets.source_card import position_label
from studio.widgets.token_run import heat_step
from trainer_core.protocol import SourcePlace

READ_BYTES_MAX = 8_000_000


@dataclass(frozen=True)
class DocumentText:
    """A document's text, and where the match stands in it.

    Attributes:
        text: The whole document, or what is known of it.
        start: First character of the matched run.
        end: Behind its last character.
        following_end: Behind the token that followed.
        note: Why this is not the whole document, or an empty string.
    """

    text: str
    start: int
    end: int
    following_end: int
    note: str = ""


def read_document(place: SourcePlace) -> DocumentText:
    """Read a place's file and find the match in it; blocks on the disk.

    The file may have changed since it was read into the corpus: then the part that the corpus
    holds is shown, and the note says so.
    """
    path = Path(place.path)
    note = "The file is gone; this is what the corpus has of it."
    try:
        if path.is_file():
            with path.open("rb") as file:
                raw = file.read(READ_BYTES_MAX)
            text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
            found = _find(text, place)
            if found is not None:
                return found
            note = "The file has changed since it was read; this is what the corpus has of it."
    except OSError as error:
        note = f"The file cannot be read ({error.strerror}); this is what the corpus has of it."
    start = len(place.before)
    end = start + len(place.matched)
    text = f"{place.before}{place.matched}{place.following}{place.after}"
    return DocumentText(text, start, end, end + len(place.following), note)


def _find(text: str, place: SourcePlace) -> DocumentText | None:
    """The match in the text, by as much of its surroundings as it takes to be sure."""
    whole = f"{place.before}{place.matched}{place.following}{place.after}"
    at = text.find(whole)
    start = at + len(place.before)
    if at < 0:
        at = start = text.find(f"{place.matched}{place.following}")
    if at < 0:
        return None
    end = start + len(place.matched)
    return DocumentText(text, start, end, end + len(place.following))


class DocumentView(QWidget):
    """The document beside the generated text.

    Signals:
        closed: Back to the cards.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = ""
        self._match_length = 0
        self._shown: DocumentText | None = None
        back = IconButton("arrow-left", "Back to the sources (Esc)", edge=26)
        back.clicked.connect(self.closed)
        self._title = Label("", "strong")
        self._outside = LinkButton("Open file", trailing_icon="external-link")
        self._outside.clicked.connect(self._on_outside_clicked)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(back)
        head.addWidget(self._title, 1)
        head.addWidget(self._outside)
        self._where = QHBoxLayout()
        self._where.setContentsMargins(32, 0, 0, 0)
        self._note = Label("", "label", "warn", wrap=True)
        self._note.hide()
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setStyleSheet(
            "QPlainTextEdit { background: transparent; border: none; padding: 0; }"
        )
        self.text.setAccessibleName("Document")
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 12, 10, 12)
        column.setSpacing(6)
        column.addLayout(head)
        column.addLayout(self._where)
        column.addWidget(self._note)
        column.addWidget(self.text, 1)
        theme().changed.connect(self._mark)

    def show_place(self, place: SourcePlace, match_length: int, *, code: bool) -> None:
        """Announce a document; its text follows by `show_text`."""
        self._path = place.path
        self._match_length = match_length
        self._shown = None
        self._title.set_text(place.title)
        self._title.set_tooltip(place.path)
        while (item := self._where.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._where.addWidget(position_label(place))
        self._outside.setVisible(Path(place.path).is_absolute())
        self._note.hide()
        used = font("mono_small", QFont.Weight.Normal) if code else font("secondary")
        self.text.setFont(used)
        wrap = QPlainTextEdit.LineWrapMode
        self.text.setLineWrapMode(wrap.NoWrap if code else wrap.WidgetWidth)
        self.text.setPlainText("")

    def show_text(self, document: DocumentText) -> None:
        """Show the text, scrolled to the match."""
        self._shown = document
        self._note.set_text(document.note)
        self._note.setVisible(bool(document.note))
        self.text.setPlainText(document.text)
        cursor = self.text.textCursor()
        cursor.setPosition(_units(document.text[: document.start]))
        self.text.setTextCursor(cursor)
        self.text.centerCursor()
        self._mark()
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc goes back."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
            return
        super().keyPressEvent(event)

    def _mark(self) -> None:
        """Colour the match, and frame what followed, in the theme's colours."""
        document = self._shown
        if document is None:
            return
        palette = theme().palette
        heat = palette.heat[max(heat_step(self._match_length), 1)]
        spans = (
            (document.start, document.end, heat.background or palette.bg3, heat.text),
            (document.end, document.following_end, palette.info.soft, palette.info.on_soft),
        )
        marks: list[QTextEdit.ExtraSelection] = []
        for start, end, background, foreground in spans:
            look = QTextCharFormat()
            look.setBackground(QColor(background))
            look.setForeground(QColor(foreground))
            cursor = QTextCursor(self.text.document())
            cursor.setPosition(_units(document.text[:start]))
            cursor.setPosition(_units(document.text[:end]), QTextCursor.MoveMode.KeepAnchor)
            mark = QTextEdit.ExtraSelection()
            mark.cursor = cursor
            mark.format = look
            marks.append(mark)
        self.text.setExtraSelections(marks)

    def _on_outside_clicked(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._path))


def _units(text: str) -> int:
    """The length of a text as Qt counts it, with line ends as one character."""
    return len(text.replace("\r\n", "\n").encode("utf-16-le")) // 2
