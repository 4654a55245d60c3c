from __future__ import annotations

import math

import numpy as np
import pytest

from studio.charts.axis import Scale
from studio.charts.feed import StepFeed, SystemFeed, fractional_steps
from studio.charts.lines import Line, Timeline, trace
from studio.charts.ranges import vertical_range
from studio.runs.series import StepSeries, SystemSeries
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE


def step_rows(first, count, seed=0):
    rows = np.zeros(count, STEP_DTYPE)
    step = np.arange(first, first + count)
    rows["step"] = step
    rows["tokens_seen"] = step * 1000
    rows["elapsed_s"] = step * 0.5
    rows["loss"] = np.random.default_rng(seed).normal(4.0, 0.2, count)
    rows["grad_norm"] = 0.3
    return rows


def filled(count):
    series = StepSeries()
    series.append(step_rows(1, count))
    feed = StepFeed(["loss", "grad_norm"])
    feed.sync(series)
    return series, feed


def test_a_zoomed_out_line_shows_the_extremes_of_each_pixel():
    _, feed = filled(100_000)
    line = feed.lines["loss"]
    line.truncate(0)
    values = np.zeros(100_000)
    values[54_321] = 7.0
    line.append(values)
    found = trace(line, "steps", Scale(0, 100_000, 40, 440))
    assert not found.whole and len(found.x) == 2 * 400
    assert np.nanmax(found.y) == 7.0
    assert found.x[np.nanargmax(found.y)] == pytest.approx(40 + 54_321 / 250, abs=1)


def test_a_close_view_shows_the_raw_values_and_one_beyond_either_end():
    _, feed = filled(100_000)
    found = trace(feed.lines["loss"], "steps", Scale(500, 520.5, 40, 440))
    assert found.whole and len(found.x) == 23
    np.testing.assert_allclose(found.y, feed.lines["loss"].pyramid.values[498:521])
    assert found.x[1] == pytest.approx(40)


@pytest.mark.parametrize(
    ("mode", "span"), [("steps", (0, 3000)), ("tokens", (0, 3e6)), ("time", (0, 1500))]
)
def test_every_x_axis_shows_the_same_values(mode, span):
    _, feed = filled(3000)
    found = trace(feed.lines["loss"], mode, Scale(*span, 40, 440))
    values = feed.lines["loss"].pyramid.values
    assert np.nanmin(found.y) == values.min() and np.nanmax(found.y) == values.max()


def test_a_log_axis_shows_early_values_one_by_one():
    _, feed = filled(50_000)
    found = trace(feed.lines["loss"], "steps", Scale(1, 50_000, 40, 440, log=True))
    values = feed.lines["loss"].pyramid.values
    assert found.y[0] == values[0]
    assert np.nanmax(found.y) == values.max() and np.nanmin(found.y) == values.min()


def test_a_smooth_line_covers_at_least_the_steps_of_its_pixel():
    _, feed = filled(100_000)
    found = trace(feed.lines["loss"], "steps", Scale(0, 100_000, 40, 440), smooth=20)
    # 250 steps a pixel: the mean of 250 draws of deviation 0.2.
    assert np.std(found.y) < 0.2 / math.sqrt(250) * 1.3


def test_a_resumed_run_replaces_what_came_after_the_checkpoint():
    series, feed = filled(1000)
    series.truncate(600)
    series.append(step_rows(601, 300, seed=9))
    assert feed.sync(series)
    np.testing.assert_array_equal(feed.lines["loss"].pyramid.values, series.column("loss"))
    assert len(feed.timeline) == 900
    assert not feed.sync(series)


def test_a_resume_that_repeats_the_same_steps_changes_nothing():
    series, feed = filled(1000)
    series.truncate(600)
    feed.sync(series)
    series.append(step_rows(1, 1000)[600:])
    feed.sync(series)
    np.testing.assert_array_equal(feed.lines["loss"].pyramid.values, series.column("loss"))


def test_seconds_are_spread_over_their_steps():
    spread = fractional_steps(np.array([0.0, 0, 1, 2, 2, 2, 1, 5]))
    np.testing.assert_allclose(spread, [0, 0.5, 1, 2, 2.25, 2.5, 2.75, 5])
    assert len(fractional_steps(np.empty(0))) == 0


def test_figures_by_second_follow_the_steps_on_every_axis():
    series, feed = filled(100)
    system = SystemSeries()
    followed = SystemFeed(["process_gib", "gpu_used_gib"], feed.timeline)
    assert not followed.sync(system)
    for start in (0, 50):
        rows = np.zeros(50, SYSTEM_DTYPE)
        rows["time_s"] = np.arange(start, start + 50)
        rows["step"] = np.arange(start, start + 50) * 2
        rows["process_gib"] = 1.5
        rows["gpu_used_gib"] = np.nan
        system.append(rows)
        assert followed.sync(system)
    assert len(followed.timeline) == 100
    assert followed.timeline.at("tokens", [25])[0] == 50_000
    assert followed.timeline.at("time", [99])[0] == 50.0  # held at the last step known
    series.append(step_rows(101, 100))
    feed.sync(series)
    assert not followed.sync(system)
    assert followed.has("process_gib") and not followed.has("gpu_used_gib")
    system.keep(system.column("step") <= 20)
    followed.sync(system)
    assert len(followed.lines["process_gib"]) == 11


def test_steps_and_positions_find_each_other():
    _, feed = filled(1000)
    timeline = feed.timeline
    assert timeline.of_steps("tokens", [250])[0] == 250_000
    assert timeline.step_at("tokens", 250_400.0) == 250
    assert timeline.step_at("time", 1e9) == 1000
    assert timeline.step_at("steps", -5) == 1
    assert timeline.row_of_step(0) is None and timeline.row_of_step(7) == 6
    assert Timeline().step_at("steps", 3) is None


def test_values_at_a_step():
    _, feed = filled(1000)
    line = feed.lines["loss"]
    values = line.pyramid.values
    assert line.value_at(10) == values[9]
    assert line.value_at(100, 5) == pytest.approx(values[95:100].mean(), rel=1e-5)
    assert line.value_at(16, 5) == pytest.approx(values[13:16].mean(), rel=1e-5)  # a fifth so far
    assert math.isnan(line.value_at(0)) and math.isnan(Line(Timeline()).value_at(4))


@pytest.mark.parametrize("wild", [1e300, math.inf, math.nan, 1e30, -1e12])
def test_one_wild_value_does_not_ruin_the_range(wild):
    values = np.random.default_rng(2).normal(4, 0.1, 500)
    values[123] = wild
    low, high = vertical_range([values])
    assert 3 < low < 4 < high < 5


def test_a_range_holds_a_spike_that_is_no_measuring_error():
    values = np.random.default_rng(2).normal(19_900, 300, 800)
    values[400] = 14_200
    low, _ = vertical_range([values])
    assert low < 14_200


def test_ranges_of_nothing_of_one_value_and_of_limits():
    assert vertical_range([]) == (0.0, 1.0)
    assert vertical_range([np.array([np.nan])], log=True) == (0.1, 10.0)
    low, high = vertical_range([np.array([5.0, 5.0])])
    assert low < 5.0 < high and high - low < 1
    low, high = vertical_range([np.full(9, 21.0), np.array([21.3])], include=[24.0])
    assert high > 24.0
    assert vertical_range([np.array([0.2, 0.4, -1.0, 0.0])], log=True)[0] > 0


def test_a_folder_that_was_replaced_is_read_anew():
    _, feed = filled(500)
    other = StepSeries()
    other.append(step_rows(1, 40, seed=5))
    assert feed.sync(other)
    np.testing.assert_array_equal(feed.lines["loss"].pyramid.values, other.column("loss"))


def test_a_line_of_which_every_tenth_step_was_logged_is_not_interrupted():
    timeline = Timeline()
    steps = np.arange(1, 2001, dtype=np.float64)
    timeline.update(steps, steps, steps)
    line = Line(timeline)
    values = np.full(2000, np.nan)
    values[::10] = 3.0
    line.append(values)
    assert line.sparse
    for low, high in ((0.0, 2000.0), (0.0, 100.0)):
        found = trace(line, "steps", Scale(low, high, 0, 400))
        assert len(found.y) >= 10 and not np.isnan(found.y).any()
    line.append(np.full(3000, 2.0))
    assert not line.sparse
    line.truncate(2000)
    assert line.sparse
