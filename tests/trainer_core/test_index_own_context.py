"""The text that a stream has read so far: its longest earlier match against looking everywhere."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.index.lookups.own_context import (
    CAPACITY,
    NODES,
    SIZE,
    add_token,
    clear,
    grown,
    new_context,
    own_match,
)


def brute_match(text, max_length):
    """Length, next, position, count and second, or -1, of the text's longest earlier match."""
    last = len(text) - 1
    lengths = []
    for place in range(last):
        length = 0
        while length < min(max_length, place + 1) and text[place - length] == text[last - length]:
            length += 1
        lengths.append(length)
    longest = max(lengths, default=0)
    if not longest:
        return (0, 0, -1, 0, -1)
    places = [place for place, length in enumerate(lengths) if length == longest]
    follows = [text[place + 1] for place in places]
    others = [token for token in follows if token != follows[-1]]
    second = others[-1] if others else -1
    return (longest, follows[-1], places[-1], len(places), second)


def read(own, token):
    if own[SIZE] == own[CAPACITY]:
        own = grown(own)
    add_token(own, token)
    return own


TEXTS = st.one_of(
    st.lists(st.integers(0, 3), max_size=60),
    st.lists(st.sampled_from([0, 1, 65_536, 3_000_000_000, (1 << 32) - 2]), max_size=30),
    st.builds(
        lambda piece, times: piece * times, st.lists(st.integers(0, 9), max_size=9), st.just(6)
    ),
)


@given(TEXTS, st.sampled_from([1, 2, 3, 5, 32, 64]), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_each_token_has_its_longest_earlier_match(text, max_length, forgotten):
    own = new_context(max_length, capacity=2)
    for token in text[:forgotten]:
        own = read(own, token)
    clear(own)
    for t, token in enumerate(text):
        own = read(own, token)
        assert own_match(own) == brute_match(text[: t + 1], max_length)
    assert own[NODES] <= 2 * own[CAPACITY] + 1


def test_long_repeats_cost_no_more_than_the_longest_match():
    own = new_context(8)
    for _ in range(3000):
        own = read(own, 7)
    assert own_match(own) == (8, 7, 2998, 2992, -1)
    assert own[NODES] < 12
