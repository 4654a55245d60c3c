"""The look in force: palette, fonts and icons, switched live between dark and light."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QFontMetrics,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtWidgets import QApplication, QStyleFactory

from studio.palette import DARK, DASHES, LIGHT, HeatStep, Palette, Role, RoleName
from studio.stylesheet import stylesheet

__all__ = [
    "DARK",
    "DASHES",
    "LIGHT",
    "FontRole",
    "HeatStep",
    "Mode",
    "Palette",
    "Role",
    "RoleName",
    "Theme",
    "Tone",
    "font",
    "icon",
    "line_height",
    "pixmap",
    "text_width",
    "theme",
    "tone_colour",
]

ASSETS = Path(__file__).resolve().parent.parent / "assets"

Mode = Literal["system", "dark", "light"]
FontRole = Literal[
    "label",
    "secondary",
    "body",
    "strong",
    "title",
    "heading",
    "generated",
    "mono",
    "mono_small",
    "tile",
    "axis",
]
Tone = Literal[
    "text", "muted", "faint", "accent", "ink", "ok", "warn", "danger", "info", "on_accent_soft"
]

_MONO: frozenset[str] = frozenset({"mono", "mono_small", "tile", "axis"})
_FONTS: dict[str, tuple[int, int, QFont.Weight]] = {
    # role: size, line height, weight
    "label": (11, 16, QFont.Weight.Normal),
    "secondary": (12, 18, QFont.Weight.Normal),
    "body": (13, 20, QFont.Weight.Normal),
    "strong": (13, 20, QFont.Weight.Medium),
    "title": (15, 22, QFont.Weight.DemiBold),
    "heading": (18, 24, QFont.Weight.DemiBold),
    "generated": (15, 29, QFont.Weight.Normal),
    "mono": (12, 18, QFont.Weight.Medium),
    "mono_small": (11, 16, QFont.Weight.Medium),
    "tile": (20, 26, QFont.Weight.Medium),
    "axis": (10, 14, QFont.Weight.Normal),
}


class Theme(QObject):
    """The palette in force, and the wish behind it.

    Signals:
        changed: The palette is another one; whoever paints reads it again.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._mode: Mode = "system"
        self._palette = DARK
        self._installed = False

    @property
    def palette(self) -> Palette:
        """The colours in force."""
        return self._palette

    @property
    def mode(self) -> Mode:
        """What was asked for."""
        return self._mode

    def install(self, app: QApplication) -> None:
        """Give the application the fonts, the style and the palette, and follow the system.

        Safe to call again; only the first call has an effect.
        """
        if self._installed:
            return
        self._installed = True
        _load_fonts()
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setFont(font("body"))
        app.styleHints().colorSchemeChanged.connect(self._on_scheme_changed)
        self._palette = self._wanted()
        self._apply(app)

    def set_mode(self, mode: Mode) -> None:
        """Use dark, light, or what the system prefers; takes effect at once."""
        self._mode = mode
        self._follow()

    def _wanted(self) -> Palette:
        if self._mode == "system":
            # A bare display reports Unknown: dark is what the product is drawn for.
            scheme = QGuiApplication.styleHints().colorScheme()
            return LIGHT if scheme == Qt.ColorScheme.Light else DARK
        return LIGHT if self._mode == "light" else DARK

    def _on_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        self._follow()

    def _follow(self) -> None:
        wanted = self._wanted()
        if wanted is self._palette:
            return
        self._palette = wanted
        app = QApplication.instance()
        if isinstance(app, QApplication) and self._installed:
            self._apply(app)
        self.changed.emit()

    def _apply(self, app: QApplication) -> None:
        app.setPalette(_qt_palette(self._palette))
        app.setStyleSheet(stylesheet(self._palette))


@lru_cache(maxsize=1)
def theme() -> Theme:
    """The one theme of the process."""
    return Theme()


def tone_colour(tone: Tone) -> QColor:
    """The colour of a kind of text in the palette in force."""
    palette = theme().palette
    if tone == "text":
        return QColor(palette.text)
    if tone in ("ok", "warn", "danger", "info"):
        role: Role = getattr(palette, tone)
        return QColor(role.fg)
    return QColor(str(getattr(palette, tone)))


# --- fonts ---------------------------------------------------------------------------------------


def _load_fonts() -> None:
    for path in sorted((ASSETS / "fonts").glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(path))


@lru_cache(maxsize=64)
def _font(role: str, weight: QFont.Weight | None) -> QFont:
    size, _, default_weight = _FONTS[role]
    made = QFont()
    if role in _MONO:
        # JetBrains Mono lacks the narrow spaces between figure and unit; Inter's fit well.
        made.setFamilies(["JetBrains Mono", "Inter"])
        made.setFeature(QFont.Tag("calt"), 0)
        made.setStyleHint(QFont.StyleHint.Monospace)
    else:
        made.setFamilies(["Inter"])
    made.setPixelSize(size)
    made.setWeight(default_weight if weight is None else weight)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return made


def font(role: FontRole, weight: QFont.Weight | None = None) -> QFont:
    """The font of a role; `strong` is medium body text. Ligatures of the mono font are off.

    Args:
        role: What the text is for.
        weight: Another weight than the role's own.
    """
    return QFont(_font(role, weight))


def line_height(role: FontRole) -> int:
    """Distance between two lines of text of this role, in pixels."""
    return _FONTS[role][1]


def text_width(text: str, role: FontRole) -> int:
    """Width of the text in this role, in pixels, rounded up."""
    return QFontMetrics(_font(role, None)).horizontalAdvance(text) + 1


# --- icons ---------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _svg(name: str) -> str:
    return (ASSETS / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=512)
def _pixmap(name: str, colour: str, accent: str, size: int, ratio: float) -> QPixmap:
    from PySide6.QtSvg import QSvgRenderer

    drawn = _svg(name).replace("currentColor", colour).replace("accentColor", accent)
    renderer = QSvgRenderer(QByteArray(drawn.encode()))
    made = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    renderer.render(painter, QRectF(made.rect()))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def pixmap(name: str, colour: QColor | str, size: int = 16, ratio: float = 1.0) -> QPixmap:
    """An icon as a picture.

    Args:
        name: File name in `assets/icons` without its ending.
        colour: What strokes are drawn in; the flame of the logo is always in the accent colour.
        size: Edge in logical pixels.
        ratio: Physical pixels for each logical one (`widget.devicePixelRatioF()`).
    """
    return _pixmap(name, QColor(colour).name(), theme().palette.accent, size, ratio)


def icon(name: str, colour: QColor | str | None = None) -> QIcon:
    """An icon for menus and Qt's own widgets, in `colour` or the text colour."""
    tint = colour if colour is not None else theme().palette.text
    made = QIcon()
    for size, ratio in ((16, 1.0), (16, 2.0), (20, 1.0)):
        made.addPixmap(pixmap(name, tint, size, ratio))
    return made


def _qt_palette(colours: Palette) -> QPalette:
    """Qt's palette with every group set, so that no default grey is left."""
    made = QPalette()
    normal = {
        QPalette.ColorRole.Window: colours.bg0,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Base: colours.bg2,
        QPalette.ColorRole.AlternateBase: colours.bg1,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.muted,
        QPalette.ColorRole.Button: colours.bg2,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.BrightText: colours.danger.fg,
        QPalette.ColorRole.ToolTipBase: colours.bg2,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.Highlight: colours.fill,
        QPalette.ColorRole.HighlightedText: colours.ink,
        QPalette.ColorRole.Accent: colours.fill,
        QPalette.ColorRole.Link: colours.accent,
        QPalette.ColorRole.LinkVisited: colours.accent,
        QPalette.ColorRole.Light: colours.line2,
        QPalette.ColorRole.Midlight: colours.line,
        QPalette.ColorRole.Mid: colours.line,
        QPalette.ColorRole.Dark: colours.line,
        QPalette.ColorRole.Shadow: colours.bg0,
    }
    disabled = {
        QPalette.ColorRole.WindowText: colours.faint,
        QPalette.ColorRole.Text: colours.faint,
        QPalette.ColorRole.ButtonText: colours.faint,
        QPalette.ColorRole.PlaceholderText: colours.faint,
        QPalette.ColorRole.Highlight: colours.bg3,
        QPalette.ColorRole.HighlightedText: colours.faint,
        QPalette.ColorRole.Base: colours.bg1,
        QPalette.ColorRole.Button: colours.bg1,
    }
    for role, colour in normal.items():
        made.setColor(role, QColor(colour))
    for role, colour in disabled.items():
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(colour))
    return made
