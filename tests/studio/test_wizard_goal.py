"""The wizard's beginnings: recipes, a fixed end, kept drafts, and settings from a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from wizard_for_tests import DATA, recipe, written

from studio.context import Context
from studio.pages.wizard.draft import Draft, build_spec
from studio.pages.wizard.drafts_section import DraftsSection
from studio.pages.wizard.ends import draft_for_end, released
from studio.pages.wizard.first_draft import known_text
from studio.pages.wizard.keeping import draft_values, kept_draft
from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.plan import Surroundings, make_plan
from studio.pages.wizard.recipes import RECIPES, Recipe, with_recipe
from studio.pages.wizard.start import start_run
from studio.pages.wizard.target import WizardTarget
from studio.runs.waiting import entries_of
from studio.storage.library import DatasetRow
from studio.storage.rows import DraftRow
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.manners import Conditions, read_manners
from trainer_core.presets import parameter_count
from trainer_core.spec import TrainSpec
from trainer_core.status import SPEC_FILE

Studio = tuple[Context, Seen]


# --- recipes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("each", RECIPES, ids=lambda each: each.key)
def test_every_recipe_is_a_plan_that_says_what_it_repeats(each: Recipe) -> None:
    draft = with_recipe(Draft(data=DATA), each)
    plan = make_plan(draft, Surroundings())
    assert plan.spec is not None and not plan.obstacle
    assert each.reproduces and each.published and each.figure
    wanted = each.values.get("tokens")
    if isinstance(wanted, float | int):
        assert plan.training_tokens == pytest.approx(wanted, rel=1e-3)
    if each.text:
        assert known_text(each.text) != "add"


def test_gpt2_small_has_exactly_its_published_settings() -> None:
    spec = build_spec(with_recipe(Draft(data=DATA), recipe("gpt2-small-48h")))
    assert parameter_count(spec.model) == 163_009_536
    model, optimizer = spec.model, spec.optimizer
    assert not model.tie_embeddings and not model.qkv_bias and model.dropout == 0.1
    assert (spec.budget.batch_size, model.context_length) == (6, 1024)
    assert (optimizer.lr, optimizer.schedule, optimizer.clip_norm) == (4e-4, "constant", 0.0)
    assert spec.precision == "fp16" and optimizer.warmup_steps == 0
    assert spec.evaluation.max_tokens == 3200 * 6 * 1024


def test_an_index_like_tscale_s_has_its_size_and_steps() -> None:
    spec = build_spec(with_recipe(Draft(data=DATA), recipe("125m-index")))
    assert spec.budget.steps == 100_000 and spec.budget.batch_size == 96
    assert spec.model.match_form == "tscale" and spec.index
    tables = 3 * 50_257 * 512 if not spec.model.tie_embeddings else 2 * 50_257 * 512
    assert parameter_count(spec.model) - tables == pytest.approx(125e6, rel=0.02)


def test_a_recipe_replaces_what_another_had_set() -> None:
    first = with_recipe(Draft(data=DATA), recipe("gpt2-small-48h"))
    second = with_recipe(first, recipe("51m-in-a-day"))
    assert build_spec(second) == build_spec(with_recipe(Draft(data=DATA), recipe("51m-in-a-day")))


# --- one end is fixed -------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "value"), [("hours", 2.0), ("parameters", 5e6), ("tokens", 1e8)])
def test_the_other_ends_follow_from_one(end: str, value: float) -> None:
    draft = Draft(data=DATA, use_index=False).with_preset("10M").with_tokens(1e7)
    plan = make_plan(draft, Surroundings())
    found = draft_for_end(draft, plan, end, value)  # type: ignore[arg-type]
    made = make_plan(found, Surroundings())
    assert made.spec is not None and not made.obstacle
    assert made.estimate is not None and made.parameters and made.training_tokens
    reached = {
        "hours": made.estimate.seconds / 3600,
        "parameters": made.parameters,
        "tokens": made.training_tokens,
    }[end]
    assert reached == pytest.approx(value, rel=0.15)
    assert (found.fixed, found.fixed_value) == (end, value)


def test_nothing_follows_from_a_wrong_plan() -> None:
    wrong = Draft(data=DATA, n_head=3)
    with pytest.raises(ValueError, match="heads 3"):
        draft_for_end(wrong, make_plan(wrong, Surroundings()), "hours", 1.0)


# --- drafts -----------------------------------------------------------------------------------


def row_of(values: dict[str, object]) -> DraftRow:
    return DraftRow(1, None, "mine", json.loads(json.dumps(values)), 0.0)


def test_a_draft_comes_back_as_it_was_kept() -> None:
    base = build_spec(with_recipe(Draft(data=DATA), recipe("small-llm")))
    draft = with_recipe(Draft(data=DATA), recipe("gpt2-small-48h"))
    draft = replace(draft, base=base, n_layer="twelve", fixed="hours", fixed_value=40.0)
    back, step = kept_draft(row_of(draft_values(draft, 4)), [DATA], [])
    assert (back, back.base, step) == (draft, base, 4)
    assert make_plan(back, Surroundings()).obstacle == "Layers: a number"


def test_a_draft_whose_data_is_gone_asks_for_data() -> None:
    values = draft_values(with_recipe(Draft(data=DATA), RECIPES[0]), 5)
    draft, step = kept_draft(row_of(values), [], [])
    assert draft.data is None and step == 0


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
        {"step": "three"},
        {"draft": {"n_layer": ["many"]}},
        {"draft": "all of it"},
        {"draft": {"preset": "900B"}},
    ],
)
def test_a_damaged_draft_is_told_and_not_changed(change: dict[str, object]) -> None:
    values = draft_values(Draft(data=DATA), 1) | change
    with pytest.raises(KnownError, match="mine") as caught:
        kept_draft(row_of(values), [DATA], [])
    assert caught.value.safe and caught.value.do


# --- in the window ----------------------------------------------------------------------------


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> DatasetRow:
    return add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))


def open_page(qtbot: QtBot, studio: Studio, target: WizardTarget) -> WizardPage:
    page = WizardPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(target)
    page.shown()
    qtbot.waitUntil(lambda: page.stack.currentIndex() > 0)
    return page


TINY = {"n_layer": 1, "n_embd": 16, "n_head": 2, "context_length": 16, "batch_size": 2, "steps": 2}


def test_a_draft_is_kept_listed_taken_up_and_gone_once_its_run_begins(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    library = studio[0].library
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    tiny = replace(page._draft, **TINY, use_index=False, name="later")  # type: ignore[arg-type]
    page._on_draft_changed(tiny)
    for _ in range(5):
        page.go_on()
    page.footer.save.click()
    qtbot.waitUntil(lambda: len(page._shelf.drafts) == 1)
    page.footer.save.click()  # the same draft, not a second one
    qtbot.waitUntil(lambda: "Saved" in page.footer._note.text())
    page._close()
    again = open_page(qtbot, studio, WizardTarget())
    [row] = library.drafts()
    again._goal.drafts.open_buttons[row.id].click()
    qtbot.waitUntil(lambda: again._current == 5)
    assert again._draft == tiny
    studio[0].supervisor.start = lambda spec, folder: 0  # type: ignore[method-assign]
    start_run(library, studio[0].supervisor, again._draft, again._draft_id)
    assert library.drafts() == []


def test_settings_in_a_file_open_at_the_review(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow, tmp_path: Path
) -> None:
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    tiny = replace(page._draft, **TINY, use_index=False)  # type: ignore[arg-type]
    spec = build_spec(tiny)
    path = written(tmp_path / "bees.toml", spec, ("keep = 4", "keep = 3"))
    other = open_page(qtbot, studio, WizardTarget(toml=path))
    qtbot.waitUntil(lambda: other._current == 6)
    assert other._plan.spec is not None and other._plan.spec.checkpoint.keep == 3
    assert other._draft.name == "bees" and other.footer.next.isEnabled()
    bad = written(tmp_path / "bad.toml", spec, ("keep = 4", "keep = 0"))
    before = other._draft
    other.desk.read_file(bad)
    qtbot.waitUntil(lambda: bool(studio[1].errors))
    assert "checkpoint.keep" in str(studio[1].errors[-1]) and other._draft == before


def test_time_size_and_text_are_typed_and_the_rest_follows(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    ends = page._goal.ends
    ends.ends.set_current("parameters")
    ends._on_end_chosen("parameters")
    qtbot.keyClicks(ends.value, "0.5M")
    ends.value.returnPressed.emit()
    assert page._draft.fixed == "parameters" and page._plan.parameters
    assert page._plan.parameters == pytest.approx(0.5e6, rel=0.2)
    assert page.rail.items[0].accessibleName().endswith("I want 500k parameters")
    qtbot.keyClicks(ends.value, "x")
    ends._on_wanted()
    assert ends.value.property("invalid")


def test_drafts_stand_above_the_runs_and_one_removed_comes_back(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    context, seen = studio
    kept = context.library.keep_draft("later", draft_values(Draft(data=DATA), 2))
    section = DraftsSection(context)
    qtbot.addWidget(section)
    section.show()
    qtbot.waitUntil(lambda: section.drafts.isVisible())
    section.drafts.open_buttons[kept.id].click()
    assert seen.places[-1] == ("wizard", WizardTarget(draft_id=kept.id))
    section.drafts.remove_buttons[kept.id].click()
    qtbot.waitUntil(lambda: not section.drafts.isVisible())
    assert context.library.drafts() == []
    context.undo.undo()
    qtbot.waitUntil(lambda: section.drafts.isVisible())
    [back] = context.library.drafts()
    assert (back.name, back.values) == (kept.name, json.loads(json.dumps(kept.values)))


def test_a_suggested_name_is_free_and_a_typed_one_stays(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    library = studio[0].library
    project = library.add_project("Insects")
    for name in ("index-tour", "index-tour-2", "plain-tour"):
        library.add_run(project.id, name)
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id, project_id=project.id))
    assert page._draft.name == "index-tour-3"
    page._on_draft_changed(replace(page._draft, **TINY))  # type: ignore[arg-type]
    for _ in range(3):
        page.go_on()
    page.steps[3].off.click()  # type: ignore[attr-defined]
    assert page._draft.name == "plain-own"
    for _ in range(3):
        page.go_on()
    qtbot.keyClicks(page._review.run_name, "x")
    page._review.run_name.setText("plain-tour")
    page._review.run_name.textEdited.emit("plain-tour")
    assert page._draft.name == "plain-tour" and page.footer.next.isEnabled()
    assert "has this name" in page._review._name_field._message.text()


def test_several_seeds_become_a_group_whose_first_run_starts_and_the_others_wait(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    context = studio[0]
    library, supervisor = context.library, context.supervisor
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    tiny = replace(page._draft, **TINY, use_index=False, name="bees", seeds=3)  # type: ignore[arg-type]
    tiny = replace(tiny, conditions=Conditions(on_battery=True))
    begun: list[Path] = []
    supervisor.start = lambda spec, folder: begun.append(folder) or 0  # type: ignore[method-assign,func-returns-value]
    started = start_run(library, supervisor, tiny)
    assert started.queued and begun == [started.run.folder]
    [group] = library.groups()
    assert group.axes == {"seed": (1337, 1338, 1339)}
    assert {run.group_id for run in started.runs} == {group.id}
    assert [entry.folder for entry in entries_of(library.home)] == [
        str(run.folder) for run in started.runs[1:]
    ]
    for run, seed in zip(started.runs, (1337, 1338, 1339), strict=True):
        spec = specs.load(run.folder / SPEC_FILE)
        assert isinstance(spec, TrainSpec) and spec.seed == seed
        assert read_manners(run.folder).conditions.on_battery


def test_a_start_that_fails_leaves_no_run_and_nothing_in_the_queue(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow
) -> None:
    context = studio[0]
    library, supervisor = context.library, context.supervisor
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    tiny = replace(page._draft, **TINY, use_index=False, name="bees", seeds=2)  # type: ignore[arg-type]

    def refuse(spec: object, folder: Path) -> int:
        raise KnownError("No process could be started.")

    supervisor.start = refuse  # type: ignore[method-assign]
    kept = library.keep_draft("bees", draft_values(tiny, 6))
    with pytest.raises(KnownError, match="No process"):
        start_run(library, supervisor, tiny, kept.id)
    assert library.runs() == [] and entries_of(library.home) == ()
    assert [row.id for row in library.drafts()] == [kept.id]


def test_an_end_that_was_fixed_is_let_go_when_its_plan_is_changed_by_hand() -> None:
    fixed = replace(Draft(data=DATA).with_preset("10M"), fixed="hours", fixed_value=2.0)
    assert released(replace(fixed, name="mine"), fixed).fixed == "hours"
    assert released(fixed.with_tokens(5e6), fixed).fixed == ""
    assert released(replace(fixed, n_layer=9), fixed).fixed == ""
    assert released(replace(fixed, fixed_value=3.0, n_layer=9), fixed).fixed == "hours"


def test_a_dataset_that_is_gone_leaves_the_rest_of_the_draft(
    qtbot: QtBot, studio: Studio, dataset: DatasetRow, tmp_path: Path
) -> None:
    context = studio[0]
    page = open_page(qtbot, studio, WizardTarget(dataset_id=dataset.id))
    page._on_draft_changed(replace(page._draft, **TINY))  # type: ignore[arg-type]
    page.go_on()
    (dataset.corpus_folder / "manifest.json").unlink()
    for _ in range(2):
        page.shown()
        qtbot.waitUntil(lambda: page._shelf.unready == (dataset.name,))
        assert page._draft.data is None and page._draft.n_embd == 16
        assert not page.footer.next.isEnabled()
    assert context.library.datasets() != [] and not studio[1].errors
