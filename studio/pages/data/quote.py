"""A few lines of somebody's text, in the font of code on a ground of its own."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from studio.widgets.token_run import visible_text

_LINE_END = "\u2028"
_BLANKS_SHOWN = 12


class Quote(QWidget):
    """Text in lines, as `clipped` gives them."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(Label(text, "mono_small", wrap=True))
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground."""
        painter = painter_for(self)
        rounded_box(painter, QRectF(self.rect()), 6, fill=theme().palette.bg2)
        painter.end()


def clipped(text: str, characters: int, lines: int, *, cut: bool = False) -> str:
    """The beginning of a text; blanks are made visible where there is nothing else.

    Args:
        text: What is quoted.
        characters: At most so many are shown.
        lines: At most so many are shown.
        cut: Whether the text was cut before already.
    """
    shown = visible_text(text.replace("\r\n", "\n"))
    if not shown.strip():
        return _blanks(shown)
    shown = shown.strip("\n").rstrip()
    all_lines = shown[:characters].split("\n")
    is_whole = len(shown) <= characters and len(all_lines) <= lines and not cut
    begin = _LINE_END.join(all_lines[:lines])
    return begin if is_whole else f"{begin} …"


def _blanks(text: str) -> str:
    marks = text.replace("\n", "↵").replace("\t", "→")
    spaces = text.count(" ")
    if spaces < _BLANKS_SHOWN:
        return marks.replace(" ", "·")
    others = marks.replace(" ", "")
    return f"{others} and {spaces} spaces" if others else f"{spaces} spaces"
