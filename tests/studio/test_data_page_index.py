"""What the data page says of an index in each state: no window, mostly no disk."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from studio.pages.data.build_form import DEFAULTS, BuildForm, make_index_spec
from studio.pages.data.build_plan import BuildPlan, TextSize, plan_build, slowness
from studio.pages.data.clock import TimeLeft
from studio.pages.data.index_state import (
    IndexNow,
    Outdated,
    index_now,
    read_outdated,
)
from studio.pages.data.index_words import (
    failure,
    left_words,
    phase_words,
    room_words,
    stopped_words,
)
from studio.pages.data.rows import RowFacts, table_row
from studio.pages.wizard.draft import field_message
from studio.runs.model import Problem
from studio.storage.rows import DatasetRow
from studio.widgets.figures import NARROW, rough_duration, size
from trainer_core.errors import SpecError
from trainer_core.index_plan import INDEX_VERSION, expected_bytes, expected_seconds
from trainer_core.records import Progress
from trainer_core.status import JobStatus

READ = JobStatus(verb="prepare", state="finished")
DATASET = DatasetRow(
    id=7,
    name="Bees",
    what="Own text",
    folder=Path("/home/data/bees"),
    index_folder=Path("/home/indexes/bees"),
    tokenizer="own, 300",
    private=False,
    created_s=0.0,
    documents=12,
    tokens=34_567,
    size_bytes=120_000,
)
FINEWEB = TextSize(3_280_000_000, 173_000_000, 4_700_000, 50_257)


def at_work(share: float, time_s: float = 100.0, phase: str = "sorting") -> JobStatus:
    progress = Progress(phase=phase, done=share * 1000, total=1000, time_s=time_s)
    return JobStatus(verb="index", state="running", alive=True, progress=progress, started_s=50.0)


def cell_text(index: IndexNow) -> str:
    cell = table_row(RowFacts(DATASET, READ, index)).cell("index")
    return f"{cell.pill.word if cell.pill else ''} {cell.text}".replace(NARROW, " ").strip()


# --- before the build -------------------------------------------------------------------------


def test_before_a_build_the_row_says_how_long_and_for_large_texts_how_much() -> None:
    small = index_now(JobStatus(), plan=BuildPlan(45_000_000, 2.2))
    large = index_now(JobStatus(), plan=BuildPlan(19_700_000_000, 190.0))
    assert cell_text(small) == "Not built Build, about 2 s"
    assert cell_text(large) == "Not built Build, about 3 min, 19.7 GB"


def test_a_disk_without_room_is_told_and_no_build_is_offered_in_the_row() -> None:
    index = index_now(JobStatus(), plan=BuildPlan(19_700_000_000, 190.0, 12_000_000_000))
    cell = table_row(RowFacts(DATASET, READ, index)).cell("index")
    assert cell.text == f"needs {size(19.7e9)}" and not cell.link and cell.role == "warn"
    assert size(12e9) in room_words(index) and size(7.7e9) in room_words(index)
    roomy = replace(index, plan=BuildPlan(19_700_000_000, 190.0, 30_000_000_000))
    assert room_words(roomy) == ""


def test_what_a_build_takes_is_the_formula_times_what_this_computer_showed() -> None:
    plan = plan_build(FINEWEB, (), 10**12, threads=1)
    assert plan.size_bytes == expected_bytes(3_280_000_000, 173_000_000, 4_700_000, 50_257)
    assert plan.seconds == pytest.approx(expected_seconds(3_280_000_000, 173_000_000, 1))
    slow = {"tokens": 10_000_000, "validation_tokens": 0, "built": True}
    measured = [slow | {"seconds": 3.0 * seconds_here(10_000_000)}]
    assert slowness(measured) == pytest.approx(3.0)
    assert slowness([{"tokens": 500, "seconds": 9.0, "built": True}]) == 1.0
    assert slowness([measured[0] | {"built": False}, {"tokens": "many"}, {}]) == 1.0
    assert slowness([measured[0] | {"appended": True}]) == 1.0
    assert slowness([measured[0] | {"resumed": True}]) == 1.0
    assert slowness([measured[0] | {"seconds": 1e9}]) == 20.0


def seconds_here(tokens: int) -> float:
    import os

    return expected_seconds(tokens, 0, os.cpu_count() or 1)


def test_the_size_of_a_text_comes_whole_or_not_at_all() -> None:
    whole = {
        "train_tokens": 10,
        "validation_tokens": 2,
        "train_documents": 3,
        "vocab_size": 257,
    }
    assert TextSize.of_result(whole) == TextSize(10, 2, 3, 257)
    assert TextSize.of_result(whole | {"train_tokens": 0}) is None
    assert TextSize.of_result({"train_tokens": 10}) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (2.4, "2 s"),
        (43.0, "45 s"),
        (58.0, "1 min"),
        (241.0, "4 min"),
        (3580.0, "1 h 00 min"),
        (5000.0, "1 h 25 min"),
        (float("nan"), "–"),
    ],
)
def test_estimates_are_no_finer_than_one_can_know(seconds: float, words: str) -> None:
    assert rough_duration(seconds).replace(NARROW, " ") == words


def test_untouched_settings_are_the_defaults_and_wrong_ones_are_named() -> None:
    corpus = Path("/data/corpus")
    assert make_index_spec(corpus, BuildForm()).max_length == DEFAULTS.max_length
    assert BuildForm().is_untouched and not BuildForm(threads="2").is_untouched
    assert make_index_spec(corpus, BuildForm(max_length="64")).max_length == 64
    for typed in ("65", "0", "many", "1.5"):
        with pytest.raises(SpecError) as caught:
            make_index_spec(corpus, BuildForm(max_length=typed))
        assert caught.value.field == "max_length"
    roomy = make_index_spec(corpus, BuildForm(memory_limit_bytes="4 GB", threads="2"))
    assert (roomy.memory_limit_bytes, roomy.threads) == (4_000_000_000, 2)
    with pytest.raises(SpecError) as caught:
        make_index_spec(corpus, BuildForm(memory_limit_bytes="1 MB"))
    assert field_message(caught.value) == f"at least {size(64 * 2**20)}"


# --- while it runs ----------------------------------------------------------------------------


def test_a_build_at_work_says_how_far_it_is() -> None:
    index = index_now(at_work(0.64), seconds_left=240.0)
    assert index.kind == "building"
    assert cell_text(index) == "Building 64 %, 4 min left"
    assert left_words(index).replace(NARROW, " ") == "64 %, 4 min left"
    assert phase_words(index) == "Sorting"


def test_progress_of_an_earlier_session_is_not_told_as_this_ones() -> None:
    resumed = replace(at_work(0.4, time_s=20.0), state="compiling")
    assert phase_words(index_now(resumed)) == "Preparing its machine code, only the first time"


def test_time_left_follows_the_rate_of_the_last_half_minute() -> None:
    clock = TimeLeft()
    assert clock.seconds_left(at_work(0.0, 1000.0), 1000.0) is None
    for second in range(1, 101):
        left = clock.seconds_left(at_work(second * 0.001, 1000.0 + second), 1000.0 + second)
    assert left == pytest.approx(900.0, rel=0.01)
    for second in range(101, 201):  # now five times as fast
        share = 0.1 + (second - 100) * 0.005
        left = clock.seconds_left(at_work(share, 1000.0 + second), 1000.0 + second)
    assert left == pytest.approx(80.0, rel=0.05)


def test_time_left_does_not_jump_when_the_rate_does() -> None:
    clock = TimeLeft()
    told: list[float] = []
    share = 0.0
    for second in range(200):
        share += 0.001 if second % 20 < 10 else 0.003
        left = clock.seconds_left(at_work(share, 1000.0 + second), 1000.0 + second)
        if left is not None and second > 40:
            told.append(left)
    steps = [abs(after - before) for before, after in pairwise(told)]
    assert max(steps) < 0.1 * max(told)


def test_a_phase_that_begins_again_is_timed_by_itself() -> None:
    clock = TimeLeft()
    clock.seconds_left(at_work(0.0, 1000.0), 1000.0)
    assert clock.seconds_left(at_work(0.5, 1010.0), 1010.0) == pytest.approx(10.0)
    assert clock.seconds_left(at_work(0.1, 1011.0, "writing"), 1011.0) is None
    assert clock.seconds_left(at_work(0.6, 1021.0, "writing"), 1021.0) == pytest.approx(8.0)


# --- after it ---------------------------------------------------------------------------------


def test_a_stopped_build_keeps_its_work_and_goes_on() -> None:
    stopped = replace(at_work(0.64), state="stopped", alive=False)
    assert cell_text(index_now(stopped)) == "Stopped Continue build"
    large, small = BuildPlan(10**9, 60.0, goes_on=True), BuildPlan(10**6, 1.0)
    assert "at 64" in stopped_words(index_now(stopped, plan=large))
    assert "goes on from there" in stopped_words(index_now(stopped, plan=large))
    assert "begins anew" in stopped_words(index_now(stopped, plan=small))
    assert cell_text(index_now(stopped, plan=large)) == "Stopped Continue build"
    assert cell_text(index_now(stopped, plan=small)) == "Stopped Build again"
    killed = replace(stopped, state="killed")
    assert "without a word" in stopped_words(index_now(killed))


def test_a_failed_build_says_what_why_and_what_to_do() -> None:
    problem = Problem("The disk is full.", "The text is whole.", "Free 2 GB.", "Traceback …")
    index = index_now(replace(at_work(0.2), state="failed", alive=False), problem=problem)
    cell = table_row(RowFacts(DATASET, READ, index)).cell("index")
    assert (cell.text, cell.link, cell.tooltip) == ("Try again", True, "The disk is full.")
    error = failure(index)
    assert (error.what, error.safe, error.do) == (problem.what, problem.safe, problem.do)
    assert failure(replace(index, problem=None)).do


@pytest.mark.parametrize(
    ("outdated", "words"),
    [
        (Outdated("grown", 120, 9_000), "Out of date Add the new text"),
        (Outdated("changed"), "Out of date Build again"),
        (Outdated("older"), "Out of date Build again"),
    ],
)
def test_an_index_that_does_not_fit_its_text_offers_a_way(outdated: Outdated, words: str) -> None:
    finished = JobStatus(verb="index", state="finished")
    index = index_now(finished, outdated=outdated)
    assert index.kind == "outdated" and cell_text(index) == words
    assert index_now(JobStatus(), outdated=outdated).kind == "absent"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"version": INDEX_VERSION - 1}, "older"),
        ({"corpus_fingerprint": "b", "n_tokens": 80, "n_documents": 8}, "grown"),
        ({"corpus_fingerprint": "b"}, "changed"),
        ({"corpus_fingerprint": "b", "n_tokens": 80, "tokenizer_fingerprint": "u"}, "changed"),
    ],
)
def test_index_and_text_are_compared_by_their_manifests(
    tmp_path: Path, changes: dict[str, object], reason: str | None
) -> None:
    dataset = replace(DATASET, folder=tmp_path / "data", index_folder=tmp_path / "index")
    corpus = {
        "fingerprint": "a",
        "tokenizer_fingerprint": "t",
        "train": {"tokens": 100, "documents": 10, "bytes": 400},
    }
    index = {
        "version": INDEX_VERSION,
        "corpus_fingerprint": "a",
        "tokenizer_fingerprint": "t",
        "n_tokens": 100,
        "n_documents": 10,
    }
    write_manifest(dataset.corpus_folder, corpus)
    found = read_outdated(dataset)
    assert found is not None and found.reason == "missing"
    assert dataset.index_path is not None
    write_manifest(dataset.index_path, index | changes)
    found = read_outdated(dataset)
    assert (found.reason if found else None) == reason
    if reason == "grown":
        assert found == Outdated("grown", 2, 20)


def write_manifest(folder: Path, content: dict[str, object]) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
