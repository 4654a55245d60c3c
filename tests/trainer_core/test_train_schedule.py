"""The course of the learning rate against torch's and transformers' schedules."""

import math

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from trainer_core.errors import SpecError
from trainer_core.schedule import lr_at, lr_factor
from trainer_core.spec import OptimizerConfig, convert, from_builtins

STEPS = 40


def rates(config, steps=STEPS):
    """What each step is taken with."""
    return [lr_at(step, steps, config, 1) for step in range(1, steps + 1)]


def reference(make, lr=0.5, steps=STEPS):
    """What torch's schedule has after each step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = make(optimizer)
    found = []
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        found.append(schedule.get_last_lr()[0])
    return found


def warmed_up(after, warmup=5):
    """torch's linear warm-up from nothing, then a schedule."""

    def make(optimizer):
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1e-9, total_iters=warmup)
        return lr_scheduler.SequentialLR(optimizer, [rise, after(optimizer)], [warmup])

    return make


@pytest.mark.parametrize("warmup", [0, 5])
@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        ("cosine", lambda o, n: lr_scheduler.CosineAnnealingLR(o, T_max=n, eta_min=0.1)),
        ("linear", lambda o, n: lr_scheduler.LinearLR(o, 1.0, 0.2, total_iters=n)),
        ("constant", lambda o, n: lr_scheduler.ConstantLR(o, 1.0, total_iters=n)),
    ],
)
def test_a_schedule_equals_torchs(schedule, theirs, warmup):
    config = OptimizerConfig(lr=0.5, lr_floor=0.2, warmup_steps=warmup, schedule=schedule)

    def after(optimizer):
        return theirs(optimizer, STEPS - warmup)

    expected = reference(warmed_up(after, warmup) if warmup else after)
    assert rates(config) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("warmup", [0, 5])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_plateau_and_its_decay_equal_transformers(share, warmup):
    transformers = pytest.importorskip("transformers")
    config = OptimizerConfig(
        lr=0.5, lr_floor=0.1, warmup_steps=warmup, schedule="wsd", decay_share=share
    )

    def make(optimizer):
        return transformers.get_wsd_schedule(
            optimizer,
            num_warmup_steps=warmup,
            num_decay_steps=round(share * STEPS),
            num_training_steps=STEPS,
            min_lr_ratio=0.1,
            decay_type="1-sqrt",
        )

    # Their warm-up begins at the floor, ours at nothing.
    assert rates(config)[warmup:] == pytest.approx(reference(make)[warmup:], rel=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "wsd", "linear", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
def test_every_rate_is_between_nothing_and_the_peak(schedule, steps):
    for warmup in (0, 1, steps - 1):
        config = OptimizerConfig(lr=1.0, warmup_steps=warmup, schedule=schedule, decay_share=0.3)
        found = rates(config, steps)
        assert all(0.0 < rate <= 1.0 for rate in found)
        after = found[max(0, warmup - 1) :]
        assert after == sorted(after, reverse=True)
        if schedule != "constant" and warmup < steps:
            assert found[-1] == pytest.approx(0.1)


def test_the_rate_grows_with_the_root_of_the_sequences_in_a_step():
    config = OptimizerConfig(lr=0.5, warmup_steps=0, schedule="constant", lr_scaling="sqrt_batch")
    assert lr_at(3, 10, config, 16) == 2.0
    assert lr_at(3, 10, OptimizerConfig(lr=0.5, warmup_steps=0), 16) < 0.5
    assert lr_factor(3, 10, config) == 1.0


def spec(optimizer, steps=100):
    budget = {"steps": steps, "batch_size": 4}
    return {"verb": "train", "corpus": "c", "optimizer": optimizer, "budget": budget}


@pytest.mark.parametrize(
    ("optimizer", "named"),
    [
        ({"warmup_steps": 100}, "optimizer.warmup_steps"),
        ({"warmup_steps": 30, "schedule": "wsd", "decay_share": 0.8}, "optimizer.decay_share"),
        ({"warmup_steps": 1, "schedule": "wsd", "decay_share": 1.0}, "optimizer.decay_share"),
        ({"warmup_steps": 1, "lr": 2.0, "weight_decay": 0.5}, "optimizer.weight_decay"),
        (
            {"warmup_steps": 1, "kind": "muon", "muon_lr": 2.0, "weight_decay": 0.5},
            "optimizer.weight_decay",
        ),
        (
            {"warmup_steps": 1, "lr": 1.0, "lr_scaling": "sqrt_batch", "weight_decay": 0.5},
            "optimizer.weight_decay",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(optimizer, named):
    with pytest.raises(SpecError) as caught:
        from_builtins(spec(optimizer))
    assert caught.value.field == named


def test_adafactor_of_shares_is_refused():
    told = spec({"kind": "adafactor"}) | {"distributed": {"strategy": "fsdp", "processes": 2}}
    with pytest.raises(SpecError) as caught:
        from_builtins(told)
    assert caught.value.field == "optimizer.kind"


@pytest.mark.parametrize(
    "optimizer",
    [
        {"warmup_steps": 99},
        {"warmup_steps": 20, "schedule": "wsd", "decay_share": 0.8},
        {"warmup_steps": 0, "schedule": "wsd", "decay_share": 1.0},
        {"muon_lr": 10.0, "muon_momentum": 0.0, "decay_share": 1.0},
    ],
)
def test_settings_at_their_limits_and_those_of_another_kind_are_taken(optimizer):
    assert from_builtins(spec(optimizer)).optimizer.kind == "adamw"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", 0.0),
        ("lr", -1.0),
        ("lr", math.nan),
        ("lr", math.inf),
        ("muon_lr", 0.0),
        ("muon_momentum", 1.0),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("eps", 0.0),
        ("eps", math.inf),
        ("lr_floor", 1.1),
        ("decay_share", 0.0),
        ("decay_share", 1.5),
        ("weight_decay", -0.1),
        ("clip_norm", -1.0),
        ("clip_norm", math.nan),
        ("warmup_steps", -1),
        ("kind", "lion"),
        ("schedule", "steps"),
        ("lr_scaling", "linear"),
    ],
)
def test_a_value_out_of_its_range_is_refused(field, value):
    with pytest.raises(SpecError) as caught:
        convert({field: value}, OptimizerConfig)
    assert caught.value.field == field
