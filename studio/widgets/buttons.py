"""Buttons, painted: primary, secondary, danger, quiet, link and icon only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.language import tr
from studio.theme import font, theme
from studio.widgets.paint import draw_icon, painter_for, rounded_box
from studio.widgets.pressable import Pressable

Kind = Literal["primary", "secondary", "danger", "quiet", "link"]
ButtonSize = Literal["normal", "small"]

HEIGHT_PX: dict[ButtonSize, int] = {"normal": 30, "small": 26}


@dataclass(frozen=True)
class Look:
    """What a button is painted with in one state."""

    text: str
    icon: str
    fill: str | None
    border: str | None


def _mixed(colour: str, other: str, share: float) -> str:
    """`share` of `other` mixed into `colour`."""
    a, b = QColor(colour), QColor(other)
    channels = (
        round(x + (y - x) * share)
        for x, y in ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    )
    return QColor(*channels).name()


def look_of(kind: Kind, *, enabled: bool, hovered: bool, pressed: bool) -> Look:
    """The look of a button in a state, in the palette in force."""
    p = theme().palette
    if not enabled:
        boxed = kind in ("primary", "secondary", "danger")
        return Look(p.faint, p.faint, p.bg1 if boxed else None, p.line if boxed else None)
    if kind == "primary":
        shade = 0.14 if pressed else 0.07 if hovered else 0.0
        return Look(p.ink, p.ink, _mixed(p.fill, p.ink if p.is_dark else "#000000", shade), None)
    if kind == "secondary" or kind == "danger":
        colour = p.text if kind == "secondary" else p.danger.on_soft
        fill = p.bg3 if hovered or pressed else p.bg2 if p.is_dark else p.bg1
        return Look(colour, colour, fill, p.faint if pressed else p.line2)
    if kind == "quiet":
        lit = hovered or pressed
        quiet_fill = (p.bg3 if pressed else p.bg2) if lit else None
        return Look(p.text if lit else p.muted, p.text if lit else p.muted, quiet_fill, None)
    colour = _mixed(p.accent, p.text, 0.35) if hovered or pressed else p.accent
    return Look(colour, colour, None, None)


class Button(Pressable):
    """A button with an optional icon before its word.

    Enter and Space press it. Its tooltip falls back to its shortcut.
    """

    def __init__(
        self,
        text: str = "",
        icon: str = "",
        *,
        kind: Kind = "secondary",
        size: ButtonSize = "normal",
        trailing_icon: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(tr(text), parent)
        self.kind: Kind = kind
        self._icon_name = icon
        self._trailing = trailing_icon
        self._size: ButtonSize = size
        if kind == "link":
            self.focus_radius = 4.0

    def set_text(self, text: str) -> None:
        """Change the word."""
        text = tr(text)
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(text)
            self.updateGeometry()

    def set_icon(self, name: str) -> None:
        """Change the icon; an empty name takes it away."""
        self._icon_name = name
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Word, icons and padding."""
        metrics = QFontMetrics(self._label_font())
        width = metrics.horizontalAdvance(self.text()) + 1 if self.text() else 0
        icons = (self._icon_name, self._trailing)
        width += sum(self._icon_size() for name in icons if name)
        width += sum(8 for name in icons if name and self.text())
        if self.kind == "link":
            return QSize(self._link_width(), 20)
        # An icon weighs less than letters: the side with one has a little less padding.
        padding = 24 + (0 if self._icon_name else 2)
        return QSize(width + padding, HEIGHT_PX[self._size])

    def minimumSizeHint(self) -> QSize:
        """Words on buttons are never cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Box, icon, word, icon."""
        look = look_of(
            self.kind,
            enabled=self.isEnabled(),
            hovered=self._hovered and self.isEnabled(),
            pressed=self.isDown() or self.isChecked(),
        )
        painter = painter_for(self)
        if look.fill or look.border:
            rounded_box(painter, QRectF(self.rect()), 6, fill=look.fill, border=look.border)
        self._paint_content(painter, look)
        painter.end()

    def _label_font(self) -> QFont:
        weight = QFont.Weight.DemiBold if self.kind == "primary" else None
        if self.kind == "link" and self._size == "small":
            return font("secondary", QFont.Weight.Medium)
        if self.kind == "quiet":
            weight = QFont.Weight.Normal
        return font("strong", weight)

    def _link_width(self) -> int:
        width = QFontMetrics(self._label_font()).horizontalAdvance(self.text()) + 1
        icons = sum(1 for name in (self._icon_name, self._trailing) if name)
        return width + icons * (self._icon_size() + 5)

    def _icon_size(self) -> int:
        return 14 if self.text() or self.kind == "link" or self._size == "small" else 16

    def _paint_content(self, painter: QPainter, look: Look) -> None:
        painter.setFont(self._label_font())
        metrics = painter.fontMetrics()
        text = metrics.horizontalAdvance(self.text())
        icon = self._icon_size()
        gap = 5 if self.kind == "link" else 8
        widths = [icon if self._icon_name else 0, text, icon if self._trailing else 0]
        used = sum(widths) + gap * (sum(1 for width in widths if width) - 1)
        left = (self.width() - used) / 2
        top = (self.height() - icon) / 2
        if self._icon_name:
            draw_icon(painter, self._icon_name, look.icon, left, top, icon)
            left += icon + gap
        if text:
            painter.setPen(QColor(look.text))
            box = QRectF(left, 0, text + 2, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self.text())
            left += text + gap
        if self._trailing:
            draw_icon(painter, self._trailing, look.icon, left, top, icon)


class PrimaryButton(Button):
    """The one thing that a view is for."""

    def __init__(
        self,
        text: str,
        icon: str = "",
        *,
        size: ButtonSize = "normal",
        trailing_icon: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            text, icon, kind="primary", size=size, trailing_icon=trailing_icon, parent=parent
        )


class SecondaryButton(Button):
    """Anything else that can be done here."""

    def __init__(
        self,
        text: str,
        icon: str = "",
        *,
        size: ButtonSize = "normal",
        trailing_icon: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            text, icon, kind="secondary", size=size, trailing_icon=trailing_icon, parent=parent
        )


class DangerButton(Button):
    """Ends or removes something."""

    def __init__(
        self,
        text: str,
        icon: str = "",
        *,
        size: ButtonSize = "normal",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, icon, kind="danger", size=size, parent=parent)


class QuietButton(Button):
    """A way out that asks for no attention, such as "Not now"."""

    def __init__(
        self,
        text: str,
        icon: str = "",
        *,
        size: ButtonSize = "normal",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, icon, kind="quiet", size=size, parent=parent)


class LinkButton(Button):
    """A word in the accent colour that leads somewhere."""

    def __init__(
        self,
        text: str,
        icon: str = "",
        *,
        size: ButtonSize = "small",
        trailing_icon: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            text, icon, kind="link", size=size, trailing_icon=trailing_icon, parent=parent
        )


class IconButton(Button):
    """An icon alone; its name is its tooltip and its accessible name.

    Args:
        icon: Name of the icon.
        name: What it does, in words.
        boxed: Whether it has a border.
        edge: Width and height in pixels.
    """

    def __init__(
        self,
        icon: str,
        name: str,
        *,
        boxed: bool = False,
        edge: int = 28,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("", icon, kind="secondary" if boxed else "quiet", parent=parent)
        self._edge = edge
        self.setToolTip(tr(name))
        self.setAccessibleName(tr(name))

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(self._edge, self._edge)
