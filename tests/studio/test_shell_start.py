"""The start of the real program: quick, small, without torch; a bug does not end it."""

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer

import studio.app
from studio.app import Studio, main
from studio.device import read_device, read_facts, short_name
from studio.places import data_home
from studio.storage.library import Library

ROOT = Path(__file__).resolve().parents[2]


def start(home, *options):
    """Start the studio in a process of its own; returns what it reports."""
    command = [
        sys.executable,
        "-m",
        "studio",
        "--home",
        str(home),
        "--report",
        "--quit-after-paint",
    ]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [*command, *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_studio_starts_small_and_without_torch(tmp_path):
    report = start(tmp_path)
    assert report["page"] == "home"
    assert report["torch"] is False
    assert report["rss_mb"] < 200
    assert 0 < report["first_paint_s"] <= report["page_shown_s"]
    assert (tmp_path / "hearth.db").exists()


def test_every_page_can_be_the_first_one_without_torch(tmp_path):
    report = start(tmp_path, "--page", "settings")
    assert report["page"] == "settings"
    assert report["torch"] is False


def test_the_home_is_the_variable_or_the_systems_place(monkeypatch, tmp_path):
    monkeypatch.setenv("HEARTH_HOME", str(tmp_path))
    assert data_home() == tmp_path
    monkeypatch.delenv("HEARTH_HOME")
    assert data_home().name == "Hearth"


@pytest.fixture
def studio_window(qapp, qtbot, tmp_path):
    made = Studio(qapp, tmp_path)
    qtbot.addWidget(made.window)
    made.start()
    yield made
    made.close()


def test_a_bug_is_logged_and_shown_and_the_window_lives_on(studio_window, qtbot, caplog):
    with caplog.at_level(logging.ERROR):
        try:
            raise ZeroDivisionError("deep inside")
        except ZeroDivisionError as error:
            studio_window.show_bug(error)
    card = studio_window.window.toasts.cards[0]
    assert "ZeroDivisionError" in card.what.text()
    assert "deep inside" in card._details.toPlainText()
    assert "deep inside" in caplog.text
    qtbot.waitUntil(lambda: studio_window.window.current_page == "home")


def test_a_bug_in_a_thread_reaches_the_window(studio_window, qtbot, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    studio.app._take_uncaught(studio_window)

    def fail() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(studio_window.window.toasts.cards) == 1)


def test_a_damaged_library_is_said_and_can_be_tried_again(qapp, qtbot, tmp_path):
    Library.open(tmp_path).close()
    database = tmp_path / "hearth.db"
    whole = database.read_bytes()
    database.write_bytes(b"not a database at all" * 200)
    made = Studio(qapp, tmp_path)
    qtbot.addWidget(made.window)
    made.start()
    card = []

    def is_shown():
        card[:] = made.window.stack.currentWidget().findChildren(studio.window.ErrorCard)
        return bool(card)

    qtbot.waitUntil(is_shown, timeout=10_000)
    database.write_bytes(whole)
    card[0].clicked.emit()
    qtbot.waitUntil(lambda: made.window.current_page == "home", timeout=10_000)
    made.close()


def test_a_second_studio_opens_and_says_that_it_can_only_look(studio_window, qapp, qtbot, tmp_path):
    qtbot.waitUntil(lambda: studio_window.window.current_page == "home", timeout=10_000)
    second = Studio(qapp, tmp_path)
    qtbot.addWidget(second.window)
    second.start()
    qtbot.waitUntil(lambda: second.window.current_page == "home", timeout=10_000)
    assert not second.window.notice.isHidden()
    second.close()


def test_a_home_that_cannot_be_made_is_a_known_error(qapp, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["--home", str(tmp_path / "file" / "home")]) == 3
    assert "opening the data home" in capsys.readouterr().err.lower()


def test_closing_the_window_ends_the_program(qapp, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    QTimer.singleShot(1500, lambda: [w.close() for w in qapp.topLevelWidgets()])
    assert main(["--home", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz", "Intel Core i7-9700K"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "AMD Ryzen 9 5950X"),
        ("NVIDIA H200", "H200"),
    ],
)
def test_processors_have_short_names(full, short):
    assert short_name(full) == short


def test_a_computer_without_a_gpu_is_a_normal_state():
    facts, reading = read_facts(), read_device()
    assert facts.cpu and facts.cores >= 1 and facts.ram_gib > 0
    assert 0 <= reading.ram_used_gib <= facts.ram_gib
    if facts.gpu is None:
        assert facts.no_gpu and reading.vram_used_gib is None
        assert facts.trains_on == facts.cpu
    else:
        assert facts.vram_gib > 0
