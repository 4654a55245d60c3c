"""A job's conduct as a whole: kept awake, sensors that break, manners that change."""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
from senses_for_tests import Senses

from trainer_core.conduct import awake
from trainer_core.conduct.awake import KeptAwake
from trainer_core.conduct.conduct import Conduct
from trainer_core.manners import Conditions, Manners, write_manners


def wait_for(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Inhibitor:
    """Counts who keeps the computer awake."""

    def __init__(self, monkeypatch, *, works=True):
        self.awake, self.tries, self.works = 0, 0, works
        from wakepy import keep

        monkeypatch.setattr(keep, "running", self.running)

    def running(self, on_fail):
        self.tries += 1
        return self

    active = property(lambda self: self.works)
    method = "a test"

    def __enter__(self):
        self.awake += self.works
        return self

    def __exit__(self, *_):
        self.awake -= self.works


def test_the_computer_is_kept_awake_but_not_while_a_job_waits(tmp_path, monkeypatch):
    kept = Inhibitor(monkeypatch)
    with Conduct(tmp_path, holds=False, awake=True) as conduct:
        assert not kept.awake
        conduct.start(lambda *_: None)
        wait_for(lambda: kept.awake == 1)
        conduct.rest(True)
        wait_for(lambda: kept.awake == 0)
        conduct.rest(False)
        wait_for(lambda: kept.awake == 1)
        write_manners(tmp_path, Manners(keep_awake=False))
        wait_for(lambda: kept.awake == 0)
        write_manners(tmp_path, Manners())
        wait_for(lambda: kept.awake == 1)
        conduct.end()
        assert kept.awake == 0


def test_a_computer_that_cannot_be_kept_awake_is_one_line_in_the_log(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    inhibitor = Inhibitor(monkeypatch, works=False)
    kept = KeptAwake()
    for _ in range(5):
        kept.hold()
        kept.release()
    kept.hold()
    kept.release()
    assert caplog.text.count("may go to sleep") == inhibitor.tries == 1


def test_a_bus_that_hangs_or_breaks_holds_nobody_up(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    from wakepy import keep

    hangs = threading.Event()
    monkeypatch.setattr(awake, "_LEAVE_S", 0.05)
    monkeypatch.setattr(keep, "running", lambda on_fail: hangs.wait())
    kept = KeptAwake()
    kept.hold()
    kept.release()  # returns
    hangs.set()

    def fail(on_fail):
        raise RuntimeError("no bus")

    monkeypatch.setattr(keep, "running", fail)
    kept = KeptAwake()
    kept.hold()
    kept.release()
    assert "no bus" in caplog.text


def test_a_sensor_that_breaks_holds_nobody(tmp_path, caplog):
    class Broken(Senses):
        def on_battery(self):
            raise RuntimeError("the driver is gone")

    write_manners(tmp_path, Manners(conditions=Conditions(on_battery=True), keep_awake=False))
    with Conduct(tmp_path, holds=True, awake=False, senses=Broken) as conduct:
        conduct.start(lambda *_: None)
        wait_for(lambda: "the driver is gone" in caplog.text)
        assert conduct.reason is None


def test_the_first_look_is_waited_for_and_changes_are_seen(tmp_path):
    senses = Senses()
    senses.battery = True
    write_manners(tmp_path, Manners(conditions=Conditions(on_battery=True), keep_awake=False))
    with Conduct(tmp_path, holds=True, awake=False, senses=lambda: senses) as conduct:
        conduct.start(lambda *_: None)
        assert conduct.reason == ("battery", "the computer runs on its battery")
        write_manners(tmp_path, Manners(keep_awake=False))
        wait_for(lambda: conduct.reason is None)
        (tmp_path / "manners.json").write_text("{damaged")
        time.sleep(0.05)
        assert conduct.reason is None


POWER_MANAGER = """
from jeepney import HeaderFields, MessageType, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

bus = open_dbus_connection(bus="SESSION")
bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.PowerManagement"))
print("ready", flush=True)
while True:
    message = bus.receive()
    if message.header.message_type == MessageType.method_call:
        name = message.header.fields[HeaderFields.member]
        print(name, flush=True)
        answer = ("u", (42,)) if name == "Inhibit" else ()
        bus.send(new_method_return(message, *answer))
"""
JOB = """
from trainer_core.conduct.awake import KeptAwake

input()
kept = KeptAwake()
kept.hold()
input()
kept.release()
"""


@pytest.mark.skipif(not shutil.which("dbus-run-session"), reason="there is no message bus")
def test_a_real_bus_is_asked_to_stay_awake_and_told_when_it_may_sleep():
    script = f"{sys.executable} -c '{POWER_MANAGER}' & {sys.executable} -c '{JOB}'; wait"
    with subprocess.Popen(
        ["dbus-run-session", "--", "bash", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as session:
        try:
            for expected in ("ready", "Inhibit"):
                assert session.stdout.readline().strip() == expected
                session.stdin.write("\n")
                session.stdin.flush()
            assert session.stdout.readline().strip() == "UnInhibit"
        finally:
            os.killpg(session.pid, 9)
