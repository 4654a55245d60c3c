"""The window: navigation, keys, history, narrow widths, broken pages and errors."""

import logging

import pytest
from page_for_tests import open_studio
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication

from studio import window as window_module
from studio.context import Context
from studio.history import History, Place
from studio.pages.page import Page
from studio.theme import theme
from studio.widgets.empty import ErrorCard
from studio.window import MainWindow
from trainer_core.errors import KnownError

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("propagateSizeHints"),
]


class PlainPage(Page):
    """Remembers what it was asked to show."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.opened: list[object] = []
        self.log: list[str] = []

    def open(self, target: object | None) -> None:
        self.opened.append(target)

    def shown(self) -> None:
        self.log.append("shown")

    def hidden(self) -> None:
        self.log.append("hidden")


class RunDetail(PlainPage):
    nav_key = "runs"


class BrokenPage(PlainPage):
    def open(self, target: object | None) -> None:
        raise ZeroDivisionError("a bug in a page")


@pytest.fixture
def window(qapp, qtbot, private_home, monkeypatch):
    here = __name__
    monkeypatch.setattr(
        window_module,
        "PAGES",
        {
            **{key: f"{here}:PlainPage" for key in window_module.PAGES},
            "run": f"{here}:RunDetail",
            "compare": f"{here}:BrokenPage",
        },
    )
    theme().install(qapp)
    with open_studio(qapp, private_home) as (context, _seen):
        made = MainWindow(QSettings(str(private_home / "w.ini"), QSettings.Format.IniFormat))
        qtbot.addWidget(made)
        made.resize(1440, 900)
        made.set_context(context)
        made.navigate("home")
        made.show()
        made.activateWindow()
        qtbot.waitExposed(made)
        yield made


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.ControlModifier):
    qtbot.keyClick(QApplication.focusWidget() or window, key, modifier)


def test_ctrl_and_a_digit_open_the_six_pages(window, qtbot):
    seen = []
    window.page_shown.connect(seen.append)
    for key in (Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4, Qt.Key.Key_6, Qt.Key.Key_1):
        press(qtbot, window, key)
    assert seen == ["runs", "data", "playground", "settings", "home"]


def test_ctrl_n_opens_the_wizard_and_alt_left_goes_back(window, qtbot):
    press(qtbot, window, Qt.Key.Key_N)
    assert window.current_page == "wizard"
    press(qtbot, window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert window.current_page == "home"
    press(qtbot, window, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert window.current_page == "wizard"


def test_going_back_brings_the_target_back(window):
    window.navigate("run", 1)
    window.navigate("run", 2)
    window.navigate("data")
    window.go_back()
    window.go_back()
    assert window.current_page == "run"
    assert window.page("run").opened[-1] == 1


def test_a_page_is_told_when_it_comes_and_goes(window):
    window.navigate("data")
    window.navigate("data", 3)
    window.navigate("home")
    assert window.page("data").log == ["shown", "shown", "hidden"]


def test_the_entry_of_a_detail_page_is_lit(window):
    window.navigate("run", 1)
    assert window.nav._entries["runs"].isChecked()
    assert not window.nav._entries["home"].isChecked()


def test_a_page_can_ask_for_another(window):
    window.page("home").navigate_requested.emit("run", 7)
    assert window.page("run").opened == [7]


def test_a_narrow_window_has_a_narrow_navigation(window, qtbot):
    assert window.nav.width() == 200
    window.resize(1319, 800)
    qtbot.waitUntil(lambda: window.nav.width() == 56)
    window.resize(1320, 800)
    qtbot.waitUntil(lambda: window.nav.width() == 200)
    least = window.content.minimumSize()
    assert (least.width(), least.height()) == (1180, 720)


def test_a_screen_that_is_too_small_scrolls_and_cuts_nothing(window, qtbot):
    screen = window.screen().availableSize()
    assert window.minimumWidth() == min(1180, screen.width())
    window.setMinimumSize(400, 300)
    window.resize(720, 450)
    qtbot.waitUntil(lambda: window.width() == 720)
    assert window.content.width() == 1180 and window.content.height() == 720
    scroll = window.content.parentWidget().parentWidget()
    assert scroll.horizontalScrollBar().maximum() == 1180 - scroll.viewport().width()
    scroll.ensureWidgetVisible(window.stack)


def test_size_and_page_are_remembered(qtbot, private_home, window):
    window.resize(1300, 730)
    window.navigate("data")
    window.close()
    settings = QSettings(str(private_home / "w.ini"), QSettings.Format.IniFormat)
    assert settings.value("window/page") == "data"
    again = MainWindow(settings)
    qtbot.addWidget(again)
    assert abs(again.height() - 730) <= 12  # where the screen is as low, Qt takes the frame off


def test_counts_and_work_are_spoken(window):
    window.nav.set_count("runs", 2, live=True)
    assert window.nav._entries["runs"].accessibleName() == "Runs, 2 at work"
    window.nav.set_count("runs", 0, live=True)
    assert window.nav._entries["runs"].accessibleName() == "Runs"


def test_a_broken_page_shows_its_error_and_the_window_lives_on(window, caplog):
    with caplog.at_level(logging.ERROR):
        window.navigate("compare")
    card = window.stack.currentWidget().findChild(ErrorCard)
    assert "ZeroDivisionError" in card.what.text()
    assert "a bug in a page" in card._details.toPlainText()
    window.navigate("data")
    assert window.stack.currentWidget() is window.page("data")
    assert any("compare" in record.message for record in caplog.records)


def test_an_error_of_a_task_is_shown_above_the_page(window, qtbot):
    def fail() -> None:
        raise KnownError("The drive is gone.", do="Plug it in.")

    window._context.tasks.run_op(fail)
    qtbot.waitUntil(lambda: len(window.toasts.cards) == 1)
    assert window.toasts.cards[0].what.text() == "The drive is gone."


def test_search_finds_by_name_and_opens_what_is_chosen(window, qtbot):
    library = window._context.library
    project = library.add_project("FineWeb")
    run = library.add_run(project.id, "index-163m")
    library.add_dataset("Honey bees")
    press(qtbot, window, Qt.Key.Key_K)
    assert window.search.isVisible()
    qtbot.keyClicks(window.search.field, "163")
    qtbot.waitUntil(lambda: len(window.search.answers.answers) == 1)
    qtbot.keyClick(window.search.field, Qt.Key.Key_Return)
    assert window.search.isHidden()
    assert window.page("run").opened == [run.id]


def test_search_says_when_nothing_is_found_and_escape_closes_it(window, qtbot):
    window.call_up_search()
    qtbot.keyClicks(window.search.field, "nobody")
    qtbot.waitUntil(lambda: "nobody" in window.search.answers.note)
    qtbot.keyClick(window.search.field, Qt.Key.Key_Escape)
    assert window.search.isHidden()


def test_place_and_page_are_remembered(window, qtbot):
    window.navigate("run", 1)
    window.resize(1300, 777)
    window.close()
    again = MainWindow(window._settings)
    qtbot.addWidget(again)
    again.set_context(window._context)
    again.open_last()
    assert again.current_page == "runs"
    # The offscreen display is small, and Qt keeps a window on it: it is not the default size.
    assert again.height() != 900
    assert window._settings.value("window/page") == "runs"


def test_a_wish_before_the_library_is_open_is_kept(qapp, qtbot, private_home, window):
    early = MainWindow(QSettings(str(private_home / "e.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(early)
    early.navigate("data", 5)
    assert early.current_page == ""
    early.set_context(window._context)
    early.open_last()
    assert early.page("data").opened == [5]


def test_a_second_window_says_that_it_can_only_look(qapp, qtbot, private_home, window):
    with open_studio(qapp, private_home) as (second, _seen):
        assert second.library.read_only
        other = MainWindow(QSettings(str(private_home / "o.ini"), QSettings.Format.IniFormat))
        qtbot.addWidget(other)
        other.set_context(second)
        assert not other.notice.isHidden()
        assert other.notice.label.text().startswith("Another window of Hearth")


def test_history_forgets_the_way_forward_when_one_goes_elsewhere():
    history = History()
    for page in ("home", "runs", "runs", "data"):
        history.go(Place(page))
    assert history.back() == Place("runs")
    assert history.back() == Place("home")
    assert history.back() is None
    history.go(Place("settings"))
    assert history.forward() is None
    assert history.back() == Place("home")
