"""What lookup kernels work with, in one array of numbers: where files are mapped, and searches.

A kernel that is given one array is called in a fraction of the time that a dozen arrays take, and
is compiled once for every kind of token. So a `Desk` has the addresses and sizes of an index's
mapped files, and *rows*: each holds one search on its way, the answer, and what the next search
can use of it. A desk is used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.lookups.tables import Tables
from trainer_core.index.tokens import Tokens

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

# The index.
TOKENS = 0
TOKEN_BYTES = 1
LAST_USABLE = 2
MAX_LENGTH = 3
SEPARATOR = 4
VOCAB_SIZE = 5
BUCKETS = 6
FIRST_ROW = 7
# How memory is asked for in advance: by prefetches, or by noting addresses for the reader.
NOTES = 8
NOTED = 9
NOTES_MAX = 10
NOTES_AT = 11
KEEP_LIMIT = 12  # runs of more entries are answered without keeping their positions
TAKEN = 13
LANES = 14  # tokens in a key
LANE_SHIFT = 15  # and the power of two of their bits
# What a stream answers: an answer, and of which kind it is.
STREAM_ANSWER = 16
STREAM_FIELDS = 6
LOOKS = 22  # entries that a step compares at most
# What a single lookup asks for.
QUERY = 24
QUERY_TOKENS = 64
FIRST_RANGE = QUERY + QUERY_TOKENS

# One key range.
STOP_TOKEN = 0
FIRST_RANK = 1
ENTRIES = 2
SORTED = 3
KEYS = 4
LATEST = 5
FAR = 6
SHARED = 7
RANGE_FIELDS = 8

# One search: the answer, what is asked, and how far it is.
LENGTH = 0
NEXT = 1
POSITION = 2
COUNT = 3
SECOND = 4
ANSWER_FIELDS = 5
BEGIN = 5
END = 6
RANGE = 7
QUERY_END = 8
LIMIT = 9
STATE = 10
LOW = 11
HIGH = 12
LEFT = 13
RIGHT = 14
BEFORE = 15
AFTER = 16
LEFT_SAMPLE = 17
RIGHT_SAMPLE = 18
FIRST_EQUAL = 19
STOP_EQUAL = 20
BLOCK = 21
FETCHED = 22
LATEST_OTHER = 23
KEPT = 24
FIRST_QUERY = 25
STOP_QUERY = 26
WINDOW_USED = 27
# The search for a run's first entry and for its last one: an entry inside, one outside, and whether
# the one outside is probably close.
FIRST = 28
LAST = 31
INSIDE = 0
OUTSIDE = 1
CLOSE = 2
WINDOW = 34
WINDOW_WORDS = 80
KEEP = WINDOW + WINDOW_WORDS
KEEP_MAX = 32
KEEP_RANDOM = 8
KEEP_FROM_DISK = 2
ROW_FIELDS = KEEP + KEEP_MAX

# What a search is waiting for.
DONE = 0
BUCKET = 1
SAMPLES = 2
EQUAL_ORDER = 3
EQUAL_TEXT = 4
BORDERS_ORDER = 5
BORDERS_TEXT = 6
FEW_ORDER = 7
FEW_TEXT = 8
MANY_ORDER = 9
MANY_TEXT = 10
PLACE = 11
MANY_OTHERS = 12

_NOTES_PER_ROW = 48


@dataclass(frozen=True)
class RangeArrays:
    """One key range, mapped.

    Attributes:
        first_token: Its first token.
        stop_token: The token behind its last one.
        first_rank: Rank of its first entry among all of the index.
        order: (m,) uint32, sorted positions.
        tables: Over them.
    """

    first_token: int
    stop_token: int
    first_rank: int
    order: U32
    tables: Tables


@dataclass(frozen=True)
class IndexArrays:
    """An index as lookups read it, mapped or in memory. n tokens, V vocabulary.

    Attributes:
        tokens: (n,) uint16 or uint32, each document opening with the separator.
        bounds: (V + 1,) int64, ranks at which each token's positions begin.
        ranges: In the order of their tokens, at least one.
        separator: The token that opens documents and stands nowhere else.
        max_length: Contexts are cut after this many tokens.
    """

    tokens: Tokens
    bounds: I64
    ranges: Sequence[RangeArrays]
    separator: int
    max_length: int

    @property
    def vocab_size(self) -> int:
        """Different tokens that there may be."""
        return int(self.bounds.size) - 1


def _address(values: NDArray[Any]) -> int:
    return int(values.ctypes.data)


class Desk:
    """Room for the searches of one thread in an index.

    Args:
        arrays: The index. The desk keeps it alive, as kernels read it by address.
        rows: How many searches may be on their way at once.

    Attributes:
        address: Where it is in memory: all that kernels are told.
        query: (max_length,) the context of a single lookup, the latest token last.
        answer: (5,) length, next, position, count and second of the first row.
        stream_answer: (6,) the same of a stream's match, and 1 where its own context has it.
        run: (3,) first rank, the rank behind the last one, and the place of their key range.
    """

    def __init__(self, arrays: IndexArrays, rows: int = 1) -> None:
        self._arrays = arrays
        first_row = FIRST_RANGE + RANGE_FIELDS * len(arrays.ranges)
        notes_at = first_row + ROW_FIELDS * rows
        self.rows = rows
        self.numbers = np.zeros(notes_at + _NOTES_PER_ROW * rows, dtype=np.int64)
        self.address = _address(self.numbers)
        header = {
            TOKENS: _address(arrays.tokens),
            TOKEN_BYTES: arrays.tokens.itemsize,
            LANES: 8 // arrays.tokens.itemsize,
            LANE_SHIFT: 4 if arrays.tokens.itemsize == 2 else 5,
            LAST_USABLE: arrays.tokens.size - 2,
            MAX_LENGTH: arrays.max_length,
            SEPARATOR: arrays.separator,
            VOCAB_SIZE: arrays.vocab_size,
            BUCKETS: _address(arrays.bounds),
            FIRST_ROW: self.address + 8 * first_row,
            NOTES_MAX: _NOTES_PER_ROW * rows,
            NOTES_AT: notes_at,
            LOOKS: 3,
            KEEP_LIMIT: KEEP_RANDOM,
        }
        for field, value in header.items():
            self.numbers[field] = value
        for number, part in enumerate(arrays.ranges):
            place = FIRST_RANGE + RANGE_FIELDS * number
            self.numbers[place : place + RANGE_FIELDS] = (
                part.stop_token,
                part.first_rank,
                part.order.size,
                _address(part.order),
                _address(part.tables.keys),
                _address(part.tables.latest),
                _address(part.tables.far),
                _address(part.tables.shared),
            )
        self.query = self.numbers[QUERY : QUERY + arrays.max_length]
        self.answer = self.numbers[first_row : first_row + ANSWER_FIELDS]
        self.stream_answer = self.numbers[STREAM_ANSWER : STREAM_ANSWER + STREAM_FIELDS]
        self.run = self.numbers[first_row + BEGIN : first_row + RANGE + 1]

    def keep(self, limit: int) -> None:
        """Keep the positions of runs of at most so many entries, 1 to `KEEP_MAX`.

        With many, searches that go on from the one before by a token are faster, with few others.
        """
        self.numbers[KEEP_LIMIT] = limit

    def note_addresses(self) -> None:
        """Let kernels note addresses that are read soon, instead of prefetching them."""
        self.numbers[NOTES] = 1
        self.numbers[NOTED] = 0
        self.numbers[LOOKS] = 1  # each may cost a page: rather more steps than more pages

    def take_notes(self) -> I64:
        """The addresses that were noted since the last time."""
        count = int(self.numbers[NOTED])
        self.numbers[NOTED] = 0
        begin = int(self.numbers[NOTES_AT])
        return self.numbers[begin : begin + count]

    def ranks(self) -> tuple[int, int, int]:
        """The occurrences of the first row's answer: number of the key range, first rank in it and
        the rank behind the last one.
        """
        begin, end, place = self.run.tolist()
        return ((place - self.address) // 8 - FIRST_RANGE) // RANGE_FIELDS, begin, end
