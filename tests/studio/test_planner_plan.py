"""What a plan takes: memory, disk, time, electricity; and what speaks against it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import msgspec
import pytest
from planner_for_tests import (
    CPU,
    GIB,
    GPU,
    SMALL_TEXT,
    TEXT,
    measured,
    plan_spec,
    row,
    surroundings,
)

from studio.planner import PastRun, Prices, make_plan
from studio.planner.durations import validations
from studio.planner.memory import estimate_memory, optimizer_bytes
from studio.planner.repairs import with_values
from studio.planner.spending import checkpoint_size as reckoned_size
from trainer_core import spec as specs
from trainer_core.checkpoint_plan import CheckpointSize
from trainer_core.presets import parameter_count
from trainer_core.probe_table import Variant
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
)
from trainer_core.train.checkpoints.retention import checkpoint_size

replace = msgspec.structs.replace


def applied(spec, fix):
    return specs.convert(with_values(msgspec.to_builtins(spec), fix.values), TrainSpec)


def budget(steps=10_000, batch_size=6, micro=0):
    return BudgetConfig(steps=steps, batch_size=batch_size, micro_batch_size=micro)


# --- memory ---------------------------------------------------------------------------------------


def test_the_state_of_optimizers_is_what_they_keep():
    count = parameter_count(plan_spec().model)
    adamw = optimizer_bytes(plan_spec())
    muon = optimizer_bytes(plan_spec(optimizer=OptimizerConfig(kind="muon", warmup_steps=0)))
    adafactor = optimizer_bytes(
        plan_spec(optimizer=OptimizerConfig(kind="adafactor", warmup_steps=0))
    )
    assert adamw == 8 * count
    assert adafactor < 0.02 * adamw < muon < adamw


@pytest.mark.parametrize("kind", ["adamw", "muon", "adafactor"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "hearth"])
def test_a_checkpoint_is_as_large_as_the_trainer_foretells(kind, family):
    model = ModelConfig(family=family, vocab_size=4096, match_input=True)
    spec = plan_spec(match_input=True, model=model, optimizer=OptimizerConfig(kind=kind))
    foretold, reckoned = checkpoint_size(spec), reckoned_size(spec)
    assert reckoned.weights_only == pytest.approx(foretold.weights_only, rel=0.01)
    assert reckoned.resumable == pytest.approx(foretold.resumable, rel=0.01)


@pytest.mark.parametrize("machine", [CPU, GPU])
def test_memory_grows_with_the_batch_and_shrinks_with_checkpointing(machine):
    whole, small = plan_spec(budget=budget()), plan_spec(budget=budget(micro=1))
    frugal = replace(whole, activation_checkpointing=True)
    batch, one, again = (estimate_memory(spec, machine) for spec in (whole, small, frugal))
    assert batch.activations > 3 * one.activations
    assert batch.model == pytest.approx(one.model)
    assert again.total < batch.total
    assert batch.source == "calculated"


def test_a_measured_peak_stands_for_the_formula():
    spec = plan_spec(precision="bf16", compile="off")
    probe = measured(spec, row(6, 300.0, peak_memory_bytes=21 * GIB))
    found = make_plan(spec, TEXT, surroundings(probe=probe)).memory
    assert found.source == "measured"
    assert found.total == pytest.approx(21.3 * GIB, rel=0.03)  # and the context
    assert found.fits
    assert make_plan(spec, TEXT, surroundings()).memory.source == "calculated"


# --- disk and electricity -------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [1, 3, 50])
@pytest.mark.parametrize("keep_best", [1, 4])
@pytest.mark.parametrize("keep_every", [0, 1_000, 2_500])
def test_the_end_holds_the_newest_the_best_and_those_for_good(keep, keep_best, keep_every):
    config = CheckpointConfig(
        every_steps=500, keep=keep, keep_best=keep_best, keep_every=keep_every
    )
    spec = plan_spec(checkpoint=config, evaluation=EvaluationConfig(every_steps=10_001))
    steps = [*range(500, 10_001, 500)]
    for_good = {step for step in steps if keep_every and step % keep_every == 0}
    best = set(steps[:keep_best])  # the oldest ones, which nothing else keeps
    most = {*steps[-keep:], *for_good, *best}
    found = CheckpointSize(weights_only=1, resumable=1).at_end(spec)
    assert len(most) <= found <= len(steps)
    assert found <= keep + keep_best + len(for_good)


def test_a_run_holds_no_more_checkpoints_than_it_saves():
    config = CheckpointConfig(every_steps=5_000, keep=10**15, keep_best=10**15)
    spec = plan_spec(checkpoint=config, evaluation=EvaluationConfig(every_steps=5_000))
    found = make_plan(spec, TEXT, surroundings(free_bytes=10**12)).disk
    assert found.checkpoints == 4 * found.checkpoint  # two by the schedule, two that may be best
    assert found.peak <= 10 * found.checkpoint


def test_weights_alone_take_less_room():
    spec = plan_spec(checkpoint=CheckpointConfig(every_steps=500))
    thin = replace(spec, checkpoint=replace(spec.checkpoint, resumable=1))
    whole, less = (make_plan(each, TEXT, surroundings()).disk for each in (spec, thin))
    assert less.checkpoints == less.checkpoint + 4 * less.weights_only
    assert whole.checkpoints == 5 * whole.checkpoint


def test_electricity_is_power_times_time_and_costs_what_is_said():
    spec = plan_spec(precision="bf16")
    around = surroundings(probe=measured(spec, row(6, 300.0)), prices=Prices(0.32, "€"))
    plan = make_plan(spec, TEXT, around)
    assert plan.energy.kwh == pytest.approx(0.4 * plan.time.seconds / 3600)
    assert plan.energy.cost == pytest.approx(0.32 * plan.energy.kwh)
    assert make_plan(spec, TEXT, surroundings()).energy.cost is None


# --- time -----------------------------------------------------------------------------------------


def test_the_time_of_a_probed_plan_is_the_sum_of_its_parts():
    evaluation = EvaluationConfig(every_steps=1_000, max_tokens=60 * 1024)
    spec = plan_spec(
        precision="bf16",
        compile="off",
        evaluation=evaluation,
        checkpoint=CheckpointConfig(every_steps=1_000),
    )
    probe = measured(spec, row(6, 300.0, first_step_s=1.3))
    parts = make_plan(spec, TEXT, surroundings(probe=probe)).time.parts
    assert parts.steps == pytest.approx(3_000.0)
    assert parts.validation == pytest.approx(11 * 60 * 1024 / 30_000)
    assert parts.checkpoints == pytest.approx(10 * 0.5 + 4.0 + 0.7)
    assert parts.compile == 0.0
    assert 4.0 < parts.start < 6.5


def test_micro_batches_take_their_row_as_often_as_a_step_has_them():
    spec = plan_spec(precision="bf16", compile="off", budget=budget(batch_size=12, micro=6))
    probe = measured(spec, row(3, 200.0), row(6, 300.0), row(12, 900.0))
    found = make_plan(spec, TEXT, surroundings(probe=probe)).time
    assert found.parts.steps == pytest.approx(6_000.0)
    assert found.exact


def test_code_that_the_probe_has_compiled_is_there_for_the_run():
    spec = plan_spec(precision="bf16", compile="on")
    fast = Variant(precision="bf16", compile=True)
    cold = measured(spec, row(6, 300.0), row(6, 200.0, variant=fast, compile_s=50.0))
    found = make_plan(spec, TEXT, surroundings(probe=cold)).time.parts
    assert found.steps == pytest.approx(2_000.0)
    assert 5.0 < found.compile < 20.0
    kept = row(6, 200.0, variant=fast, compile_s=12.0, compile_cached=True)
    warm = make_plan(spec, TEXT, surroundings(probe=measured(spec, kept))).time.parts
    assert warm.compile == 12.0


def test_a_probe_of_another_shape_says_nothing():
    spec = plan_spec()
    other = replace(spec, model=replace(spec.model, n_layer=13))
    found = make_plan(other, TEXT, surroundings(probe=measured(spec, row(6, 300.0)))).time
    assert found.source == "reckoned"
    assert found.low_s < found.seconds / 2


def test_a_run_of_the_same_work_tells_the_time_and_a_similar_one_is_scaled():
    spec = plan_spec()
    run = PastRun("gpt2-a", spec, 20_000.0, s_per_step=0.3, validation_s=2.0, start_s=7.0)
    same = make_plan(spec, TEXT, surroundings(runs=(run,))).time
    assert (same.source, same.from_run, same.exact) == ("run", "gpt2-a", True)
    assert same.parts.steps == pytest.approx(3_000.0)
    assert same.parts.start == 7.0
    wider = replace(spec, model=replace(spec.model, n_layer=24))
    scaled = make_plan(wider, TEXT, surroundings(runs=(run,))).time
    assert 1.3 * same.parts.steps < scaled.parts.steps < 2 * same.parts.steps
    assert not scaled.exact


def test_validations_by_a_share_of_time_take_that_share():
    spec = plan_spec(evaluation=EvaluationConfig(time_share=0.1))
    assert validations(spec, 900.0, 2.0) == pytest.approx(51.0)
    assert validations(spec, 1.0, 2.0) == 2.0


# --- what speaks against a plan -------------------------------------------------------------------


def test_a_plan_beyond_the_memory_is_refused_with_ways_out_that_work():
    spec = plan_spec(precision="bf16", budget=budget(batch_size=64))
    plan = make_plan(spec, TEXT, surroundings())
    assert plan.obstacle is not None
    assert plan.obstacle.field == "budget.batch_size"
    assert plan.obstacle.fixes
    for fix in plan.obstacle.fixes:
        mended = applied(spec, fix)
        assert mended.budget.batch_size == 64
        assert make_plan(mended, TEXT, surroundings()).obstacle is None


def test_a_model_beyond_the_memory_is_answered_with_a_smaller_one():
    spec = plan_spec("gpt2-1.5B", budget=budget(batch_size=4))
    tiny = surroundings(dataclasses.replace(GPU, gpu_bytes=4 * GIB))
    plan = make_plan(spec, TEXT, tiny)
    assert plan.obstacle is not None
    (fix,) = plan.obstacle.fixes
    mended = applied(spec, fix)
    assert parameter_count(mended.model) < parameter_count(spec.model)
    assert make_plan(mended, TEXT, tiny).obstacle is None


@pytest.mark.parametrize("free_gb", [16, 10, 9])
def test_a_disk_that_is_too_small_is_answered_with_fewer_checkpoints(free_gb):
    spec = plan_spec(checkpoint=CheckpointConfig(every_steps=500, keep=20, keep_best=3))
    around = surroundings(free_bytes=int(free_gb * 1e9))
    plan = make_plan(spec, TEXT, around)
    assert plan.obstacle is not None
    assert plan.obstacle.fixes
    for fix in plan.obstacle.fixes:
        assert make_plan(applied(spec, fix), TEXT, around).obstacle is None


def test_a_full_disk_has_no_way_out():
    plan = make_plan(plan_spec(), TEXT, surroundings(free_bytes=10_000))
    assert plan.obstacle is not None
    assert plan.obstacle.fixes == ()


def test_text_that_is_read_too_often_and_models_that_are_too_large_are_told():
    tour = plan_spec("tour", budget=budget(steps=200_000, batch_size=16))
    (advice,) = make_plan(tour, SMALL_TEXT, surroundings()).advice
    assert "read 117" in advice.title
    mended = make_plan(applied(tour, advice.fixes[0]), SMALL_TEXT, surroundings())
    assert mended.passes == pytest.approx(4.0, rel=0.01)
    large = plan_spec(budget=budget(steps=10_000))
    found = [
        a for a in make_plan(large, TEXT, surroundings()).advice if "each parameter" in a.title
    ]
    assert len(found) == 1
    smaller = applied(large, found[0].fixes[0])
    assert make_plan(smaller, TEXT, surroundings()).tokens_per_parameter > 2.0
    hopeless = plan_spec(budget=budget(steps=1_000))  # its tables alone are too large
    told = [a for a in make_plan(hopeless, TEXT, surroundings()).advice if "each" in a.title]
    assert told[0].fixes == ()


@pytest.mark.parametrize("steps", [1, 10**15])
@pytest.mark.parametrize("batch_size", [1, 10**9])
@pytest.mark.parametrize("machine", [CPU, GPU])
def test_absurd_settings_are_planned_as_well(steps, batch_size, machine):
    spec = plan_spec("gpt2-1.5B", budget=budget(steps, batch_size))
    around = surroundings(machine, free_bytes=10**12)
    assert make_plan(spec, TEXT, around).time.seconds > 0
    assert make_plan(spec, SMALL_TEXT, around).time.seconds > 0


def test_the_planner_needs_no_qt_and_no_torch():
    code = "import sys, studio.planner\nassert not {'torch', 'PySide6'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
