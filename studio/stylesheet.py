"""The small stylesheet for what Qt paints itself: tooltips, menus, scroll bars, text fields."""

from __future__ import annotations

from studio.palette import Palette

_RULES = """
QToolTip { background: $bg2; color: $text; border: 1px solid $line2; padding: 4px 6px; }
QMenu { background: $bg2; color: $text; border: 1px solid $line2; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 10px; border-radius: 4px; }
QMenu::item:selected { background: $bg3; }
QMenu::item:disabled { color: $faint; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $line; margin: 4px 6px; }
QScrollArea, QAbstractScrollArea { background: transparent; border: none; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: 10px; }
QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: $line2; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: $faint; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox {
  background: $bg2; color: $text; border: 1px solid $line2; border-radius: 6px;
  padding: 0 8px; selection-background-color: $fill; selection-color: $ink; }
QPlainTextEdit, QTextEdit { padding: 6px 8px; }
QLineEdit:hover, QPlainTextEdit:hover, QTextEdit:hover { border-color: $faint; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus { border-color: $info; }
QLineEdit:disabled, QPlainTextEdit:disabled { background: $bg1; color: $faint;
  border-color: $line; }
QLineEdit[invalid="true"] { border-color: $danger; }
QComboBox QAbstractItemView { background: $bg2; color: $text; border: 1px solid $line2;
  padding: 4px; outline: none; selection-background-color: $bg3; selection-color: $text; }
QSplitter::handle { background: transparent; }
QDialog { background: $bg1; }
QFileDialog QHeaderView { background: $bg1; }
QFileDialog QHeaderView::section { background: $bg1; color: $muted; border: none;
  border-bottom: 1px solid $line; padding: 4px 8px; }
"""


def stylesheet(palette: Palette) -> str:
    """The rules with the colours of a palette."""
    names = ("bg0", "bg1", "bg2", "bg3", "line2", "line", "text", "muted", "faint", "fill", "ink")
    colours = {name: str(getattr(palette, name)) for name in names}
    colours["info"] = palette.info.fg
    colours["danger"] = palette.danger.fg
    rules = _RULES
    for name in sorted(colours, key=len, reverse=True):
        rules = rules.replace(f"${name}", colours[name])
    return rules
