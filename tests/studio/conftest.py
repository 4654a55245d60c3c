"""What the tests of the studio have besides: widgets that live until they are closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot


@pytest.fixture
def qtbot(qtbot: QtBot) -> Iterator[QtBot]:
    """pytest-qt's own, which here holds the widgets itself and sees them destroyed.

    By itself it only knows them weakly: a page that is forgotten at the end of a test may then be
    collected in one of the studio's threads, part by part, while the window still lays it out.
    """
    kept: list[QWidget] = []
    add = qtbot.addWidget

    def add_and_keep(widget: QWidget, **more: Any) -> None:
        kept.append(widget)
        add(widget, **more)

    qtbot.addWidget = add_and_keep  # type: ignore[method-assign]
    yield qtbot
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    kept.clear()
