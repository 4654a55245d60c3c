"""How tokens are painted: heat, verbatim runs, selection, and the token that is meant."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from studio.palette import RoleName
from studio.theme import theme
from studio.widgets.token_lines import Line, Segment, TokenLines
from studio.widgets.token_run import Colouring

_RADIUS = 4.0
_UNDERLINE = 2.0


def group_colours() -> list[QColor]:
    """The grounds of groups, in turn."""
    palette = theme().palette
    roles: tuple[RoleName, ...] = ("info", "ok", "accent", "warn")
    return [QColor(palette.role(role).soft) for role in roles]


class TokenPainter:
    """Paints parts of laid-out tokens; lives as long as one paint event.

    Args:
        painter: Smooth, with its origin at the text's upper left corner.
        lines: The text.
    """

    def __init__(self, painter: QPainter, lines: TokenLines) -> None:
        self._painter = painter
        self._lines = lines
        self._run = lines.run
        self._palette = theme().palette
        self._colours = self._background_colours()

    def _background_colours(self) -> list[QColor]:
        """Background colours by step; that of step 0 is never painted."""
        palette = self._palette
        if self._run.colouring is Colouring.BOUNDARIES:
            return [QColor(), QColor(palette.info.soft), QColor(palette.bg3)]
        if self._run.colouring is Colouring.GROUPS:
            return [QColor(), *group_colours()]
        return [QColor(step.background or palette.bg1) for step in palette.heat]

    def backgrounds(self, line: Line) -> None:
        """The grounds of a line's tokens, round where a match begins or ends."""
        self._painter.setPen(Qt.PenStyle.NoPen)
        for segment in self._lines.segments(line):
            rect = QRectF(segment.left, line.top, segment.right - segment.left, line.height)
            band, colour = self._band(rect), self._colours[segment.step]
            if segment.round_left or segment.round_right:
                self._painter.fillPath(_rounded(band, segment), colour)
            else:
                self._painter.fillRect(band, colour)

    def selection(self, first: int, last: int) -> None:
        """A veil over the tokens `first` to `last`."""
        colour = QColor(self._palette.info.fg)
        colour.setAlpha(80)
        for rect in self._lines.rects(first, last):
            self._painter.fillRect(self._band(rect), colour)

    def verbatim(self, line: Line) -> None:
        """A line below what stands word for word in the training text."""
        if self._run.colouring is not Colouring.HEAT:
            return
        colour = QColor(self._palette.text)
        for token, left, right in zip(line.tokens, line.lefts, line.rights, strict=True):
            if self._run.is_verbatim(token):
                self._underline(QRectF(left, line.top, right - left, line.height), colour)

    def newline(self, line: Line) -> None:
        """A sign for the newline, where blanks are marked."""
        if line.newline < 0 or not self._lines.style.mark_blanks:
            return
        self._painter.setFont(self._lines.style.font)
        self._painter.setPen(QColor(self._palette.muted))
        self._painter.drawText(line.newline_rect(), Qt.AlignmentFlag.AlignCenter, "↵")

    def current(self, token: int) -> None:
        """A ring around a token, and a line below the context that its match covers."""
        colour = QColor(self._palette.info.fg)
        if self._run.colouring is Colouring.HEAT:
            first = max(token - self._run.tokens[token].matched_before, 0)
            if first < token:
                for rect in self._lines.rects(first, token - 1):
                    self._underline(rect, colour)
        self._painter.setPen(QPen(colour, 2))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        for rect in self._lines.rects(token):
            self._painter.drawRoundedRect(self._band(rect), _RADIUS, _RADIUS)

    def _band(self, rect: QRectF) -> QRectF:
        """The part of a line's height that backgrounds take."""
        inset = 2.0 if self._lines.style.line_height > 22 else 1.0
        return rect.adjusted(0.0, inset, 0.0, -inset)

    def _underline(self, rect: QRectF, colour: QColor) -> None:
        band = self._band(rect)
        line = QRectF(band.left(), band.bottom() - 1, band.width(), _UNDERLINE)
        self._painter.fillRect(line, colour)


def _rounded(rect: QRectF, segment: Segment) -> QPainterPath:
    """A bar that is round only at the ends where its match begins or ends."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    radius = min(_RADIUS, rect.width() / 2)
    path.addRoundedRect(rect, radius, radius)
    half = rect.width() / 2
    if not segment.round_left:
        path.addRect(rect.adjusted(0, 0, -half, 0))
    if not segment.round_right:
        path.addRect(rect.adjusted(half, 0, 0, 0))
    return path
