"""The tour in the terminal on the real Python library, small: every part real, none faked."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from trainer_core.metrics import STEP_DTYPE

pytestmark = [pytest.mark.journey, pytest.mark.slow]

SMALL = ("--steps", "30", "--megabytes", "2")


def tour(folder, *options):
    return subprocess.run(
        [sys.executable, "-m", "trainer_core", "tour", str(folder), *SMALL, *options],
        capture_output=True,
        text=True,
        timeout=250,
    )


def status(folder):
    done = subprocess.run(
        [sys.executable, "-m", "trainer_core", "status", str(folder), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour") / "t"
    return folder, tour(folder)


def test_the_tour_reports_both_models_and_leaves_everything_in_place(taken):
    folder, done = taken
    assert done.returncode == 0, done.stderr
    assert "Validation loss" in done.stdout
    assert "Bits per byte" in done.stdout
    found = status(folder)
    assert found["state"] == "finished"
    result = found["result"]
    assert result["steps"] == 30
    assert result["with_index"]["loss"] < result["plain"]["loss"]
    assert sum(row["share"] for row in result["buckets"]) == pytest.approx(1.0)
    for path in result["places"].values():
        assert os.path.exists(path), path
    assert "| Validation loss |" in (folder / "report.md").read_text()


def test_the_sample_names_files_that_exist(taken):
    folder, _ = taken
    text = (folder / "sample.txt").read_text()
    named = re.findall(r"^\[\d+\] .* \((.+)\)$", text, re.MULTILINE)
    assert named, text
    assert all(os.path.exists(path) for path in named)


def test_taking_a_finished_tour_again_changes_nothing(taken):
    folder, _ = taken
    before = (folder / "models" / "plain" / "model.safetensors").read_bytes()
    again = tour(folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "models" / "plain" / "model.safetensors").read_bytes() == before


def test_the_same_seed_gives_the_same_numbers_even_after_a_kill(taken, tmp_path):
    folder, _ = taken
    other = tmp_path / "t"
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer_core", "tour", str(other), *SMALL],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    steps = other / "plain" / "steps.bin"
    while not (steps.exists() and steps.stat().st_size > 16 + 12 * STEP_DTYPE.itemsize):
        assert process.poll() is None, "the tour ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert status(other)["state"] == "killed"
    assert tour(other).returncode == 0
    one, two = status(folder)["result"], status(other)["result"]
    assert one["plain"]["loss"] == two["plain"]["loss"]
    assert one["with_index"]["loss"] == two["with_index"]["loss"]
    assert one["sample"] == two["sample"]
