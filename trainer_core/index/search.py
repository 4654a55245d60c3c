"""Finds the longest match of a context in the sorted positions of the training text.

The same functions run compiled or, slowly, as plain Python. Tokens are those of the index; `order`
holds its usable positions, sorted by the contexts that end there read backwards; `bounds` is where
each token's positions begin in it. A context never reaches behind its own separator, and training
documents begin with one, so a comparison cannot leave a document: to cross its start it would have
to match a separator that ends the context.

n training tokens, V vocabulary, q queries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import COMPILED, inlined, kernel, part, signed
from trainer_core.index.tokens import Tokens

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

LENGTH, COUNT, POSITION, SECOND = 0, 1, 2, 3
"""Columns of an answer: tokens matched, occurrences, the most recent one's last token, another
token that followed, + 1 (0 where all agree)."""


@inlined
def _position(order: U32, rank: int, last: int) -> int:
    """A position by rank, held inside the text: a damaged file must not reach outside of it."""
    return min(signed(order[rank]), last)


@part
def _common(tokens: Tokens, position: int, query: U32, at: int, known: int, limit: int) -> int:
    """How many tokens before and at two places are equal, from `known` up to `limit`."""
    length = known
    limit = min(limit, position + 1)
    while length < limit and tokens[position - length] == query[at - length]:
        length += 1
    return length


@part
def _insertion(
    tokens: Tokens, order: U32, low: int, high: int, query: U32, at: int, limit: int
) -> tuple[int, int, int]:
    """Where the context belongs among those of its last token.

    Returns:
        The first rank whose context does not come before it; the length of its match with the rank
        before, and with that rank; at least 1 each, as all share the last token.
    """
    last = tokens.size - 1
    before = 1
    after = 1
    while low < high:
        middle = (low + high) >> 1
        position = _position(order, middle, last)
        common = _common(tokens, position, query, at, min(before, after), limit)
        smaller = common < limit and (
            position < common or tokens[position - common] < query[at - common]
        )
        if smaller:
            low = middle + 1
            before = common
        else:
            high = middle
            after = common
    return low, before, after


@part
def _run_begin(
    tokens: Tokens, order: U32, low: int, rank: int, query: U32, at: int, length: int
) -> int:
    """The first rank from `low` on whose context has these `length` tokens; `rank` has."""
    last = tokens.size - 1
    step = 1
    while rank - step >= low:
        position = _position(order, rank - step, last)
        if _common(tokens, position, query, at, 0, length) < length:
            break
        rank -= step
        step *= 2
    low = max(low, rank - step)
    while low < rank:
        middle = (low + rank) >> 1
        if _common(tokens, _position(order, middle, last), query, at, 0, length) < length:
            low = middle + 1
        else:
            rank = middle
    return rank


@part
def _run_end(
    tokens: Tokens, order: U32, rank: int, high: int, query: U32, at: int, length: int
) -> int:
    """The rank behind the last one below `high` with these `length` tokens; `rank - 1` has them."""
    last = tokens.size - 1
    step = 1
    while rank + step <= high:
        position = _position(order, rank + step - 1, last)
        if _common(tokens, position, query, at, 0, length) < length:
            break
        rank += step
        step *= 2
    high = min(high, rank + step)
    while rank < high:
        middle = (rank + high) >> 1
        if _common(tokens, _position(order, middle, last), query, at, 0, length) < length:
            high = middle
        else:
            rank = middle + 1
    return rank


@kernel
def longest_run(
    tokens: Tokens, order: U32, bounds: I64, query: U32, at: int, limit: int
) -> tuple[int, int, int]:
    """The longest match of a context and all its occurrences.

    Args:
        tokens: (n,) training tokens.
        order: (n - 1,) sorted positions.
        bounds: (V + 1,) first ranks.
        query: Tokens of the context.
        at: Where its last token stands in `query`.
        limit: How many tokens of it to compare at most: not past its separator, nor past `query`.

    Returns:
        Length in tokens, 0 without a match; the first rank of the occurrences and the one behind
        the last.
    """
    token = signed(query[at])
    if limit < 1 or token >= bounds.size - 1 or bounds[token] == bounds[token + 1]:
        return 0, 0, 0
    low = signed(bounds[token])
    high = signed(bounds[token + 1])
    if limit == 1:
        return 1, low, high
    rank, before, after = _insertion(tokens, order, low, high, query, at, limit)
    length = max(before, after)
    if length == 1:
        return 1, low, high
    begin = rank
    end = rank
    if before == length:
        begin = _run_begin(tokens, order, low, rank - 1, query, at, length)
    if after == length:
        end = _run_end(tokens, order, rank + 1, high, query, at, length)
    return length, begin, end


@kernel
def _latest_compiled(tokens: Tokens, order: U32, begin: int, end: int) -> tuple[int, int]:
    """The most recent of some occurrences, and another token that followed one, + 1, or 0."""
    last = tokens.size - 2
    latest = 0
    for rank in range(begin, end):
        latest = max(latest, _position(order, rank, last))
    followed = tokens[latest + 1]
    other = -1
    for rank in range(begin, end):
        position = _position(order, rank, last)
        if position > other and tokens[position + 1] != followed:
            other = position
    if other < 0:
        return latest, 0
    return latest, signed(tokens[other + 1]) + 1


def _latest_plain(tokens: Tokens, order: U32, begin: int, end: int) -> tuple[int, int]:
    """`_latest_compiled` in numpy."""
    positions = np.minimum(order[begin:end].astype(np.int64), tokens.size - 2)
    latest = int(positions.max())
    others = positions[tokens[positions + 1] != tokens[latest + 1]]
    return latest, int(tokens[int(others.max()) + 1]) + 1 if others.size else 0


latest = _latest_compiled if COMPILED else _latest_plain
"""Takes tokens, order and the ranks of a match's occurrences, at least one; gives the position of
the most recent one, and the latest other token that followed, + 1, or 0 where all agree."""


@kernel
def answer_many(
    tokens: Tokens,
    order: U32,
    bounds: I64,
    query: U32,
    ends: I64,
    limits: U8,
    answers: I64,
) -> None:
    """Look up many contexts.

    Args:
        tokens: As for `longest_run`.
        order: As for `longest_run`.
        bounds: As for `longest_run`.
        query: As for `longest_run`.
        ends: (q,) where each context ends in `query`.
        limits: (q,) how many of its tokens to compare at most.
        answers: (q, 4) filled; zeros where there is no match.
    """
    for i in range(ends.size):
        limit = signed(limits[i])
        if i > 0 and ends[i] == ends[i - 1] + 1:
            limit = min(limit, answers[i - 1, LENGTH] + 1)  # a match grows by one token at most
        length, begin, end = longest_run(tokens, order, bounds, query, ends[i], limit)
        answers[i, LENGTH] = length
        answers[i, COUNT] = end - begin
        if length > 0:
            position, second = latest(tokens, order, begin, end)
            answers[i, POSITION] = position
            answers[i, SECOND] = second
