"""A chart as a widget: drawn once into a picture, with the crosshair over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.charts.axis import Scale
from studio.charts.content import Content, Curve
from studio.charts.crosshair import Box, BoxRow, Cross, Ring, paint_cross, paint_span
from studio.charts.frame import Frame, build_frame
from studio.charts.link import ChartLink
from studio.charts.paint import paint_chart, paint_strip
from studio.charts.readout import curve_value, position_label, readings, value_text
from studio.charts.redraw import RedrawQueue
from studio.theme import theme
from studio.widgets.focus import KeyboardFocus

MakeBox = Callable[[float], Box]
Read = Callable[[Curve, float], float]

_DRAG_PX: Final = 4
_MARK_PX: Final = 8.0
_WHEEL: Final = 1.2
"""A notch of the wheel shows this many times less or more."""


class PlotCanvas(KeyboardFocus, QWidget):
    """One chart. Wheel zooms x, double-click resets, a click keeps the crosshair.

    A drag takes the part that it spans; where a part is in view already, it pans instead, unless
    Shift is held.

    Args:
        content: What it shows; change it, then call `refresh`.
        link: The x axis and crosshair, shared with other charts.
        queue: Spreads the drawing over time.
        name: Accessible name.
        make_box: Makes the value box for a crosshair; None lists the values of the content.
        read: Value of a curve where the crosshair stands; None takes that of its step.

    Signals:
        mark_clicked: A diamond was clicked; carries its step.
    """

    mark_clicked = Signal(int)

    def __init__(
        self,
        content: Content,
        link: ChartLink,
        queue: RedrawQueue,
        *,
        name: str,
        make_box: MakeBox | None = None,
        read: Read | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.content = content
        self.link = link
        self.vector = False
        """Draw straight to the painter, for pictures that scale."""
        self._queue = queue
        self._make_box = make_box
        self._read: Read = read or curve_value
        self._frame: Frame | None = None
        self._picture = QPixmap()
        self._laid_out = QSize()
        self._by_hand = False
        self._press: QPointF | None = None
        self._dragged_from: tuple[float, float] | None = None
        self._span: tuple[float, float] | None = None
        """Pixels between which a drag selects; None while none does."""
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)
        link.view_changed.connect(self._on_view_changed)
        link.crosshair_changed.connect(self.update)
        theme().changed.connect(self._on_theme_changed)

    # --- drawing -------------------------------------------------------------------------------

    def refresh(self, *, at_once: bool = False) -> None:
        """Have the picture drawn anew soon, because the content changed.

        Args:
            at_once: Someone waits for it: draw it at the screen's pace.
        """
        self._queue.request(self, by_hand=at_once)

    def is_seen(self) -> bool:
        """Whether any part of it is on the screen."""
        return self.isVisible() and not self.visibleRegion().isEmpty()

    def redraw(self) -> None:
        """Draw the picture now and show it."""
        self._draw_picture()
        self.update()

    def frame(self) -> Frame:
        """The layout of the picture on the screen; news are in it after the next `redraw`."""
        if self._frame is None or self._laid_out != self.size():
            self._laid_out = self.size()
            self._frame = build_frame(self.content, self.link, self.width(), self.height())
        return self._frame

    def _axis(self) -> Scale:
        """The x axis as it is now, even if the picture shows an older one."""
        frame = self.frame()
        return self.link.scale(frame.left, frame.right)

    def sizeHint(self) -> QSize:
        """Any size does; a strip is a third as high."""
        return QSize(400, 66 if self.content.strip is not None else 200)

    def minimumSizeHint(self) -> QSize:
        """Small enough for any window."""
        return QSize(160, 44)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Show the picture, and the crosshair over it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.vector:
            self._frame = None  # the newest figures, not those of the last picture
            self._paint_content(painter, self.frame())
        else:
            ratio = self.devicePixelRatioF()
            fits = self._picture.size() == QSize(
                round(self.width() * ratio), round(self.height() * ratio)
            )
            if not fits:
                self._draw_picture()
            painter.drawPixmap(0, 0, self._picture)
        frame = self.frame()
        cross = self._cross(frame)
        if cross is not None and not frame.empty:
            paint_cross(painter, frame, cross, self.content, theme().palette)
        if self._span is not None:
            paint_span(painter, frame, self._span, theme().palette)
        if self.content.strip is not None:
            latest = "" if cross is None else cross.figure
            figure = latest or self._latest_figure()
            area = QRectF(frame.left, 0, frame.right - frame.left, frame.top)
            paint_strip(painter, area, self.content.strip, figure, theme().palette)
        painter.end()

    def _draw_picture(self) -> None:
        ratio = self.devicePixelRatioF()
        size = QSize(round(self.width() * ratio), round(self.height() * ratio))
        if self._picture.size() != size:
            self._picture = QPixmap(size)
            self._picture.setDevicePixelRatio(ratio)
        self._picture.fill(QColor(theme().palette.bg1))
        self._frame = None
        painter = QPainter(self._picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_content(painter, self.frame())
        painter.end()

    def _paint_content(self, painter: QPainter, frame: Frame) -> None:
        paint_chart(painter, frame, self.content, theme().palette)

    def _cross(self, frame: Frame) -> Cross | None:
        position = self.link.crosshair_position()
        at = self.link.crosshair
        if position is None or at is None:
            return None
        label = position_label(self.link.mode, at, position)
        curves = self.content.curves
        values = [(curve, self._read(curve, at)) for curve in curves if curve.ring]
        told = any(note.boxed and note.step == at and note.text for note in self.content.notes)
        rings = [] if told else [Ring(each.colour, y) for each, y in values if np.isfinite(y)]
        figure = ""
        if self.content.strip is not None and values:
            figure = value_text(values[0][1], self.content.strip.digits)
        box = self._box(at) if self.content.boxed and not told else None
        return Cross(frame.x.pixel(position), label, rings, box, figure)

    def _box(self, at: float) -> Box:
        if self._make_box is not None:
            return self._make_box(at)
        rows = readings(self.content, at)
        return Box(tuple(BoxRow(colour, name, value) for colour, name, value in rows))

    def _latest_figure(self) -> str:
        strip = self.content.strip
        if strip is None or not self.content.curves or not len(self.content.curves[0].line):
            return ""
        return value_text(float(self.content.curves[0].line.pyramid.values[-1]), strip.digits)

    # --- what the user does --------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._press = event.position()
            self._dragged_from = self._span = None
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at a step, or pan."""
        at = event.position()
        if self._press is None:
            self._hover(at)
            return
        dragging = self._dragged_from is not None or self._span is not None
        if not dragging and abs(at.x() - self._press.x()) >= _DRAG_PX:
            self._begin_drag(event, self._press.x())
        if self._span is not None:
            frame = self.frame()
            self._span = (self._span[0], min(max(at.x(), frame.left), frame.right))
            self.update()
        elif self._dragged_from is not None:
            self._pan(at.x() - self._press.x())

    def _begin_drag(self, event: QMouseEvent, x: float) -> None:
        frame = self.frame()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if (shift or not self.link.zoomed) and frame.holds_x(x):
            self._span = (x, x)
            self.setCursor(Qt.CursorShape.SizeHorCursor)
        else:
            self._dragged_from = self.link.visible()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag, or take a click: on a diamond, or to keep the crosshair."""
        if event.button() != Qt.MouseButton.LeftButton or self._press is None:
            return
        dragged, self._press, self._dragged_from = self._dragged_from, None, None
        span, self._span = self._span, None
        self.setCursor(Qt.CursorShape.CrossCursor)
        if span is not None:
            self._take_span(*span)
            return
        if dragged is not None:
            self._hover(event.position())
            return
        step = self._mark_at(event.position())
        if step is not None:
            self.mark_clicked.emit(step)
        elif self.frame().holds_x(event.position().x()):
            self.link.pin_hovered()

    def _take_span(self, start: float, stop: float) -> None:
        """Show what a drag has spanned; nothing where it came back to where it began."""
        self.update()
        if abs(stop - start) >= _DRAG_PX:
            axis = self._axis()
            low, high = sorted((axis.value(start), axis.value(stop)))
            self._act_by_hand(lambda: self.link.show_range(low, high))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything again and let the crosshair go."""
        self._press = None
        self.link.pin(None)
        self._act_by_hand(self.link.reset)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the pointer; sideways pans."""
        delta = event.angleDelta()
        if abs(delta.x()) > abs(delta.y()):
            self._dragged_from = self.link.visible()
            self._pan(delta.x() / 4)
            self._dragged_from = None
        elif delta.y():
            self._zoom(event.position().x(), _WHEEL ** (-delta.y() / 120))
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Point back at what is kept, if anything is."""
        self.link.hover(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the crosshair by a pixel, ten with Shift; Page keys pan, + and - zoom."""
        frame = self.frame()
        position = self.link.crosshair_position()
        at = (frame.left + frame.right) / 2 if position is None else self._axis().pixel(position)
        step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        moves = {Qt.Key.Key_Left: -step, Qt.Key.Key_Right: step}
        key = Qt.Key(event.key())
        if key in moves:
            self._move_crosshair(frame, at, moves[key])
            self._speak()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) and self.link.zoomed:
            half = (frame.right - frame.left) / 2
            self._dragged_from = self.link.visible()
            self._pan(half if key == Qt.Key.Key_PageUp else -half)
            self._dragged_from = None
        elif key == Qt.Key.Key_Escape and self._span is not None:
            self._press = self._span = None
            self.update()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._zoom(at, 1 / _WHEEL)
        elif key == Qt.Key.Key_Minus:
            self._zoom(at, _WHEEL)
        elif key == Qt.Key.Key_Escape and self.link.pinned:
            self.link.pin(None)
        else:
            super().keyPressEvent(event)

    def _move_crosshair(self, frame: Frame, pixel: float, by: int) -> None:
        target = min(max(pixel + by, frame.left), frame.right)
        before = self.link.crosshair
        self.link.pin_at(self._axis().value(target))
        if self.link.crosshair == before and self.link.timeline is not None and before is not None:
            # Steps are farther apart than pixels: go to the next one.
            after = before + (1 if by > 0 else -1)
            self.link.pin_at(float(self.link.timeline.of_steps(self.link.mode, [after])[0]))

    def _speak(self) -> None:
        """Tell those who do not see the chart what the crosshair shows."""
        at, position = self.link.crosshair, self.link.crosshair_position()
        if at is None or position is None:
            return
        rows = self._box(at).rows
        values = [
            " ".join(part for part in (row.name, row.value, row.change) if part) for row in rows
        ]
        place = position_label(self.link.mode, at, position)
        self.setAccessibleDescription(f"{place}: {', '.join(values)}")

    def _hover(self, at: QPointF) -> None:
        frame = self.frame()
        inside = frame.holds_x(at.x()) and 0 <= at.y() <= self.height()
        self.link.hover(self._axis().value(at.x()) if inside else None)
        if self.content.points:
            on_mark = self._mark_at(at) is not None
            shape = Qt.CursorShape.PointingHandCursor if on_mark else Qt.CursorShape.CrossCursor
            self.setCursor(shape)

    def _mark_at(self, at: QPointF) -> int | None:
        """Step of the diamond under the pointer."""
        for drawn in self.frame().points:
            if drawn.points.shape != "diamond" or not len(drawn.x):
                continue
            away = np.hypot(drawn.x - at.x(), drawn.y - at.y())
            nearest = int(np.argmin(away))
            if away[nearest] <= _MARK_PX:
                return drawn.points.steps[drawn.chosen[nearest]]
        return None

    def _zoom(self, pixel: float, factor: float) -> None:
        frame = self.frame()
        pixel = min(max(pixel, frame.left), frame.right)
        axis = self._axis()
        low = axis.value(pixel - (pixel - frame.left) * factor)
        high = axis.value(pixel + (frame.right - pixel) * factor)
        self._act_by_hand(lambda: self.link.show_range(low, high))

    def _pan(self, by: float) -> None:
        if self._dragged_from is None or not self.link.zoomed:
            return
        frame = self.frame()
        scale = Scale(*self._dragged_from, frame.left, frame.right, self.link.log)
        low, high = scale.value(frame.left - by), scale.value(frame.right - by)
        self._act_by_hand(lambda: self.link.show_range(low, high))

    def _act_by_hand(self, action: Callable[[], None]) -> None:
        """Do something to the view and have this chart drawn first."""
        self._by_hand = True
        action()
        self._by_hand = False

    # --- what changes around it ----------------------------------------------------------------

    def _on_view_changed(self) -> None:
        self._queue.request(self, by_hand=True, first=self._by_hand)

    def _on_theme_changed(self) -> None:
        self._queue.request(self, by_hand=True)
