"""When a training holds: the form, with every field at its extremes and with nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from studio.runs.conditions import (
    UnreadableError,
    condition_words,
    read_hours,
    read_programs,
    read_temperature,
    read_time,
)
from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.conditions_popover import ConditionsPopover
from trainer_core.conduct.judging import minutes_of
from trainer_core.manners import Conditions

EVERYTHING = Conditions(
    on_battery=True,
    max_temperature_c=83,
    gpu_wanted=True,
    programs=("steam", "blender"),
    hours=("21:30", "06:45"),
)


@pytest.fixture
def form(qtbot):
    made = ConditionsForm()
    qtbot.addWidget(made)
    made.show()
    return made


def type_into(field, text):
    field.selectAll()
    QTest.keyClicks(field, text)


def test_it_shows_and_gives_back_every_condition(form):
    assert form.value() == Conditions()
    form.set_value(EVERYTHING)
    assert form.value() == EVERYTHING
    assert form.problem == ""
    form.set_value(Conditions())
    assert form.value() == Conditions()


@pytest.mark.parametrize(
    ("text", "time"),
    [("7", "07:00"), ("0:05", "00:05"), ("2330", "23:30"), (" 22.15 ", "22:15"), ("9h30", "09:30")],
)
def test_times_are_read_as_people_write_them(text, time):
    assert read_time(text) == time
    assert minutes_of(read_time(text)) is not None  # the trainer reads it, too


@pytest.mark.parametrize("text", ["", "24:00", "12:60", "-1", "noon", "1:2:3", "٢٢", "99999"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UnreadableError):
        read_time(text)


def test_the_same_time_twice_is_refused():
    with pytest.raises(UnreadableError, match="never work"):
        read_hours("22:00", "22")


@pytest.mark.parametrize(
    "text", ["", "39", "121", "8e1", "85.5", "-85", "hot", "999999999", "８５"]
)
def test_a_temperature_that_holds_for_good_or_never_is_refused(text):
    with pytest.raises(UnreadableError):
        read_temperature(text)


@pytest.mark.parametrize(("text", "expected"), [("40", 40), ("120 °C", 120), ("85C", 85)])
def test_temperatures_are_read(text, expected):
    assert read_temperature(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ,",
        "/usr/bin/steam",
        "C:\\games\\x.exe",
        "a" * 61,
        "x\ty",
        ",".join("abcdefghijklmnopqrstuv"),
    ],
)
def test_what_names_no_program_is_refused(text):
    with pytest.raises(UnreadableError):
        read_programs(text)


def test_programs_are_named_once_each():
    assert read_programs(" steam, Blender,steam ,") == ("steam", "Blender")


@given(st.text(max_size=40))
def test_no_text_brings_a_reader_down(text):
    for read in (read_time, read_temperature, read_programs):
        try:
            read(text)
        except UnreadableError as error:
            assert str(error)


def test_typing_nonsense_is_told_beside_the_field_and_left_out(form, qtbot):
    changes = []
    form.changed.connect(lambda: changes.append(form.problem))
    form.hours.click()
    type_into(form.first, "25:00")
    assert "23:59" in form.problem
    assert form.value().hours is None
    assert "23:59" in form.first.accessibleDescription()
    type_into(form.first, "7")
    QTest.keyClick(form.first, Qt.Key.Key_Return)
    assert form.problem == "Both are the same time: the training would never work."
    type_into(form.last, "9")
    QTest.keyClick(form.last, Qt.Key.Key_Return)
    assert form.value().hours == ("07:00", "09:00")
    assert form.last.text() == "09:00"
    form.while_programs.click()
    assert "Name a program" in form.problem
    type_into(form.programs, "steam")
    form.hot.click()
    type_into(form.temperature, "500")
    assert form.problem == "From 40 to 120 °C."
    form.hot.click()
    assert form.problem == "" and not form.temperature.isEnabled()
    assert form.value().programs == ("steam",)
    assert changes


def test_every_control_has_a_name_and_is_reached_by_tab(form, qtbot):
    form.set_value(EVERYTHING)
    form.activateWindow()
    form.hours.setFocus()
    reached = [form.hours]
    for _ in range(8):
        QTest.keyClick(form.focusWidget(), Qt.Key.Key_Tab)
        reached.append(form.focusWidget())
    wanted = [form.hours, form.first, form.last, form.while_programs, form.programs]
    wanted += [form.gpu_wanted, form.on_battery, form.hot, form.temperature]
    assert reached == wanted
    assert all(widget.accessibleName() or widget.text() for widget in wanted)


def test_conditions_are_told_in_words():
    assert condition_words(Conditions()) == []
    assert condition_words(EVERYTHING) == [
        "only from 21:30 to 06:45",
        "not while steam or blender runs",
        "not while another program works the GPU",
        "not on battery",
        "below 83 °C",
    ]
    many = Conditions(programs=("a", "b", "c", "d"))
    assert condition_words(many) == ["not while a, b or 2 more runs"]


def test_the_popover_keeps_only_what_can_be_used(qtbot):
    window = QWidget()
    window.resize(900, 600)
    qtbot.addWidget(window)
    window.show()
    kept = []
    popover = ConditionsPopover(window, "When plain trains", Conditions(), kept.append)
    popover.open_at(window.mapToGlobal(QPoint(2000, 2000)))
    assert window.rect().contains(popover.geometry())
    popover.form.hot.click()
    type_into(popover.form.temperature, "5")
    assert not popover.keep.isEnabled()
    QTest.keyClick(popover, Qt.Key.Key_Return)
    assert kept == [] and popover.isVisible()
    type_into(popover.form.temperature, "90")
    QTest.keyClick(popover, Qt.Key.Key_Return)
    assert kept == [Conditions(max_temperature_c=90)]
    again = ConditionsPopover(window, "When plain trains", Conditions(), kept.append)
    again.open_at(QPoint(0, 0))
    again.form.on_battery.click()
    QTest.keyClick(again, Qt.Key.Key_Escape)
    assert len(kept) == 1
