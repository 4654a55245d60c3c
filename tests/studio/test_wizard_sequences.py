"""The wizard's data step: packing, mixing with its figures, and a run that continues another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import Seen, open_studio, write_texts
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.wizard.continuing import Continued, continued_by, reads_anew
from studio.pages.wizard.draft import (
    DataChoice,
    Draft,
    build_spec,
    field_message,
    inspect_spec,
)
from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.plan import Surroundings, make_plan
from studio.pages.wizard.sequences import (
    MixPoint,
    SequenceForm,
    SourceChoice,
    form_of,
    shares_of,
)
from studio.pages.wizard.target import WizardTarget
from studio.storage.library import DatasetRow
from trainer_core.errors import SpecError
from trainer_core.job import run_job
from trainer_core.spec import BpeTokenizer, DataConfig, Mix, PrepareSpec, TextFiles

SOURCES = (SourceChoice("code", 750_000, 40_000), SourceChoice("tales", 250_000, 10_000))
DATA = DataChoice(
    id=1,
    name="Both",
    what="Code and tales",
    tokenizer="own, 4,096",
    corpus=Path("/data/both/corpus"),
    index=Path("/indexes/both/index"),
    vocab_size=4096,
    train_tokens=1_000_000,
    validation_tokens=50_000,
    sources=SOURCES,
)


def draft(form: SequenceForm, **changes: object) -> Draft:
    return replace(Draft(data=DATA, use_index=False, sequences=form), **changes)


def test_weights_begin_as_the_shares_of_the_sources() -> None:
    form = SequenceForm().with_mixing("weights", SOURCES)
    assert form.points == (MixPoint("0", (("code", "75"), ("tales", "25"))),)
    schedule = form.with_mixing("schedule", SOURCES).with_further_point()
    assert [point.at for point in schedule.points] == ["0", "50", "100"]
    assert [p.at for p in schedule.without_point(1).points] == ["0", "100"]


def test_the_form_reaches_the_spec_and_comes_back() -> None:
    form = SequenceForm("best_fit", by_source=False).with_mixing("schedule", SOURCES)
    form = form.with_point(1, MixPoint("80", (("code", "1"), ("tales", "3"))))
    spec = build_spec(draft(form))
    assert spec.data.packing == "best_fit" and spec.data.masks
    assert spec.data.mixing[1] == Mix(at=0.8, weights={"code": 1.0, "tales": 3.0})
    assert not spec.evaluation.by_source
    assert build_spec(draft(form_of(spec.data, by_source=False))).data == spec.data


def test_one_source_is_not_mixed_whatever_was_typed_before() -> None:
    form = SequenceForm().with_mixing("weights", SOURCES)
    alone = replace(DATA, sources=SOURCES[:1])
    assert build_spec(draft(form, data=alone)).data.mixing == ()


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (MixPoint("100", (("code", "many"),)), "a number"),
        (MixPoint("100", (("code", "-1"),)), "at least 0"),
        (MixPoint("100", (("code", "0"), ("tales", "0"))), "no source with a weight above 0"),
        (MixPoint("0", (("code", "1"),)), "rising values"),
        (MixPoint("120", (("code", "1"),)), "at most 1"),
        (MixPoint("soon", (("code", "1"),)), "a number"),
        (MixPoint("100", ()), "length >= 1"),
    ],
)
def test_an_absurd_weight_is_told_under_mixing(point: MixPoint, message: str) -> None:
    form = SequenceForm().with_mixing("schedule", SOURCES).with_point(1, point)
    with pytest.raises(SpecError) as caught:
        build_spec(draft(form))
    assert caught.value.field.startswith("data.mixing")
    assert message in field_message(caught.value)
    assert make_plan(draft(form), Surroundings()).obstacle.startswith("Mixing: ")


def test_shares_and_passes_follow_from_the_weights() -> None:
    left = shares_of(DataConfig(), SOURCES, 2_000_000)
    assert (left["code"].share, left["code"].passes) == (0.75, 2.0)
    assert left["tales"].passes == 2.0
    fixed = DataConfig(mixing=(Mix(weights={"code": 1.0, "tales": 1.0}),))
    even = shares_of(fixed, SOURCES, 1_000_000)
    assert even["tales"].share == pytest.approx(0.5)
    assert even["tales"].passes == pytest.approx(2.0)
    moving = DataConfig(mixing=(Mix(weights={"code": 1.0}), Mix(at=0.5, weights={"tales": 1.0})))
    moved = shares_of(moving, SOURCES, 1_000_000)
    assert moved["code"].share == pytest.approx(0.25)
    assert moved["tales"].share == pytest.approx(0.75)
    # Shares move along the line, whatever the size of the weights.
    uneven = DataConfig(
        mixing=(Mix(weights={"code": 40.0, "tales": 10.0}), Mix(at=1.0, weights={"tales": 1.0}))
    )
    assert shares_of(uneven, SOURCES, 1_000_000)["code"].share == pytest.approx(0.4)


def test_weights_of_another_shape_are_refused_before_the_start() -> None:
    base = build_spec(draft(SequenceForm()))
    goes_on = draft(SequenceForm(), base=base, continues=Continued("first", Path("/runs/first")))
    assert build_spec(goes_on).continue_from == "/runs/first"
    with pytest.raises(SpecError) as caught:
        build_spec(replace(goes_on, n_layer=5))
    assert caught.value.field == "model.n_layer"
    assert "another shape: layers 4" in caught.value.what


def test_unseen_text_must_be_told_apart_unless_weights_say_what_to_read() -> None:
    base = build_spec(draft(SequenceForm()))
    goes_on = draft(SequenceForm(), base=base, continues=Continued("first", Path("/runs/first")))
    packed = replace(goes_on, sequences=SequenceForm("best_fit"))
    other = replace(goes_on, data=replace(DATA, corpus=Path("/data/other/corpus")))
    for changed, why in ((packed, "packed in another way"), (other, "other data")):
        with pytest.raises(SpecError) as caught:
            build_spec(changed)
        assert caught.value.field == "data.packing" and why in caught.value.what
        weighted = changed.sequences.with_mixing("weights", SOURCES)
        spec = build_spec(replace(changed, sequences=weighted))
        assert spec.data.mixing and reads_anew(base, spec)
    assert not reads_anew(base, build_spec(goes_on))


def test_a_repeated_run_goes_on_from_where_the_first_one_did() -> None:
    base = build_spec(draft(SequenceForm()))
    assert continued_by(base) is None
    goes_on = draft(SequenceForm(), base=base, continues=Continued("one", Path("/runs/one")))
    assert continued_by(build_spec(goes_on)) == Continued("one", Path("/runs/one"))
    step = Path("/runs/one/checkpoints/step-00000100")
    spec = build_spec(replace(goes_on, continues=Continued("one", step)))
    assert continued_by(spec) == Continued("one", step)


def test_the_inspector_is_asked_for_the_batches_of_this_draft() -> None:
    form = SequenceForm("documents")
    asked = inspect_spec(draft(form, context_length=64, steps=7, seed=5))
    assert (asked.context_length, asked.steps, asked.seed) == (64, 7, 5)
    assert asked.data.packing == "documents"
    assert asked.index == ""


# --- in the window -------------------------------------------------------------------------------


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[tuple[Context, Seen]]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def both(studio: tuple[Context, Seen], tmp_path: Path) -> DatasetRow:
    tales = write_texts(
        tmp_path / "tales", text="A mill stood on the river, and its wheel turned.\n"
    )
    spec = PrepareSpec(
        sources=(
            TextFiles(paths=(str(write_texts(tmp_path / "bees")),), name="bees"),
            TextFiles(paths=(str(tales),), name="tales"),
        ),
        tokenizer=BpeTokenizer(vocab_size=300),
        name="Both",
        validation_fraction=0.2,
    )
    row = studio[0].library.add_dataset("Both", what="Own text", tokenizer="own, 300")
    assert run_job(row.folder, spec) == 0
    return row


@pytest.fixture
def page(qtbot: QtBot, studio: tuple[Context, Seen], both: DatasetRow) -> WizardPage:
    page = WizardPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(WizardTarget(dataset_id=both.id))
    page.shown()
    qtbot.waitUntil(lambda: page.stack.currentIndex() > 0)
    page.go_on()
    return page


def test_sources_are_mixed_as_typed_and_the_run_gets_it(page: WizardPage) -> None:
    step = page._data_step
    assert step.mixing.isVisible()
    step.mixing.modes._choose(1)
    edit = step.mixing.weights[0, "tales"]
    edit.setText("3x")
    edit.textEdited.emit("3x")
    assert edit.property("invalid")
    assert not page.footer.next.isEnabled()
    edit.setText("0")
    edit.textEdited.emit("0")
    assert page.footer.next.isEnabled()
    spec = page._plan.spec
    assert spec is not None and spec.data.mixing[0].weights["tales"] == 0.0
    share, passes = step.mixing._given["tales"]
    assert share.text().startswith("0.0") and passes.text() == "0.00"
    page.grab()


def test_packing_is_chosen_by_its_card_and_the_batches_can_be_looked_at(
    page: WizardPage, studio: tuple[Context, Seen]
) -> None:
    packing = page._data_step.packing
    assert packing.masks.isEnabled()
    packing.ways["best_fit"].click()
    assert not packing.masks.isEnabled() and packing.masks.isChecked()
    packing.by_source.click()
    page._on_draft_changed(replace(page._draft, context_length=16))
    packing.batches.click()
    where, target = studio[1].places[-1]
    assert where == "batches" and isinstance(target, BatchesTarget)
    assert target.spec.data.packing == "best_fit" and target.name == "Both"
    assert page._plan.spec is not None and not page._plan.spec.evaluation.by_source
