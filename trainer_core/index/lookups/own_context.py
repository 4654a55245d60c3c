"""The text that a stream has read so far, kept so that its longest earlier match is found at once.

Its contexts, read backwards, stand in a tree whose edges have several tokens. A *node* is a run of
tokens that at least two contexts share, or all of a context; it knows how often the run has
occurred, where most recently, and where another token followed than there. The longest match of a
context is how far it leads into the tree, which takes as many looks as the match has tokens,
however long the text is. A context enters the tree when the token after it is known.

Everything is in one array of numbers, so that a kernel can be given it quickly; the same functions
run, slowly, without machine code. t tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.index.compiled import inlined, kernel, part, signed

Numbers = NDArray[np.int32]

SIZE = 0
CAPACITY = 1
MAX_LENGTH = 2
NODES = 3
MATCHED = 4
BELOW = 5
PASSED = 6
_PASSED_NODES = 8
_TOKENS = 80

_START = 0  # a position whose context leads through the node
_DEPTH = 1  # tokens from the root
_PARENT = 2
_SLOT = 3  # where it stands in the table of children
_LATEST = 4
_OTHER = 5
_COUNT = 6
_NODE_FIELDS = 7

_FIRST_CAPACITY = 256
_TOKEN_MASK = (1 << 32) - 1


def new_context(max_length: int, capacity: int = _FIRST_CAPACITY) -> Numbers:
    """An empty text with room for some tokens.

    Args:
        max_length: Matches are followed back this many tokens, 1 to 64.
        capacity: A power of two.
    """
    nodes = 2 * capacity + 1  # each context adds a leaf and divides an edge at most
    own = np.zeros(_TOKENS + capacity + _NODE_FIELDS * nodes + 4 * capacity, dtype=np.int32)
    own[CAPACITY] = capacity
    own[MAX_LENGTH] = max_length
    own[NODES] = 1
    return own


def grown(own: Numbers) -> Numbers:
    """The same text with room for twice as many tokens."""
    larger = new_context(int(own[MAX_LENGTH]), 2 * int(own[CAPACITY]))
    _move(own, larger)
    return larger


@inlined
def _node(own: Numbers, node: int) -> int:
    """Where a node's fields begin."""
    return _TOKENS + signed(own[CAPACITY]) + _NODE_FIELDS * node


@inlined
def _table(own: Numbers) -> int:
    """Where the table of children begins, four places for each token."""
    capacity = signed(own[CAPACITY])
    return _TOKENS + capacity + _NODE_FIELDS * (2 * capacity + 1)


@inlined
def _own_token(own: Numbers, position: int) -> int:
    return signed(own[_TOKENS + position])


@inlined
def _first_slot(own: Numbers, parent: int, token: int) -> int:
    """Where to look for the child of a node that a token leads to."""
    mixed = parent * 0x3C6EF372 + (token & _TOKEN_MASK) * 0x1E3779B1
    return (mixed ^ (mixed >> 29)) & (4 * signed(own[CAPACITY]) - 1)


@inlined
def _find_child(own: Numbers, parent: int, token: int, depth: int) -> int:
    """The child of a node at some depth that a token leads to; 0 where there is none."""
    table = _table(own)
    slot = _first_slot(own, parent, token)
    child = signed(own[table + slot])
    while child != 0:
        at = _node(own, child)
        first = _own_token(own, signed(own[at + _START]) - depth)
        if own[at + _PARENT] == parent and first == token:
            return child
        slot = (slot + 1) & (4 * signed(own[CAPACITY]) - 1)
        child = signed(own[table + slot])
    return 0


@inlined
def _enter_child(own: Numbers, child: int, parent: int, token: int) -> None:
    table = _table(own)
    slot = _first_slot(own, parent, token)
    while own[table + slot] != 0:
        slot = (slot + 1) & (4 * signed(own[CAPACITY]) - 1)
    own[table + slot] = child
    at = _node(own, child)
    own[at + _PARENT] = parent
    own[at + _SLOT] = slot


@kernel
def _move(own: Numbers, larger: Numbers) -> None:
    for i in range(NODES, _TOKENS + own[SIZE]):
        larger[i] = own[i]
    larger[SIZE] = own[SIZE]
    for node in range(1, own[NODES]):
        old = _node(own, node)
        new = _node(larger, node)
        for field in range(_NODE_FIELDS):
            larger[new + field] = own[old + field]
        parent = signed(own[old + _PARENT])
        depth = signed(own[_node(own, parent) + _DEPTH])
        token = _own_token(own, signed(own[old + _START]) - depth)
        _enter_child(larger, node, parent, token)


@part
def clear(own: Numbers) -> None:
    """Forget the text: a new document begins."""
    table = _table(own)
    for node in range(1, own[NODES]):
        own[table + own[_node(own, node) + _SLOT]] = 0
    own[SIZE] = 0
    own[NODES] = 1
    own[MATCHED] = 0
    own[BELOW] = 0
    own[PASSED] = 0


@inlined
def _count_in(own: Numbers, node: int, position: int, token: int) -> None:
    """One more occurrence of a node's run, later than all others, and what followed it."""
    at = _node(own, node)
    latest = signed(own[at + _LATEST])
    if _own_token(own, latest + 1) != token:
        own[at + _OTHER] = latest
    own[at + _LATEST] = position
    own[at + _COUNT] += 1


@inlined
def _new_node(own: Numbers, start: int, depth: int) -> int:
    node = signed(own[NODES])
    own[NODES] = node + 1
    at = _node(own, node)
    own[at + _START] = start
    own[at + _DEPTH] = depth
    own[at + _LATEST] = start
    own[at + _OTHER] = -1
    own[at + _COUNT] = 1
    return node


@part
def _divide_edge(own: Numbers, below: int, depth: int) -> int:
    """Put a node on the edge to `below`."""
    at = _node(own, below)
    middle = _new_node(own, signed(own[at + _START]), depth)
    new = _node(own, middle)
    for field in range(_PARENT, _NODE_FIELDS):
        own[new + field] = own[at + field]
    own[_table(own) + own[at + _SLOT]] = middle
    _enter_child(own, below, middle, _own_token(own, signed(own[at + _START]) - depth))
    return middle


@inlined
def _enter_last(own: Numbers, token: int) -> None:
    """Enter the context of the last token into the tree, now that what followed it is known."""
    position = signed(own[SIZE]) - 1
    depth = signed(own[MATCHED])
    parent = 0
    for i in range(own[PASSED]):
        parent = signed(own[_PASSED_NODES + i])
        _count_in(own, parent, position, token)
    if own[BELOW] != 0:
        parent = _divide_edge(own, signed(own[BELOW]), depth)
        _count_in(own, parent, position, token)
    limit = min(position + 1, signed(own[MAX_LENGTH]))
    if depth < limit:
        leaf = _new_node(own, position, limit)
        _enter_child(own, leaf, parent, _own_token(own, position - depth))


@part
def add_token(own: Numbers, token: int) -> None:
    """Read a token and find the longest match of the text that it ends; there must be room."""
    token = ((token + (1 << 31)) & _TOKEN_MASK) - (1 << 31)  # its bits, as a number with a sign
    position = signed(own[SIZE])
    own[_TOKENS + position] = token
    if position > 0:
        _enter_last(own, token)
    own[SIZE] = position + 1
    limit = min(position + 1, signed(own[MAX_LENGTH]))
    node = 0
    depth = 0
    passed = 0
    below = 0
    while depth < limit:
        child = _find_child(own, node, _own_token(own, position - depth), depth)
        if child == 0:
            break
        at = _node(own, child)
        start = signed(own[at + _START])
        end = signed(own[at + _DEPTH])
        depth += 1
        while (
            depth < min(end, limit)
            and own[_TOKENS + start - depth] == own[_TOKENS + position - depth]
        ):
            depth += 1
        if depth < end:
            below = child
            break
        node = child
        own[_PASSED_NODES + passed] = node
        passed += 1
    own[MATCHED] = depth
    own[BELOW] = below
    own[PASSED] = passed


@inlined
def own_match(own: Numbers) -> tuple[int, int, int, int, int]:
    """The match that was found: length, next, position, count, and second or -1."""
    length = signed(own[MATCHED])
    if length == 0:
        return 0, 0, -1, 0, -1
    node = signed(own[BELOW])
    if node == 0:
        node = signed(own[_PASSED_NODES + own[PASSED] - 1])
    at = _node(own, node)
    position = signed(own[at + _LATEST])
    following = _own_token(own, position + 1) & _TOKEN_MASK
    second = -1
    if own[at + _OTHER] >= 0:
        second = _own_token(own, signed(own[at + _OTHER]) + 1) & _TOKEN_MASK
    return length, following, position, signed(own[at + _COUNT]), second
