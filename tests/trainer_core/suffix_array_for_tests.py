"""Matches of millions of tokens by an independent method: suffix array, LCP, nearest earlier.

The suffix array of the text read backwards is libdivsufsort's. n tokens.
"""

from dataclasses import dataclass

import numpy as np
import pytest

BITS = 32


@dataclass(frozen=True)
class Matches:
    """Each token's longest earlier match; zeros, and -1 for positions and tokens, without one."""

    length: np.ndarray
    position: np.ndarray
    next: np.ndarray
    second: np.ndarray
    count: np.ndarray


def document_begins(separator, tokens):
    """(n,) where the document of each position begins."""
    places = np.where(tokens == separator, np.arange(tokens.size), 0)
    return np.maximum.accumulate(places)


def sorted_backwards(tokens):
    """(n,) positions sorted by what ends there, read backwards to the text's beginning."""
    divsufsort = pytest.importorskip("pydivsufsort")
    wide = ">u2" if tokens.dtype == np.uint16 else ">u4"
    backwards = np.ascontiguousarray(tokens[::-1]).astype(wide)
    of_bytes = divsufsort.divsufsort(backwards.view(np.uint8))
    whole = of_bytes[of_bytes % backwards.itemsize == 0] // backwards.itemsize
    return tokens.size - 1 - whole.astype(np.int64)


def shared_with_previous(tokens, room, order, max_length):
    """(n,) tokens that each position in order shares with the one before, none for the first."""
    shared = np.zeros(order.size, dtype=np.int64)
    ranks = np.arange(1, order.size)
    for depth in range(max_length):
        here, before = order[ranks], order[ranks - 1]
        inside = (room[here] > depth) & (room[before] > depth)
        ranks, here, before = ranks[inside], here[inside], before[inside]
        ranks = ranks[tokens[here - depth] == tokens[before - depth]]
        shared[ranks] = depth + 1
    return shared


def suffix_array_matches(tokens, separator, max_length):
    """The match of each token; each document opens with the separator, which is nowhere else.

    Those that share `length` tokens stand side by side in the order. Sorted by time, each one's
    nearest earlier is the row before it.
    """
    n = tokens.size
    room = np.arange(n) - document_begins(separator, tokens) + 1
    order = sorted_backwards(tokens)
    shared = shared_with_previous(tokens, room, order, max_length)
    following = np.append(tokens[1:].astype(np.int64), -1)
    found = Matches(
        np.zeros(n, np.int64), *(np.full(n, -1) for _ in range(3)), np.zeros(n, np.int64)
    )
    for length in range(max_length, 0, -1):
        alike = shared >= length
        ranks = np.flatnonzero(alike | np.append(alike[1:], False))
        rows = np.sort(np.cumsum(~alike[ranks]) << BITS | order[ranks])
        groups, positions = rows >> BITS, rows & ((1 << BITS) - 1)
        begins = _first_of_each(groups)
        follows = following[positions]
        changed = np.append(True, follows[1:] != follows[:-1]) | (begins == np.arange(rows.size))
        before = np.maximum.accumulate(np.where(changed, np.arange(rows.size), 0)) - 1
        now = np.flatnonzero(begins < np.arange(rows.size))
        now = now[found.length[positions[now]] == 0]
        t, earlier = positions[now], now - 1
        found.length[t] = length
        found.position[t] = positions[earlier]
        found.next[t] = follows[earlier]
        other = before[earlier]
        found.second[t] = np.where(other >= begins[earlier], follows[other], -1)
        found.count[t] = now - begins[now]
    return found


def _first_of_each(groups):
    """(m,) the first row of each row's group; equal groups stand together."""
    new = np.append(True, groups[1:] != groups[:-1])[: groups.size]
    return np.maximum.accumulate(np.where(new, np.arange(groups.size), 0))


def assert_features(features, found, begins, where=slice(None)):
    """Hold match features against the matches, at the positions `where`.

    Args:
        features: `MatchFeatures` of exactly these positions.
        found: `Matches` of all positions.
        begins: (n,) where each position's document begins.
        where: Positions, in order.
    """
    length, second = found.length[where], found.second[where]
    np.testing.assert_array_equal(features.length, length)
    np.testing.assert_array_equal(features.next, np.where(length > 0, found.next[where], 0))
    np.testing.assert_array_equal(features.has_second, second >= 0)
    np.testing.assert_array_equal(features.second, np.maximum(second, 0))
    np.testing.assert_array_equal(features.count, buckets(found.count[where]))
    same = (length > 0) & (found.position[where] >= begins[where])
    np.testing.assert_array_equal(features.same_document, same)


def buckets(counts):
    """What `MatchFeatures.count` should say: the number itself below 4, then powers of two."""
    powers = np.log2(np.maximum(counts, 1)).astype(np.int64) + 2
    return np.where(counts < 4, counts, np.minimum(powers, 15))
