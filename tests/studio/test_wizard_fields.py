"""Every field of the wizard at its extremes and with nonsense: named beside it, never a crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.typed import parse
from studio.pages.wizard.draft import DataChoice, Draft, build_spec
from studio.pages.wizard.ends_card import parse_hours
from studio.pages.wizard.model_step import MODEL_SETTINGS, ModelStep
from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.plan import Surroundings, make_plan
from studio.pages.wizard.rhythm_card import RHYTHM_SETTINGS, RhythmCard
from studio.pages.wizard.settings_grid import Setting, SettingsGrid
from studio.pages.wizard.target import WizardTarget
from studio.planner import Machine
from studio.widgets.controls import ComboBox, LineEdit
from trainer_core import spec as specs
from trainer_core.errors import SpecError

NONSENSE = (
    "",
    " ",
    "many",
    "-1",
    "0",
    "1.5",
    "1e999",
    "nan",
    "-inf",
    "0x10",
    "1,02",
    "٣",
    "🙂",
    "12 layers",
    "9" * 18,
    "9" * 400,
    "a" * 5000,
    "1\x00",
)
FEW = ("many", "-1", "1.5", "9" * 400)
TINY = {"n_layer": 1, "n_embd": 16, "n_head": 2, "context_length": 16, "batch_size": 2, "steps": 2}
Studio = tuple[Context, Seen]


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def page(qtbot: QtBot, studio: Studio, tmp_path: Path) -> WizardPage:
    dataset = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = WizardPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(WizardTarget(dataset_id=dataset.id))
    page.shown()
    qtbot.waitUntil(lambda: page.stack.currentIndex() > 0)
    page._on_draft_changed(replace(page._draft, **TINY, use_index=False))  # type: ignore[arg-type]
    for _ in range(len(page.steps) - 1):
        page.go_on()
    return page


def grids_of(page: WizardPage) -> list[tuple[int, SettingsGrid]]:
    model, budget = page.steps[4], page.steps[5]
    assert isinstance(model, ModelStep)
    rhythm = budget.rhythm  # type: ignore[attr-defined]
    assert isinstance(rhythm, RhythmCard)
    return [*((4, grid) for grid in model.grids), (5, rhythm)]


def type_into(edit: LineEdit, text: str) -> None:
    edit.setText(text)
    edit.textEdited.emit(edit.text())


def every_setting() -> list[Setting]:
    found = [*MODEL_SETTINGS, *RHYTHM_SETTINGS]
    return [setting for setting in found if not setting.choices and setting.kind != "flag"]


@pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.path)
def test_nonsense_in_a_setting_is_a_named_error_or_a_plan_that_holds(setting: Setting) -> None:
    tiny = replace(Draft(data=DATA, use_index=False), **TINY)  # type: ignore[arg-type]
    for text in NONSENSE:
        plan = make_plan(tiny.with_setting(setting.path, parse(text)), Surroundings())
        if plan.spec is None:
            assert plan.error is not None and plan.obstacle, text
            assert plan.parameters is None and plan.estimate is None, text
        else:
            assert specs.from_toml(specs.to_toml(plan.spec)) == plan.spec, text


def test_a_wrong_field_says_so_itself_and_holds_up_the_start(page: WizardPage) -> None:
    good = page._draft
    for step, grid in grids_of(page):
        page.go_to(step)
        for path, field in grid.fields.items():
            if not isinstance(field.control, LineEdit):
                continue
            for text in FEW:
                type_into(field.control, text)
                plan = page._plan
                named = [f.error for _, g in grids_of(page) for f in g.fields.values()]
                assert any(named) == (plan.error is not None), (path, text, plan.obstacle)
                assert page.footer.next.isEnabled() == (not plan.obstacle), (path, text)
                assert (not page._review.obstacle(page._draft, plan)) == (not plan.obstacle)
            page._on_draft_changed(good)
            assert page._plan.spec is not None


def test_every_choice_can_be_made(page: WizardPage) -> None:
    good = page._draft
    for step, grid in grids_of(page):
        for path, field in grid.fields.items():
            box = field.control
            if isinstance(box, ComboBox):
                page.go_to(step)
                for index in range(box.count()):
                    box.setCurrentIndex(index)
                    box.activated.emit(index)
                    assert page._draft.in_force(path) == box.itemData(index)
                    assert page._plan.spec is not None or page._plan.obstacle
                page._on_draft_changed(good)


def test_nonsense_elsewhere_is_refused_where_it_stands(page: WizardPage) -> None:
    page.go_to(5)
    budget = page.steps[5]
    before = page._draft.training_tokens
    for text in NONSENSE[::3]:
        tokens = budget.tokens  # type: ignore[attr-defined]
        tokens.setText(text)
        tokens.editingFinished.emit()
        assert page._plan.spec is not None, text
    page._on_draft_changed(page._draft.with_tokens(before))
    page.go_to(0)
    ends = page._goal.ends
    for end in ("hours", "parameters", "tokens"):
        ends._on_end_chosen(end)
        ends.ends.set_current(end)
        for text in NONSENSE[2::3]:
            ends.value.setText(text)
            ends._on_wanted()
            assert page._plan.spec is not None, (end, text)
            assert ends.value.property("invalid") or page._draft.fixed, (end, text)
            page._goal._on_end_freed()
    page.go_to(6)
    for text in NONSENSE[::2]:
        type_into(page._review.seeds, text)
        one = parse(text) == 1
        assert page.footer.next.isEnabled() == one, text
    type_into(page._review.seeds, "1")
    assert page.footer.next.isEnabled()
    type_into(page._review.run_name, "x" * 3000)
    assert page._draft.name == "x" * 3000


@pytest.mark.parametrize(
    ("text", "hours"),
    [("40", 40.0), ("90 min", 1.5), ("2 days", 48.0), ("1.5h", 1.5), ("1 week", 168.0)],
)
def test_hours_are_read_as_people_write_them(text: str, hours: float) -> None:
    assert parse_hours(text) == pytest.approx(hours)


@pytest.mark.parametrize("text", ["", "soon", "0", "-3", "1 light-year", "1e999", "h"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_hours(text) is None


DATA = DataChoice(
    id=1,
    name="Web",
    what="",
    tokenizer="GPT-2, 50,257",
    corpus=Path("/data/web/corpus"),
    index=None,
    vocab_size=50_257,
    train_tokens=3_000_000_000,
    validation_tokens=30_000_000,
)


def test_a_plan_without_memory_for_it_is_refused_with_a_way_out() -> None:
    machine = Machine(device="cuda", gpu_bytes=4 << 30, ram_bytes=32 << 30)
    computer = replace(Surroundings().computer, machine=machine)
    around = Surroundings(computer)
    draft = Draft(data=DATA, use_index=False).with_preset("124M").with_tokens(2e9)
    plan = make_plan(draft, around)
    assert plan.blocking is not None and "GiB" in plan.obstacle
    tried = 0
    for fix in plan.blocking.fixes:
        mended = draft.with_values(fix.values)
        assert make_plan(mended, around).obstacle == "", fix.label
        assert mended.training_tokens == pytest.approx(2e9, rel=0.01)
        tried += 1
    assert tried >= 1


def test_a_disk_that_is_too_small_is_refused_with_a_way_out() -> None:
    draft = Draft(data=DATA, use_index=False).with_preset("124M").with_tokens(2e9)
    needed = make_plan(draft, Surroundings()).outcome
    assert needed is not None
    free = int(needed.disk.needed * 0.8)
    around = Surroundings(replace(Surroundings().computer, free_bytes=free))
    plan = make_plan(draft, around)
    assert "disk" in plan.obstacle and plan.fix is not None
    assert plan.at_fault("checkpoint.keep")
    assert make_plan(draft.with_values(plan.fix.values), around).obstacle == ""


def test_settings_that_contradict_each_other_are_named_by_people_s_words() -> None:
    draft = Draft(data=DATA, use_index=False).with_preset("124M")
    wrong = make_plan(draft.with_setting("budget.micro_batch_size", 5), Surroundings())
    assert wrong.obstacle == "Sequences at once: sequences at once 5 does not divide the 32" + (
        " sequences of a process"
    )
    with pytest.raises(SpecError):
        build_spec(draft.with_setting("budget.micro_batch_size", 5))
    late = make_plan(draft.with_setting("optimizer.warmup_steps", 10**9), Surroundings())
    assert late.obstacle.startswith("Warm-up: warm-up 1000000000 leaves nothing of steps")
