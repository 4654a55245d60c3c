"""A real window: runs are planned by mouse and by keys alone, left, found, compared, deleted."""

import random
import time

import pytest
from person import Person, wait_for

from trainer_core.job import run_job
from trainer_core.spec import ByteTokenizer, PrepareSpec, TextFiles
from trainer_core.status import read_status

pytestmark = [pytest.mark.journey, pytest.mark.slow]

WORDS = [
    "fire",
    "stone",
    "water",
    "north",
    "candle",
    "river",
    "apple",
    "winter",
    "hive",
    "bees",
    "gather",
    "warm",
]


@pytest.fixture
def dataset(private_home, tmp_path):
    """A dataset that the studio finds when it is opened for the first time."""
    chance = random.Random(3)
    texts = tmp_path / "notes"
    texts.mkdir()
    for number in range(80):
        line = " ".join(chance.choice(WORDS) for _ in range(400))
        (texts / f"{number:02}.txt").write_text(f"Note {number}. {line}.\n", encoding="utf-8")
    folder = private_home / "data" / "notes"
    spec = PrepareSpec(
        sources=(TextFiles(name="notes", paths=(str(texts),)),),
        tokenizer=ByteTokenizer(),
        name="Notes",
    )
    assert run_job(folder, spec) == 0
    return folder


def trainings(home):
    return sorted(
        (path.parent for path in (home / "runs").glob("*/spec.toml")),
        key=lambda folder: folder.stat().st_ctime,
    )


def test_a_run_is_planned_watched_left_found_again_compared_and_deleted(desktop, dataset):
    home = desktop.home
    person = Person(desktop)
    plan_by_mouse(person)
    first = wait_for(lambda: next(iter(trainings(home)), None), 20, "the run's folder")
    wait_for(lambda: read_status(first).state == "running", 60, "the training")
    person.look_for("Training", 20)
    pause_and_resume(desktop, person, first)
    person = leave_and_return(desktop, first)
    confirm(person, "Stop")
    wait_for(lambda: read_status(first).state == "stopped", 60, "the training to stop")
    plan_by_keys(desktop, person)
    second = wait_for(lambda: (trainings(home)[1:] or [None])[0], 20, "the second run's folder")
    wait_for(lambda: read_status(second).state == "finished", 240, "the second training")
    person.look_for("Finished", 20)  # or else the list leads on to the run at work
    time.sleep(1.0)
    compare(desktop, person)
    delete_and_undo(desktop, person, home)
    assert desktop.close_studio() == 0
    log = home / "studio.log"
    assert "Traceback" not in log.read_text(encoding="utf-8")


def plan_by_mouse(person):
    """Through the wizard's seven steps by clicks; the steps and the size are typed."""
    person.desktop.key("ctrl+n")
    person.look_for("What do you want to train?", 20)
    person.click("Next: Data")
    person.click("Next: Tokenizer")
    person.click("Next: Memory index")
    person.click("Without")
    person.click("Next: Model")
    fill(person, "Layers", 2)
    fill(person, "Width", 32)
    fill(person, "Heads", 2)
    fill(person, "Context", 64)
    fill(person, "Batch", 4)
    person.click("Next: Budget")
    fill(person, "Training tokens", "20M")
    person.press("Tab")
    person.click("Next: Review")
    person.click("Start the run")


def confirm(person, word):
    """Press a button of the run's head, then its like in the question that follows."""
    person.click(word, 20)
    person.look_for("Keep training")
    person.click(word)


def fill(person, field, value):
    person.point_at_field(field)
    person.type(value)


def pause_and_resume(desktop, person, run):
    """Pausing ends the process; resuming goes on behind the same step."""
    person.click("Pause", 20)
    wait_for(lambda: read_status(run).state == "paused", 60, "the pause")
    wait_for(lambda: not read_status(run).alive, 20, "the process to end")
    saved = read_status(run).checkpoints[-1].step
    person.click("Resume", 20)
    wait_for(lambda: read_status(run).state == "running", 60, "the training to go on")
    assert read_status(run).resumed_step == saved


def leave_and_return(desktop, run):
    """The window closes, the training goes on, and the next window says so."""
    assert desktop.close_studio() == 0
    assert read_status(run).alive, "closing the window ended the training"
    person = Person(desktop)
    person.look_for("Reattached", 30)  # on the page of the run, where the window was closed
    assert read_status(run).sessions == 2
    return person


def plan_by_keys(desktop, person):
    """The whole way without the mouse."""
    desktop.key("ctrl+n")
    person.look_for("What do you want to train?", 20)
    go_on(person, "Next: Tokenizer")
    go_on(person, "Next: Memory index")
    go_on(person, "Next: Model")
    person.tab_to("Without")
    person.press("space")
    go_on(person, "Next: Budget")
    for field, value in ("Layers", 2), ("Width", 32), ("Heads", 2), ("Context", 64), ("Batch", 4):
        type_into(person, field, value)
    go_on(person, "Next: Review")
    type_into(person, "Training tokens", "6k")
    go_on(person, "Start the run")
    person.press("ctrl+Return")


def go_on(person, word):
    """Ctrl+Enter, until the button with this word stands at the foot."""
    person.press("ctrl+Return")
    person.look_for(word, 20)


def type_into(person, field, value):
    person.tab_to(field)
    person.press("ctrl+a")
    person.type(value)
    person.press("Tab")


def to_the_list(desktop, person):
    desktop.key("ctrl+2")
    person.click("Name, tag or note", 20)
    person.press("Down")


def compare(desktop, person):
    """Both runs are chosen in the list and laid over each other."""
    to_the_list(desktop, person)
    person.press("ctrl+a")
    person.click("Compare the chosen runs", 20)
    person.look_for("Validation loss", 20)
    person.look_for("Only what differs")


def delete_and_undo(desktop, person, home):
    """A run goes to the trash with a key, and comes back with another."""
    desktop.key("ctrl+2")
    person.click("Clear", 20)
    to_the_list(desktop, person)
    person.press("Delete")
    person.look_for("moved to the trash", 20)
    wait_for(lambda: marks(home), 20, "the mark in the run's folder")
    person.press("ctrl+z")
    wait_for(lambda: not marks(home), 20, "the run to come back")


def marks(home):
    return list((home / "runs").glob("*/trashed.json"))
