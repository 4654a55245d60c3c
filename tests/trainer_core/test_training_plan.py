"""What a change of the plan does to the learning rate and the end, step by step."""

import itertools

import pytest

from trainer_core.errors import KnownError
from trainer_core.records import PlanChanged
from trainer_core.schedule import lr_at
from trainer_core.spec import BudgetConfig, OptimizerConfig, TrainSpec
from trainer_core.training_plan import TrainingPlan, with_change, without_changes_from

STEPS = 200
SCHEDULES = ("cosine", "wsd", "linear", "constant")


def spec_of(schedule="cosine", *, steps=STEPS, **optimizer):
    settings = {"lr": 1e-3, "warmup_steps": 20, "schedule": schedule} | optimizer
    budget = BudgetConfig(steps=steps, batch_size=4)
    return TrainSpec(corpus="c", budget=budget, optimizer=OptimizerConfig(**settings))


def rates(plan):
    return [plan.lr_at(step) for step in range(1, plan.steps + 1)]


def plan_of(schedule, *changes, **settings):
    return TrainingPlan(spec_of(schedule, **settings), changes)


def largest_leap(values):
    return max(abs(b - a) for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_changes_it_is_the_schedule_of_the_settings(schedule):
    spec = spec_of(schedule, lr_scaling="sqrt_batch")
    expected = [lr_at(step, STEPS, spec.optimizer, 4) for step in range(1, STEPS + 1)]
    assert rates(TrainingPlan(spec)) == expected


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_new_peak_scales_what_is_left_and_nothing_before(schedule):
    before, after = plan_of(schedule), plan_of(schedule, PlanChanged(step=80, lr=5e-4))
    assert rates(after)[:80] == rates(before)[:80]
    assert rates(after)[80:] == pytest.approx([0.5 * rate for rate in rates(before)[80:]])
    assert after.steps == STEPS
    assert (after.peak_lr(80), after.peak_lr(81)) == (1e-3, 5e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("end", [110, 150, 400, 10_000])
def test_a_new_end_never_makes_the_rate_leap(schedule, end):
    before, after = plan_of(schedule), plan_of(schedule, PlanChanged(step=100, steps=end))
    assert after.steps == end
    assert rates(after)[:100] == rates(before)[:100]
    assert rates(after)[-1] == pytest.approx(rates(before)[-1])
    # Squeezed to a tenth, a course falls ten times as fast; the square root of the decay is steep
    # at its beginning.
    squeezed = max(1.0, (STEPS - 100) / (end - 100))
    assert largest_leap(rates(after)[99:]) <= squeezed * largest_leap(rates(before)[99:]) + 1e-12
    if schedule != "constant":
        assert rates(after)[100] < rates(before)[20] * 1.0001


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_warm_up_takes_the_steps_that_it_takes(schedule):
    before, after = plan_of(schedule), plan_of(schedule, PlanChanged(step=10, steps=1000))
    assert rates(after)[:20] == rates(before)[:20]
    assert rates(after)[-1] == pytest.approx(rates(before)[-1])
    shorter = plan_of(schedule, PlanChanged(step=10, steps=50))
    assert rates(shorter)[:20] == rates(before)[:20]
    assert rates(shorter)[-1] == pytest.approx(rates(before)[-1])


def test_changes_follow_each_other():
    """There and back again: the rate at the end is that of the settings, as scaled."""
    plan = plan_of(
        "cosine",
        PlanChanged(step=50, steps=500),
        PlanChanged(step=100, lr=2e-3),
        PlanChanged(step=300, steps=400),
    )
    assert plan.steps == 400
    assert rates(plan)[-1] == pytest.approx(2 * rates(plan_of("cosine"))[-1])
    assert largest_leap(rates(plan)[100:]) < 2e-5


def test_the_plateau_of_wsd_is_stretched_and_its_decay_too():
    plan = plan_of("wsd", PlanChanged(step=100, steps=300))
    peak = plan.lr_at(30)
    assert plan.lr_at(220) == peak  # position 160 of 200
    assert plan.lr_at(230) < peak


# --- beyond the end -------------------------------------------------------------------------------


def test_a_longer_finished_run_stays_at_its_last_rate():
    plan = plan_of("cosine", PlanChanged(step=STEPS, steps=300))
    assert set(rates(plan)[STEPS:]) == {plan.lr_at(STEPS)}
    assert plan.lr_at(STEPS) == pytest.approx(1e-4)


def test_with_a_new_peak_it_rises_and_falls_once_more():
    plan = plan_of("cosine", PlanChanged(step=STEPS, steps=400, lr=5e-4))
    beyond = rates(plan)[STEPS:]
    assert beyond[0] > plan.lr_at(STEPS)  # it begins where it ended
    assert beyond[19] == pytest.approx(5e-4)  # a tenth of what was added is warm-up
    assert max(beyond) == pytest.approx(5e-4)
    assert beyond[-1] == pytest.approx(5e-5)
    assert largest_leap(rates(plan)[STEPS - 1 :]) < 2.1e-5 + 5e-4 / 20


def test_end_and_peak_may_come_one_after_the_other():
    at_once = plan_of("cosine", PlanChanged(step=STEPS, steps=400, lr=5e-4))
    apart = plan_of("cosine", PlanChanged(step=STEPS, steps=400), PlanChanged(step=STEPS, lr=5e-4))
    assert rates(apart) == rates(at_once)


def test_without_a_warm_up_it_begins_at_the_new_peak():
    plan = plan_of("linear", PlanChanged(step=STEPS, steps=300, lr=5e-4), warmup_steps=0)
    assert plan.lr_at(STEPS + 1) == pytest.approx(5e-4, rel=0.02)


# --- what makes no sense --------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.0, -1e-3, 10.5, float("nan"), float("inf")])
def test_absurd_learning_rates_are_refused(lr):
    with pytest.raises(KnownError, match="cannot be trained with") as refused:
        plan_of("cosine").check(50, lr, None)
    assert refused.value.field == "lr"
    assert refused.value.do


@pytest.mark.parametrize(("steps", "why"), [(50, "is at step 50"), (1, "is at"), (10**15, "never")])
def test_absurd_ends_are_refused(steps, why):
    with pytest.raises(KnownError, match=why) as refused:
        plan_of("cosine").check(50, None, steps)
    assert refused.value.field == "steps"


def test_an_end_within_the_warm_up_is_refused():
    with pytest.raises(KnownError, match="warm-up alone takes until step 20"):
        plan_of("cosine").check(5, None, 15)
    plan_of("cosine").check(5, None, 21)


def test_a_rate_that_the_weight_decay_cannot_bear_is_refused():
    with pytest.raises(KnownError, match="takes away all of a weight"):
        plan_of("cosine", weight_decay=5.0).check(5, 0.5, None)


def test_further_steps_without_any_learning_are_refused():
    plan = plan_of("linear", lr_floor=0.0)
    with pytest.raises(KnownError, match="has come down to zero") as refused:
        plan.check(STEPS, None, 300)
    assert refused.value.field == "lr"
    plan.check(STEPS, 1e-3, 300)


def test_at_the_end_only_a_later_end_helps():
    with pytest.raises(KnownError, match="at its end"):
        plan_of("cosine").check(STEPS, 1e-3, None)


def test_no_change_is_none():
    with pytest.raises(KnownError, match="Nothing to change"):
        plan_of("cosine").check(5, None, None)


# --- the record -----------------------------------------------------------------------------------


def test_the_newest_word_about_later_steps_holds():
    """A killed training goes on from before its last change; a person changes it there again."""
    old = PlanChanged(step=120, lr=1e-4, steps=900)
    skip = PlanChanged(step=130, skip=2)
    changes = with_change((old, skip), PlanChanged(step=100, lr=2e-4))
    assert [(c.step, c.lr, c.steps, c.skip) for c in changes] == [
        (100, 2e-4, None, 0),
        (120, None, 900, 0),
        (130, None, None, 2),
    ]


def test_a_way_back_voids_changes_but_not_what_is_left_out():
    changes = (
        PlanChanged(step=40, lr=1e-4),
        PlanChanged(step=50, steps=900),
        PlanChanged(step=60, skip=1),
    )
    assert without_changes_from(changes, 50) == (changes[0], changes[2])
