"""Lookups in an index folder: single, batch, stream and portable ones agree with brute force."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_for_tests import (
    SEPARATOR,
    as_rows,
    brute_features,
    brute_lookup,
    corpora,
    expected_rows,
    index_of,
    source_of,
)

from trainer_core.index import Match, count_bucket, held_out_features, open_index
from trainer_core.index.lookups import portable, searcher
from trainer_core.index.lookups.portable import PortableMatch, open_portable_index
from trainer_core.index.lookups.search_plain import PlainSearcher
from trainer_core.index.lookups.stream import PlainReader

CONTEXTS = st.lists(st.integers(0, 4), min_size=1, max_size=14)
QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# Three documents; "1 2 3" comes twice and "3" ends the text.
TRAIN = [0, 1, 2, 3, 4, 0, 1, 2, 3, 5, 0, 2, 3]
STARTS = [0, 5, 10]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("index")


@pytest.fixture
def index(home):
    return index_of(home / "small", source_of(TRAIN, STARTS, [0, 1, 2, 3, 4, 1, 2, 3], [0]))


def plain(match):
    return match.length, match.next, match.position, match.count, match.second


def portably(match):
    second = -1 if match.second is None else match.second
    return PortableMatch(match.length, match.next, match.count, second)


def check_lookups(index, train, starts, contexts):
    batch = index.lookup_batch(contexts)
    assert len(batch) == len(contexts)
    for context, from_batch in zip(contexts, batch, strict=True):
        match = index.lookup(context)
        assert plain(match) == plain(brute_lookup(train, starts, context, index.max_length))
        assert match == from_batch
        assert match.kind == ("index" if match.length else "none")


def check_streams(index, train, starts, text):
    """The stream with and without the own context, and the portable reader."""
    reader = open_portable_index(index.folder)
    streams = index.stream(), index.stream(own_context=False), reader.stream()
    for t, token in enumerate(text):
        context = text[: t + 1]
        expected = brute_lookup(train, starts, context, index.max_length, history=True)
        own = expected.position >= len(train)
        position = expected.position - len(train) if own else expected.position
        match, without_own, answer = [stream.advance(token) for stream in streams]
        assert plain(match) == (*plain(expected)[:2], position, *plain(expected)[3:])
        assert match.kind == ("context" if own else "index" if expected.length else "none")
        assert without_own == index.lookup(context)
        assert answer == reader.lookup(context) == portably(match)


def check_features(index, source):
    train, starts = source.tokens.tolist(), source.document_start.tolist()
    found = brute_features(train, starts, index.max_length)
    assert as_rows(index.train_features()) == expected_rows(found, starts)
    held_out = source.validation_tokens.tolist()
    rows = []
    for begin, end in pairwise([*source.validation_document_start.tolist(), len(held_out)]):
        document = held_out[begin:end]
        found = [
            brute_lookup(train, starts, document[: t + 1], index.max_length, history=True)
            for t in range(len(document))
        ]
        rows += expected_rows(found, own_from=len(train))
    assert as_rows(index.validation_features()) == rows
    again = held_out_features(index, held_out, source.validation_document_start)
    assert as_rows(again) == rows


def check_counts(index, train, ngram):
    size = len(ngram)
    places = [p for p in range(size - 1, len(train) - 1) if train[p - size + 1 : p + 1] == ngram]
    crosses = SEPARATOR in ngram[1:]
    assert index.count(ngram) == (0 if crosses else len(places))


def check_without_machine_code(index, contexts, text):
    plain_searcher = PlainSearcher(index.arrays)
    for context in contexts:
        match = index.lookup(context)
        assert plain_searcher.answer(context) == numbers(match)
        length, run = plain_searcher.run(context)
        assert (length, sorted(run)) == (match.length, sorted(index.run(context)[1]))
    plain_reader, stream = PlainReader(index, own_context=True), index.stream()
    begin = 0
    for t, token in enumerate(text):
        begin = t if token == SEPARATOR else begin
        match = stream.advance(token)
        own = match.kind == "context"
        expected = numbers(match)
        expected[2] -= begin if own else 0
        assert plain_reader.read(token) == [*expected, int(own)]


def numbers(match):
    second = -1 if match.second is None else match.second
    return [match.length, match.next, match.position, match.count, second]


def check_batches(index, text):
    """All of a text at once, in one array and through a stream, equals one lookup after another."""
    text = np.array(text, dtype=np.uint32)
    starts = np.maximum.accumulate(np.where(text == SEPARATOR, np.arange(text.size), 0))
    room = np.arange(text.size) - starts + 1
    limits = np.minimum(room, index.max_length).astype(np.uint8)
    found = index.answers(text, np.arange(text.size), limits)
    assert list(found) == [index.lookup(text[: t + 1]) for t in range(text.size)]
    for own_context in (True, False):
        one, many = (index.stream(own_context=own_context) for _ in range(2))
        expected = [one.advance(token) for token in text.tolist()]
        cut = text.size // 3
        assert [*many.read(text[:cut]), *many.read(text[cut:])] == expected


@given(
    corpora(),
    st.lists(CONTEXTS, max_size=6),
    st.lists(st.integers(0, 4), max_size=40),
    st.sampled_from([1, 5, 1 << 28]),
)
@QUICK
def test_all_answers_are_those_of_looking_everywhere(home, corpus, contexts, text, range_entries):
    source, max_length = corpus
    index = index_of(home / "any", source, max_length, range_entries=range_entries)
    train, starts = source.tokens.tolist(), source.document_start.tolist()
    check_lookups(index, train, starts, contexts)
    check_streams(index, train, starts, text)
    check_features(index, source)
    for context in contexts:
        check_counts(index, train, context)
    check_without_machine_code(index, contexts, text)
    check_batches(index, text)


def test_a_stream_over_a_held_out_text_gives_its_features(index):
    features = index.validation_features()
    stream = index.stream()
    for t, token in enumerate([0, 1, 2, 3, 4, 1, 2, 3]):
        match = stream.advance(token)
        assert (match.length, match.next) == (features.length[t], features.next[t])
        assert (match.kind == "context") == features.same_document[t]


def test_a_match_says_what_followed_where_and_what_else_did(index):
    assert index.lookup([1, 2, 3]) == Match(3, 5, 8, 2, 4, "index")
    assert index.lookup([0, 1, 2, 3]).length == 4
    assert index.lookup([7, 2, 3]).count == 2  # the last one of the text is followed by nothing


def test_a_tie_goes_to_the_own_context_and_counts_both(index):
    stream = index.stream()
    for token in [0, 7, 1, 2, 3, 7, 6, 1, 2]:
        stream.advance(token)
    assert stream.advance(3) == Match(3, 7, 4, 3, 5, "context")


def test_a_separator_begins_a_new_own_context(index):
    stream = index.stream()
    for token in [0, 6, 7, 6]:
        last = stream.advance(token)
    assert (last.kind, last.next) == ("context", 7)
    stream.advance(0)
    assert stream.advance(6) == Match()


def test_a_context_reaches_back_to_its_separator_at_most(index):
    assert index.lookup([2, 3, 4, 0, 1]).length == 2
    assert index.lookup([4, SEPARATOR]) == Match(1, 2, 10, 3, 1, "index")


def test_occurrences_are_last_tokens_of_the_longest_match_most_recent_first(index):
    assert index.occurrences([1, 2, 3]).tolist() == [8, 3]
    assert index.occurrences([1, 2, 3], limit=1).tolist() == [8]
    assert index.occurrences([6]).tolist() == []
    assert index.occurrences([1, 2, 3]).dtype == np.int64
    assert [index.document_at(p) for p in (0, 4, 5, 12)] == [0, 0, 1, 2]
    with pytest.raises(IndexError):
        index.document_at(13)


def test_continuations_are_the_most_frequent_first(index):
    found = [(c.token, c.count) for c in index.continuations([2, 3])]
    assert found == [(4, 1), (5, 1)]
    assert [(c.token, c.count) for c in index.continuations([0], k=1)] == [(1, 2)]
    assert index.continuations([6]) == []


def test_tokens_that_the_vocabulary_does_not_have_match_nothing(index, home):
    for token in (8, 65_535, 70_000, 4_000_000_000):
        assert index.lookup([1, token]) == Match()
        assert index.stream().advance(token) == Match()
        assert index.count([token]) == 0
        assert open_portable_index(home / "small").lookup([1, token]) == PortableMatch()


def test_nothing_matches_an_empty_context(index, home):
    assert index.lookup([]) == Match()
    assert len(index.lookup_batch([])) == 0
    assert index.lookup_batch([[], [1]])[0] == Match()
    assert index.occurrences([]).size == 0
    assert open_portable_index(home / "small").lookup([]) == PortableMatch()


def test_a_corpus_of_one_separator_has_an_index_that_finds_nothing(tmp_path):
    index = index_of(tmp_path / "index", source_of([0], [0]))
    assert index.n_tokens == 1
    assert index.lookup([0]) == Match()
    assert index.stream().advance(0) == Match()
    assert index.train_features().length.tolist() == [0]
    assert len(index.validation_features()) == 0
    assert open_portable_index(tmp_path / "index").lookup([0]) == PortableMatch()


def test_a_corpus_of_empty_documents_works(tmp_path):
    index = index_of(tmp_path / "index", source_of([0, 0, 0, 0], [0, 1, 2, 3], [0, 0], [0, 1]))
    assert index.lookup([0]) == Match(1, 0, 2, 3, None, "index")
    assert index.validation_features().length.tolist() == [1, 1]


def test_a_text_of_one_repeated_token_works(tmp_path):
    train = [0, *[1] * 3000]
    index = index_of(tmp_path / "index", source_of(train, [0], train[:50], [0]), max_length=16)
    match = index.lookup([1] * 20)
    assert (match.length, match.next, match.position, match.second) == (16, 1, 2999, None)
    assert match.count == 2999 - 15
    assert index.validation_features().length.tolist() == [min(t + 1, 16) for t in range(50)]


def test_lookups_on_a_larger_text_agree_with_its_features(tmp_path):
    random = np.random.default_rng(5)
    words = [random.integers(1, 30, random.integers(2, 9)) for _ in range(60)]
    pieces = [words[i] for i in random.integers(0, 60, 4000)]
    text = np.concatenate(pieces)
    text[::997] = SEPARATOR
    starts = np.flatnonzero(text == SEPARATOR)
    held_out = text[-3000:]
    held_out_starts = np.flatnonzero(held_out == SEPARATOR)
    held_out, held_out_starts = held_out[held_out_starts[0] :], held_out_starts - held_out_starts[0]
    train = text[:-3000]
    source = source_of(train, starts[starts < train.size], held_out, held_out_starts, vocab_size=30)
    index = index_of(tmp_path / "index", source)
    features = index.validation_features()
    stream, reader = index.stream(), open_portable_index(tmp_path / "index").stream()
    for t, token in enumerate(held_out.tolist()):
        match = stream.advance(token)
        assert (match.length, match.next) == (features.length[t], features.next[t])
        assert (match.second is not None) == features.has_second[t]
        assert reader.advance(token) == portably(match)


def test_lookups_from_a_slow_disk_are_those_from_memory(tmp_path, monkeypatch):
    random = np.random.default_rng(11)
    text = random.integers(0, 6, 20_000)
    text[0] = SEPARATOR
    source = source_of(text, np.flatnonzero(text == SEPARATOR))
    index = index_of(tmp_path / "index", source, range_entries=7000)
    contexts = [random.integers(1, 6, random.integers(0, 20)) for _ in range(500)]
    expected = list(index.lookup_batch(contexts))
    monkeypatch.setattr(searcher, "_QUERY_FROM_DISK_S", 0.0)
    assert list(index.lookup_batch(contexts)) == expected


def test_the_portable_reader_counts_in_the_same_buckets():
    counts = [*range(70), 4095, 4096, 8191, 8192, 8193, 10**9]
    assert [portable.count_bucket(n) for n in counts] == [count_bucket(n) for n in counts]


def test_an_index_can_be_opened_twice_at_once(index, home):
    assert open_index(home / "small").lookup([1, 2, 3]) == index.lookup([1, 2, 3])


# --- damaged files -----------------------------------------------------------------------------


def spoiled(values, seed, highest):
    """Numbers that nobody wrote, in an array of the same shape."""
    random = np.random.default_rng(seed)
    return random.integers(0, highest, values.shape, dtype=np.uint64).astype(values.dtype)


def spoil(arrays, name, seed):
    """An opened index one kind of whose files holds anything."""
    if name == "buckets":
        return replace(arrays, bounds=spoiled(arrays.bounds, seed, 1 << 62))
    ranges = []
    for part in arrays.ranges:
        if name == "sorted":
            part = replace(part, order=spoiled(part.order, seed, 1 << 32))
        else:
            table = getattr(part.tables, name)
            table = spoiled(table, seed, 1 << 8 * table.itemsize)
            part = replace(part, tables=replace(part.tables, **{name: table}))
        ranges.append(part)
    return replace(arrays, ranges=ranges)


@pytest.mark.parametrize("name", ["sorted", "keys", "shared", "latest", "far", "buckets"])
def test_a_damaged_file_leads_to_no_place_outside_of_the_text(name, tmp_path):
    random = np.random.default_rng(7)
    text = random.integers(0, 7, 30_000)
    text[0] = SEPARATOR
    index = index_of(
        tmp_path / "index", source_of(text, np.flatnonzero(text == SEPARATOR)), range_entries=9000
    )
    query = random.integers(0, 7, 2000).astype(np.uint16)
    limits = np.minimum(np.arange(query.size) + 1, 32).astype(np.uint8)
    for seed in range(8):
        lookups = searcher.searcher_of(spoil(index.arrays, name, seed))
        found = lookups.answer_many(query, np.arange(query.size), limits)
        alone = [lookups.answer(query[max(t - 31, 0) : t + 1]) for t in range(200)]
        for answers in (found, np.array(alone)):
            matched = answers[answers[:, 0] > 0]
            assert np.all((matched[:, 2] >= 0) & (matched[:, 2] < text.size - 1))
            assert np.all(matched[:, 1] == text[matched[:, 2] + 1])
