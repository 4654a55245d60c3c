"""The tables beside sorted positions, against what they are said to hold."""

import itertools

import numpy as np
import pytest

from trainer_core.index.compiled import COMPILED
from trainer_core.index.lookups import tables

SEPARATOR = 9


def context(text, position, max_length):
    """The tokens of a context, the nearest first, its separator the last one."""
    found = []
    for token in text[position::-1][:max_length].tolist():
        found.append(token)
        if token == SEPARATOR:
            break
    return found


def shared(one, other):
    different = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    return min([*different, len(one), len(other)])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("max_length", [3, 14, 32])
def test_what_neighbours_share_is_kept_up_to_fifteen(dtype, max_length, compiled, monkeypatch):
    monkeypatch.setattr(tables, "COMPILED", compiled and COMPILED)
    random = np.random.default_rng(max_length)
    part = random.integers(0, 3, 150)
    text = np.concatenate([[SEPARATOR], part, part[-40:], [SEPARATOR], part[-60:], [0]])
    text = text.astype(dtype)
    contexts = [context(text, position, max_length) for position in range(text.size - 1)]
    order = np.array(sorted(range(text.size - 1), key=lambda place: contexts[place]), np.uint32)
    cut = order.size - 5
    made = tables.make_tables(
        text, order[:cut], separator=SEPARATOR, max_length=max_length, behind=int(order[cut])
    )
    read = (made.shared[:, None] >> (4 * np.arange(16, dtype=np.uint64))) & np.uint64(15)
    pairs = itertools.pairwise(order[: cut + 1])
    expected = [min(shared(contexts[a], contexts[b]), 15) for a, b in pairs]
    assert read.ravel()[:cut].tolist() == expected
    assert not read.ravel()[cut:].any()
