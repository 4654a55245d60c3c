from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.charts.axis import (
    Scale,
    linear_ticks,
    log_ticks,
    short_number,
    time_label,
    time_log_ticks,
)
from studio.widgets.figures import NARROW


def test_ticks_read_as_in_the_pictures():
    assert linear_ticks(0, 222_000, 5).labels == ("0", "50k", "100k", "150k", "200k")
    assert linear_ticks(12_000, 22_400, 6).labels == ("12k", "14k", "16k", "18k", "20k", "22k")
    assert linear_ticks(3.4, 5.4, 5).labels == ("3.5", "4.0", "4.5", "5.0")
    assert linear_ticks(0, 3.3e9, 7).labels == ("0", "0.5B", "1B", "1.5B", "2B", "2.5B", "3B")
    assert linear_ticks(16_700, 16_900, 4).labels[:2] == ("16,700", "16,750")
    assert log_ticks(0.1, 20, 6).labels == ("0.1", "0.3", "1", "3", "10")


def test_a_log_axis_has_decades_when_there_is_no_room_for_more():
    assert log_ticks(1, 1_000_000, 8).labels == ("1", "10", "100", "1k", "10k", "100k", "1M")
    assert len(log_ticks(1e-30, 1e30, 6).values) <= 8
    assert log_ticks(3.0, 4.0, 5).labels[0] == "3.0"
    assert log_ticks(0, 10, 5).values == ()


def plain(labels):
    return tuple(label.replace(NARROW, " ") for label in labels)


def test_time_is_written_in_hours_minutes_and_seconds():
    assert plain(linear_ticks(0, 66_120, 5, "time").labels) == ("0 s", "6 h", "12 h", "18 h")
    assert plain(linear_ticks(0, 100, 4, "time").labels) == ("0 s", "30 s", "1 min", "1 min 30 s")
    assert plain(linear_ticks(0, 5400, 4, "time").labels) == ("0 s", "30 min", "1 h", "1 h 30 min")
    two_days = linear_ticks(0, 172_800, 4, "time").labels
    assert plain(two_days) == ("0 s", "12 h", "24 h", "36 h", "48 h")
    labels = plain(time_log_ticks(0.5, 50_000, 8).labels)
    assert labels == ("1 s", "10 s", "1 min", "10 min", "1 h", "10 h")
    assert plain(time_log_ticks(100, 500, 4).labels)[0] == "2 min"
    assert plain([time_label(0.02), time_label(math.nan)]) == ("20 ms", "–")


def test_odd_numbers_never_crash_a_label():
    assert short_number(math.inf) == "∞"
    assert short_number(2e-7) == "2e-07"
    assert linear_ticks(math.nan, 1, 5).values == ()
    assert linear_ticks(5, 5, 5).values == ()
    assert linear_ticks(0, 1e300, 5).labels[-1].endswith("e300")


@given(
    low=st.floats(-1e9, 1e9),
    span=st.floats(1e-3, 1e9),
    most=st.integers(1, 12),
)
def test_ticks_lie_in_the_range_and_are_as_many_as_fit(low, span, most):
    ticks = linear_ticks(low, low + span, most)
    assert len(ticks.values) <= most + 1
    assert len(set(ticks.labels)) == len(ticks.labels)
    assert all(low - span * 1e-6 <= value <= low + span * (1 + 1e-6) for value in ticks.values)


@given(st.floats(0.001, 1e6), st.booleans())
def test_a_value_survives_the_way_to_a_pixel_and_back(value, log):
    scale = Scale(0.0005, 2e6, 40, 840, log)
    assert scale.value(scale.pixel(value)) == pytest.approx(value, rel=1e-6, abs=1e-6)


def test_a_log_scale_shows_nothing_for_what_it_cannot():
    placed = Scale(0.1, 10, 300, 0, log=True).pixels([0.0, -1.0, np.nan, 1.0])
    assert np.isinf(placed[0]) and np.isinf(placed[1]) and np.isnan(placed[2])
    assert placed[3] == pytest.approx(150)
