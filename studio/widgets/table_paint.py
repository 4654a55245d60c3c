"""How a table's cells and headings are drawn."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from studio.theme import DASHES, FontRole, font, theme
from studio.widgets.cells import CHECK, Cell, CellStyle, Column
from studio.widgets.paint import bar, bottom_rounded, draw_icon, rounded_box
from studio.widgets.pill import HEIGHT_PX, paint_pill, pill_width
from studio.widgets.table_model import CELL_ROLE, TableModel

HEADER_PX = 32
ROW_PX = 36
PADDING_PX = 12
_BAR_PX = 72
_FONTS: dict[CellStyle, FontRole] = {
    "text": "body",
    "strong": "strong",
    "muted": "body",
    "mono": "mono",
    "mono_muted": "mono",
}


def cell_font(style: CellStyle) -> QFont:
    """The font of a style."""
    return font(_FONTS[style])


def _text_colour(cell: Cell, style: CellStyle) -> QColor:
    p = theme().palette
    if cell.link:
        return QColor(p.accent)
    if cell.role is not None:
        return QColor(p.role(cell.role).fg)
    return QColor(p.muted if style in ("muted", "mono_muted") else p.text)


def dash_pen(slot: int, width: float = 2.0) -> QPen:
    """The pen of a series slot: its colour, and its dash in pixels."""
    p = theme().palette
    pen = QPen(QColor(p.series[slot % 6]), width)
    dash = DASHES[slot % 6]
    if dash is not None:
        pen.setDashPattern([dash[0] / width / 2, dash[1] / width / 2])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


class CellDelegate(QStyledItemDelegate):
    """Draws whole cells; the view knows which row is under the pointer."""

    def __init__(self, model: TableModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self.hovered_row = -1
        self.has_focus = False
        self.compact_bar = False

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Rows are 36 high."""
        return QSize(40, ROW_PX)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Ground, then the parts from left to right."""
        cell: Cell = index.data(CELL_ROLE)
        column = self._model.columns[index.column()]
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        checked = self._model.is_checked(index.row())
        last = index.row() == index.model().rowCount() - 1
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(
            painter, rect, index, checked or bool(state & QStyle.StateFlag.State_Selected), last
        )
        room = QRectF(rect).adjusted(PADDING_PX, 0, -PADDING_PX, 0 if last else -1)
        if column.key == CHECK:
            paint_box(painter, room.left(), room.center().y(), checked=checked)
        else:
            self._paint_parts(painter, room, cell, column)
        painter.restore()

    def _paint_ground(
        self,
        painter: QPainter,
        rect: QRect,
        index: QModelIndex | QPersistentModelIndex,
        selected: bool,
        last: bool,
    ) -> None:
        p = theme().palette
        if last:
            # The frame is rounded: without this the lowest row would paint over its corners.
            viewport = self.parent()
            width = viewport.width() if isinstance(viewport, QWidget) else rect.width()
            painter.setClipPath(bottom_rounded(QRectF(0, rect.top(), width, rect.height()), 7))
        if selected:
            painter.fillRect(rect, QColor(p.accent_soft))
        elif index.row() == self.hovered_row:
            painter.fillRect(rect, QColor(p.bg2))
        if selected and index.column() == 0:
            painter.fillRect(rect.left(), rect.top(), 2, rect.height(), QColor(p.accent))
        if not last:
            painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, QColor(p.line))

    def _paint_parts(self, painter: QPainter, room: QRectF, cell: Cell, column: Column) -> None:
        p = theme().palette
        middle = room.center().y()
        left = room.left()
        if cell.series is not None:
            painter.setPen(dash_pen(cell.series))
            painter.drawLine(QPointF(left, middle), QPointF(left + 16, middle))
            left += 26
        if cell.pill is not None:
            paint_pill(painter, left, middle - HEIGHT_PX / 2, cell.pill)
            left += pill_width(cell.pill) + 12
        if cell.share is not None:
            width = min(_BAR_PX if cell.pill is None else 48, max(room.right() - left, 0))
            track = QRectF(left, middle - 2, width, 4)
            bar(painter, track, cell.share, p.role(cell.bar_role).fg, p.bg3)
            left += width + 8
        if cell.button:
            colour = p.role(cell.role).fg if cell.role is not None else p.faint
            draw_icon(painter, cell.button, colour, room.center().x() - 8, middle - 8)
        elif cell.chips:
            _paint_chips(
                painter, QRectF(left, room.top(), room.right() - left, room.height()), cell
            )
        elif cell.text:
            self._paint_text(
                painter, QRectF(left, room.top(), room.right() - left, room.height()), cell, column
            )

    def _paint_text(self, painter: QPainter, room: QRectF, cell: Cell, column: Column) -> None:
        style = cell.style or column.style
        painter.setFont(cell_font(style))
        metrics = painter.fontMetrics()
        icon_room = 20 if cell.icon else 0
        inset = 7 if cell.outlined else 0
        text = metrics.elidedText(
            cell.text, Qt.TextElideMode.ElideRight, int(room.width() - icon_room) + 1
        )
        width = metrics.horizontalAdvance(text)
        left = room.right() - width - icon_room - inset if column.right else room.left() + inset
        if cell.outlined:
            box = QRectF(left - 7, room.center().y() - 11, width + 14, 22)
            p = theme().palette
            rounded_box(painter, box, 4, fill=p.accent_soft, border=p.accent)
        colour = _text_colour(cell, style)
        if cell.outlined and cell.role is None:
            colour = QColor(theme().palette.on_accent_soft)
        painter.setPen(colour)
        box = QRectF(left, room.top(), width + 2, room.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
        if cell.icon:
            top = room.center().y() - 6
            draw_icon(painter, cell.icon, theme().palette.muted, left + width + 8, top, 12)


def text_room(cell: Cell, column: Column, width: int) -> tuple[int, int]:
    """Pixels that the cell's text needs, and pixels that a column of this width leaves for it."""
    style = cell.style or column.style
    needed = QFontMetrics(cell_font(style)).horizontalAdvance(cell.text)
    room = width - 2 * PADDING_PX
    room -= pill_width(cell.pill) + 12 if cell.pill is not None else 0
    room -= _BAR_PX + 8 if cell.share is not None else 0
    room -= 26 if cell.series is not None else 0
    room -= 20 if cell.icon else 0
    return needed, room


def paint_box(painter: QPainter, left: float, middle: float, *, checked: bool) -> None:
    """Draw the box of a row that can be checked, 14 px, as check boxes have it."""
    p = theme().palette
    box = QRectF(left, middle - 7, 14, 14)
    if checked:
        rounded_box(painter, box, 3, fill=p.fill)
        draw_icon(painter, "check", p.ink, box.left() + 1, box.top() + 1, 12)
    else:
        rounded_box(painter, box, 3, border=p.faint)


def chip_width(word: str) -> int:
    """Pixels of a chip in a cell."""
    return QFontMetrics(font("label")).horizontalAdvance(word) + 12


def _paint_chips(painter: QPainter, room: QRectF, cell: Cell) -> None:
    """As many chips as there is room for, then how many more there are."""
    p = theme().palette
    painter.setFont(font("label"))
    left = room.left()
    for place, word in enumerate(cell.chips):
        rest = len(cell.chips) - place
        needed = chip_width(word) + (chip_width(f"+{rest - 1}") + 4 if rest > 1 else 0)
        fits = left + needed <= room.right()
        shown = word if fits or (place == 0 and rest == 1) else f"+{rest}"
        width = min(chip_width(shown), room.right() - left)
        box = QRectF(left, room.center().y() - 9, width, 18)
        rounded_box(painter, box, 4, fill=p.bg2, border=p.line2)
        painter.setPen(QColor(p.muted))
        metrics = painter.fontMetrics()
        text = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, int(width - 11))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        left += width + 4
        if shown is not word:
            return


class Header(QHeaderView):
    """Muted headings over a hairline; an arrow at the column that sorts."""

    def __init__(self, model: TableModel, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._model = model
        self.setFixedHeight(HEADER_PX)
        self.setSectionsClickable(True)
        self.setHighlightSections(False)
        self.setMinimumSectionSize(24)
        self.setMouseTracking(True)

    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:  # noqa: N803 - Qt's
        """One heading."""
        p = theme().palette
        column = self._model.columns[logicalIndex]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, QColor(p.line))
        painter.setFont(font("label"))
        painter.setPen(QColor(p.muted))
        room = QRectF(rect).adjusted(PADDING_PX, 0, -PADDING_PX, -1)
        if column.key == CHECK:
            shown = self._model.rows
            every = bool(shown) and all(row.key in self._model.checked for row in shown)
            paint_box(painter, room.left(), room.center().y(), checked=every)
        side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
        title = painter.fontMetrics().elidedText(
            column.title, Qt.TextElideMode.ElideRight, int(room.width()) + 1
        )
        painter.drawText(room, side | Qt.AlignmentFlag.AlignVCenter, title)
        self._paint_arrow(painter, room, logicalIndex, title)
        painter.restore()

    def _paint_arrow(self, painter: QPainter, room: QRectF, section: int, title: str) -> None:
        model = self.model()
        if not isinstance(model, TableModel) or model.sorting[0] != section:
            return
        width = painter.fontMetrics().horizontalAdvance(title)
        name = "arrow-down" if model.sorting[1] else "arrow-up"
        left = (
            room.right() - width - 14
            if self._model.columns[section].right
            else room.left() + width + 3
        )
        draw_icon(painter, name, theme().palette.text, left, room.center().y() - 5, 11)
