"""What the search can do, and the list of keys."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from job_folders import FakeJob, dead_pid
from page_for_tests import open_studio
from PySide6.QtCore import QSettings, Qt
from synthetic_runs import records_for, step_rows, train_spec

from studio.commands import Commands
from studio.keys import KEYS
from studio.pages.compare.target import ImportLog
from studio.theme import theme
from studio.widgets.keycap import KeyCap
from studio.window import MainWindow


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def commands(studio, qtbot):
    context = studio[0]
    project = context.library.add_project("Bees")
    for name in ("index-163m", "plain-163m"):
        row = context.library.add_run(project.id, name)
        spec = train_spec(300)
        job = FakeJob(row.folder, spec)
        job.begin(1_763_000_000.0, dead_pid())
        rows = step_rows(1, 50)
        job.write(*records_for(rows, spec)[1:])
        job.steps.append(rows)
        job.close()
    made = Commands(context, lambda: [], context.watcher)
    made.refresh()
    qtbot.waitUntil(lambda: len(made._runs) == 2)
    return made


def titles(answers):
    return [answer.title for answer in answers]


def test_what_is_usual_is_offered_before_anything_is_typed(commands, studio):
    offered = commands.offer("")
    assert titles(offered)[:3] == ["New run", "Add data", "Import a log"]
    offered[0].act()
    offered[2].act()
    assert studio[1].places == [("wizard", None), ("compare", ImportLog(None))]


def test_words_in_any_order_find_commands(commands):
    theme().set_mode("system")  # the look in force is not offered
    assert titles(commands.offer("dark"))[0] == "Dark theme"
    assert titles(commands.offer("theme light")) == ["Light theme"]
    assert titles(commands.offer("go playground")) == ["Go to Playground"]
    assert titles(commands.offer("reference")) == ["Import a log"]
    assert "Quit" in titles(commands.offer("exit"))
    assert commands.offer("zebra") == []


def test_a_theme_is_taken_and_remembered(commands, studio):
    before = theme().mode
    commands.offer("light theme")[0].act()
    assert theme().mode == "light" and studio[0].settings.value("theme") == "light"
    theme().set_mode(before)


def test_a_runs_name_alone_offers_no_commands_but_a_verb_does(commands, studio):
    assert commands.offer("163m") == []
    assert titles(commands.offer("compare"))[0] == "Go to Compare"
    assert titles(commands.offer("compare plain")) == ["Compare plain-163m"]
    commands.offer("compare plain")[0].act()
    assert studio[1].places[-1][0] == "compare"


def test_a_run_at_work_can_be_paused_by_name(commands, studio, monkeypatch):
    context = studio[0]
    row = commands._runs[0]
    at_work = SimpleNamespace(folder=row.folder, verb="train", state="running", alive=False)
    monkeypatch.setattr(type(context.watcher), "models", property(lambda _self: [at_work]))
    asked = []
    monkeypatch.setattr(commands, "_follow", lambda run, _future: asked.append(run.id))
    monkeypatch.setattr(context.supervisor, "pause", lambda folder: folder)
    assert titles(commands.offer(""))[:2] == [
        f"Pause {row.name}",
        f"Save a checkpoint of {row.name}",
    ]
    commands.offer(f"pause {row.name}")[0].act()
    assert asked == [row.id] and studio[1].places[-1] == ("run", row.id)


def test_a_run_at_rest_can_be_resumed_by_name(commands, studio, qtbot):
    library = studio[0].library
    row = commands._runs[0]
    library.remember_run(row.id, replace(row.facts, state="paused"))
    commands.refresh()
    qtbot.waitUntil(lambda: commands._runs[0].facts.state == "paused")
    assert titles(commands.offer("resume")) == [f"Resume {row.name}"]
    assert titles(commands.offer("continue")) == [f"Resume {row.name}"]


def test_whoever_may_only_look_is_offered_nothing_that_changes(commands, studio, monkeypatch):
    monkeypatch.setattr(type(studio[0].library), "read_only", property(lambda _self: True))
    assert "New run" not in titles(commands.offer("")) and not commands.offer("resume")
    assert titles(commands.offer("runs")) == ["Go to Runs"]


# --- in the window -------------------------------------------------------------------------------


@pytest.fixture
def window(qtbot, studio, private_home):
    made = MainWindow(QSettings(str(private_home / "w.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(made)
    made.resize(1440, 900)
    made.set_context(studio[0])
    made.navigate("home")
    made.show()
    made.activateWindow()
    qtbot.waitExposed(made)
    return made


def test_the_palette_is_opened_and_used_by_keys_alone(window, qtbot, studio):
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    popup = window.search
    qtbot.waitUntil(lambda: len(popup.answers.answers) >= 3)
    assert popup.field.hasFocus() and "New run" in popup.field.accessibleDescription()
    qtbot.keyClicks(popup.field, "go to sett")
    qtbot.waitUntil(lambda: titles(popup.answers.answers) == ["Go to Settings"])
    assert "Ctrl+6" in popup.field.accessibleDescription()
    qtbot.keyClick(popup.field, Qt.Key.Key_Return)
    assert studio[1].places[-1] == ("settings", None) and not popup.isVisible()


def test_f1_lists_every_key_and_closes_again(window, qtbot):
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.keys.view is not None
    shown = {cap.accessibleName() for cap in window.keys.findChildren(KeyCap)}
    assert shown == {key.keys for _, keys in KEYS for key in keys}
    qtbot.keyClick(window.keys, Qt.Key.Key_Escape)
    assert window.keys.view is None
