"""Text fields and the drop-down list, in the look of the theme."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QPlainTextEdit, QSizePolicy, QWidget

from studio.language import tr
from studio.theme import FontRole, font, theme
from studio.widgets.focus import KeyboardFocus
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme, rounded_box
from studio.widgets.pressable import HoverLight


class LineEdit(KeyboardFocus, QLineEdit):
    """One line of text.

    Args:
        text: What it holds at first.
        placeholder: Shown while it is empty.
        name: Accessible name.
        mono: For figures.
    """

    def __init__(
        self,
        text: str = "",
        placeholder: str = "",
        *,
        name: str = "",
        mono: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        role: FontRole = "mono" if mono else "body"
        self.setFont(font(role))
        self.setPlaceholderText(tr(placeholder))
        self.setAccessibleName(tr(name or placeholder))
        self.setFixedHeight(30)

    def set_invalid(self, invalid: bool) -> None:
        """Draw the border in danger colour, or no longer."""
        if bool(self.property("invalid")) != invalid:
            self.setProperty("invalid", invalid)
            self.style().unpolish(self)
            self.style().polish(self)


class TextEdit(KeyboardFocus, QPlainTextEdit):
    """Several lines of plain text; Tab leaves it."""

    def __init__(
        self,
        text: str = "",
        placeholder: str = "",
        *,
        name: str = "",
        role: FontRole = "body",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.setFont(font(role))
        self.setPlaceholderText(tr(placeholder))
        self.setAccessibleName(tr(name or placeholder))
        self.setTabChangesFocus(True)


class SearchBox(LineEdit):
    """A field with a magnifying glass, and its shortcut at the right while it is empty.

    Signals:
        left_down: The user pressed Down, to go on to the results.
    """

    left_down = Signal()

    def __init__(
        self, placeholder: str, shortcut_text: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__("", placeholder, parent=parent)
        self._shortcut_text = shortcut_text
        self.setFont(font("secondary"))
        self.setTextMargins(22, 0, 0, 0)
        self.setClearButtonEnabled(False)
        repaint_on_theme(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape empties it, Down leaves it for the results."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
            return
        if event.key() == Qt.Key.Key_Down:
            self.left_down.emit()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Add the glass and the key."""
        super().paintEvent(event)
        p = theme().palette
        painter = painter_for(self)
        draw_icon(painter, "search", p.muted, 10, (self.height() - 14) / 2, 14)
        if self._shortcut_text and not self.text() and not self.hasFocus():
            painter.setFont(font("mono_small"))
            width = painter.fontMetrics().horizontalAdvance(self._shortcut_text) + 12
            chip = QRectF(self.width() - width - 8, (self.height() - 18) / 2, width, 18)
            rounded_box(painter, chip, 4, border=p.line2)
            painter.setPen(QColor(p.muted))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self._shortcut_text)
        painter.end()


class ComboBox(HoverLight, KeyboardFocus, QComboBox):
    """A drop-down list; `prefix` stands muted before the chosen word."""

    def __init__(self, name: str = "", prefix: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._prefix = prefix
        self.setAccessibleName(name or prefix)
        self.setFont(font("body"))
        self.setFixedHeight(30)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.view().setFont(font("body"))
        repaint_on_theme(self)

    def sizeHint(self) -> QSize:
        """The longest entry, the prefix and the arrow."""
        metrics = self.fontMetrics()
        words = [self.itemText(index) for index in range(self.count())] or [""]
        widest = max(metrics.horizontalAdvance(word) for word in words)
        prefix = metrics.horizontalAdvance(self._prefix) + 8 if self._prefix else 0
        return QSize(min(10 + prefix + widest + 12 + 14 + 10, 420), 30)

    def minimumSizeHint(self) -> QSize:
        """Long entries are elided."""
        return QSize(min(self.sizeHint().width(), 96), 30)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page: a choice must not change while one scrolls past it."""
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Box, prefix, word, arrow."""
        p = theme().palette
        painter = painter_for(self)
        lit = self._hovered and self.isEnabled()
        fill = p.bg3 if lit else p.bg2 if self.isEnabled() else p.bg1
        rounded_box(painter, QRectF(self.rect()), 6, fill=fill, border=p.line2)
        painter.setFont(self.font())
        metrics = painter.fontMetrics()
        left = 10
        if self._prefix:
            painter.setPen(QColor(p.muted))
            width = metrics.horizontalAdvance(self._prefix)
            box = QRectF(left, 0, width + 2, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self._prefix)
            left += width + 8
        room = self.width() - left - 28
        chosen = self.currentIndex() >= 0
        text = self.currentText() if chosen else self.placeholderText()
        word = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        colour = p.text if chosen else p.muted
        painter.setPen(QColor(colour if self.isEnabled() else p.faint))
        box = QRectF(left, 0, room + 2, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, word)
        arrow = p.text if self.isEnabled() else p.faint
        draw_icon(painter, "chevron-down", arrow, self.width() - 22, (self.height() - 14) / 2, 14)
        painter.end()
