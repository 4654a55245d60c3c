"""Millions of tokens of real text: exact at every position, in memory, in chunks and on disk."""

from itertools import pairwise

import numpy as np
import pytest
from suffix_array_for_tests import (
    assert_features,
    document_begins,
    suffix_array_matches,
)

from trainer_core.data.preparing.build import build_corpus
from trainer_core.index import build_index, held_out_features, match_features, open_index
from trainer_core.index.compiled import COMPILED
from trainer_core.index.contexts import Text
from trainer_core.index.records import empty_records
from trainer_core.index.sorting.engine import sort_range
from trainer_core.index.tokens import frozen
from trainer_core.spec import BpeTokenizer, PrepareSpec, PythonLibrary

MAX_LENGTH = 32
TEXT_BYTES = 14_000_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """What the running interpreter's library holds, some 4 million tokens of it."""
    spec = PrepareSpec(
        source=PythonLibrary(max_bytes=TEXT_BYTES),
        tokenizer=BpeTokenizer(vocab_size=8192, sample_bytes=1_000_000),
        validation_fraction=0.02,
    )
    return build_corpus(spec, tmp_path_factory.mktemp("large") / "corpus")


@pytest.fixture(scope="module")
def held_out(corpus):
    """The tokens of the largest held-out document."""
    tokens, starts = corpus.validation.tokens(), corpus.validation.document_start
    sizes = np.diff([*starts, tokens.size])
    begin = starts[np.argmax(sizes)]
    return tokens[begin : begin + sizes.max()]


@pytest.fixture(scope="module")
def found(corpus, held_out):
    """The matches of the training text and, right after it, of the held-out document."""
    text = np.concatenate([corpus.train.tokens(), held_out])
    return suffix_array_matches(text, corpus.separator, MAX_LENGTH)


@pytest.fixture(scope="module")
def index(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large") / "index"
    build_index(corpus.folder, folder, max_length=MAX_LENGTH)
    return open_index(folder)


def test_every_feature_of_every_position_is_what_a_suffix_array_finds(corpus, found):
    tokens = corpus.train.tokens()
    features = match_features(
        tokens, document_start=corpus.train.document_start, max_length=MAX_LENGTH
    )
    begins = document_begins(corpus.separator, tokens)
    assert_features(features, found, begins, slice(0, tokens.size))
    assert features.length.max() == MAX_LENGTH and (features.length > 0).mean() > 0.99


@pytest.mark.parametrize("max_length", [3, 64])
def test_bytes_and_other_lengths_are_exact_too(corpus, max_length):
    tokens = corpus.train.tokens()[:300_000]
    table = [corpus.tokenizer.token_bytes(token) for token in range(corpus.vocab_size)]
    table[corpus.separator] = b"\0"
    text = np.frombuffer(b"".join(table[token] for token in tokens), np.uint8).astype(np.uint16)
    starts = np.flatnonzero(text == 0)
    features = match_features(text, document_start=starts, max_length=max_length)
    assert_features(features, suffix_array_matches(text, 0, max_length), document_begins(0, text))
    assert features.length.max() == max_length


def test_wide_tokens_have_the_matches_of_narrow_ones(corpus):
    tokens = corpus.train.tokens()[:500_000]
    starts = np.flatnonzero(tokens == corpus.separator)
    narrow = match_features(tokens, document_start=starts)
    wide = match_features(tokens.astype(np.uint32) + 2_000_000_000, document_start=starts)
    for field in ("length", "marks"):
        np.testing.assert_array_equal(getattr(wide, field), getattr(narrow, field))
    matched = narrow.length > 0
    np.testing.assert_array_equal(wide.next[matched] - 2_000_000_000, narrow.next[matched])


@pytest.mark.skipif(not COMPILED, reason="chunks are merged where numba loads")
def test_chunks_that_meet_are_what_one_chunk_is(corpus):
    from trainer_core.index.sorting.merging import merge_range

    tokens = frozen(np.ascontiguousarray(corpus.train.tokens()))
    text = Text(tokens, corpus.separator, 1, MAX_LENGTH)
    cuts = np.array([0, 1_000_003, 1_700_000, tokens.size])
    order, records = sorted_chunk(text, corpus, 0, cuts[1])
    for first, stop in pairwise(cuts[1:]):
        newer, newer_records = sorted_chunk(text, corpus, first, stop)
        merged = np.empty(stop, dtype=np.uint32)
        merge_range(
            text._replace(tokens=frozen(tokens[:stop])),
            order,
            newer,
            older_bounds=bounds_of(tokens[:first], corpus.vocab_size),
            newer_bounds=bounds_of(tokens[first:stop], corpus.vocab_size),
            older_shared=None,
            newer_shared=None,
            records=newer_records,
            first=int(first),
            document=document_around(corpus, first),
            out_order=merged,
            out_shared=None,
            threads=2,
        )
        order, records = merged, np.concatenate([records, newer_records])
    whole, expected = sorted_chunk(text, corpus, 0, tokens.size)
    np.testing.assert_array_equal(order, whole)
    np.testing.assert_array_equal(records, expected)


def sorted_chunk(text, corpus, first, stop):
    """The order and the records of a chunk."""
    records = empty_records(stop - first, text.tokens.dtype)
    found = sort_range(
        text,
        low=0,
        high=corpus.vocab_size,
        first=int(first),
        stop=int(stop),
        document_begin=document_around(corpus, first)[0],
        records=records,
    )
    return found.order, records


def bounds_of(tokens, vocab_size):
    """The rank at which each token's positions begin."""
    return np.concatenate([[0], np.cumsum(np.bincount(tokens, minlength=vocab_size))])


def document_around(corpus, position):
    """Begin and end of the document that holds a position."""
    starts = corpus.train.document_start
    at = int(np.searchsorted(starts, position, side="right"))
    return int(starts[at - 1]), int([*starts, corpus.train.n_tokens][at])


def test_held_out_text_has_the_matches_that_a_suffix_array_finds(corpus, index, found, held_out):
    n = corpus.train.n_tokens
    features = held_out_features(index, held_out, [0])
    rows = np.arange(n, n + held_out.size)
    begins = np.full(n + held_out.size, n)
    # The last training token is followed by nothing, so an index does not count it: what matches
    # just there is left out.
    tail = index.tokens[-1 - np.arange(MAX_LENGTH)]
    lengths = found.length[rows]
    text = np.concatenate([index.tokens, held_out])
    reaches_the_end = lengths > 0
    for depth in range(MAX_LENGTH):
        reaches_the_end &= (lengths <= depth) | (text[rows - depth] == tail[depth])
    sound = np.flatnonzero(~reaches_the_end)
    assert sound.size > 0.9 * held_out.size
    assert_features(features[sound], found, begins, rows[sound])


def test_lookups_of_each_kind_agree_on_held_out_text(index, held_out):
    text = held_out[:3000]
    ends = range(1, text.size + 1)
    singles = [index.lookup(text[:end]) for end in ends]
    assert list(index.lookup_batch([text[:end] for end in ends])) == singles
    stream = index.stream(own_context=False)
    assert [stream.advance(int(token)) for token in text] == singles
