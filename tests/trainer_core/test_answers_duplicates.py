"""What a training text says more than once, against looking at every pair of positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_for_tests import SEPARATOR, begin_of, index_of, source_of

from trainer_core.index.duplicates import duplicates_of
from trainer_core.index.passages import passage_at

LEAST = 32


def shared_lengths(tokens, starts, limit):
    """(n, n) tokens that two places have in common, read backwards within their documents."""
    n = len(tokens)
    lengths = np.zeros((n, n), dtype=np.int64)
    for t in range(n):
        for p in np.flatnonzero(tokens[:t] == tokens[t]):
            before = p and t not in starts and p not in starts
            lengths[t, p] = min(limit, 1 + (lengths[t - 1, p - 1] if before else 0))
    return lengths


def brute_shares(tokens, starts):
    """Tokens in repeats, and those that repeat their own document."""
    lengths = shared_lengths(tokens, starts, LEAST)
    covered, same = (np.zeros(len(tokens), dtype=bool) for _ in range(2))
    for t in range(len(tokens)):
        places = np.flatnonzero(lengths[t] == LEAST)
        if places.size:
            covered[t - LEAST + 1 : t + 1] = True
            if places[-1] >= begin_of(t, starts):
                same[t - LEAST + 1 : t + 1] = True
    return covered.sum() / len(tokens), same.sum() / len(tokens)


def places_of(tokens, run):
    """Where a run begins."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, len(run))
    return np.flatnonzero((windows == run).all(axis=1))


@st.composite
def repetitive(draw):
    """Documents put together from a few long pieces, cut anywhere."""
    pieces = [np.arange(40) % 7 + 1, np.arange(50) % 11 + 1, np.arange(35) * 3 % 8 + 1]
    tokens, starts = [], []
    for _ in range(draw(st.integers(1, 4))):
        starts.append(len(tokens))
        tokens.append(SEPARATOR)
        for _ in range(draw(st.integers(0, 3))):
            piece = pieces[draw(st.integers(0, 2))]
            tokens += piece[draw(st.integers(0, 5)) : draw(st.integers(30, 50))].tolist()
            tokens += draw(st.lists(st.integers(1, 3), max_size=2))
    return np.array(tokens), starts


@settings(max_examples=40)
@given(repetitive())
def test_shares_and_passages_agree_with_every_pair_of_positions(tmp_path_factory, text):
    tokens, starts = text
    folder = tmp_path_factory.mktemp("index") / "index"
    index = index_of(folder, source_of(tokens, starts, vocab_size=16))
    found = duplicates_of(index, top=5)
    all_, same = brute_shares(tokens, starts)
    assert found.repeated_share == pytest.approx(all_)
    assert found.repeated_same_document_share == pytest.approx(same)
    assert found.repeated_other_document_share == pytest.approx(all_ - same)
    documents = np.split(tokens, starts[1:])
    texts = [tuple(document) for document in documents if len(document) > 1]
    assert found.exact_duplicate_documents == len(texts) - len(set(texts))
    for passage in found.passages:
        check_passage(passage, tokens, starts)


def check_passage(passage, tokens, starts):
    begin, size = int(passage.positions[0]), passage.tokens
    run = tokens[begin : begin + size]
    places = places_of(tokens, run)
    assert passage.positions.tolist() == places.tolist()
    assert size >= LEAST
    numbers = np.searchsorted(starts, places, side="right")
    assert passage.documents == len(set(numbers.tolist()))
    taken = np.zeros(len(tokens), dtype=bool)
    apart, reached = 0, 0
    for place in places:
        taken[place : place + size] = True
        if place >= reached:
            apart, reached = apart + 1, place + size
    assert passage.repeated_tokens == taken.sum() - size
    assert passage.count == apart > 1
    if run[0] != SEPARATOR and tokens[begin - 1] != SEPARATOR:
        assert places_of(tokens, tokens[begin - 1 : begin + size]).size < places.size
    if begin + size < len(tokens) and tokens[begin + size] != SEPARATOR:
        assert places_of(tokens, tokens[begin : begin + size + 1]).size < places.size


def some_text(rng, size):
    return rng.integers(1, 900, size).tolist()


def planted(seed):
    """Two documents that are equal, a header in nine, and a long stretch in two."""
    rng = np.random.default_rng(seed)
    header, stretch, copy = some_text(rng, 45), some_text(rng, 80), some_text(rng, 60)
    documents = [header + some_text(rng, 30) for _ in range(9)]
    documents += [copy, stretch + some_text(rng, 9), some_text(rng, 5) + stretch, copy, []]
    tokens, starts = [], []
    for document in documents:
        starts.append(len(tokens))
        tokens += [SEPARATOR, *document]
    return tokens, starts, header, stretch, copy


def test_the_most_repeated_passages_are_whole_and_each_named_once(tmp_path):
    tokens, starts, header, stretch, copy = planted(5)
    index = index_of(tmp_path / "i", source_of(tokens, starts, vocab_size=1000))
    found = duplicates_of(index)
    texts = [
        [tokens[at] for at in range(p.positions[0], p.positions[0] + p.tokens)]
        for p in found.passages
    ]
    without_separators = [[token for token in text if token != SEPARATOR] for text in texts]
    assert without_separators == [header, stretch, copy]
    assert [p.count for p in found.passages] == [9, 2, 2]
    assert [p.documents for p in found.passages] == [9, 2, 2]
    assert [group.documents for group in found.groups] == [(9, 12)]
    assert found.groups[0].tokens == len(copy)
    assert found.exact_duplicate_documents == found.exact_duplicate_groups == 1
    assert found.exact_duplicate_share == 1 / len(starts)
    assert found.exact_duplicate_token_share == (len(copy) + 1) / len(tokens)
    assert "passages" not in found.summary()
    assert duplicates_of(index, top=0).summary() == found.summary()


def test_blocks_and_the_place_of_their_borders_play_no_part(tmp_path, monkeypatch):
    tokens, starts, *_ = planted(6)
    index = index_of(tmp_path / "i", source_of(tokens, starts, vocab_size=1000))
    whole = duplicates_of(index)
    monkeypatch.setattr("trainer_core.index.duplicates._BLOCK_TOKENS", 37)
    seen = []
    cut = duplicates_of(index, advance=lambda done, total: seen.append((done, total)))
    assert cut.summary() == whole.summary()
    assert [p.positions.tolist() for p in cut.passages] == [
        p.positions.tolist() for p in whole.passages
    ]
    assert seen[-1] == (len(tokens), len(tokens))


def test_the_last_token_of_the_text_ends_a_passage_too(tmp_path):
    piece = list(range(1, 41))
    tokens = [SEPARATOR, *piece, SEPARATOR, 50, *piece]
    index = index_of(tmp_path / "i", source_of(tokens, [0, 41], vocab_size=64))
    passage = passage_at(index, len(tokens) - 1)
    assert (passage.tokens, passage.positions.tolist()) == (40, [1, 43])


def test_text_that_repeats_itself_is_counted_without_overlap(tmp_path):
    tokens = [SEPARATOR, *[5] * 100, 6]
    index = index_of(tmp_path / "i", source_of(tokens, [0], vocab_size=8))
    (passage,) = duplicates_of(index).passages
    assert (passage.tokens, passage.count, passage.repeated_tokens) == (32, 3, 100 - 32)


def test_an_index_of_short_matches_says_that_it_cannot_tell(tmp_path):
    tokens = [SEPARATOR, *[5] * 100, SEPARATOR, *[5] * 100]
    index = index_of(tmp_path / "i", source_of(tokens, [0, 101], vocab_size=8), max_length=31)
    found = duplicates_of(index)
    assert found.repeated_share is found.repeated_other_document_share is None
    assert (found.passages, found.exact_duplicate_documents) == ((), 1)


def test_a_text_without_anything_twice_has_no_repeats(tmp_path):
    index = index_of(tmp_path / "i", source_of([SEPARATOR], [0]))
    found = duplicates_of(index)
    assert (found.repeated_share, found.exact_duplicate_documents, found.passages) == (0.0, 0, ())
