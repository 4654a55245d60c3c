"""What texts have in common with the training text, against looking at every pair of places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_for_tests import SEPARATOR, index_of, source_of

from trainer_core.answers import overlaps
from trainer_core.answers.overlaps import covered_tokens, longest_overlap, match_lengths

UNIQUE = 7


def common_lengths(train, text):
    """(text, train) tokens in common, read backwards."""
    lengths = np.zeros((len(text) + 1, len(train) + 1), dtype=np.int64)
    for j, token in enumerate(text):
        lengths[j + 1, 1:] = np.where(train == token, lengths[j, :-1] + 1, 0)
    return lengths[1:, 1:]


def brute(train, text, least):
    """The longest overlap, where it begins in the text, and how many tokens overlaps cover."""
    lengths = common_lengths(train, text).max(axis=1, initial=0)
    covered = np.zeros(len(text), dtype=bool)
    for end, length in enumerate(lengths.tolist()):
        if length >= least:
            covered[end + 1 - length : end + 1] = True
    longest = int(lengths.max(initial=0))
    begin = int(lengths.argmax()) + 1 - longest if longest else 0
    return longest, begin, int(covered.sum())


@st.composite
def trains_and_texts(draw):
    """Training documents that end with a token of their own, and texts of the same few tokens."""
    alphabet = draw(st.integers(1, 3))
    words = st.lists(st.integers(1, alphabet), max_size=25)
    train, starts = [], []
    for _ in range(draw(st.integers(1, 3))):
        starts.append(len(train))
        train += [SEPARATOR, *draw(words) * draw(st.sampled_from([1, 2, 4]))]
    starts.append(len(train))
    train += [SEPARATOR, UNIQUE]
    texts = draw(st.lists(words, min_size=1, max_size=3))
    return (
        train,
        starts,
        [np.array(text * draw(st.sampled_from([1, 3])), dtype=np.uint32) for text in texts],
    )


@settings(max_examples=40)
@given(trains_and_texts(), st.sampled_from([1, 2, 3, 5, 32]), st.integers(1, 5))
def test_overlaps_agree_with_every_pair_of_places(tmp_path_factory, drawn, max_length, least):
    train, starts, texts = drawn
    least = min(least, max_length)
    folder = tmp_path_factory.mktemp("index") / "index"
    index = index_of(folder, source_of(train, starts), max_length)
    train = np.array(train)
    begins = np.cumsum([0, *(text.size for text in texts)])[:-1]
    filled = np.array([text.size > 0 for text in texts])
    lengths = match_lengths(index, np.concatenate(texts), begins[filled])
    for text, begin in zip(texts, begins, strict=True):
        own = lengths[begin : begin + text.size]
        longest, at, covered = brute(train, text, least)
        assert own.max(initial=0) == min(longest, max_length)
        assert covered_tokens(own, least) == covered
        found = longest_overlap(index, text, own)
        assert (found.tokens, found.begin) == (longest, at)
        if longest:
            run = text[at : at + longest]
            assert train[found.position : found.position + longest].tolist() == run.tolist()
            later = common_lengths(train, text)[at + longest - 1] >= longest
            assert found.position == np.flatnonzero(later)[-1] + 1 - longest


@pytest.mark.parametrize("block", [1, 3, 50])
def test_texts_longer_than_a_block_are_the_same(tmp_path, monkeypatch, block):
    rng = np.random.default_rng(4)
    train = [SEPARATOR, *rng.integers(1, 3, 300).tolist(), SEPARATOR, UNIQUE]
    index = index_of(tmp_path / "i", source_of(train, [0, 301]), 5)
    text = rng.integers(1, 3, 120).astype(np.uint32)
    whole = match_lengths(index, text, np.array([0, 60]))
    monkeypatch.setattr(overlaps, "_BLOCK_TOKENS", block)
    assert match_lengths(index, text, np.array([0, 60])).tolist() == whole.tolist()


def test_an_overlap_is_followed_far_beyond_what_the_index_tells_apart(tmp_path):
    rng = np.random.default_rng(4)
    document = rng.integers(1, 900, 3000)
    train = [SEPARATOR, *document.tolist(), SEPARATOR, *document[:500].tolist(), 901]
    index = index_of(tmp_path / "i", source_of(train, [0, 3001], vocab_size=1000), 8)
    text = np.concatenate([[950], document[100:2900], [950]]).astype(np.uint32)
    found = longest_overlap(index, text, match_lengths(index, text, np.array([0])))
    assert (found.begin, found.tokens, found.position) == (1, 2800, 101)
