"""Text in a role's font, a tone's colour and the right line height; elided or wrapped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.language import tr
from studio.theme import FontRole, Tone, font, line_height, tone_colour
from studio.widgets.figures import NARROW
from studio.widgets.paint import painter_for, repaint_on_theme

_GLUED = "\u202f"
"""In place of the space within a figure where lines are broken: none ends here."""


@dataclass(frozen=True)
class Part:
    """A stretch of text with a look of its own; empty fields take the label's."""

    text: str
    role: FontRole | None = None
    tone: Tone | None = None
    weight: QFont.Weight | None = None


class Label(QWidget):
    """One text, or parts of different looks on one baseline.

    Wraps when `wrap` is on; otherwise it is one line that ends in "…" when the room is too
    small, with the full text as tooltip. Figures should not be elided: give them room instead.

    Args:
        text: What to show.
        role: Font role.
        tone: Colour of the text.
        wrap: Break into lines; the height then follows the width.
        align: Horizontal alignment.
        elide: Whether a line may be shortened; otherwise its whole width is demanded.
        weight: Another weight than the role's own.
    """

    def __init__(
        self,
        text: str = "",
        role: FontRole = "body",
        tone: Tone = "text",
        *,
        wrap: bool = False,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        elide: bool = True,
        weight: QFont.Weight | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._role = role
        self._weight = weight
        self._tone: Tone = tone
        self._wrap = wrap
        self._elide = elide and not wrap
        self._align = align
        text = tr(text)
        self._parts: tuple[Part, ...] = (Part(text),)
        self._text = text
        self._own_tooltip = ""
        policy = QSizePolicy(
            QSizePolicy.Policy.Preferred,
            QSizePolicy.Policy.Preferred if wrap else QSizePolicy.Policy.Fixed,
        )
        policy.setHeightForWidth(wrap)
        self.setSizePolicy(policy)
        self.setAccessibleName(text)
        repaint_on_theme(self)

    # --- content ---

    def text(self) -> str:
        """The whole text, parts joined."""
        return self._text

    def set_text(self, text: str) -> None:
        """Show plain text in the label's own look."""
        self.set_parts(Part(text))

    def set_parts(self, *parts: Part | str) -> None:
        """Show parts of different looks; plain strings take the label's own."""
        made = tuple(Part(part) if isinstance(part, str) else part for part in parts)
        if made == self._parts:
            return
        self._parts = made
        self._text = "".join(part.text for part in made)
        self.setAccessibleName(self._text)
        self._refresh_tooltip()
        self.updateGeometry()
        self.update()

    def set_tone(self, tone: Tone) -> None:
        """Change the colour of the text."""
        self._tone = tone
        self.update()

    def set_tooltip(self, text: str) -> None:
        """A tooltip of its own, shown whether the text is cut or not."""
        self._own_tooltip = tr(text)
        self._refresh_tooltip()

    # --- geometry ---

    def sizeHint(self) -> QSize:
        """The width of the whole text on one line, and its height."""
        width = ceil(self._natural_width())
        return QSize(width, line_height(self._role) * (1 if self._text or not self._wrap else 0))

    def minimumSizeHint(self) -> QSize:
        """As little as an ellipsis when the text may be shortened or wrapped."""
        width = ceil(self._natural_width())
        if self._elide or self._wrap:
            width = min(width, 24)
        return QSize(width, line_height(self._role))

    def hasHeightForWidth(self) -> bool:
        """Wrapped text is as high as its lines."""
        return self._wrap

    def heightForWidth(self, width: int) -> int:
        """Height in pixels at this width."""
        if not self._wrap:
            return line_height(self._role)
        return len(self._laid_out(width)[1]) * line_height(self._role)

    def is_elided(self) -> bool:
        """Whether part of the text is hidden for want of room."""
        return self._elide and self._natural_width() > self.width() + 0.5

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Offer the full text as tooltip once it is cut."""
        super().resizeEvent(event)
        self._refresh_tooltip()

    # --- painting ---

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the lines, each centred in its line height."""
        painter = painter_for(self)
        layout, tops = self._laid_out(self.width())
        if len(tops) == 1 and not self._wrap:
            top = (self.height() - line_height(self._role)) / 2
        else:
            top = 0.0
        painter.setPen(tone_colour(self._tone if self.isEnabled() else "faint"))
        layout.draw(painter, QPointF(0, top))
        painter.end()

    def _natural_width(self) -> float:
        return sum(
            QFontMetrics(self._font_of(part)).horizontalAdvance(part.text) for part in self._parts
        )

    def _font_of(self, part: Part) -> QFont:
        return font(part.role or self._role, part.weight or self._weight)

    def _shown_parts(self, width: int) -> tuple[Part, ...]:
        if not self._elide or self._natural_width() <= width + 0.5:
            return self._parts
        shown: list[Part] = []
        room = width
        for part in self._parts:
            metrics = QFontMetrics(self._font_of(part))
            taken = metrics.horizontalAdvance(part.text)
            if taken > room:
                cut = metrics.elidedText(part.text, Qt.TextElideMode.ElideRight, max(room, 0))
                shown.append(Part(cut or "…", part.role, part.tone, part.weight))
                break
            shown.append(part)
            room -= taken
        return tuple(shown)

    def _laid_out(self, width: int) -> tuple[QTextLayout, list[float]]:
        """The text in lines of `width` pixels, and the top of each line."""
        parts = self._shown_parts(width)
        if self._wrap:  # a figure and its unit stay on one line
            parts = tuple(replace(part, text=part.text.replace(NARROW, _GLUED)) for part in parts)
        layout = QTextLayout("".join(part.text for part in parts), font(self._role))
        option = QTextOption(self._align)
        option.setWrapMode(
            QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere
            if self._wrap
            else QTextOption.WrapMode.NoWrap
        )
        layout.setTextOption(option)
        layout.setFormats(self._formats(parts))
        layout.setCacheEnabled(True)
        tops: list[float] = []
        step = line_height(self._role)
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(width, 1))
            top = len(tops) * step + (step - line.height()) / 2
            line.setPosition(QPointF(0, top))
            tops.append(top)
        layout.endLayout()
        return layout, tops

    def _formats(self, parts: tuple[Part, ...]) -> list[QTextLayout.FormatRange]:
        ranges: list[QTextLayout.FormatRange] = []
        start = 0
        for part in parts:
            length = len(part.text.encode("utf-16-le")) // 2  # Qt counts UTF-16 units
            styled = QTextCharFormat()
            styled.setFont(self._font_of(part))
            tone = part.tone or self._tone
            styled.setForeground(tone_colour(tone if self.isEnabled() else "faint"))
            made = QTextLayout.FormatRange()
            made.start = start
            made.length = length
            made.format = styled
            ranges.append(made)
            start += length
        return ranges

    def _refresh_tooltip(self) -> None:
        cut = self._text if self.is_elided() else ""
        self.setToolTip("\n".join(line for line in (cut, self._own_tooltip) if line))
