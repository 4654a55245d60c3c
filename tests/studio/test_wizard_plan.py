"""The wizard's draft becomes a spec and a plan; what cannot work is named by its field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from studio.pages.data.build_form import BuildForm
from studio.pages.typed import parse, parse_count
from studio.pages.wizard.draft import (
    DataChoice,
    Draft,
    build_spec,
    field_message,
    handy,
)
from studio.pages.wizard.plan import Plan, Surroundings, make_plan
from studio.planner import PastRun
from trainer_core.errors import SpecError
from trainer_core.index_plan import expected_bytes
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.spec import from_toml, to_toml

DATA = DataChoice(
    id=1,
    name="Python library",
    what="Source code",
    tokenizer="own, 4,096",
    corpus=Path("/data/python/corpus"),
    index=Path("/indexes/python/index"),
    vocab_size=4096,
    train_tokens=1_000_000,
    validation_tokens=50_000,
)


def draft(**changes: object) -> Draft:
    return replace(Draft(data=DATA), **changes)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), (" 1,024 ", 1024), ("1 000 000", 1_000_000), ("4e-3", 0.004), ("-1", -1)],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("text", ["", "many", "nan", "1e999", "12 layers", "1,02"])
def test_what_is_no_number_stays_text(text: str) -> None:
    assert parse(text) == text.strip()


def test_counts_take_a_letter() -> None:
    assert parse_count("3.28B") == 3.28e9
    assert parse_count("10 m") == 10e6
    assert parse_count("1,024") == 1024
    assert parse_count("0") is None
    assert parse_count("lots") is None


@pytest.mark.parametrize(("number", "wanted"), [(0.2, 1), (1, 1), (7.5, 5), (50, 50), (99, 50)])
def test_a_handy_number_is_a_round_one(number: float, wanted: int) -> None:
    assert handy(number) == wanted


def test_every_preset_gives_a_valid_spec_for_the_data() -> None:
    big = replace(DATA, train_tokens=10**9, validation_tokens=10**8)
    for name, preset in PRESETS.items():
        spec = build_spec(Draft(data=big).with_preset(name))
        assert spec.model.n_layer == preset.config.n_layer
        assert spec.model.vocab_size == 4096
        assert spec.model.match_input
        assert from_toml(to_toml(spec)) == spec


def test_a_presets_family_reaches_the_run_and_tells_equal_shapes_apart() -> None:
    big = replace(DATA, train_tokens=10**9, validation_tokens=10**8)
    chosen = Draft(data=big, use_index=False).with_preset("163M")
    model = build_spec(chosen).model
    assert (model.family, model.dropout, model.tie_embeddings) == ("gpt2", 0.1, False)
    assert chosen.matching_preset == "163M"
    assert Draft(data=big).with_preset("124M").matching_preset == "124M"
    again = replace(Draft(data=big).with_preset("124M"), base=build_spec(chosen))
    assert again.matching_preset == "163M"


def test_a_plain_run_takes_the_index_only_when_it_is_there() -> None:
    assert build_spec(draft(use_index=False)).index == ""
    ready = replace(DATA, index_state="ready")
    spec = build_spec(draft(use_index=False, data=ready))
    assert spec.index == str(DATA.index)
    assert not spec.model.match_input


def test_another_preset_keeps_the_budget_in_tokens() -> None:
    before = draft().with_tokens(5_000_000)
    after = before.with_preset("10M")
    assert after.training_tokens == pytest.approx(5_000_000, rel=0.01)
    assert after.matching_preset == "10M"
    assert replace(after, n_layer=7).matching_preset == ""


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"n_layer": 0}, "model.n_layer", "at least 1"),
        ({"n_layer": "two"}, "model.n_layer", "a number"),
        ({"n_layer": 2.5}, "model.n_layer", "a whole number"),
        ({"n_head": 3}, "model.n_embd", "width 128 is not a multiple of heads 3"),
        ({"lr": -1.0}, "optimizer.lr", "must be more than 0"),
        ({"lr": 11.0}, "optimizer.lr", "at most 10"),
        ({"batch_size": 0}, "budget.batch_size", "at least 1"),
        ({"steps": 0}, "budget.steps", "at least 1"),
        ({"seed": -1}, "seed", "at least 0"),
        ({"context_length": 60_000}, "model.context_length", "longer than the held-out text"),
        ({"context_length": 10**9}, "model.context_length", "at most 131,072"),
    ],
)
def test_an_absurd_setting_is_named_by_its_field(
    changes: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        build_spec(draft(**changes))
    assert caught.value.field == field
    assert message in field_message(caught.value)


def test_the_plan_counts_what_the_run_takes() -> None:
    plan = make_plan(draft(steps=1000), Surroundings())
    assert plan.spec is not None
    assert plan.parameters == parameter_count(plan.spec.model)
    assert plan.training_tokens == 1000 * 16 * 256
    assert plan.passes == pytest.approx(4.096)
    assert plan.outcome is not None
    assert plan.outcome.disk.checkpoints >= 12 * (plan.parameters or 0)
    assert any("read 4.1 times" in advice.title for advice in plan.advice)
    assert plan.obstacle == ""


def test_a_wrong_setting_leaves_the_figures_out_and_says_why() -> None:
    plan = make_plan(draft(n_head=3), Surroundings())
    assert plan.parameters is None
    assert plan.obstacle == "Width: width 128 is not a multiple of heads 3"
    assert make_plan(Draft(), Surroundings()) == Plan()
    assert plan.at_fault("model.n_embd") and not plan.at_fault("model.n_head")


def test_a_disk_that_is_too_small_makes_the_plan_impossible() -> None:
    assert "disk" in make_plan(draft(), with_room(1_000_000)).obstacle
    assert make_plan(draft(), with_room(10**12)).obstacle == ""


def test_the_plan_says_what_the_index_takes_before_it_is_built() -> None:
    plan = make_plan(draft(), Surroundings())
    assert plan.index_bytes == expected_bytes(1_000_000, 50_000, 0, 4096)
    assert plan.index_seconds is not None and plan.index_seconds > 0
    built = replace(DATA, index_state="ready", index_bytes=123)
    known = make_plan(draft(data=built), Surroundings())
    assert (known.index_bytes, known.index_seconds) == (123, None)
    assert make_plan(draft(use_index=False), Surroundings()).index_bytes is None


def test_an_index_that_will_be_built_decides_how_long_matches_are() -> None:
    longer = draft(build=BuildForm(max_length="64"))
    assert build_spec(longer).model.match_length_max == 64
    ready = replace(DATA, index_state="ready", index_bytes=123)
    assert build_spec(replace(longer, data=ready)).model.match_length_max == 32
    wrong = make_plan(draft(build=BuildForm(max_length="65")), Surroundings())
    assert wrong.obstacle == "Longest match: at most 64"


def with_room(free_bytes: int) -> Surroundings:
    return Surroundings(replace(Surroundings().computer, free_bytes=free_bytes))


def after(*runs: PastRun) -> Surroundings:
    return Surroundings(replace(Surroundings().computer, runs=runs))


def test_time_comes_from_an_earlier_run_where_there_is_one() -> None:
    reckoned = make_plan(draft(), Surroundings()).estimate
    assert reckoned is not None and reckoned.source == "reckoned"
    before = PastRun("tour", build_spec(draft()), 10_000.0)
    told = make_plan(draft(), after(before)).estimate
    assert told is not None and (told.source, told.from_run, told.exact) == ("run", "tour", True)
    tokens = draft().training_tokens
    assert told.parts.steps == pytest.approx(tokens / 10_000.0, rel=0.02)


def test_a_repeated_run_keeps_what_has_no_field() -> None:
    first = build_spec(draft(steps=1000))
    kept = from_toml(to_toml(first).replace("weight_decay = 0.1", "weight_decay = 0.2"))
    again = build_spec(draft(base=kept, steps=1000, lr=1e-3))
    assert again.optimizer.weight_decay == 0.2
    assert again.optimizer.lr == 1e-3
    assert again.evaluation == first.evaluation


def test_a_plan_with_many_earlier_runs_is_one() -> None:
    runs = tuple(PastRun(f"run {i}", build_spec(draft()), 1000.0 + i) for i in range(500))
    estimate = make_plan(draft(), after(*runs)).estimate
    assert estimate is not None and estimate.source == "run"


def test_settings_without_a_field_of_their_own_reach_the_spec_and_go_with_the_size() -> None:
    typed = draft().with_values({"optimizer.kind": "muon", "precision": "fp32", "seed": 7})
    spec = build_spec(typed)
    assert (spec.optimizer.kind, spec.precision, spec.seed) == ("muon", "fp32", 7)
    assert typed.in_force("optimizer.kind") == "muon"
    assert typed.in_force("guard.bad_steps") == 5
    sized = typed.with_preset("10M")
    assert build_spec(replace(sized, data=replace(DATA, train_tokens=10**8))).precision == "fp32"
    assert sized.in_force("optimizer.kind") == "adamw"


def test_a_budget_in_tokens_stays_when_the_batch_changes() -> None:
    before = draft().with_values({"tokens": 1_000_000})
    after_batch = before.with_setting("budget.batch_size", 4)
    assert after_batch.training_tokens == pytest.approx(1_000_000, rel=0.01)
    assert after_batch.steps == pytest.approx(4 * before.steps, rel=0.01)  # type: ignore[operator]
