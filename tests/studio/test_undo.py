"""Undo: changes are taken back in turn, made again, and forgotten when they fail."""

import pytest
from page_for_tests import open_studio
from PySide6.QtCore import QSettings, Qt

from studio.tasks import Tasks
from studio.theme import theme
from studio.undo import UndoStack
from studio.widgets.toast import Toasts
from studio.window import MainWindow
from trainer_core.errors import DiskFullError, KnownError

pytestmark = pytest.mark.qt_log_level_fail("WARNING")


class Shelf:
    """Names that changes put on and take off."""

    def __init__(self, qapp):
        self.names: list[str] = []
        self.told: list[str] = []
        self.buttons: dict[str, object] = {}
        self.errors: list[Exception] = []
        self.tasks = Tasks()
        self.tasks.failed.connect(self.errors.append)
        self.stack = UndoStack(self.tasks)
        self.stack.announced.connect(self._on_announced)

    def _on_announced(self, told):
        self.told.append(told.text)
        self.buttons[told.text] = told.action

    def put(self, name, **more):
        self.stack.do(
            f"Put {name}", lambda: self.names.append(name), lambda: self.names.remove(name), **more
        )


@pytest.fixture
def shelf(qapp):
    made = Shelf(qapp)
    yield made
    made.tasks.close()


def test_changes_are_undone_from_the_newest_and_made_again(shelf, qtbot):
    shelf.put("a")
    shelf.put("b")
    shelf.stack.undo()
    shelf.stack.undo()
    shelf.stack.undo()  # nothing is left: no harm
    shelf.stack.redo()
    qtbot.waitUntil(lambda: shelf.names == ["a"] and len(shelf.told) >= 1, timeout=10_000)
    assert (shelf.stack.undo_label, shelf.stack.redo_label) == ("Put a", "Put b")
    shelf.put("c")
    assert shelf.stack.redo_label == "", "a new change ends the way forward"


def test_a_change_is_told_once_it_stands_with_its_way_back(shelf, qtbot):
    shelf.put("a")
    qtbot.waitUntil(lambda: shelf.told == ["Put a"], timeout=10_000)
    shelf.buttons["Put a"]()
    qtbot.waitUntil(lambda: shelf.told == ["Put a", "Undone: put a"], timeout=10_000)
    assert shelf.names == []
    shelf.buttons["Undone: put a"]()
    qtbot.waitUntil(lambda: shelf.names == ["a"], timeout=10_000)


def test_a_button_that_is_pressed_late_does_not_undo_what_came_after(shelf, qtbot):
    shelf.put("a")
    qtbot.waitUntil(lambda: shelf.told == ["Put a"], timeout=10_000)
    shelf.put("b", quiet=True)
    qtbot.waitUntil(lambda: shelf.told == ["Put a", ""], timeout=10_000)
    shelf.buttons["Put a"]()
    assert shelf.stack.undo_label == "Put b"


def test_a_change_that_fails_is_said_and_cannot_be_undone(shelf, qtbot):
    def fail():
        raise KnownError("No.", safe="All.", do="Nothing.")

    shelf.put("a")
    shelf.stack.do("Fail", fail, lambda: shelf.names.append("never"))
    shelf.stack.undo()  # asked for before the failure came back
    qtbot.waitUntil(lambda: len(shelf.errors) == 1, timeout=10_000)
    qtbot.waitUntil(lambda: shelf.stack.undo_label == "Put a", timeout=10_000)
    assert shelf.names == ["a"]
    assert shelf.stack.redo_label == ""


def test_an_undo_that_finds_the_disk_full_may_be_tried_again(shelf, qtbot):
    room = [False]

    def undo():
        if not room[0]:
            raise DiskFullError("Full.", safe="All.", do="Free some.")
        shelf.names.remove("a")

    shelf.stack.do("Put a", lambda: shelf.names.append("a"), undo)
    shelf.stack.undo()
    qtbot.waitUntil(lambda: len(shelf.errors) == 1, timeout=10_000)
    assert shelf.stack.undo_label == "Put a"
    room[0] = True
    shelf.stack.undo()
    qtbot.waitUntil(lambda: shelf.names == [], timeout=10_000)


def test_a_note_takes_the_place_of_the_one_before_and_leaves_errors_alone(qtbot):
    from PySide6.QtWidgets import QWidget

    area = QWidget()
    area.resize(800, 600)
    qtbot.addWidget(area)
    toasts = Toasts(area)
    area.show()
    pressed = []
    toasts.add(KnownError("No.", safe="All.", do="Nothing."))
    toasts.say("Run renamed", "Undo", lambda: pressed.append("rename"))
    toasts.say("3 runs moved to the trash", "Undo", lambda: pressed.append("trash"))
    assert toasts.note.label.text() == "3 runs moved to the trash"
    toasts.note.button.click()
    assert pressed == ["trash"]
    assert toasts.note is None
    assert len(toasts.cards) == 1
    toasts.say("Run renamed")
    toasts.say("")
    assert toasts.note is None


@pytest.mark.qt_log_ignore("propagateSizeHints")
def test_the_keys_of_the_window_undo_and_redo_and_leave_fields_alone(qapp, qtbot, tmp_path):
    theme().install(qapp)
    with open_studio(qapp, tmp_path) as (context, _seen):
        window = MainWindow(QSettings(str(tmp_path / "w.ini"), QSettings.Format.IniFormat))
        qtbot.addWidget(window)
        window.set_context(context)
        window.navigate("runs", "all")
        window.show()
        window.activateWindow()
        qtbot.waitExposed(window)
        names: list[str] = []
        context.undo.do("Name added", lambda: names.append("a"), lambda: names.remove("a"))
        qtbot.waitUntil(lambda: window.toasts.note is not None, timeout=20_000)
        assert window.toasts.note.label.text() == "Name added"
        undo, redo = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
        page = window.page("runs")
        page.list.filters.search.setText("x")
        page.list.filters.search.setFocus()
        qtbot.keyClick(page.list.filters.search, Qt.Key.Key_Z, undo)
        qtbot.wait(50)
        assert names == ["a"], "in a field these keys belong to what was typed"
        page.list.filters.search.clear()
        page.list.filters.search.clearFocus()
        assert qapp.activeWindow() is window, "a note takes nothing from the window"
        qtbot.keyClick(window, Qt.Key.Key_Z, undo)
        qtbot.waitUntil(lambda: names == [], timeout=20_000)
        qtbot.keyClick(window, Qt.Key.Key_Z, undo | redo)
        qtbot.waitUntil(lambda: names == ["a"], timeout=20_000)
        qtbot.waitUntil(lambda: window.toasts.note.label.text() == "Name added", timeout=20_000)
        qtbot.mouseClick(window.toasts.note.button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: names == [], timeout=20_000)
