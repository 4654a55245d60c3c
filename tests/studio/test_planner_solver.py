"""One end of a plan is fixed and the rest follows, and wrong settings have a way out."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import pytest
from planner_for_tests import (
    CPU,
    GIB,
    GPU,
    SMALL_TEXT,
    TEXT,
    plan_spec,
    surroundings,
)

from studio.planner import Solver, loss_model, make_plan, repair
from studio.planner.ladder import scaled, shape_near
from studio.planner.repairs import with_values
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.spec import BudgetConfig, TrainSpec


def solver(spec=None, data=TEXT, around=None):
    around = around or surroundings()
    return Solver(spec or plan_spec(), data, around, loss_model(around))


def applied(spec, values):
    return specs.convert(with_values(msgspec.to_builtins(spec), values), TrainSpec)


# --- one end is fixed -----------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0.05, 1.0, 9.0, 40.0, 1000.0])
@pytest.mark.parametrize(("machine", "data"), [(GPU, TEXT), (CPU, SMALL_TEXT)])
def test_hours_are_filled_and_never_exceeded(hours, machine, data):
    around = surroundings(machine)
    for preset in ("163M", "tour"):
        spec = plan_spec(preset, compile="off")  # a step more, and compiling might pay
        found = solver(spec, data, around)
        for solution in (found.hours(hours), found.hours_for_this_size(hours)):
            plan = make_plan(solution.spec, data, around)
            if plan.steps > 1:
                assert plan.time.seconds <= hours * 3600
            if plan.steps > 500:
                assert plan.time.seconds >= 0.97 * hours * 3600
            assert applied(spec, solution.values) == solution.spec


def test_more_hours_make_a_larger_model_and_a_lower_loss():
    found = [solver().hours(hours) for hours in (1, 10, 100)]
    sizes = [parameter_count(each.spec.model) for each in found]
    losses = [make_plan(each.spec, TEXT, surroundings()).loss.loss for each in found]
    assert sizes == sorted(set(sizes))
    assert losses == sorted(losses, reverse=True)


def test_hours_choose_a_size_that_no_neighbour_beats():
    best = solver().hours(20)
    reached = make_plan(best.spec, TEXT, surroundings()).loss.loss
    for factor in (0.4, 2.5):
        other = shape_near(factor * parameter_count(best.spec.model), best.spec.model)
        spec = msgspec.structs.replace(plan_spec(), model=other)
        rival = solver(spec).hours_for_this_size(20)
        assert make_plan(rival.spec, TEXT, surroundings()).loss.loss > reached


@pytest.mark.parametrize("wanted", [1e7, 51e6, 163e6, 1e9])
def test_parameters_bring_their_tokens(wanted):
    found = solver(plan_spec("124M")).parameters(wanted).spec
    count = parameter_count(found.model)
    assert count == pytest.approx(wanted, rel=0.1)
    tokens = found.budget.steps * found.budget.batch_size * found.model.context_length
    assert tokens == pytest.approx(min(20 * count, 4 * TEXT.train_tokens), rel=0.01)


def test_text_brings_the_model_that_suits_it():
    found = solver(plan_spec("124M")).all_text().spec
    tokens = found.budget.steps * found.budget.batch_size * found.model.context_length
    assert tokens == pytest.approx(TEXT.train_tokens, rel=0.01)
    assert parameter_count(found.model) == pytest.approx(tokens / 20, rel=0.1)


def test_nothing_is_proposed_that_the_memory_cannot_hold():
    small = surroundings(replace(GPU, gpu_bytes=4 * GIB))
    for solution in (solver(around=small).hours(5000), solver(around=small).tokens(1e12)):
        assert make_plan(solution.spec, TEXT, small).memory.fits


@pytest.mark.parametrize("nonsense", [0.0, -1.0, math.nan, math.inf])
def test_nonsense_is_refused(nonsense):
    for ask in (solver().hours, solver().parameters, solver().tokens):
        with pytest.raises(ValueError, match="above 0"):
            ask(nonsense)


def test_short_runs_validate_on_less_text_rather_than_never():
    spec = plan_spec("tour", budget=BudgetConfig(steps=1000, batch_size=4))
    found = solver(spec, SMALL_TEXT, surroundings(CPU)).hours_for_this_size(1 / 60).spec
    plan = make_plan(found, SMALL_TEXT, surroundings(CPU))
    assert plan.validation.times >= 5
    assert plan.validation.share < 0.25
    assert found.evaluation.max_tokens < spec.evaluation.max_tokens


@pytest.mark.parametrize("preset", ["124M", "163M", "qwen3-121M", "hearth-162M"])
@pytest.mark.parametrize("parameters", [1e6, 1.3e7, 3e8, 4e9])
def test_every_family_has_shapes_of_every_size(preset, parameters):
    like = msgspec.structs.replace(PRESETS[preset].config, vocab_size=4096)
    found = scaled(parameters, like)
    assert parameter_count(found) == pytest.approx(parameters, rel=0.12)
    assert found.family == like.family
    assert 1 <= found.n_layer <= 128


def test_a_preset_that_is_close_is_taken_as_it_is():
    like = PRESETS["51M"].config
    found = shape_near(123e6, like)
    assert (found.n_layer, found.n_embd) == (12, 768)


# --- ways out of wrong settings -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.n_embd", 130),
        ("model.n_embd", 1),
        ("model.n_embd", 10**9),
        ("model.n_head", 7),
        ("model.n_head", 0),
        ("model.n_layer", 0),
        ("model.n_layer", 2.5),
        ("model.n_kv_head", 5),
        ("model.context_length", 1),
        ("model.dropout", 1.0),
        ("budget.batch_size", 0),
        ("budget.micro_batch_size", 4),
        ("budget.steps", -3),
        ("optimizer.warmup_steps", 10**6),
        ("optimizer.lr", 0.0),
        ("optimizer.lr", 99.0),
        ("optimizer.weight_decay", 10.0),
        ("evaluation.time_share", 0.9),
        ("checkpoint.keep", 0),
        ("seed", -1),
    ],
)
def test_a_wrong_setting_has_a_way_out_that_works(path, value):
    settings = with_values(msgspec.to_builtins(plan_spec("124M")), {path: value})
    if path == "optimizer.weight_decay":
        settings = with_values(settings, {"optimizer.lr": 0.5})
    with pytest.raises(SpecError) as refused:
        specs.convert(settings, TrainSpec)
    fix = repair(settings, refused.value)
    assert fix is not None
    assert fix.label
    specs.convert(with_values(settings, fix.values), TrainSpec)


def test_a_context_longer_than_the_text_is_halved_until_it_fits():
    settings = msgspec.to_builtins(plan_spec())
    error = SpecError("The context is longer than the text.", field="model.context_length")
    fix = repair(settings, error, longest_context=700)
    assert fix is not None
    assert fix.values == {"model.context_length": 512}


@pytest.mark.parametrize("value", ["many", None, [], {"a": 1}])
def test_what_is_no_number_has_no_way_out(value):
    settings = with_values(msgspec.to_builtins(plan_spec()), {"model.n_layer": value})
    with pytest.raises(SpecError) as refused:
        specs.convert(settings, TrainSpec)
    assert repair(settings, refused.value) is None
