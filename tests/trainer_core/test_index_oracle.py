"""Match features on real text, at every position, against suffix array, LCP and nearest earlier."""

import numpy as np
import pytest

from trainer_core.index import match_features

MAX_LENGTH = 32
SEPARATOR = 0


@pytest.fixture(scope="module")
def scenes(shared_data):
    """Shakespeare's bytes with a separator before each of the first blank lines."""
    path = shared_data / "text" / "tinyshakespeare.txt"
    parts = path.read_bytes().split(b"\n\n", 300)
    text = np.frombuffer(b"".join(b"\0" + part for part in parts), dtype=np.uint8)
    return text, np.flatnonzero(text == SEPARATOR)


def sorted_backwards(text):
    """Positions sorted by what ends there, and what neighbours share, by libdivsufsort."""
    divsufsort = pytest.importorskip("pydivsufsort")
    backwards = np.ascontiguousarray(text[::-1])
    array = divsufsort.divsufsort(backwards)
    shared = divsufsort.kasai(backwards, array)  # with the next one
    order = text.size - 1 - array.astype(np.int64)
    return order, np.concatenate([[0], shared[:-1]]).astype(np.int64)


def longest_with_an_earlier_one(order, shared):
    """The most that each position shares with an earlier one: with the nearest on either side."""
    longest = [0] * len(order)
    for direction in (1, -1):
        stack = []  # positions still waiting for an earlier one, later ones above
        ranks = range(len(order))[::direction]
        # On the way, `shared` with the top of the stack is the least of what was passed.
        for rank in ranks:
            position = order[rank]
            least = 1 << 60
            if stack:
                least = shared[rank] if direction == 1 else shared[rank + 1]
            while stack and stack[-1][0] > position:
                least = min(least, stack.pop()[1])
            if stack:
                longest[position] = max(longest[position], least)
            stack.append((position, least))
    return np.array(longest)


@pytest.mark.timeout(120)
def test_every_position_of_real_text_has_the_match_that_a_suffix_array_finds(scenes):
    text, starts = scenes
    order, shared = sorted_backwards(text)
    room = np.arange(text.size) - np.repeat(starts, np.diff([*starts, text.size])) + 1
    expected = longest_with_an_earlier_one(order.tolist(), shared.tolist())
    # Both sides of a match reach their separators together, so the cut is the token's own.
    expected = np.minimum(expected, np.minimum(room, MAX_LENGTH))

    features = match_features(text.astype(np.uint16), document_start=starts, max_length=MAX_LENGTH)
    np.testing.assert_array_equal(features.length, expected)

    # What followed: the nearest earlier position in time that shares as much.
    for length in range(1, MAX_LENGTH + 1):
        alike = shared >= length
        ranks = np.flatnonzero(alike | np.append(alike[1:], False))
        groups_and_times = np.sort(np.cumsum(~alike[ranks]) << 32 | order[ranks])
        groups, positions = groups_and_times >> 32, groups_and_times & 0xFFFFFFFF
        rows = np.flatnonzero(np.diff(groups) == 0) + 1
        rows = rows[expected[positions[rows]] == length]
        followed = text[positions[rows - 1] + 1]
        np.testing.assert_array_equal(features.next[positions[rows]], followed)
    assert (features.length > 0).mean() > 0.99
