"""A real window: one's own texts are added, read and looked at; a reading stops and goes on."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer_core.status import read_status

pytestmark = [pytest.mark.journey, pytest.mark.slow]

EYES = Path(__file__).with_name("studio_with_eyes.py")


class Person:
    """Somebody before the screen: looks for words, points at them, types."""

    def __init__(self, desktop):
        self.desktop = desktop
        desktop.studio = subprocess.Popen(
            [sys.executable, str(EYES)],
            env=desktop.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        desktop.window = desktop.wait_for_window()

    def look_for(self, words, seconds=10.0):
        """Where they stand, once they can be seen: x and y in pixels of the screen."""
        deadline = time.monotonic() + seconds
        while not (place := self.glance(words)):
            assert self.desktop.studio.poll() is None, "the studio ended by itself"
            assert time.monotonic() < deadline, f"waited {seconds} s to see {words!r}"
            time.sleep(0.1)
        return place

    def glance(self, words):
        """Where they stand now, if anywhere."""
        print(words, file=self.desktop.studio.stdin, flush=True)
        return self.desktop.studio.stdout.readline().split()

    def click(self, words, seconds=10.0):
        self.desktop.xdotool("mousemove", *self.look_for(words, seconds), "click", "1")

    def type(self, text):
        self.desktop.xdotool("type", "--delay", "4", str(text))

    def choose(self, button, path, answer):
        """Name a path in the dialog behind a button, and give the answer."""
        self.click(button)
        dialog = self.desktop.xdotool("search", "--sync", "--onlyvisible", "--name", "^Add data$")
        self.desktop.xdotool("windowfocus", "--sync", dialog)
        self.type(path)
        self.click(answer)  # closes the completions
        time.sleep(0.3)
        if self.glance(answer):
            self.click(answer)
        self.look_for(str(path))

    def point_at_field(self, name):
        """Click a field and mark what stands in it, to type over it."""
        self.click(name)
        self.desktop.xdotool("key", "ctrl+a")


@pytest.fixture
def texts(tmp_path):
    """A folder with 60 notes, one of them decoded wrongly, and a file of 200 records."""
    chance = random.Random(5)
    words = ["fire", "stone", "water", "north", "candle", "river", "apple", "winter"]

    def text(number):
        return f"Text {number}: " + " ".join(chance.choice(words) for _ in range(80)) + "."

    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}.txt").write_text(text(number), encoding="utf-8")
    (folder / "07.txt").write_text("It\u00e2\u20ac\u2122s cold. " + text(7), encoding="utf-8")
    records = tmp_path / "records.jsonl"
    lines = (json.dumps({"id": n, "body": text(n)}) for n in range(100, 300))
    records.write_text("\n".join(lines), encoding="utf-8")
    return folder, records


def test_texts_become_a_dataset_and_a_reading_that_was_stopped_goes_on(desktop, texts):
    person = Person(desktop)
    desktop.key("ctrl+3")
    person.click("Add data")
    person.click("My files and folders")
    person.choose("Add a folder…", texts[0], "Choose")
    person.choose("Add files…", texts[1], "Open")
    person.click("Next: Preview")
    person.look_for("notes/00.txt", 20)
    person.click("Repair Unicode")
    person.look_for("Changes 1 of 260 documents", 20)
    person.click("Next: Tokens and split")
    person.click("Bytes")
    person.click("Read the text")
    (manifest,) = wait_for(lambda: list(desktop.home.rglob("manifest.json")), 20, "the dataset")
    check_dataset(manifest)
    person.click("More")
    person.click("Show batches")
    person.click("Tokens of the sequence", 20)
    desktop.key("Right")
    person.look_for("tokens, itself among them")
    folder = read_more(desktop, person)
    person.click("Stop", 20)
    wait_for(lambda: read_status(folder).state == "stopped", 20, "the reading to stop")
    assert not (folder / "corpus").exists()
    assert (folder / "corpus.partial" / "journal.json").exists()
    person.click("Go on")
    wait_for(lambda: read_status(folder).state == "finished", 40, "the reading to end")
    status = read_status(folder)
    assert status.sessions == 2
    assert "Going on where the work was interrupted" in [note.title for note in status.notes]
    assert not (folder / "corpus.partial").exists()
    assert desktop.close_studio() == 0
    log = desktop.home / "studio.log"
    assert not log.exists() or "Traceback" not in log.read_text(encoding="utf-8")


def check_dataset(manifest):
    """Every document is on one side, and the one that was decoded wrongly is repaired."""
    found = json.loads(manifest.read_text(encoding="utf-8"))
    assert found["tokenizer_kind"] == "bytes"
    assert found["train"]["documents"] + found["validation"]["documents"] == 260
    for side in "train", "validation":
        assert found[side]["tokens"] == found[side]["bytes"] + found[side]["documents"]
    (repair,) = (
        step
        for source in found["sources"]
        for step in source["cleaning"]
        if step["step"] == "repair_unicode"
    )
    assert repair["changed"] == 1


def read_more(desktop, person):
    """Begin to read 16 MB of the Python library; the folder of the job."""
    known = set(desktop.home.rglob("spec.toml"))
    desktop.key("ctrl+3")
    person.click("Add data")
    person.point_at_field("Read at most")
    person.type("16 MB")
    desktop.key("ctrl+Return")
    person.look_for("Is this the text you want?")
    desktop.key("ctrl+Return")
    person.click("Read the text")
    return wait_for(lambda: begun(desktop.home, known), 20, "the larger reading")


def begun(home, known):
    """The folder of a new job that has read some text already."""
    for spec in set(home.rglob("spec.toml")) - known:
        if (spec.parent / "corpus.partial" / "journal.json").exists():
            return spec.parent
    return None


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return found
