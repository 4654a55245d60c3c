"""Lookups by machine code: one context, many at once, a text token by token.

Many at once means several searches on their way: while one waits for memory the others go on. Each
takes a stretch of the queries, since a context that goes on from the one before, by one token, may
be answered by what is known of that one.

q queries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, kernel, part, signed
from trainer_core.index.lookups.desk import (
    ANSWER_FIELDS,
    DONE,
    FIRST_QUERY,
    FIRST_ROW,
    I64,
    LANE_SHIFT,
    LANES,
    LENGTH,
    LIMIT,
    MAX_LENGTH,
    NOTES,
    QUERY,
    QUERY_END,
    ROW_FIELDS,
    SEPARATOR,
    STATE,
    STOP_QUERY,
    STREAM_ANSWER,
    STREAM_FIELDS,
    TAKEN,
    TOKEN_BYTES,
    VOCAB_SIZE,
    WINDOW,
    WINDOW_USED,
    WINDOW_WORDS,
)
from trainer_core.index.lookups.fetch import get, put
from trainer_core.index.lookups.own_context import CAPACITY, SIZE, add_token, clear, own_match
from trainer_core.index.lookups.steps import begin, go_on, step
from trainer_core.index.machine import prefetch_at

U8 = NDArray[np.uint8]

_STRETCH_MAX = 256
_TOKEN_MAX = (1 << 32) - 2


# --- one context -------------------------------------------------------------------------------


@inlined
def _clear_window(desk: int, at: int) -> None:
    """Leave room for one key before the first token, as kernels read whole keys."""
    put(at, WINDOW_USED, get(desk, LANES))


@inlined
def _add_to_window(desk: int, at: int, token: int) -> None:
    """Put a token behind the others, as it stands in the training text."""
    lanes = get(desk, LANES)
    bits = get(desk, LANE_SHIFT)
    used = get(at, WINDOW_USED)
    if used == WINDOW_WORDS * lanes:  # full: go on with the tokens that a context can have
        words = 64 >> (6 - bits)
        for i in range(words):
            put(at, WINDOW + 1 + i, get(at, WINDOW + WINDOW_WORDS - words + i))
        used = lanes + 64
    word = WINDOW + (used >> (6 - bits))
    shift = (used & (lanes - 1)) << bits
    if shift == 0:
        put(at, word, token)
    else:
        put(at, word, get(at, word) | (token << shift))
    put(at, WINDOW_USED, used + 1)


@inlined
def _end_of_window(desk: int, at: int) -> int:
    return at + 8 * WINDOW + get(at, WINDOW_USED) * get(desk, TOKEN_BYTES)


@kernel
def answer_one(desk: int, size: int) -> bool:
    """Look up the context in the desk's `query`; the answer is in its first row.

    Args:
        desk: Address of a desk.
        size: Tokens of the context.

    Returns:
        False where a number is no token: then there is no answer.
    """
    at = get(desk, FIRST_ROW)
    first = size
    while first > 0:
        token = get(desk, QUERY + first - 1)
        if not 0 <= token <= _TOKEN_MAX:
            return False
        if token >= get(desk, VOCAB_SIZE):  # nothing with it can match
            break
        first -= 1
        if token == get(desk, SEPARATOR):
            break
    _clear_window(desk, at)
    for i in range(first, size):
        _add_to_window(desk, at, get(desk, QUERY + i))
    put(at, QUERY_END, _end_of_window(desk, at))
    put(at, LIMIT, size - first)
    begin(desk, at)
    if get(at, STATE) != DONE:
        while step(desk, at, True):
            pass
    return True


# --- many contexts -----------------------------------------------------------------------------


@part
def _next_query(
    desk: int, at: int, query: int, ends: I64, limits: U8, answers: I64, again: bool
) -> bool:
    """Answer a row's queries up to one that needs a search, and begin that.

    Args:
        desk: The desk.
        at: Where the row begins.
        query: Address of the queries' tokens.
        ends: (q,) where contexts end.
        limits: (q,) how many tokens they have.
        answers: (q, 5) filled.
        again: Whether the row holds the answer of the query before.

    Returns:
        False where the row has no more queries.
    """
    size = get(desk, TOKEN_BYTES)
    i = get(at, FIRST_QUERY)
    while i < get(at, STOP_QUERY):
        limit = signed(limits[i])
        end = query + (ends[i] + 1) * size
        put(at, QUERY_END, end)
        if again and ends[i] == ends[i - 1] + 1 and limit <= signed(limits[i - 1]) + 1:
            go_on(desk, at, limit)
        else:
            put(at, LIMIT, limit)
            begin(desk, at)
        if get(at, STATE) != DONE:
            put(at, FIRST_QUERY, i)
            if i + 1 < ends.size:
                prefetch_at(query + ends[i + 1] * size - 16)
            return True
        _write_answer(desk, at, answers, i)
        again = True
        i += 1
    put(at, FIRST_QUERY, i)
    return False


@inlined
def _write_answer(desk: int, at: int, answers: I64, i: int) -> None:
    for field in range(ANSWER_FIELDS):
        answers[i, field] = get(at, field)


@part
def _take_stretch(desk: int, at: int, rows: int, n_queries: int) -> bool:
    """Give a row the next queries that nobody has; False where there are none."""
    first = get(desk, TAKEN)
    if first >= n_queries:
        return False
    stop = min(first + max(1, min(_STRETCH_MAX, n_queries // (4 * rows))), n_queries)
    put(at, FIRST_QUERY, first)
    put(at, STOP_QUERY, stop)
    put(desk, TAKEN, stop)
    return True


@kernel
def begin_many(desk: int, rows: int) -> None:
    """Prepare for `answer_many`: no row is at work."""
    put(desk, TAKEN, 0)
    for row in range(rows):
        at = get(desk, FIRST_ROW) + row * 8 * ROW_FIELDS
        put(at, STATE, DONE)
        put(at, FIRST_QUERY, 0)
        put(at, STOP_QUERY, 0)


@kernel
def answer_many(desk: int, rows: int, query: int, ends: I64, limits: U8, answers: I64) -> bool:
    """Look up many contexts.

    Args:
        desk: Address of a desk, after `begin_many`.
        rows: How many of its rows to use.
        query: Address of the queries' tokens, which are of the training text's kind; 8 bytes in
            front of the first one are readable.
        ends: (q,) where each context ends among them.
        limits: (q,) how many of its tokens to compare at most; 0 gives no match.
        answers: (q, 5) filled: length, next, position, count, second.

    Returns:
        Whether there is more to do. Where the desk notes addresses instead of prefetching them,
        each call makes a step of each search; else one call does all.
    """
    busy = True
    while busy:
        busy = False
        for row in range(rows):
            at = get(desk, FIRST_ROW) + row * 8 * ROW_FIELDS
            again = False
            if get(at, STATE) != DONE:
                if step(desk, at, rows == 1):
                    busy = True
                    continue
                _write_answer(desk, at, answers, get(at, FIRST_QUERY))
                put(at, FIRST_QUERY, get(at, FIRST_QUERY) + 1)
                again = True
            while not _next_query(desk, at, query, ends, limits, answers, again):
                if not _take_stretch(desk, at, rows, ends.size):
                    break
                again = False
            busy = busy or get(at, STATE) != DONE
        if get(desk, NOTES) != 0:
            return busy
    return False


# --- a text token by token ---------------------------------------------------------------------


@part
def _advance(desk: int, own: NDArray[np.int32], with_own: bool, token: int) -> None:
    """Read a token of a stream and answer."""
    at = get(desk, FIRST_ROW)
    if token == get(desk, SEPARATOR) or token >= get(desk, VOCAB_SIZE):
        _clear_window(desk, at)  # what was before plays no part
    limit = 0
    if token < get(desk, VOCAB_SIZE):
        _add_to_window(desk, at, token)
        used = get(at, WINDOW_USED) - get(desk, LANES)
        limit = min(used, get(desk, MAX_LENGTH))
    put(at, QUERY_END, _end_of_window(desk, at))
    go_on(desk, at, limit)
    if get(at, STATE) != DONE:
        while step(desk, at, True):
            pass
    for field in range(ANSWER_FIELDS):
        put(desk, STREAM_ANSWER + field, get(at, field))
    put(desk, STREAM_ANSWER + ANSWER_FIELDS, 0)
    if with_own:
        if token == get(desk, SEPARATOR):
            clear(own)
        add_token(own, token)
        _join_own(desk, own)


@inlined
def _join_own(desk: int, own: NDArray[np.int32]) -> None:
    """The own match where it is no shorter; on a tie the occurrences of both count."""
    length, following, position, count, second = own_match(own)
    found = get(desk, STREAM_ANSWER + LENGTH)
    if length == 0 or length < found:
        return
    if length == found:
        count += get(desk, STREAM_ANSWER + 3)
        if second < 0:
            second = get(desk, STREAM_ANSWER + 1)
            if second == following:
                second = get(desk, STREAM_ANSWER + 4)
    put(desk, STREAM_ANSWER, length)
    put(desk, STREAM_ANSWER + 1, following)
    put(desk, STREAM_ANSWER + 2, position)
    put(desk, STREAM_ANSWER + 3, count)
    put(desk, STREAM_ANSWER + 4, second)
    put(desk, STREAM_ANSWER + ANSWER_FIELDS, 1)


@kernel
def begin_stream(desk: int) -> None:
    """Prepare for a stream: nothing was read."""
    _clear_window(desk, get(desk, FIRST_ROW))


@kernel
def advance_one(desk: int, own: NDArray[np.int32], with_own: bool, token: int) -> bool:
    """Read a token of a stream; the answer is the desk's `stream_answer`.

    Returns:
        False where the own context has no room: then nothing was done.
    """
    if with_own and own[SIZE] >= own[CAPACITY] and token != get(desk, SEPARATOR):
        return False
    _advance(desk, own, with_own, token)
    return True


@kernel
def advance_many(
    desk: int, own: NDArray[np.int32], with_own: bool, tokens: I64, answers: I64, first: int
) -> int:
    """Read tokens of a stream, from number `first` on.

    Args:
        desk: Address of the stream's desk.
        own: The stream's own context.
        with_own: Whether matches are sought in it too.
        tokens: (q,) all of them.
        answers: (q, 6) filled as `stream_answer` is.
        first: The first one to read.

    Returns:
        The number of the first one that was not read, as the own context has no room for it, or q.
    """
    for i in range(first, tokens.size):
        if with_own and own[SIZE] >= own[CAPACITY] and tokens[i] != get(desk, SEPARATOR):
            return i
        _advance(desk, own, with_own, tokens[i])
        for field in range(STREAM_FIELDS):
            answers[i, field] = get(desk, STREAM_ANSWER + field)
    return signed(tokens.size)
