"""Collects the items that the engine sorts: by their first token, or document by document.

A chunk is a range of positions, [first, stop); a span is a range of tokens, [low, high).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import kernel, part, signed
from trainer_core.index.contexts import key_at, token_after
from trainer_core.index.sorting.items import BLOCK_BITS, SINCE_MAX, Items, item_words, write_item
from trainer_core.index.tokens import Text

I64 = NDArray[np.int64]

SCAN = 2048
"""Tokens looked through at a time."""


@kernel
def count_tokens(text: Text, low: int, first: int, stop: int, counts: I64) -> None:
    """Count the tokens of a chunk that lie in a span, from `low` on."""
    for position in range(first, stop):
        token = signed(text.tokens[position]) - low
        if token >= 0 and token < counts.size:
            counts[token] += 1


@part
def _members_of(text: Text, low: int, width: int, block: int, end: int, members: I64) -> int:
    """Write down which positions have a token of the span; how many they are.

    Without a branch: the processor could not foresee it.
    """
    found = 0
    for position in range(block, end):
        token = signed(text.tokens[position]) - low
        members[found] = position
        found += signed(token >= 0) & signed(token < width)
    return found


@part
def _begins_of(text: Text, block: int, end: int, begins: I64) -> int:
    """Write down where documents begin because of an end token in a block; how many there are."""
    found = 0
    for position in range(block, end):
        begins[found] = position + 1 - text.keeps_end
        found += signed(signed(text.tokens[position]) == text.end)
    return found


@kernel
def gather_span(
    text: Text,
    low: int,
    first: int,
    stop: int,
    document_begin: int,
    first_block: int,
    cursors: I64,
    items: Items,
    landmarks: I64,
    members: I64,
    begins: I64,
) -> int:
    """Place the items of a span's tokens group by group, in time order within each.

    Args:
        text: The tokens.
        low: The span's first token.
        first: The first position to look at.
        stop: The position behind the last.
        document_begin: Where the document begins that holds `first`.
        first_block: The block that the first landmark stands for.
        cursors: (high - low,) the number of each group's first item; afterwards behind its last.
        items: Room for the items, with keys behind the first token.
        landmarks: Filled, see `items`.
        members: (SCAN,) scratch.
        begins: (SCAN,) scratch.

    Returns:
        Where the document begins that holds the last position.
    """
    words = item_words(text)
    begin = document_begin
    block = first
    while block < stop:
        if block & SINCE_MAX == 0:
            landmarks[(block >> BLOCK_BITS) - first_block] = begin
        end = min((block // SCAN + 1) * SCAN, stop)
        found = _members_of(text, low, cursors.size, block, end, members)
        n_begins = _begins_of(text, block, end, begins)
        passed = 0
        for number in range(found):
            position = members[number]
            while passed < n_begins and begins[passed] <= position:
                begin = begins[passed]
                passed += 1
            key = key_at(text, position, 1) if text.max_length > 1 else np.uint64(0)
            token = signed(text.tokens[position]) - low
            slot = cursors[token]
            cursors[token] = slot + 1
            following = token_after(text, position)
            write_item(text, items, slot * words, key, position, following, position - begin)
        if n_begins > 0:
            begin = begins[n_begins - 1]
        block = end
    return begin


@kernel
def gather_documents(
    text: Text, first: int, stop: int, items: Items, landmarks: I64, bounds: I64
) -> int:
    """Place the items of whole documents in time order, with keys from their first token on.

    Args:
        text: The tokens.
        first: The first position, that of an end token.
        stop: The position behind the last.
        items: Room for the items; end tokens that belong to nothing are left out.
        landmarks: Filled, see `items`; [0] is that of the block that holds `first`.
        bounds: Filled with the number of each document's first item, and that behind the last.

    Returns:
        How many documents there are.
    """
    words = item_words(text)
    documents = 0
    begin = first
    count = 0
    for position in range(first, stop):
        if position & SINCE_MAX == 0 or position == first:
            landmarks[(position >> BLOCK_BITS) - (first >> BLOCK_BITS)] = begin
        if signed(text.tokens[position]) == text.end:
            bounds[documents] = count
            documents += 1
            begin = position + 1 - text.keeps_end
            if text.keeps_end == 0:
                continue
        key = key_at(text, position, 0)
        following = token_after(text, position)
        write_item(text, items, count * words, key, position, following, position - begin)
        count += 1
    bounds[documents] = count
    return documents
