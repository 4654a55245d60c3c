from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.charts.paths import path_of

numbers = st.one_of(st.floats(-4000, 4000), st.just(float("nan")))


@given(st.lists(numbers, max_size=40))
def test_a_path_goes_through_every_point_and_is_interrupted_where_one_is_missing(heights):
    x = np.arange(len(heights), dtype=np.float64)
    path = path_of(x, np.array(heights, dtype=np.float64))
    found = [path.elementAt(i) for i in range(path.elementCount())]
    there = [i for i, y in enumerate(heights) if y == y]
    assert [(e.x, e.y) for e in found] == [(i, pytest.approx(heights[i])) for i in there]
    begins = [i for i in there if i == 0 or heights[i - 1] != heights[i - 1]]
    assert [there[k] for k, each in enumerate(found) if each.isMoveTo()] == begins
