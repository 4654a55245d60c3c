"""A strip above the page that states a lasting condition, such as a read-only library."""

from __future__ import annotations

from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.paint import painter_for, repaint_on_theme


class Notice(QWidget):
    """One line on the soft info ground; hidden until there is something to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(32)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 0, 24, 0)
        row.setSpacing(8)
        self._icon = IconLabel("info", "info", 14)
        self.label = Label("", "secondary", "info")
        row.addWidget(self._icon)
        row.addWidget(self.label, 1)
        self.hide()
        repaint_on_theme(self)

    def show_text(self, text: str, icon: str = "info") -> None:
        """Say something until further notice; an empty text hides the strip."""
        self.label.set_text(text)
        self._icon.set_icon(icon)
        self.setVisible(bool(text))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground and a hairline below."""
        p = theme().palette
        painter = painter_for(self)
        painter.fillRect(self.rect(), p.info.soft)
        painter.fillRect(0, self.height() - 1, self.width(), 1, p.line)
        painter.end()
