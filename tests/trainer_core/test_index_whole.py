"""How far a whole build is: a share that never falls, keeps pace with the work, and ends."""

from itertools import pairwise

import pytest

from trainer_core.index.building.assembly import CHECKING_OLDER, COPYING, MATCHING, READING
from trainer_core.index.building.chunks import MERGING, SORTING, WRITING
from trainer_core.index.building.whole import WholeBuild

N = 1_000_000
STEPS = 10


def told(n_chunks, *, first=0, appends=False, n_validation=20_000):
    """The shares that a build of so many chunks reports, and the phases they came with."""
    shares = []
    build = WholeBuild(lambda *said: shares.append((said[0], said[4])), N, n_validation)

    def go(phase, begin, end, total):
        for step in range(STEPS + 1):
            build(phase, begin + (end - begin) * step / STEPS, total, "tokens")

    if appends:
        go(CHECKING_OLDER, 0, 100, 100)
    go(READING, 0, N, N)
    if appends:
        go(COPYING, 0, 4, 4)
    size = (N - first) / n_chunks
    for number in range(n_chunks):
        begin, end = first + number * size, first + (number + 1) * size
        go(SORTING, begin, end, N)
        if number or appends:
            go(MERGING, 0, end, end)
        go(WRITING, begin, end, N)
    go(MATCHING, 0, n_validation, n_validation)
    return shares


@pytest.mark.parametrize("n_chunks", [1, 2, 7])
@pytest.mark.parametrize("first", [0, 900_000])
def test_the_share_never_falls_and_ends_at_the_end(n_chunks, first):
    shares = [share for _, share in told(n_chunks, first=first, appends=bool(first))]
    assert all(before <= after for before, after in pairwise(shares))
    assert shares[0] < 0.05
    assert 0.99 < shares[-1] < 1.0


def test_many_chunks_are_not_taken_for_the_whole_after_the_first():
    shares = told(10)
    after_first = next(share for phase, share in shares if phase == WRITING)
    assert 0.02 < after_first < 0.2


def test_a_build_that_goes_on_begins_where_it_was():
    shares = []
    build = WholeBuild(lambda *said: shares.append(said[4]), N, 0)
    build(READING, N, N, "tokens")
    build(SORTING, 0.7 * N, N, "tokens")
    assert shares[-1] > 0.5


def test_without_held_out_text_nothing_is_divided_by_nothing():
    build = WholeBuild(lambda *_: None, 0, 0)
    build(READING, 0, 0, "tokens")
    build(MATCHING, 0, 0, "tokens")
