"""A real window: keys lead to the pages, the tour starts with a click and outlives the window."""

import configparser
import sqlite3
import time

import pytest

from trainer_core import protocol
from trainer_core.status import read_status

pytestmark = [pytest.mark.journey, pytest.mark.slow]

START_THE_TOUR = ("313", "201")
"""Where the tour card's button stands in the default window, as in the design."""


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return found


def last_page(desktop):
    settings = configparser.ConfigParser()
    settings.read(desktop.home / "studio.ini")
    return settings["window"]["page"]


@pytest.mark.parametrize(
    ("keys", "page"),
    [(("ctrl+3",), "data"), (("ctrl+5",), "compare"), (("ctrl+6", "alt+Left"), "home")],
)
def test_keys_lead_to_pages_and_the_last_one_is_remembered(desktop, keys, page):
    figures = desktop.start_studio()
    assert not figures["torch"]
    assert figures["rss_mb"] < 200
    for key in keys:
        desktop.key(key)
        time.sleep(0.5)
    assert desktop.close_studio() == 0
    assert last_page(desktop) == page
    assert "Traceback" not in log_of(desktop)


def log_of(desktop):
    path = desktop.home / "studio.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_the_tour_starts_with_a_click_and_goes_on_without_the_window(desktop):
    desktop.start_studio()
    desktop.xdotool("mousemove", "--window", desktop.window, *START_THE_TOUR)
    desktop.xdotool("click", "1")
    folder = wait_for(
        lambda: next((p.parent for p in (desktop.home / "tour").glob("*/owner.json")), None),
        30,
        "the tour's process",
    )
    assert desktop.close_studio() == 0
    assert read_status(folder).alive, "closing the window ended the tour"
    wait_for(
        lambda: any(child.verb == "train" for child in read_status(folder).children),
        150,
        "the first training",
    )
    desktop.start_studio()
    wait_for(lambda: "plain" in names_of_runs(desktop.home), 30, "the run in the library")
    protocol.send_command(folder, protocol.Stop())
    wait_for(lambda: not read_status(folder).alive, 60, "the tour to save and end")
    assert read_status(folder).state == "stopped"
    assert read_status(folder / "plain").checkpoints, "stopping saves first"
    assert desktop.close_studio() == 0
    assert "Traceback" not in log_of(desktop)


def names_of_runs(home):
    connection = sqlite3.connect(f"file:{home / 'hearth.db'}?mode=ro", uri=True)
    try:
        (table,) = connection.execute(
            "select name from sqlite_master where type='table' and name in ('run', 'runs')"
        ).fetchone()
        names = [name for (name,) in connection.execute(f"select name from {table}")]
    except sqlite3.OperationalError:
        return ""  # the studio writes at this moment
    finally:
        connection.close()
    return " ".join(names)
