"""Tokens laid out in lines: where each one stands, and which one is at a point.

No widget in here. Finished lines are never laid out again while text is appended, so adding a
token costs the same at the end of a long text as at its start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QTextCharFormat,
    QTextLayout,
    QTextLine,
    QTextOption,
)

from studio.widgets.token_run import Colouring, TextToken, TokenRun

_NEWLINE_WIDTH = 8.0
_MARKED_NEWLINE_WIDTH = 15.0


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How lines look; lengths in pixels."""

    font: QFont
    foregrounds: Sequence[QColor]
    """Text colours by step; the first is that of plain text."""
    line_height: float = 29.0
    blank_height: float = 8.0
    """Height of a line without any text."""
    mark_blanks: bool = False
    """Give newlines, and spaces where a line was wrapped, a place that shows."""

    @property
    def newline_width(self) -> float:
        """How wide the place of a newline is."""
        return _MARKED_NEWLINE_WIDTH if self.mark_blanks else _NEWLINE_WIDTH


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring tokens of one line that share a background."""

    left: float
    right: float
    step: int
    round_left: bool
    round_right: bool


@dataclass(slots=True)
class Line:
    """One visual line. `tokens[i]` covers `lefts[i]` to `rights[i]`."""

    layout: QTextLayout | None
    number: int
    top: float
    height: float
    baseline_shift: float = 0.0
    tokens: list[int] = field(default_factory=list)
    lefts: list[float] = field(default_factory=list)
    rights: list[float] = field(default_factory=list)
    newline: int = -1
    """The token that ends this line with a newline, or -1."""
    newline_left: float = 0.0
    newline_width: float = _NEWLINE_WIDTH
    follower: int = -1
    """The token that the next line begins with, when this one was wrapped."""
    begins_paragraph: bool = False
    segments: list[Segment] | None = None

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    def draw(self, painter: QPainter) -> None:
        """Draw the text, without any background, at the line's own place."""
        if self.layout is not None:
            at = QPointF(0.0, self.top + self.baseline_shift)
            self.layout.lineAt(self.number).draw(painter, at)

    def newline_rect(self) -> QRectF:
        """A narrow place at the end of the line, by which a newline can be pointed at."""
        return QRectF(self.newline_left, self.top, self.newline_width, self.height)


def _utf16_length(text: str) -> int:
    """The length of a text as Qt counts it."""
    if text.isascii():
        return len(text)
    return len(text) + sum(character > "\uffff" for character in text)


class TokenLines:
    """A `TokenRun` wrapped to a width."""

    def __init__(self, run: TokenRun, style: LineStyle, width: float) -> None:
        self.run = run
        self.style = style
        self.width = max(width, 40.0)
        self.lines: list[Line] = []
        self._open: list[tuple[int, str]] = []
        """Parts of the text since the start of the last line, with their tokens."""
        self._open_from = 0
        """Number of the first line that may still change."""
        self._paragraph_begins = True
        self._laid_out = 0
        self._measure()

    @property
    def height(self) -> float:
        """Height of all lines."""
        return self.lines[-1].bottom if self.lines else 0.0

    def append(self, tokens: Iterable[TextToken]) -> None:
        """Add tokens at the end; only the last line and what follows it is laid out."""
        self.run.append(tokens)
        self._lay_out_new()

    def finish(self) -> None:
        """Show the bytes of a character that never came to its end."""
        if self.run.finish():
            self.lay_out_again()

    def lay_out_again(self, style: LineStyle | None = None, width: float | None = None) -> None:
        """Lay everything out anew after the text, the look or the width changed."""
        self.style = style or self.style
        self.width = max(width if width is not None else self.width, 40.0)
        self._measure()
        self.lines.clear()
        self._open = []
        self._open_from = 0
        self._paragraph_begins = True
        self._laid_out = 0
        self._lay_out_new()

    # --- where things are --------------------------------------------------------------------

    def lines_between(self, top: float, bottom: float) -> Iterator[Line]:
        """The lines that touch a horizontal band."""
        first = bisect_right(self.lines, top, key=lambda line: line.bottom)
        for line in islice(self.lines, first, None):
            if line.top >= bottom:
                return
            yield line

    def token_at(self, x: float, y: float) -> int:
        """The token at a point, or -1."""
        for line in self.lines_between(y, y + 0.5):
            for token, left, right in zip(line.tokens, line.lefts, line.rights, strict=True):
                if left <= x < right:
                    return token
            if line.newline >= 0 and line.newline_rect().contains(x, y):
                return line.newline
        return -1

    def nearest_token(self, x: float, y: float) -> int:
        """The token whose place is closest to a point, or -1 where there is none."""
        if not self.lines:
            return -1
        y = min(max(y, 0.0), self.height - 0.5)
        line = next(self.lines_between(y, y + 0.5), self.lines[-1])
        spots = list(zip(line.lefts, line.rights, line.tokens, strict=True))
        if not spots:
            return line.newline
        return min(spots, key=lambda spot: max(spot[0] - x, x - spot[1]))[2]

    def rects(self, first: int, last: int | None = None) -> list[QRectF]:
        """One rectangle per line for the tokens `first` to `last`, both included.

        A token without a place of its own (the first bytes of a split character) gives none,
        unless it is asked for alone: then a bar stands where it would be.
        """
        last = first if last is None else last
        found: list[QRectF] = []
        start = bisect_left(self.lines, first, key=_last_token)
        for line in islice(self.lines, start, None):
            if _first_token(line) > last:
                break
            rect = _line_rect(line, first, last)
            if rect is not None:
                found.append(rect)
        return found

    def segments(self, line: Line) -> list[Segment]:
        """The backgrounds of a line, computed when first asked for."""
        if line.segments is None:
            line.segments = self._build_segments(line)
        return line.segments

    # --- backgrounds -----------------------------------------------------------------------

    def _build_segments(self, line: Line) -> list[Segment]:
        found: list[Segment] = []
        for token, left, right in zip(line.tokens, line.lefts, line.rights, strict=True):
            step = self.run.step_of(token)
            goes_on = self.run.goes_on(token)
            last = found[-1] if found else None
            if last is not None and (goes_on or step == last.step == 0):
                found[-1] = replace(last, right=right)
            else:
                round_left = not goes_on or line.begins_paragraph
                found.append(Segment(left, right, step, round_left, True))
        if self.style.mark_blanks and line.newline >= 0:
            rect = line.newline_rect()
            step = self.run.step_of(line.newline)
            found.append(Segment(rect.left(), rect.right(), step, True, True))
        if found and self._wraps_within(line):
            found[-1] = replace(found[-1], round_right=False)
        return [segment for segment in found if segment.step and segment.right > segment.left]

    def _wraps_within(self, line: Line) -> bool:
        """Whether the background at the end of a wrapped line goes on at the start of the next."""
        if line.follower < 0:
            return False
        return line.follower == line.tokens[-1] or self.run.goes_on(line.follower)

    # --- layout -------------------------------------------------------------------------------

    def _measure(self) -> None:
        metrics = QFontMetricsF(self.style.font)
        self._ascent = metrics.ascent()
        self._descent = metrics.descent()
        self._option = QTextOption()
        self._option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._option.setTabStopDistance(4 * metrics.horizontalAdvance(" "))

    def _lay_out_new(self) -> None:
        """Lay out the tokens that were added since the last time."""
        for token in range(self._laid_out, len(self.run)):
            head, *rest = self.run.texts[token].split("\n")
            self._open.append((token, head))
            for part in rest:
                self._lay_out_open()
                self._close_line(token)
                self._open.append((token, part))
        self._laid_out = len(self.run)
        self._lay_out_open()

    def _close_line(self, token: int) -> None:
        """End the open line with the newline of `token`."""
        line = self.lines[-1]
        line.newline = token
        line.newline_left = line.rights[-1] if line.rights else 0.0
        line.newline_width = self.style.newline_width
        line.segments = None
        self._open = []
        self._open_from = len(self.lines)
        self._paragraph_begins = True

    def _lay_out_open(self) -> None:
        """Lay out the open text and settle every line of it but the last."""
        del self.lines[self._open_from :]
        text = "".join(part for _, part in self._open)
        if not text:
            self.lines.append(self._blank_line())
            return
        layout = self._text_layout(text)
        spans = self._open_spans()
        for number in range(layout.lineCount()):
            self.lines.append(self._place(layout, number, spans))
        if layout.lineCount() > 1:
            self._settle(layout.lineAt(layout.lineCount() - 1).textStart(), spans)

    def _blank_line(self) -> Line:
        tokens = [token for token, _ in self._open]
        nothing = [0.0] * len(tokens)
        height = self.style.blank_height if self.lines else self.style.line_height
        return Line(None, 0, self.height, height, 0.0, tokens, nothing, list(nothing))

    def _text_layout(self, text: str) -> QTextLayout:
        layout = QTextLayout(text, self.style.font)
        layout.setTextOption(self._option)
        layout.setFormats(self._formats())
        layout.setCacheEnabled(True)
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(self.width)
            line.setPosition(QPointF(0.0, 0.0))
        layout.endLayout()
        return layout

    def _formats(self) -> list[QTextLayout.FormatRange]:
        """Text colours of the open text, where they differ from the plain one."""
        found: list[QTextLayout.FormatRange] = []
        heat = self.run.colouring is Colouring.HEAT
        colours = self.style.foregrounds
        plain = colours[0]
        previous = None
        for token, start, length in self._open_spans():
            colour = colours[self.run.step_of(token)] if heat else plain
            if previous is not None and colour == previous and found:
                found[-1].length = start + length - found[-1].start
                continue
            previous = colour
            found.append(_format_range(start, length, colour))
        return found

    def _open_spans(self) -> list[tuple[int, int, int]]:
        """Each part of the open text as token, start and length, counted as Qt counts."""
        spans: list[tuple[int, int, int]] = []
        start = 0
        for token, part in self._open:
            length = _utf16_length(part)
            spans.append((token, start, length))
            start += length
        return spans

    def _place(self, layout: QTextLayout, number: int, spans: list[tuple[int, int, int]]) -> Line:
        """Work out where each token of a laid-out line stands."""
        text_line = layout.lineAt(number)
        begin = text_line.textStart()
        end = begin + text_line.textLength()
        wrapped = number + 1 < layout.lineCount()
        hides_blanks = wrapped and not self.style.mark_blanks
        limit = text_line.naturalTextWidth() if hides_blanks else float("inf")
        line = Line(layout, number, self.height, self.style.line_height)
        line.begins_paragraph = number == 0 and self._paragraph_begins
        extra = self.style.line_height - (self._ascent + self._descent)
        line.baseline_shift = extra / 2 + self._ascent - text_line.ascent()
        for token, start, length in spans:
            if start >= end and (wrapped or length):
                break
            if start + length <= begin and start < begin:
                continue
            if wrapped and start + length > end:
                line.follower = token
            left = min(_x_at(text_line, max(start, begin)), limit)
            right = min(_x_at(text_line, min(start + length, end)), limit)
            line.tokens.append(token)
            line.lefts.append(min(left, right))
            line.rights.append(max(left, right))
        if wrapped and line.follower < 0:
            line.follower = next(token for token, start, length in spans if start >= end and length)
        return line

    def _settle(self, begin: int, spans: list[tuple[int, int, int]]) -> None:
        """Keep only the text from `begin` on open."""
        parts = zip(self._open, spans, strict=True)
        self._open = [
            (token, _drop_utf16(part, begin - start))
            for (token, part), (_, start, length) in parts
            if start + length > begin or start >= begin
        ]
        self._open_from = len(self.lines) - 1
        self._paragraph_begins = False


def _x_at(line: QTextLine, position: int) -> float:
    place: tuple[float, int] = line.cursorToX(position)  # type: ignore[assignment]  # the stubs say int
    return place[0]


def _drop_utf16(text: str, count: int) -> str:
    """The text without its first `count` UTF-16 units."""
    if count <= 0:
        return text
    return text.encode("utf-16-le")[2 * count :].decode("utf-16-le")


def _format_range(start: int, length: int, colour: QColor) -> QTextLayout.FormatRange:
    form = QTextCharFormat()
    form.setForeground(colour)
    found = QTextLayout.FormatRange()
    found.start = start
    found.length = length
    found.format = form
    return found


def _first_token(line: Line) -> int:
    return line.tokens[0] if line.tokens else line.newline


def _last_token(line: Line) -> int:
    return max(line.tokens[-1] if line.tokens else -1, line.newline)


def _line_rect(line: Line, first: int, last: int) -> QRectF | None:
    """The part of a line that the tokens `first` to `last` take."""
    left, right = float("inf"), float("-inf")
    alone = first == last
    for token, start, end in zip(line.tokens, line.lefts, line.rights, strict=True):
        if first <= token <= last and (end > start or alone):
            left, right = min(left, start), max(right, end)
    if first <= line.newline <= last and (alone or left < right):
        left = min(left, line.newline_left)
        right = max(right, line.newline_left + (line.newline_width if alone else 0.0))
    if right < left:
        return None
    return QRectF(left, line.top, max(right - left, 2.0 if alone else 0.0), line.height)
