"""Small drawing helpers that every painted widget shares."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QWidget

from studio.theme import pixmap, theme


def repaint_on_theme(widget: QWidget) -> None:
    """Repaint the widget whenever the theme changes; the connection ends with the widget."""
    theme().changed.connect(widget.update)


def painter_for(widget: QWidget) -> QPainter:
    """A painter with smooth edges; call `end()` when done."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return painter


def rounded_box(
    painter: QPainter,
    rect: QRectF,
    radius: float,
    *,
    fill: QColor | str | None = None,
    border: QColor | str | None = None,
    width: float = 1.0,
) -> None:
    """A box whose border lies inside `rect`, crisp at whole pixels."""
    inset = width / 2 if border is not None else 0.0
    box = rect.adjusted(inset, inset, -inset, -inset)
    painter.setPen(QPen(QColor(border), width) if border is not None else Qt.PenStyle.NoPen)
    painter.setBrush(QColor(fill) if fill is not None else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box, radius - inset, radius - inset)


def bar(painter: QPainter, rect: QRectF, share: float, colour: QColor | str, track: str) -> None:
    """A progress bar with round ends.

    Args:
        painter: With antialiasing on.
        rect: The track.
        share: Filled part, 0 to 1.
        colour: Of the filled part.
        track: Of the rest.
    """
    radius = rect.height() / 2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(track))
    painter.drawRoundedRect(rect, radius, radius)
    filled = rect.width() * min(max(share, 0.0), 1.0)
    if filled <= 0.0:
        return
    painter.setBrush(QColor(colour))
    # A very short part keeps its round ends: it is never narrower than it is high.
    shown = QRectF(rect.left(), rect.top(), max(filled, rect.height()), rect.height())
    painter.drawRoundedRect(shown, radius, radius)


def draw_icon(
    painter: QPainter, name: str, colour: QColor | str, left: float, top: float, size: int = 16
) -> None:
    """An icon with its upper left corner at a point, in logical pixels."""
    device = painter.device()
    ratio = device.devicePixelRatioF() if device is not None else 1.0
    painter.drawPixmap(QPointF(left, top), pixmap(name, colour, size, ratio))


def horizontal_line(painter: QPainter, left: float, right: float, y: int, colour: str) -> None:
    """A crisp hairline at pixel row `y`."""
    painter.fillRect(QRectF(left, y, right - left, 1), QColor(colour))


def bottom_rounded(rect: QRectF, radius: float) -> QPainterPath:
    """A rectangle with its two lower corners rounded."""
    path = QPainterPath()
    path.moveTo(rect.topLeft())
    path.lineTo(rect.topRight())
    path.lineTo(rect.right(), rect.bottom() - radius)
    path.quadTo(rect.bottomRight(), QPointF(rect.right() - radius, rect.bottom()))
    path.lineTo(rect.left() + radius, rect.bottom())
    path.quadTo(rect.bottomLeft(), QPointF(rect.left(), rect.bottom() - radius))
    path.closeSubpath()
    return path
