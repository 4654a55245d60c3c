"""The widget: pointing, pinning, keys, copying, and its cost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.theme import theme
from studio.widgets.token_run import TextToken
from studio.widgets.token_text import TokenText

TEXT = "The bees gather in a tight ball inside the hive and keep each other warm"
WORDS = TEXT.split()
TOKENS = [TextToken(f" {word}".encode(), length) for length, word in enumerate(WORDS)]


@pytest.fixture
def text(qtbot: QtBot, qapp: QApplication) -> Iterator[TokenText]:
    theme().install(qapp)
    widget = TokenText()
    qtbot.addWidget(widget)
    widget.resize(300, 200)
    widget.show()
    widget.set_tokens(TOKENS)
    yield widget
    theme().set_mode("system")


def centre(text: TokenText, token: int) -> QPoint:
    return text.token_rect(token).center()


def test_the_pointer_makes_a_token_current_and_leaving_ends_it(
    qtbot: QtBot, text: TokenText
) -> None:
    with qtbot.waitSignal(text.token_hovered) as hovered:
        qtbot.mouseMove(text.viewport(), centre(text, 3))
    assert hovered.args == [3]
    assert text.current == 3


def test_a_click_pins_and_a_second_one_takes_the_pin_off(qtbot: QtBot, text: TokenText) -> None:
    qtbot.mouseClick(text.viewport(), Qt.MouseButton.LeftButton, pos=centre(text, 5))
    assert text.pinned == 5
    qtbot.mouseMove(text.viewport(), centre(text, 2))
    assert text.current == 5
    qtbot.mouseClick(text.viewport(), Qt.MouseButton.LeftButton, pos=centre(text, 5))
    assert text.pinned == -1


def test_keys_move_pin_and_take_the_pin_off(qtbot: QtBot, text: TokenText) -> None:
    text.setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        qtbot.keyClick(text, key)
    assert text.current == 1
    qtbot.keyClick(text, Qt.Key.Key_P)
    assert text.pinned == 1
    qtbot.keyClick(text, Qt.Key.Key_Right)
    assert text.pinned == 2
    qtbot.keyClick(text, Qt.Key.Key_Escape)
    assert text.pinned == -1
    qtbot.keyClick(text, Qt.Key.Key_End)
    assert text.current == len(TOKENS) - 1


def test_copy_takes_all_or_what_was_dragged_over(qtbot: QtBot, text: TokenText) -> None:
    text.copy()
    assert QGuiApplication.clipboard().text() == " " + " ".join(WORDS)
    viewport = text.viewport()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=centre(text, 1))
    qtbot.mouseMove(viewport, centre(text, 3))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=centre(text, 3))
    text.copy()
    assert QGuiApplication.clipboard().text() == " bees gather in"
    assert text.pinned == -1


def test_streamed_tokens_are_painted_together_and_followed(qtbot: QtBot, text: TokenText) -> None:
    for _ in range(20):
        text.append(TOKENS)
    qtbot.waitUntil(lambda: text.verticalScrollBar().maximum() > 0)
    assert text.verticalScrollBar().value() == text.verticalScrollBar().maximum()
    assert text.count == 21 * len(TOKENS)
    text.verticalScrollBar().setValue(0)
    text.append(TOKENS)
    text.flush()
    assert text.verticalScrollBar().value() == 0


def test_both_themes_paint_their_own_heat(qtbot: QtBot, text: TokenText) -> None:
    text.set_tokens([TextToken(b"mmmm", 8)])
    for mode in ("dark", "light"):
        theme().set_mode(mode)
        rect = text.token_rect(0)
        picture = text.viewport().grab().toImage()
        ratio = picture.devicePixelRatio()
        at = (rect.topLeft() + QPoint(8, 4)) * ratio
        assert picture.pixelColor(at).name() == theme().palette.heat[2].background


def test_clearing_forgets_the_pin(qtbot: QtBot, text: TokenText) -> None:
    text.set_pinned(4)
    with qtbot.waitSignal(text.token_pinned) as pinned:
        text.clear()
    assert pinned.args == [-1]
    assert text.text() == ""
    assert text.token_rect(4).isNull()


def test_two_thousand_tokens_repaint_within_a_frame(qtbot: QtBot, text: TokenText) -> None:
    text.resize(640, 600)
    text.set_tokens([TextToken(t.data, (7 * i) % 40) for i, t in enumerate(TOKENS * 150)])
    assert text.count > 2000
    text.set_pinned(1200)
    text.show_token(1200)
    text.viewport().grab()
    times = []
    for _ in range(10):
        start = time.perf_counter()
        text.viewport().grab()
        times.append(time.perf_counter() - start)
    assert sorted(times)[5] < 0.016
