"""The tray's icon, messages of the desktop, and the settings that rule them."""

from __future__ import annotations

import http.server
import json
import threading
import time
from dataclasses import replace

import msgspec
import pytest
from job_folders import FakeJob, validated
from page_for_tests import open_studio
from PySide6.QtCore import QSettings
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from queue_for_tests import WAIT_MS, add_run

from studio.notify import Notifier, trainings_at_work
from studio.pages.settings.page import SettingsPage
from studio.runs.manners import read_defaults
from studio.runs.model import JobModel
from studio.tray import Tray, tray_icon
from trainer_core import records
from trainer_core.manners import Conditions, read_manners

pytestmark = pytest.mark.qt_log_ignore(
    "systemTrayWindowChanged",  # the offscreen platform has no tray: its stand-in complains
    "This plugin does not support",
    extend=True,
)


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "own.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def window(qtbot):
    made = QWidget()
    made.resize(300, 200)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    QGuiApplication.setQuitOnLastWindowClosed(True)


def at_work(folder, name="index-163m"):
    model = JobModel(folder)
    return [(name, model)]


def close(window):
    event = QCloseEvent()
    QApplication.sendEvent(window, event)
    return event.isAccepted()


def test_closing_the_window_keeps_the_studio_in_the_tray_while_it_trains(
    window, settings, tmp_path, monkeypatch
):
    trainings = at_work(tmp_path)
    tray = Tray(window, settings, lambda: trainings, available=lambda: True)
    said = []
    monkeypatch.setattr(tray, "show_message", lambda *words: said.append(words))
    assert not close(window)
    assert not window.isVisible() and len(said) == 1
    tray._open()
    assert window.isVisible()
    assert not close(window)
    assert len(said) == 1  # that is said once
    tray._open()
    trainings.clear()
    assert close(window)
    tray.close()


@pytest.mark.parametrize("reason", ["never", "no tray", "not wanted", "quit"])
def test_closing_quits_where_the_user_or_the_desktop_has_it_so(window, settings, tmp_path, reason):
    tray = Tray(window, settings, lambda: at_work(tmp_path), available=lambda: reason != "no tray")
    if reason == "never":
        tray.set_stay("never")
    elif reason == "not wanted":
        tray.set_wanted(False)
    elif reason == "quit":
        tray._leaving = True
    assert close(window)
    tray.close()


def test_a_tray_that_goes_brings_the_window_back(window, settings, tmp_path):
    there = [True]
    tray = Tray(window, settings, lambda: at_work(tmp_path), available=lambda: there[0])
    assert not close(window) and not window.isVisible()
    there[0] = False
    tray.refresh()
    assert window.isVisible() and not tray.is_there
    there[0] = True
    tray.refresh()
    assert tray.is_there
    tray.close()
    assert window.isVisible()


def test_the_menu_opens_pauses_and_quits(window, settings, tmp_path):
    tray = Tray(window, settings, lambda: at_work(tmp_path), available=lambda: True)
    entries = {action.text(): action for action in tray._menu.actions() if action.text()}
    assert list(entries) == ["Open Hearth", "Pause index-163m", "Quit, the training goes on"]
    assert "index-163m: 0" in tray._icon.toolTip()
    paused = []
    tray.pause_wanted.connect(paused.append)
    entries["Pause index-163m"].trigger()
    assert paused == [tmp_path]
    entries["Quit, the training goes on"].trigger()
    assert not window.isVisible()
    tray.close()


def test_the_icon_shows_how_far_a_training_is(qapp):
    pictures = [tray_icon(share).pixmap(64).toImage() for share in (None, 0.0, 0.5, 1.0, 7.0)]
    assert all(not picture.isNull() for picture in pictures)
    assert len({picture.cacheKey() for picture in pictures}) == 5
    assert pictures[1] != pictures[2] != pictures[3]
    assert pictures[3] == pictures[4]


def test_the_desktop_is_told_of_a_followed_run_when_nobody_looks(qtbot, studio, settings):
    context, _ = studio
    looking = [False]
    notifier = Notifier(
        context.library,
        context.tasks,
        context.watcher,
        context.keeper,
        settings,
        lambda: looking[0],
    )
    told = []
    notifier.wanted.connect(lambda *words: told.append(words))
    run = add_run(context, "plain")
    (run.folder / "spec.toml").unlink()
    job = FakeJob(run.folder)
    job.begin()
    context.keeper.follow(run)
    model = context.watcher.model(run.folder)
    qtbot.waitUntil(lambda: model.alive and model.caught_up, timeout=WAIT_MS)
    assert trainings_at_work(context.watcher, notifier) == [("plain", model)]
    qtbot.waitUntil(lambda: read_manners(run.folder).title == "plain", timeout=WAIT_MS)

    def write(record):
        count = len(model.status.notes) + len(model.validations)
        job.write(replace_time(record))
        qtbot.waitUntil(
            lambda: len(model.status.notes) + len(model.validations) > count, timeout=WAIT_MS
        )

    write(records.Noted(level="error", title="A bad step", text="It was skipped."))
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT_MS)
    assert told == [("plain: A bad step", "It was skipped.", run.id)]
    write(validated(10, 3.0, best=True))  # off at first
    looking[0] = True
    write(records.Noted(level="error", title="Another"))
    looking[0] = False
    notifier.set_tells("guardian", False)
    write(records.Noted(level="error", title="A third"))
    assert len(told) == 1
    job.write(records.Ended(state="finished", exit_code=0, time_s=time.time()))
    qtbot.waitUntil(lambda: len(told) == 2, timeout=WAIT_MS)
    assert told[1][0] == "plain: finished"
    job.close()


def replace_time(record):
    return msgspec.structs.replace(record, time_s=time.time())


class _Service(http.server.BaseHTTPRequestHandler):
    """Takes messages the way a chat service does."""

    taken: list[dict]
    status = 204

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.taken.append(json.loads(self.rfile.read(length)))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_words):
        pass


@pytest.fixture
def service():
    handler = type("Handler", (_Service,), {"taken": [], "status": 204})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(qtbot, studio, settings, window):
    context, seen = studio
    notifier = Notifier(context.library, context.tasks, context.watcher, context.keeper, settings)
    tray = Tray(window, settings, list, available=lambda: True)
    made = SettingsPage(replace(context, notifier=notifier, tray=tray))
    qtbot.addWidget(made)
    made.resize(1180, 720)
    made.show()
    made.shown()
    qtbot.waitUntil(lambda: "reading" not in made._computer.text(), timeout=WAIT_MS)
    yield made
    tray.close()
    assert not seen.errors


def kept(studio):
    return read_defaults(studio[0].library)


def test_the_web_address_is_kept_tested_and_refused_when_it_is_none(qtbot, studio, page, service):
    address, handler = service
    section = page.notifications
    section.address.setText("ftp://somewhere")
    section.address.editingFinished.emit()
    assert "not a web address" in section._address_hint.text()
    assert not section.test.isEnabled()
    assert kept(studio).webhook == ""
    section.address.setText(address)
    section.address.editingFinished.emit()
    section.by_address["best"].click()
    qtbot.waitUntil(lambda: "best" not in kept(studio).occasions, timeout=WAIT_MS)
    assert kept(studio).webhook == address
    section.test.click()
    qtbot.waitUntil(lambda: "Delivered" in section._address_hint.text(), timeout=WAIT_MS)
    assert handler.taken[0]["event"] == "test" and "Hearth" in handler.taken[0]["content"]
    handler.status = 404
    section.test.click()
    qtbot.waitUntil(lambda: "404" in section._address_hint.text(), timeout=WAIT_MS)
    section.address.setText("nonsense")
    section.address.editingFinished.emit()
    section.by_address["failed"].click()  # what was kept stays while the field is wrong
    qtbot.waitUntil(lambda: "failed" not in kept(studio).occasions, timeout=WAIT_MS)
    assert kept(studio).webhook == address


def test_conditions_awake_and_electricity_are_kept(qtbot, studio, page):
    library = studio[0].library
    page.trainings.awake.click()
    page.holding.form.hot.click()
    page.holding.form.temperature.setText("80")
    page.holding.form.temperature.textEdited.emit("80")
    qtbot.waitUntil(
        lambda: kept(studio).conditions == Conditions(max_temperature_c=80), timeout=WAIT_MS
    )
    assert not kept(studio).keep_awake
    for text in ("abc", "-1", "1e9", "nan", "inf"):
        page.trainings.price.setText(text)
        page.trainings.price.editingFinished.emit()
        assert "A number from 0" in page.trainings._price_hint.text()
    page.trainings.price.setText("0,32")
    page.trainings.currency.setText("CHF")
    page.trainings.watts.setText("420")
    page.trainings.watts.editingFinished.emit()
    qtbot.waitUntil(lambda: library.setting("electricity/watts", 0.0) == 420.0, timeout=WAIT_MS)
    assert library.setting("electricity/per_kwh", 0.0) == pytest.approx(0.32)
    assert library.setting("electricity/currency", "") == "CHF"
    page.shown()
    qtbot.wait(100)
    assert page.trainings.price.text() == "0.32"


def test_each_occasion_of_the_desktop_and_the_tray_have_a_switch(page, settings):
    section = page.notifications
    section.desktop["best"].click()
    section.desktop["finished"].click()
    notifier, tray = section._context.notifier, section._context.tray
    assert notifier.tells("best") and not notifier.tells("finished") and notifier.tells("failed")
    section._on_stay_chosen("never")
    assert tray.stay == "never"
    section.tray.click()
    assert not tray.wanted and not tray.is_there
    assert not section.stay.isEnabled()


def test_without_a_tray_the_settings_say_so(qtbot, studio, settings, window):
    context, _ = studio
    tray = Tray(window, settings, list, available=lambda: False)
    page = SettingsPage(replace(context, tray=tray))
    qtbot.addWidget(page)
    assert "no tray" in page.notifications._desktop_hint.text()
    assert not page.notifications.desktop["failed"].isEnabled()
    assert not tray.show_message("A title", "A text")
    assert close(window)
    tray.close()
