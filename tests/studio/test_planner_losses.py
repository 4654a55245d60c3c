"""What a plan expects of its loss: the law, text that is read again, runs of one's own."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from planner_for_tests import GPU, TEXT, plan_spec, surroundings

from studio.planner import PastRun, curve_of, expected_loss
from studio.planner.losses import LossModel
from studio.planner.scaling import (
    TextScale,
    best_parameters,
    effective_tokens,
    law_loss,
    with_index,
)
from trainer_core.presets import parameter_count
from trainer_core.spec import BudgetConfig, ModelConfig

FRESH = TextScale.of(50_257, 4.4, 7.6)


def test_the_law_has_the_best_size_that_was_published():
    assert best_parameters(3.3e17) == pytest.approx(49e6, rel=0.02)  # “Not-so-large LM for $50”
    assert 3.3e17 / 6 / best_parameters(3.3e17) == pytest.approx(1.13e9, rel=0.02)


def test_text_that_is_read_four_times_is_worth_almost_as_much_as_fresh_one():
    assert effective_tokens(50.0, 100.0) == 50.0
    assert effective_tokens(100.0, 100.0) == 100.0
    assert effective_tokens(400.0, 100.0) == pytest.approx(372.6, abs=0.5)
    assert effective_tokens(1e9, 100.0) == pytest.approx(100 * 16.39, rel=1e-6)


def test_losses_fall_with_size_and_text_and_never_exceed_that_of_single_tokens():
    sizes, tokens = np.geomspace(1e4, 1e11, 40), np.geomspace(1e3, 1e13, 40)
    by_size = law_loss(sizes, 1e10, FRESH)
    by_tokens = law_loss(1e8, tokens, FRESH)
    assert (np.diff(by_size) < 0).all()
    assert (np.diff(by_tokens) < 0).all()
    assert by_tokens.max() <= 7.6
    assert by_tokens.min() > 1.69


def test_what_an_index_names_costs_less():
    plain = np.array([4.22])
    assert with_index(plain, 0.0, FRESH)[0] == pytest.approx(4.22)
    falling = [with_index(plain, rate, FRESH)[0] for rate in (0.1, 0.3, 0.6, 0.9)]
    assert falling == sorted(falling, reverse=True)


def past(name, steps, loss, *, corpus="fineweb", match_input=False, preset="163M"):
    budget = BudgetConfig(steps=steps, batch_size=6)
    spec = plan_spec(preset, match_input=match_input, budget=budget, corpus=corpus)
    tokens = steps * 6 * spec.model.context_length
    return PastRun(name, spec, tokens=tokens, corpus_tokens=10**10, loss=loss, bytes_per_token=4.4)


def test_without_runs_of_ones_own_published_figures_say_it_with_a_wide_band():
    spec = plan_spec(budget=BudgetConfig(steps=533_000, batch_size=6))
    found = expected_loss(spec, TEXT, surroundings())
    assert "published" in found.source
    assert not found.own
    assert found.low < 3.94 < found.high  # what “GPT-2 small in 48 hours” reached
    assert found.band > 0.2
    assert found.plain == found.loss


def test_a_run_on_the_same_text_draws_the_expectation_to_it_and_narrows_the_band():
    spec = plan_spec()
    around = surroundings(runs=(past("gpt2", 10_000, 5.0),))
    found = expected_loss(spec, TEXT, around)
    before = expected_loss(spec, TEXT, surroundings())
    assert found.loss == pytest.approx(5.0, abs=0.1)
    assert found.band < before.band / 3
    assert found.source == "from gpt2, on this text"
    assert found.own
    other = expected_loss(spec, replace(TEXT, corpus="other"), around)
    assert before.band > other.band > found.band
    assert "other text" in other.source


def test_a_run_with_an_index_says_little_of_a_plain_one():
    around = surroundings(runs=(past("indexed", 10_000, 2.0, match_input=True),))
    plain, indexed = plan_spec(), plan_spec(match_input=True)
    with_it = expected_loss(indexed, TEXT, around)
    assert with_it.loss == pytest.approx(2.0, abs=0.2)
    assert expected_loss(plain, TEXT, around).loss > with_it.loss + 0.5


@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0, -1.0, None])
def test_runs_without_a_loss_that_can_be_are_left_out(loss):
    around = surroundings(runs=(past("odd", 10_000, loss),))
    assert expected_loss(plan_spec(), TEXT, around) == expected_loss(
        plan_spec(), TEXT, surroundings()
    )


def test_the_best_size_for_a_computing_is_that_of_the_law_whatever_runs_say():
    budget = BudgetConfig(steps=500_000, batch_size=6)
    around = surroundings(runs=(past("a", 10_000, 5.0), past("b", 300_000, 3.4, preset="51M")))
    curve = curve_of(plan_spec(budget=budget), TEXT, around)
    assert curve.best == pytest.approx(best_parameters(curve.flops), rel=0.15)
    assert curve.near[0] < curve.best < curve.near[1]
    assert (curve.low < curve.loss).all()
    assert (curve.loss < curve.high).all()


def test_sizes_beyond_the_memory_are_told():
    curve = curve_of(plan_spec(), TEXT, surroundings())
    assert curve.memory_limit is not None
    own = parameter_count(plan_spec().model)
    assert own < curve.memory_limit < 12 * own
    roomy = surroundings(replace(GPU, gpu_bytes=1 << 50))
    assert curve_of(plan_spec(), TEXT, roomy).memory_limit is None


def test_losses_are_finite_at_the_extremes_of_every_setting():
    model = LossModel()
    small = ModelConfig(vocab_size=2, n_layer=1, n_head=1, n_embd=2, context_length=2)
    large = msgspec.structs.replace(small, n_layer=256, n_embd=65_536, vocab_size=1_000_000)
    for config in (small, large):
        for steps in (1, 10**18):
            spec = plan_spec(budget=BudgetConfig(steps=steps, batch_size=1), model=config)
            found = expected_loss(spec, TEXT, surroundings())
            assert math.isfinite(found.loss)
            assert 0 < found.low <= found.loss <= found.high
    assert model.points
