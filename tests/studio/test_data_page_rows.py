"""What the data page says of a dataset, from plain facts: no window, no disk."""

from __future__ import annotations

import pytest
from page_for_tests import DATASET
from PySide6.QtCore import QRectF

from studio.pages.data.charts import label_top
from studio.pages.data.corpus import (
    CorpusFiles,
    Crop,
    ManifestFacts,
    SkippedGroup,
    SourceFacts,
    StatisticsFacts,
)
from studio.pages.data.detail import warning_words
from studio.pages.data.facts import MatchBar, make_facts, match_bars
from studio.pages.data.index_state import NO_INDEX, index_now
from studio.pages.data.rows import RowFacts, table_row
from studio.widgets.figures import NARROW, size
from trainer_core.errors import ExitCode
from trainer_core.records import Ended, Noted, Progress
from trainer_core.status import JobStatus

READ = JobStatus(verb="prepare", state="finished")


def index_cell(prepare: JobStatus, index: JobStatus, seconds_left: float | None = None):
    facts = RowFacts(DATASET, prepare, index_now(index), used_by=2, seconds_left=seconds_left)
    return table_row(facts).cell("index")


def test_figures_are_short_and_their_tooltips_exact() -> None:
    row = table_row(RowFacts(DATASET, READ, used_by=1))
    assert row.cell("tokens").text == "34.6k"
    assert row.cell("tokens").tooltip == "34,567 tokens"
    assert row.cell("used").text == "1 run"


def test_a_text_that_is_being_read_shows_how_far_it_is() -> None:
    progress = Progress(phase="reading", done=38, total=100, unit="files")
    status = JobStatus(verb="prepare", state="running", alive=True, progress=progress)
    cell = index_cell(status, JobStatus(), seconds_left=240)
    assert cell.pill is not None and cell.pill.word == "Reading"
    assert cell.share == pytest.approx(0.38)
    assert cell.text == f"38{NARROW}%, 4{NARROW}min left"


def test_files_that_cannot_be_read_are_counted_while_others_are() -> None:
    progress = Progress(phase="reading", done=38, total=100, unit="files", left_out=3)
    status = JobStatus(verb="prepare", state="running", alive=True, progress=progress)
    cell = index_cell(status, JobStatus(), seconds_left=240)
    assert cell.pill is not None
    assert (cell.pill.word, cell.pill.role) == ("3 files skipped", "warn")
    assert cell.text == f"importing 38{NARROW}%, 4{NARROW}min left"


@pytest.mark.parametrize(
    ("state", "word", "text", "link"),
    [
        ("unborn", "Not built", "Build", True),
        ("failed", "Failed", "Try again", True),
        ("killed", "Killed", "Continue build", True),
        ("stopped", "Stopped", "Continue build", True),
        ("finished", "Ready", size(250_000), False),
    ],
)
def test_the_index_offers_what_can_be_done(state, word: str, text: str, link: bool) -> None:
    cell = index_cell(READ, JobStatus(verb="index", state=state))
    assert cell.pill is not None and cell.pill.word == word
    assert (cell.text, cell.link) == (text, link)


def test_a_failed_reading_says_why_and_whether_a_setting_is_to_blame() -> None:
    ended = Ended(state="failed", exit_code=3, what="There is no vocab.bpe.")
    failed = JobStatus(verb="prepare", state="failed", ended=ended)
    assert index_cell(failed, JobStatus()).text == "Read again"
    assert index_cell(failed, JobStatus()).tooltip == "There is no vocab.bpe."
    ended = Ended(state="failed", exit_code=3, what="No.", field="tokenizer.vocabulary_folder")
    failed = JobStatus(verb="prepare", state="failed", ended=ended)
    assert index_cell(failed, JobStatus()).text == "Change"


@pytest.mark.parametrize(
    ("state", "exit_code", "text"),
    [
        ("stopped", 0, "Go on"),
        ("killed", -1, "Go on"),
        ("failed", ExitCode.DISK_FULL, "Go on"),
        ("failed", ExitCode.KNOWN_ERROR, "Read again"),
    ],
)
def test_reading_goes_on_where_its_work_was_kept(state, exit_code: int, text: str) -> None:
    ended = Ended(state=state, exit_code=exit_code) if exit_code >= 0 else None
    cell = index_cell(JobStatus(verb="prepare", state=state, ended=ended), JobStatus())
    assert (cell.text, cell.link) == (text, True)


def test_match_bars_come_from_the_index_job_or_not_at_all() -> None:
    assert match_bars({}) == ()
    assert match_bars({"buckets": [{"low": "x"}]}) == ()
    bucket = {"low": 4, "high": 5, "tokens": 10, "share": 1.0, "hit_rate": 0.5}
    assert match_bars({"buckets": [bucket | {"tokens": 0}]}) == ()
    assert match_bars({"buckets": [bucket]}) == (MatchBar(4, 5, 10, 0.5),)


def test_the_crop_nearest_to_the_context_is_told() -> None:
    statistics = StatisticsFacts(crops=(Crop(256, 0.5, 0.4), Crop(1024, 0.2, 0.1)))
    found = statistics.crop(1000)
    assert found is not None and found.context == 1024
    assert StatisticsFacts().crop(1024) is None
    facts = make_facts(DATASET, CorpusFiles(), READ, NO_INDEX)
    assert facts.index_bytes is None and not facts.index_ready


def test_a_bars_figure_keeps_off_the_line() -> None:
    tall, low = QRectF(0, 100, 30, 200), QRectF(0, 290, 30, 10)
    assert label_top(tall, float("inf")) == 104
    assert label_top(low, float("inf")) < low.top()
    for bar in (tall, low):
        for point_y in range(40, 300):
            top = label_top(bar, point_y)
            assert not top < point_y < top + 14


def test_what_the_reading_warned_of_is_told_once() -> None:
    skipped = SkippedGroup("not_utf8", "not UTF-8 text", "warning", 3)
    manifest = ManifestFacts(source=SourceFacts(skipped=(skipped,)))
    notes = (
        Noted(level="warning", title="Left out 3: not UTF-8 text"),
        Noted(level="info", title="Going on where the work was interrupted"),
        Noted(level="warning", title="The tokenizer loses text", text="2 % of it."),
    )
    prepare = JobStatus(verb="prepare", state="finished", notes=(*notes, notes[-1]))
    facts = make_facts(DATASET, CorpusFiles(manifest=manifest), prepare, NO_INDEX)
    assert warning_words(facts) == "The tokenizer loses text. 2 % of it."
