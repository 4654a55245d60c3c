"""A real window: one's own texts are added, read and looked at; a reading stops and goes on."""

import json
import random

import pytest
from person import Person, wait_for

from trainer_core.status import read_status

pytestmark = [pytest.mark.journey, pytest.mark.slow]


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
