from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.charts.pyramid import Pyramid
from studio.charts.smoothing import RunningMean

values_f32 = st.one_of(
    st.floats(-1e6, 1e6, width=32),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 0.0]),
)


def brute(values, edges):
    low, high = [], []
    for start, stop in itertools.pairwise(edges):
        part = np.asarray(values[start:stop], dtype=np.float32)
        part = part[~np.isnan(part)]
        low.append(part.min() if len(part) else np.nan)
        high.append(part.max() if len(part) else np.nan)
    return np.array(low, np.float32), np.array(high, np.float32)


def same(pyramid, values, edges):
    with np.errstate(over="ignore"):
        expected = brute(np.asarray(values, dtype=np.float64).astype(np.float32), edges)
    got = pyramid.extremes(np.array(edges))
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], expected[1])


@settings(max_examples=150, deadline=None)
@given(
    blocks=st.lists(st.lists(values_f32, max_size=90), min_size=1, max_size=6),
    cut=st.integers(0, 400),
    more=st.lists(values_f32, max_size=40),
    data=st.data(),
)
def test_extremes_equal_numpys_after_appends_and_a_resume(blocks, cut, more, data):
    pyramid = Pyramid()
    for block in blocks:
        pyramid.append(np.array(block, dtype=np.float64))
    values = [value for block in blocks for value in block][:cut] + more
    pyramid.truncate(cut)
    pyramid.append(np.array(more, dtype=np.float64))
    assert len(pyramid) == len(values)
    inner = data.draw(st.lists(st.integers(0, len(values)), min_size=2, max_size=30))
    same(pyramid, values, sorted(inner))


@pytest.mark.parametrize("columns", [1, 7, 800, 4000])
def test_a_single_spike_survives_at_every_zoom(columns):
    values = np.zeros(100_003, dtype=np.float32)
    values[77_777] = 9.0
    pyramid = Pyramid()
    for start in range(0, len(values), 1000):
        pyramid.append(values[start : start + 1000])
    edges = np.linspace(0, len(values), columns + 1).astype(np.int64)
    low, high = pyramid.extremes(edges)
    assert high.max() == 9.0 and low.min() == 0.0
    assert (high == 9.0).sum() == 1
    same(pyramid, values, edges)


def test_uneven_ranges_as_a_log_axis_makes_them_are_exact():
    values = np.random.default_rng(1).normal(size=60_000)
    pyramid = Pyramid()
    pyramid.append(values)
    same(pyramid, values, np.unique(np.geomspace(1, 60_000, 500).astype(np.int64)))


def test_room_that_was_reserved_changes_no_figure_and_is_not_moved():
    values = np.random.default_rng(5).normal(size=5_000).astype(np.float32)
    reserved, plain = Pyramid(), Pyramid()
    reserved.append(values[:10])
    reserved.reserve(6_000)
    place = reserved.values.ctypes.data
    for start in range(10, 5_000, 37):
        reserved.append(values[start : start + 37])
    plain.append(values)
    assert reserved.values.ctypes.data == place
    edges = np.linspace(0, 5_000, 41).astype(int)
    for one, other in zip(reserved.extremes(edges), plain.extremes(edges), strict=True):
        assert np.array_equal(one, other)


def test_an_empty_pyramid_has_no_extremes():
    low, high = Pyramid().extremes([0, 0, 0])
    assert np.isnan(low).all() and np.isnan(high).all()
    assert len(Pyramid().extremes([0])[0]) == 0


def test_truncating_to_nothing_and_growing_again_works():
    pyramid = Pyramid()
    pyramid.append(np.arange(5000.0))
    pyramid.truncate(0)
    assert len(pyramid) == 0
    pyramid.append([3.0, 1.0, 2.0])
    low, high = pyramid.extremes([0, 3])
    assert (low[0], high[0]) == (1.0, 3.0)


def test_a_million_values_take_little_more_memory_than_themselves():
    tracemalloc.start()
    pyramid = Pyramid()
    block = np.ones(5000, dtype=np.float32)
    for _ in range(200):
        pyramid.append(block)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    pyramid.extremes(np.linspace(0, 1_000_000, 801).astype(np.int64))
    query = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert pyramid.nbytes < 7_000_000
    assert before < 7_500_000
    assert query < 1_500_000


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(
        st.one_of(st.floats(-100, 100, width=32), st.sampled_from([float("nan"), 1e300])),
        min_size=1,
        max_size=200,
    ),
    window=st.integers(1, 60),
    cut=st.integers(0, 200),
)
def test_running_means_equal_numpys(values, window, cut):
    pyramid = Pyramid()
    mean = RunningMean(pyramid)
    pyramid.append(values)
    mean.at(np.array([len(values) - 1]), window)  # what is cached must not outlive a resume
    pyramid.truncate(cut)
    mean.truncate(cut)
    pyramid.append(values)
    now = np.array([*values[:cut], *values], dtype=np.float64)
    places = np.arange(len(now))
    got = mean.at(places, window)
    for place in places:
        part = now[max(0, place - window + 1) : place + 1]
        part = part[np.isfinite(part) & (np.abs(part) < 1e9)]
        expected = part.mean() if len(part) else np.nan
        np.testing.assert_allclose(got[place], expected, rtol=1e-5, atol=1e-4)


def test_one_absurd_value_does_not_spoil_the_means_after_it():
    pyramid = Pyramid()
    pyramid.append([1.0, 3e38, 1.0, 2.0, 3.0])
    assert RunningMean(pyramid).at(np.array([4]), 3)[0] == pytest.approx(2.0)
