"""When a job holds, by made-up senses and by the real ones; throttling."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
from senses_for_tests import Senses

from trainer_core.conduct import sensors, throttling
from trainer_core.conduct.gpu import Gpu, GpuUser
from trainer_core.conduct.judging import CALM_S, Judge, is_between, minutes_of
from trainer_core.conduct.sensors import OneLook, Sensors
from trainer_core.conduct.throttling import COOL_S, GpuHeat, ProcessorHeat, ThrottleWatch
from trainer_core.manners import Conditions


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def judged():
    """Judges with made-up senses and a clock that a test moves."""
    senses, clock = Senses(), Clock()
    return senses, clock, Judge(senses, clock)


def words(reason):
    return None if reason is None else reason.text


def test_only_what_is_asked_for_is_looked_at(judged):
    senses, _, judge = judged
    senses.battery, senses.rival, senses.at_c = True, "game", 110.0
    assert judge.reason(Conditions()) is None
    assert senses.asked == []
    judge.reason(Conditions(on_battery=True))
    assert senses.asked == ["battery"]


def test_a_condition_must_have_been_over_for_a_while(judged):
    senses, clock, judge = judged
    asked = Conditions(on_battery=True)
    senses.battery = True
    assert words(judge.reason(asked)) == "the computer runs on its battery"
    senses.battery = False
    clock.now += CALM_S - 1
    assert judge.reason(asked) is not None
    senses.battery = True  # a plug that does not sit well
    assert judge.reason(asked) is not None
    senses.battery = False
    clock.now += CALM_S - 1
    assert judge.reason(asked) is not None
    clock.now += 1
    assert judge.reason(asked) is None


def test_what_nobody_asks_for_any_more_is_over_at_once(judged):
    senses, _, judge = judged
    senses.battery = True
    assert judge.reason(Conditions(on_battery=True)) is not None
    assert judge.reason(Conditions(gpu_wanted=True)) is None
    senses.battery = False
    assert judge.reason(Conditions(on_battery=True)) is None


def test_it_is_to_be_ten_degrees_cooler(judged):
    senses, clock, judge = judged
    asked = Conditions(max_temperature_c=80)
    for at_c, holds in ((80.0, False), (81.0, True), (75.0, True), (71.0, True), (70.0, True)):
        senses.at_c = at_c
        clock.now += CALM_S if at_c != 70.0 else 1
        found = words(judge.reason(asked))
        assert found == ("the GPU is hotter than 80 °C" if holds else None), at_c
    clock.now += CALM_S
    assert judge.reason(asked) is None
    senses.at_c = 79.0
    assert judge.reason(asked) is None
    senses.at_c = None
    assert judge.reason(asked) is None


def test_hours_are_over_when_they_are_over(judged):
    senses, _, judge = judged
    asked = Conditions(hours=("22:00", "07:00"))
    for minute, holds in ((0, False), (419, False), (420, True), (1319, True), (1320, False)):
        senses.minute = minute
        expected = "it works only between 22:00 and 07:00" if holds else None
        assert words(judge.reason(asked)) == expected, minute


@pytest.mark.parametrize(
    "hours", [("", ""), ("25:00", "07:00"), ("aa", "07:00"), ("12:60", "1:00")]
)
def test_hours_that_are_none_hold_nobody(judged, hours):
    assert judged[2].reason(Conditions(hours=hours)) is None


def test_minutes_and_spans():
    assert [minutes_of(t) for t in ("00:00", "7:05", "23:59", "24:00")] == [0, 425, 1439, 0]
    assert [minutes_of(t) for t in ("", "7", "7:", "-1:00", "24:01", "１:00")] == [None] * 6
    assert is_between(10, 5, 5)
    assert is_between(5, 5, 6)
    assert not is_between(6, 5, 6)


def test_several_reasons_are_told_one_at_a_time(judged):
    senses, _, judge = judged
    asked = Conditions(on_battery=True, programs=("doom",), gpu_wanted=True)
    senses.program, senses.rival = "doom", "blender"
    assert words(judge.reason(asked)) == "doom runs"
    senses.battery = True
    assert words(judge.reason(asked)) == "doom runs"


# --- the real ones ------------------------------------------------------------------------------


def test_a_program_is_found_by_its_name_and_hearths_own_are_none(tmp_path):
    game = tmp_path / "Hearth-Game.exe"
    shutil.copy(shutil.which("sleep"), game)
    process = subprocess.Popen([str(game), "60"])
    try:
        sense = Sensors()
        assert sense.running(("solitaire", "hearth-game")) == "hearth-game"
        assert sense.running(("HEARTH-GAME.EXE",)) == "HEARTH-GAME.EXE"
        assert sense.running(("hearth",)) is None
        assert sense.running(("", "  ")) is None
        assert sense.running(()) is None
    finally:
        process.kill()
        process.wait()
    assert sense.running(("hearth-game",)) is None
    mine = psutil.Process().name()
    others = [p for p in psutil.process_iter(["name"]) if p.info["name"] == mine]
    if len(others) == 1:
        assert sense.running((mine,)) is None


def test_the_real_senses_answer_whatever_the_computer_has():
    sense = Sensors()
    assert sense.on_battery() in (True, False)
    assert sense.heat() is None or 0 < sense.heat()[1] < 130
    assert sense.gpu_rival() is None or isinstance(sense.gpu_rival(), str)
    assert 0 <= sense.minute_of_day() < 1440


def test_batteries(monkeypatch):
    for battery, expected in (
        (None, False),
        (SimpleNamespace(power_plugged=True), False),
        (SimpleNamespace(power_plugged=None), False),
        (SimpleNamespace(power_plugged=False), True),
    ):
        monkeypatch.setattr(psutil, "sensors_battery", lambda battery=battery: battery)
        assert Sensors().on_battery() is expected


class Card:
    """A GPU with users of a test's choice."""

    def __init__(self, *users, throttled=False):
        self.found, self.throttled = users, throttled

    def users(self):
        return list(self.found)

    def temperature_c(self):
        return 83.4

    def is_throttled(self):
        return self.throttled

    def clocks_mhz(self):
        return 1200, 1980


@pytest.fixture
def stranger():
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_another_program_works_the_gpu(stranger):
    me = GpuUser(os.getpid(), True, 4 << 30, 95)
    for user, expected in (
        (GpuUser(stranger, False, 100, 60), "sleep"),
        (GpuUser(stranger, True, 8 << 30, 3), None),  # loaded, and does nothing
        (GpuUser(stranger, True, 8 << 30, None), "sleep"),  # nobody can tell what it does
        (GpuUser(stranger, False, 8 << 30, None), None),  # a desktop
    ):
        assert Sensors(Card(me, user)).gpu_rival() == expected
    assert Sensors(Card(me)).gpu_rival() is None


def test_a_job_of_hearth_is_no_stranger():
    program = "import sys, time; print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", program, "trainer_core", "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as job:
        job.stdout.readline()
        assert Sensors(Card(GpuUser(job.pid, True, 4 << 30, 80))).gpu_rival() is None
        job.kill()


def test_numbers_from_outside_of_a_container_say_nothing(stranger):
    outside = GpuUser(2**22 + 5, True, 4 << 30, 90)
    assert Sensors(Card(outside, GpuUser(stranger, True, 0, 50))).gpu_rival() is None


def test_one_look_asks_each_question_once():
    senses = Senses()
    look = OneLook(senses)
    for _ in range(3):
        look.on_battery()
        look.running(["a"])
        look.running(("a",))
    assert senses.asked == ["battery", "running"]


def test_there_need_be_no_gpu(monkeypatch):
    import pynvml

    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert Gpu.find() is None


class Nvml:
    """What NVML answers a `Gpu`; what it has no answer for it refuses as the real one does."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_THRESHOLD_SLOWDOWN, NVML_ERROR_NOT_FOUND = 1, 1, 6

    class NVMLError(Exception):
        value = 3

    def __init__(self, **answers):
        self.answers = answers

    def __getattr__(self, name):
        def ask(*_):
            if name not in self.answers:
                raise self.NVMLError
            return self.answers[name]

        return ask


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"nvmlDeviceGetCurrentClocksEventReasons": 0x4}, False),  # its power limit: usual
        ({"nvmlDeviceGetCurrentClocksEventReasons": 0x20}, True),
        ({"nvmlDeviceGetCurrentClocksEventReasons": 0x44}, True),
        ({"nvmlDeviceGetTemperature": 90, "nvmlDeviceGetTemperatureThreshold": 92}, True),
        ({"nvmlDeviceGetTemperature": 89, "nvmlDeviceGetTemperatureThreshold": 92}, False),
        ({"nvmlDeviceGetTemperature": 89}, None),
        ({}, None),
    ],
)
def test_a_gpu_that_slows_down(monkeypatch, answers, expected):
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(**answers))
    assert Gpu(object()).is_throttled() is expected


def test_who_uses_a_gpu(monkeypatch):
    answers = {
        "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=7, usedGpuMemory=5)],
        "nvmlDeviceGetGraphicsRunningProcesses": [
            SimpleNamespace(pid=7, usedGpuMemory=5),
            SimpleNamespace(pid=8, usedGpuMemory=None),
        ],
        "nvmlDeviceGetProcessUtilization": [
            SimpleNamespace(pid=7, smUtil=20, timeStamp=100),
            SimpleNamespace(pid=7, smUtil=5, timeStamp=200),
        ],
    }
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(**answers))
    users = sorted(Gpu(object()).users(), key=lambda user: user.pid)
    assert users == [GpuUser(7, True, 5, 20), GpuUser(8, False, 0, 0)]
    del answers["nvmlDeviceGetProcessUtilization"]
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(**answers))
    assert {user.busy_pct for user in Gpu(object()).users()} == {None}


# --- throttling ---------------------------------------------------------------------------------


def test_throttling_is_told_once_and_so_is_its_end():
    card, clock, told = Card(), Clock(), []
    watch = ThrottleWatch(GpuHeat(card), lambda *note: told.append(note), clock)
    for throttled, looks in ((True, 2), (False, 1), (True, 2), (False, 1)):  # dips
        card.throttled = throttled
        for _ in range(looks):
            watch.look()
    assert told == []
    card.throttled = True
    for _ in range(10):
        clock.now += 5
        watch.look()
    [(level, title, text)] = told
    assert (level, title) == ("warning", "The GPU slows down to cool off")
    assert "is at 83 °C and runs at 1,200 of 1,980 MHz" in text
    card.throttled = False
    for _ in range(int(COOL_S / 5) + 2):
        clock.now += 5
        watch.look()
    assert [title for _, title, _ in told][1:] == ["The GPU has its speed back"]


def test_a_processor_near_its_limit(monkeypatch):
    def hot(at_c, critical):
        entry = SimpleNamespace(current=at_c, critical=critical)
        monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"coretemp": [entry]})

    heat = ProcessorHeat()
    for at_c, critical, expected in ((99.0, 100.0, True), (90.0, 100.0, False), (99.0, None, None)):
        hot(at_c, critical)
        assert heat.is_throttled() is expected
    hot(99.0, 100.0)
    assert heat.figures() == "is at 99 °C"
    assert sensors.processor_heat_c() == 99.0
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"nvme": []})
    assert throttling.ProcessorHeat().is_throttled() is None
    assert sensors.processor_heat_c() is None
