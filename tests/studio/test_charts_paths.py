from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from studio.charts.paths import path_of

numbers = st.one_of(st.integers(-4000, 4000).map(float), st.just(float("nan")))


@given(st.lists(numbers, max_size=40))
def test_a_line_joins_neighbours_and_is_interrupted_where_one_is_missing(heights):
    x = np.arange(len(heights), dtype=np.float64)
    path = path_of(x, np.array(heights, dtype=np.float64))
    found = [path.elementAt(i) for i in range(path.elementCount())]
    drawn = {
        ((before.x, before.y), (after.x, after.y))
        for before, after in itertools.pairwise(found)
        if after.isLineTo() and (before.x, before.y) != (after.x, after.y)
    }
    points = list(zip(x.tolist(), heights, strict=True))
    neighbours = itertools.pairwise(points)
    assert drawn == {(a, b) for a, b in neighbours if a[1] == a[1] and b[1] == b[1]}


def test_nothing_is_drawn_of_nothing():
    assert path_of(np.array([]), np.array([])).isEmpty()
    assert path_of(np.array([1.0]), np.array([np.nan])).isEmpty()
