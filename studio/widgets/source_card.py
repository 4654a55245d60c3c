"""A place in the training text: its document, and the matched run in its surroundings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets.buttons import IconButton
from studio.widgets.focus import KeyboardFocus
from studio.widgets.label import Label, Part
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme
from studio.widgets.pressable import HoverLight
from studio.widgets.token_run import heat_step, visible_text
from trainer_core.protocol import SourcePlace

_LINE_HEIGHT = 20
_BEFORE_CHARACTERS = 90
_MATCHED_CHARACTERS = 320
_AFTER_CHARACTERS = 90
_BREAK = "\u200b"
"""A place where a line may end, though nothing is seen there."""
_PAD = "\u00a0"
_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Span:
    """A stretch of an excerpt, counted in UTF-16 units as Qt does."""

    start: int
    length: int


def excerpt_parts(place: SourcePlace, *, keep_lines: bool) -> tuple[str, str, str, str]:
    """The four stretches of a place as shown: before, matched, following, after.

    Args:
        place: Where the match stands.
        keep_lines: Keep line breaks and indentation, as code wants them, but no blank lines; else
            all white space is one space.
    """

    def shown(text: str) -> str:
        lines = _BLANK_LINES.sub("\n", text.replace("\r\n", "\n"))
        return visible_text(lines if keep_lines else _one_line(text))

    before, matched = shown(place.before), shown(place.matched)
    following = visible_text(place.following.replace("\r\n", "\n"))
    after = shown(place.after)
    before = _shortened(before, _BEFORE_CHARACTERS, at_start=True)
    after = _shortened(after, _AFTER_CHARACTERS, at_start=False)
    if len(matched) > _MATCHED_CHARACTERS:
        half = _MATCHED_CHARACTERS // 2
        matched = f"{matched[:half]} … {matched[-half:]}"
    if keep_lines and "\n" in following:
        after = f"{following[following.index(chr(10)) :]}{after}"
    lead = len(matched) - len(matched.lstrip(" "))
    before, matched = before + matched[:lead], matched[lead:]
    label = following.strip(" ").replace("\t", "→") or "·" * len(following)
    if "\n" in label:
        label = "".join(label.split(" ")).replace("\n", "↵")
    return before, matched, label, after


def _one_line(text: str) -> str:
    """White space made single; a space at an end stays, since it parts two stretches."""
    words = " ".join(text.split())
    if not words:
        return " " if text else ""
    return f"{' ' * text[0].isspace()}{words}{' ' * text[-1].isspace()}"


def _shortened(text: str, characters: int, *, at_start: bool) -> str:
    """The end next to the match, cut at a word and marked with an ellipsis."""
    if len(text) <= characters:
        return (
            f"… {text.lstrip(' ')}" if at_start and text else f"{text.rstrip()} …" if text else ""
        )
    if at_start:
        cut = text[-characters:]
        space = cut.find(" ")
        return f"… {cut[space + 1 :].lstrip() if 0 <= space < characters // 2 else cut}"
    cut = text[:characters]
    space = cut.rfind(" ")
    return f"{cut[:space].rstrip() if space > characters // 2 else cut} …"


class Excerpt(QWidget):
    """Text with the matched run in heat colour and the token that followed in a ring."""

    def __init__(
        self, place: SourcePlace, match_length: int, *, code: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        before, matched, following, after = excerpt_parts(place, keep_lines=code)
        ringed = f"{_PAD}{following}{_PAD}" if following else ""
        self._text = f"{before}{matched}{_BREAK}{ringed}{_BREAK}{after}"
        self._matched = Span(_units(before), _units(matched))
        self._ringed = Span(_units(before + matched + _BREAK), _units(ringed))
        self._step = heat_step(match_length)
        self._code = code
        self._layout: QTextLayout | None = None
        self._layout_key: tuple[int, str] = (0, "")
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName(self._text.replace(_BREAK, ""))
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """Some lines of text."""
        return QSize(280, 4 * _LINE_HEIGHT)

    def hasHeightForWidth(self) -> bool:
        """As high as the lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height in pixels at this width."""
        return self._laid_out(width).lineCount() * _LINE_HEIGHT

    def paintEvent(self, event: QPaintEvent) -> None:
        """Backgrounds, text, ring."""
        painter = painter_for(self)
        layout = self._laid_out(self.width())
        heat = theme().palette.heat[self._step]
        if heat.background is not None:
            for rect in self._rects(layout, self._matched):
                painter.fillRect(rect.adjusted(0, 1, 0, -1), QColor(heat.background))
        layout.draw(painter, QPointF(0, 0))
        painter.setPen(QPen(QColor(theme().palette.info.fg), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for rect in self._rects(layout, self._ringed):
            painter.drawRoundedRect(rect.adjusted(1, 1.5, -1, -1.5), 4, 4)
        painter.end()

    def _laid_out(self, width: int) -> QTextLayout:
        key = (width, theme().palette.name)
        if self._layout is None or key != self._layout_key:
            self._layout = self._lay_out(width)
            self._layout_key = key
        return self._layout

    def _font(self, weight: QFont.Weight | None = None) -> QFont:
        return font("mono_small" if self._code else "secondary", weight)

    def _lay_out(self, width: int) -> QTextLayout:
        layout = QTextLayout(self._text.replace("\n", "\u2028"), self._font(QFont.Weight.Normal))
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        palette = theme().palette
        end = _units(self._text)
        rest = self._ringed.start + self._ringed.length
        heat = palette.heat[self._step].text
        layout.setFormats(
            [
                self._format(Span(0, self._matched.start), palette.muted),
                self._format(self._matched, heat),
                self._format(self._ringed, palette.text, QFont.Weight.DemiBold),
                self._format(Span(rest, end - rest), palette.muted),
            ]
        )
        layout.beginLayout()
        count = 0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(width, 40))
            line.setPosition(QPointF(0, count * _LINE_HEIGHT + (_LINE_HEIGHT - line.height()) / 2))
            count += 1
        layout.endLayout()
        return layout

    def _format(
        self, span: Span, colour: str, weight: QFont.Weight | None = None
    ) -> QTextLayout.FormatRange:
        look = QTextCharFormat()
        look.setForeground(QColor(colour))
        if weight is not None:
            look.setFont(self._font(weight))
        made = QTextLayout.FormatRange()
        made.start = span.start
        made.length = span.length
        made.format = look
        return made

    def _rects(self, layout: QTextLayout, span: Span) -> list[QRectF]:
        """The places of a stretch, one for each line it touches."""
        rects: list[QRectF] = []
        end = span.start + span.length
        for number in range(layout.lineCount()):
            line = layout.lineAt(number)
            first = max(span.start, line.textStart())
            last = min(end, line.textStart() + line.textLength())
            if first >= last:
                continue
            left: float = line.cursorToX(first)[0]  # type: ignore[index]  # a pair, not an int
            right: float = line.cursorToX(last)[0]  # type: ignore[index]  # as above
            right = min(right, line.naturalTextWidth()) if last < end else right
            rects.append(QRectF(left, number * _LINE_HEIGHT, right - left, _LINE_HEIGHT))
        return rects


class SourceCard(HoverLight, KeyboardFocus, QWidget):
    """One place where the matched tokens stand in the training text.

    Signals:
        open_requested (object): The document is wanted at this `SourcePlace`.
    """

    open_requested = Signal(object)

    def __init__(
        self,
        place: SourcePlace,
        match_length: int,
        *,
        code: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.place = place
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"Source: {place.title}")
        eye = IconButton("eye", "Open the document here", edge=24, parent=self)
        eye.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        eye.clicked.connect(self._on_eye_clicked)
        title = Label(place.title, "strong")
        title.set_tooltip(place.path)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(title, 1)
        head.addWidget(eye)
        column = QVBoxLayout(self)
        column.setContentsMargins(37, 12, 10, 12)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(position_label(place))
        column.addSpacing(4)
        text = QHBoxLayout()
        text.setContentsMargins(0, 0, 6, 0)
        text.addWidget(Excerpt(place, match_length, code=code))
        column.addLayout(text)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The document's icon, and a hairline below."""
        painter = painter_for(self)
        palette = theme().palette
        if self._hovered:
            painter.fillRect(self.rect(), QColor(palette.bg2))
        draw_icon(painter, "file-text", palette.muted, 14, 15, 16)
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), QColor(palette.line))
        painter.end()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask for the document."""
        inside = self.rect().contains(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and inside:
            self.open_requested.emit(self.place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space ask for the document."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.open_requested.emit(self.place)
            return
        super().keyPressEvent(event)

    def _on_eye_clicked(self) -> None:
        self.open_requested.emit(self.place)


def position_label(place: SourcePlace) -> Label:
    """Where in which document, as on a card."""
    label = Label("", "label", "muted")
    label.set_parts(
        Part("doc "),
        Part(f"{place.document:,}", "mono_small"),
        Part(", token "),
        Part(f"{place.position:,}", "mono_small"),
        Part(" of "),
        Part(f"{place.document_tokens:,}", "mono_small"),
    )
    return label


def _units(text: str) -> int:
    """The length of a text as Qt counts it."""
    return len(text.encode("utf-16-le")) // 2


def paint_heat_chip(painter: QPainter, rect: QRectF, label: str, match_length: int) -> None:
    """A token's label on its heat colour, as beside "matched 17 tokens"."""
    palette = theme().palette
    heat = palette.heat[heat_step(match_length)]
    painter.setPen(Qt.PenStyle.NoPen if heat.background else QPen(QColor(palette.line2), 1))
    painter.setBrush(QColor(heat.background) if heat.background else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    painter.setPen(QColor(heat.text))
    painter.setFont(font("mono"))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, label)


class HeatChip(QWidget):
    """One token's label on its heat colour."""

    _CHARACTERS_MAX = 18

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = ""
        self._match_length = 0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        repaint_on_theme(self)

    def show_token(self, label: str, match_length: int) -> None:
        """Show another token."""
        cut = self._CHARACTERS_MAX
        self._label = label if len(label) <= cut else f"{label[: cut - 1]}…"
        self._match_length = match_length
        self.setToolTip(label)
        self.setAccessibleName(label)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """The label and its padding."""
        return QSize(int(QFontMetricsF(font("mono")).horizontalAdvance(self._label)) + 14, 19)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter = painter_for(self)
        paint_heat_chip(painter, QRectF(self.rect()), self._label, self._match_length)
        painter.end()
