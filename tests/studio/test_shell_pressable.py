import pytest
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QEnterEvent
from PySide6.QtWidgets import QApplication

from studio.pages.playground.chooser import CheckpointButton
from studio.pages.run.header import Crumb
from studio.pages.wizard.rail import StepItem
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.choices import CheckBox, Toggle
from studio.widgets.controls import LinkButton, SecondaryButton
from studio.widgets.paint import painter_for
from studio.widgets.pressable import Pressable
from studio.widgets.search_button import SearchButton


class Lamp(Pressable):
    def paintEvent(self, event):
        painter = painter_for(self)
        painter.fillRect(QRectF(self.rect()), QColor("white" if self._hovered else "black"))
        painter.end()


BUTTONS = [
    lambda: ChoiceCard("Small"),
    lambda: CheckBox("All files"),
    lambda: Toggle("Dark"),
    lambda: SearchButton("Search", "Ctrl+K"),
    lambda: SecondaryButton("Open"),
    lambda: LinkButton("More"),
    lambda: Crumb("My project"),
    lambda: StepItem(1, "Data", last=False),
]


@pytest.mark.parametrize("make", BUTTONS)
@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_every_painted_button_is_pressed_from_the_keyboard(qtbot, make, key):
    button = make()
    qtbot.addWidget(button)
    with qtbot.waitSignal(button.clicked, timeout=1000):
        qtbot.keyClick(button, key)


@pytest.mark.parametrize("make", BUTTONS)
def test_ctrl_enter_is_left_to_the_page(qtbot, make):
    button = make()
    qtbot.addWidget(button)
    with qtbot.assertNotEmitted(button.clicked):
        qtbot.keyClick(button, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_a_button_with_a_menu_is_pressed_by_down_too(qtbot):
    class Menu(Lamp):
        press_keys = CheckpointButton.press_keys

    button = Menu("Menu")
    qtbot.addWidget(button)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return):
        with qtbot.waitSignal(button.clicked, timeout=1000):
            qtbot.keyClick(button, key)


def test_a_button_is_lit_while_the_pointer_is_on_it(qtbot):
    lamp = Lamp("Lamp")
    qtbot.addWidget(lamp)
    lamp.resize(20, 20)
    lamp.show()
    at = QPointF(5, 5)
    QApplication.sendEvent(lamp, QEnterEvent(at, at, at))
    assert lamp.grab().toImage().pixelColor(10, 10) == QColor("white")
    QApplication.sendEvent(lamp, QEvent(QEvent.Type.Leave))
    assert lamp.grab().toImage().pixelColor(10, 10) == QColor("black")
    assert lamp.accessibleName() == "Lamp"
