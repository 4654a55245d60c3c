"""The studio, and eyes for whoever sits before it: says where something stands on the screen.

Each line of its input is a word to look for; the answer is a line with the place where it stands,
`x y` in pixels of the screen, or an empty one while it cannot be seen. The word `?` asks for what
has the keyboard: its name is the answer. Nothing is clicked or typed here.
"""

import sys
import threading

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu, QScrollArea, QWidget

from studio.app import main


class Eyes(QObject):
    """Looks when it is asked; questions come from a thread, so that the window never waits."""

    asked = Signal(str)

    def __init__(self):
        super().__init__()
        self.asked.connect(self.answer, Qt.ConnectionType.QueuedConnection)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in sys.stdin:
            self.asked.emit(line.rstrip("\n"))

    def answer(self, words):
        if words == "?":
            focused = QApplication.focusWidget()
            print("" if focused is None else name_of(focused), flush=True)
            return
        place = find(words)
        print("" if place is None else f"{place.x()} {place.y()}", flush=True)


def find(words):
    """Middle of a control or a menu's entry of this name, else of a text with these words."""
    shown = [widget for widget in QApplication.allWidgets() if widget.isVisible()]
    for menu in (widget for widget in shown if isinstance(widget, QMenu)):
        for action in menu.actions():
            if action.text() == words:
                return menu.mapToGlobal(menu.actionGeometry(action).center())
    named = [widget for widget in shown if name_of(widget) == words and widget.isEnabled()]
    named.sort(key=lambda widget: widget.focusPolicy() == Qt.FocusPolicy.NoFocus)  # labels last
    texts = [widget for widget in shown if words in widget.accessibleName()]
    for widget in named + texts:
        if (place := seen(widget)) is not None:
            return place
    return None


def name_of(widget):
    """What a reader of the screen would call it."""
    text = widget.text().replace("&", "") if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text


def seen(widget):
    """Where a widget can be clicked, once what it stands in has been scrolled there."""
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget)
        parent = parent.parentWidget()
    place = widget.mapToGlobal(widget.rect().center())
    at = QApplication.widgetAt(place)
    inside = isinstance(at, QWidget) and (at is widget or widget.isAncestorOf(at))
    return QPoint(place) if inside else None


if __name__ == "__main__":
    app = QApplication(sys.argv[:1])
    eyes = Eyes()
    sys.exit(main([]))
