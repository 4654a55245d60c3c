"""What a run has seen of each source, validation by source, and going on on unseen text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from job_folders import FakeJob, dead_pid
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from synthetic_runs import records_for, step_rows, train_spec

from studio.charts.marks import entropies
from studio.context import Context
from studio.pages.run.page import RunPage
from studio.pages.run.sources import SourcesPanel, seen_words, whole_words
from studio.pages.wizard.start import draft_from_run, read_shelf, start_run
from studio.pages.wizard.target import WizardTarget
from studio.storage.rows import RunRow
from trainer_core.job import run_job
from trainer_core.records import (
    Ended,
    GroupScore,
    Measured,
    MeasuredSet,
    Resumed,
    SourceSeen,
    SourcesSeen,
    TextEntropy,
    Validated,
)
from trainer_core.rule_language import EXAMPLES, parse
from trainer_core.rule_tasks import own_task
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    OwnRules,
    PrepareSpec,
    TrainSpec,
    to_toml,
)
from trainer_core.status import SPEC_FILE, JobStatus, fold, read_status

STEPS = 400
SEEN = SourcesSeen(
    step=STEPS,
    sources=(
        SourceSeen(name="bees", tokens=1000, seen=1000, drawn=1800),
        SourceSeen(name="mills", tokens=4000, seen=1000, drawn=1000),
    ),
)


def test_shares_are_told_in_words() -> None:
    assert seen_words(SEEN.sources[0]) == "1k of 1k tokens, 1.80 passes"
    assert seen_words(SEEN.sources[1]) == "1k of 4k tokens"
    told = "".join(part.text for part in whole_words(SEEN.sources))
    assert told.startswith("Together 40.0") and "3k tokens are still new" in told
    assert "All of it" in whole_words(SEEN.sources[:1])[0].text


def test_a_resume_makes_what_was_seen_later_void() -> None:
    status = fold(JobStatus(), SEEN)
    assert status.seen == SEEN
    assert fold(status, Resumed(step=STEPS)).seen == SEEN
    assert fold(status, Resumed(step=STEPS - 1)).seen is None


def test_the_button_says_when_nothing_new_is_left(qtbot: QtBot) -> None:
    panel = SourcesPanel()
    qtbot.addWidget(panel)
    panel.show_seen(SEEN, None, obstacle="")
    assert (panel.go_on.text(), panel.go_on.isEnabled()) == ("Continue on unseen text", True)
    all_seen = msgspec.structs.replace(SEEN, sources=SEEN.sources[:1])
    panel.show_seen(all_seen, None, obstacle="Stop it first.")
    assert (panel.go_on.text(), panel.go_on.isEnabled()) == ("Continue with this text", False)
    assert panel.go_on.toolTip() == "Stop it first."


# --- in the window -------------------------------------------------------------------------------


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[tuple[Context, Seen]]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def run(studio: tuple[Context, Seen], tmp_path: Path) -> RunRow:
    library = studio[0].library
    dataset = add_read_dataset(library, write_texts(tmp_path / "bees"))
    row = library.add_run(library.add_project("Insects").id, "first", dataset_id=dataset.id)
    model = ModelConfig(vocab_size=300, context_length=16, n_layer=1, n_head=2, n_embd=16)
    spec = train_spec(STEPS, index=False, model=model, corpus=str(dataset.corpus_folder))
    job, start = FakeJob(row.folder, spec), time.time() - 100
    job.begin(start, dead_pid())
    rows = step_rows(1, STEPS, index=False)
    told = [_with_sets(record) for record in records_for(rows, spec, start_s=start)[1:]]
    entropy = TextEntropy(unigram=6.5, bigram=4.25, tokens=100, of_tokens=200)
    end = Ended(time_s=time.time(), state="finished", exit_code=0, step=STEPS)
    job.write(entropy, *told, SEEN, end)
    job.steps.append(rows)
    job.close()
    return row


def _with_sets(record: object) -> object:
    if not isinstance(record, Validated):
        return record
    sets = tuple(
        MeasuredSet(name=name, measured=Measured(loss=loss, bits_per_byte=loss / 3, tokens=9))
        for name, loss in (("bees", 3.5), ("mills", 4.5))
    )
    return msgspec.structs.replace(record, sets=sets)


def test_a_run_shows_its_sources_and_leads_to_a_run_on_unseen_text(
    qtbot: QtBot, studio: tuple[Context, Seen], run: RunRow
) -> None:
    page = RunPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1384, 844)
    page.show()
    asked: list[tuple[str, object]] = []
    page.navigate_requested.connect(lambda where, target: asked.append((where, target)))
    page.open(run.id)
    page.shown()
    qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up, timeout=10_000)
    view = page.view
    assert view is not None
    assert view.side.tabs.shown == ("data", "samples", "events", "notes")
    view.side.tabs.choose("data")
    view.grab()
    assert view.side.sources.bars.sources == SEEN.sources
    assert view.side.sources.losses.count() == 3
    assert [limit.value for limit in entropies(view.model)] == [6.5, 4.25]
    assert view.charts.loss.content.limits[1].label == "bigram entropy about 4.25"
    view.side.sources.go_on.click()
    assert asked == [("wizard", WizardTarget(run_id=run.id, continues=True))]


def test_a_draft_that_continues_reads_what_is_new(
    studio: tuple[Context, Seen], run: RunRow
) -> None:
    library = studio[0].library
    draft = draft_from_run(library, run.id, read_shelf(library).choices, continues=True)
    assert draft.continues is not None and draft.continues.folder == run.folder
    assert draft.continues.seen == pytest.approx(0.4)
    assert draft.training_tokens == pytest.approx(3000, rel=0.1)
    assert draft.name == "first-on"


def test_a_model_on_ones_own_rules_is_scored_by_them(
    qtbot: QtBot, studio: tuple[Context, Seen]
) -> None:
    library = studio[0].library
    text = next(each.text for each in EXAMPLES if parse(each.text).groups)
    dataset = library.add_dataset("Own rules", what="Rules", tokenizer="bytes")
    wanted = PrepareSpec(source=OwnRules(rules=text, lines=100))
    (dataset.folder / SPEC_FILE).write_text(to_toml(wanted), encoding="utf-8")
    row = library.add_run(library.add_project("Rules").id, "own", dataset_id=dataset.id)
    groups = own_task(text).groups
    model = ModelConfig(vocab_size=257, context_length=16, n_layer=1, n_head=2, n_embd=16)
    job = FakeJob(row.folder, train_spec(STEPS, index=False, model=model))
    job.begin(time.time() - 50, dead_pid())
    scores = tuple(GroupScore(group=group, right=40, total=50) for group in groups)
    last = Validated(
        step=STEPS,
        tokens_seen=9,
        loss=1.5,
        bits_per_byte=2.2,
        tokens=9,
        best=True,
        groups=scores,
    )
    job.write(last, Ended(time_s=time.time(), state="finished", exit_code=0, step=STEPS))
    job.steps.append(step_rows(1, STEPS, index=False))
    job.close()
    page = RunPage(studio[0])
    qtbot.addWidget(page)
    page.show()
    page.open(row.id)
    page.shown()
    qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up, timeout=10_000)
    assert page.view is not None and groups
    assert page.view.side.tabs.current == "rules"
    assert page.view.charts.loss.content.limits[-1].label == "floor"


@pytest.mark.slow
def test_a_continued_run_trains_on_what_the_first_one_has_not_seen(
    studio: tuple[Context, Seen], tmp_path: Path
) -> None:
    library, supervisor = studio[0].library, studio[0].supervisor
    dataset = add_read_dataset(library, write_texts(tmp_path / "bees", 40))
    row = library.add_run(library.add_project("Insects").id, "first", dataset_id=dataset.id)
    model = ModelConfig(vocab_size=300, context_length=16, n_layer=1, n_head=2, n_embd=16)
    spec = TrainSpec(
        corpus=str(dataset.corpus_folder),
        model=model,
        budget=BudgetConfig(steps=4, batch_size=2),
        optimizer=OptimizerConfig(warmup_steps=0),
        evaluation=EvaluationConfig(max_tokens=64),
        checkpoint=CheckpointConfig(every_steps=2),
    )
    assert run_job(row.folder, spec) == 0
    before = read_status(row.folder).seen
    draft = draft_from_run(library, row.id, read_shelf(library).choices, continues=True)
    started = start_run(library, supervisor, replace(draft, steps=4))
    deadline = time.time() + 60
    while read_status(started.run.folder).state != "finished" and time.time() < deadline:
        time.sleep(0.2)
    status = read_status(started.run.folder)
    assert status.state == "finished", status.ended
    assert before is not None and status.seen is not None
    assert status.seen.sources[0].seen == 2 * before.sources[0].seen
    assert status.seen.sources[0].drawn == status.seen.sources[0].seen
