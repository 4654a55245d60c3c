"""Match features in memory: equal to a look at every pair, compiled or not."""

import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_for_tests import as_rows, brute_features, bucket_of, expected_rows, texts

from trainer_core.index import COUNT_BUCKETS, MatchFeatures, match_features
from trainer_core.index import features as feature_module
from trainer_core.index.compiled import COMPILED
from trainer_core.index.sorting import engine
from trainer_core.index.sorting.own_documents import matches_in_own_documents

LENGTHS = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 63, 64])


@contextmanager
def without_machine_code():
    with patch.object(engine, "COMPILED", False), patch.object(feature_module, "COMPILED", False):
        yield


@given(texts(), LENGTHS)
@settings(max_examples=150, deadline=None)
def test_features_are_those_of_every_pair(text, max_length):
    tokens, starts = text
    found = brute_features(tokens.tolist(), starts.tolist(), max_length)
    features = match_features(tokens, document_start=starts, max_length=max_length)
    assert as_rows(features) == expected_rows(found, starts.tolist())


@given(texts(), LENGTHS)
@settings(max_examples=75, deadline=None)
def test_the_numpy_path_gives_features_of_every_pair(text, max_length):
    tokens, starts = text
    found = brute_features(tokens.tolist(), starts.tolist(), max_length)
    with without_machine_code():
        features = match_features(tokens, document_start=starts, max_length=max_length)
    assert as_rows(features) == expected_rows(found, starts.tolist())


@given(texts(), LENGTHS)
@settings(max_examples=75, deadline=None)
def test_a_separator_at_each_start_makes_no_difference(text, max_length):
    tokens, starts = text
    starts = np.unique([0, *starts]) if tokens.size else starts
    for separator in (int(tokens.min(initial=9)) - 1, int(tokens.max(initial=9)) + 1):
        opened = tokens.astype(np.int64)
        opened[starts] = separator
        if separator >= 0 and (tokens.dtype == np.uint32 or separator < 1 << 16):
            found = brute_features(opened.tolist(), starts.tolist(), max_length)
            features = match_features(
                opened.astype(tokens.dtype), document_start=starts, max_length=max_length
            )
            assert as_rows(features) == expected_rows(found, starts.tolist())


def fields_without_matches_positions(found):
    """What `matches_in_own_documents` says, from brute force."""
    return [(f.length, f.next, f.next if f.second is None else f.second, f.count) for f in found]


@pytest.mark.parametrize("compiled", [True, False])
@given(texts(), LENGTHS)
@settings(max_examples=50, deadline=None)
def test_matches_in_own_documents_are_those_of_each_document_alone(compiled, text, max_length):
    tokens, starts = text
    with nullcontext() if compiled else without_machine_code():
        found = matches_in_own_documents(tokens, starts, max_length)
    expected = []
    for begin, end in pairwise(sorted({0, *starts.tolist(), tokens.size})):
        expected += brute_features(tokens[begin:end].tolist(), [], max_length)
    rows = zip(
        found.length.tolist(),
        found.next.tolist(),
        found.second.tolist(),
        found.count.tolist(),
        strict=True,
    )
    assert list(rows) == fields_without_matches_positions(expected)
    assert found.same_document.tolist() == [f.length > 0 for f in expected]


def test_a_match_may_begin_with_a_documents_first_token_and_never_before_it():
    tokens = [9, 0, 1, 2, 9, 0, 1, 2]
    features = match_features(tokens, document_start=[1, 5])
    assert features.length.tolist() == [0, 0, 0, 0, 1, 1, 2, 3]


def test_what_follows_a_documents_last_token_is_the_next_documents_first():
    features = match_features([0, 5, 0, 5], document_start=[0, 2])
    assert (features.length[3], features.next[3]) == (2, 0)


def test_the_most_recent_occurrence_counts_and_the_other_continuation_is_kept():
    features = match_features([1, 7, 2, 1, 8, 3, 1, 8, 4, 1], document_start=[])
    assert (features.length[9], features.count[9]) == (1, 3)
    assert (features.next[9], features.second[9]) == (8, 7)
    assert features.has_second[9]
    assert not features.agree[9]
    assert features.agree[3]


def test_features_of_nothing_and_of_one_token():
    for tokens in ([], [4]):
        features = match_features(tokens, document_start=[])
        assert len(features) == len(tokens)
        assert features.length.tolist() == [0] * len(tokens)
        assert not features.agree.any()
        assert not features.same_document.any()


def test_a_text_of_one_token_only_matches_as_far_as_it_reaches():
    features = match_features(np.full(200, 3, np.uint16), document_start=[0], max_length=16)
    assert features.length.tolist() == [min(t, 16) for t in range(200)]
    assert features.same_document[1:].all()


def test_tokens_keep_their_width_and_others_become_32_bit():
    assert match_features(np.zeros(3, np.uint16), document_start=[]).next.dtype == np.uint16
    assert match_features([1, 2, 3], document_start=[]).next.dtype == np.uint32


def test_a_part_of_features_is_a_view():
    features = match_features(np.tile(np.arange(5), 9), document_start=[0])
    part = features[10:20]
    assert isinstance(part, MatchFeatures)
    assert len(part) == 10
    assert np.shares_memory(part.length, features.length)
    assert as_rows(part) == as_rows(features)[10:20]


def test_count_buckets_are_those_they_are_said_to_be():
    counts = [0, 1, 2, 3, 4, 7, 8, 15, 16, 4095, 4096, 8191, 8192, 1 << 20]
    for count in counts:
        low, high = COUNT_BUCKETS[bucket_of(count)]
        assert low <= count <= high
    assert [low for low, _ in COUNT_BUCKETS[1:]] == [high + 1 for _, high in COUNT_BUCKETS[:-1]]


@pytest.mark.parametrize(
    ("tokens", "starts", "max_length"),
    [
        ([1.5], [], 32),
        ([-1], [], 32),
        ([1 << 32], [], 32),
        ([[1, 2]], [], 32),
        ([1, 2], [2], 32),
        ([1, 2], [1, 0], 32),
        ([1, 2], [0], 0),
        ([1, 2], [0], 65),
    ],
)
def test_what_makes_no_sense_is_refused(tokens, starts, max_length):
    with pytest.raises(ValueError):
        match_features(tokens, document_start=starts, max_length=max_length)


WITHOUT_NUMBA = """
import sys
import numpy as np
from trainer_core.index import match_features
tokens = np.tile(np.arange(11, dtype=np.uint16), 7)
features = match_features(tokens, document_start=[0, 30])
print(int(features.length.sum()), "numba" in sys.modules)
"""

UNKEPT = """
from trainer_core.index.compiled import COMPILED, kernel
@kernel
def double(x):
    return 2 * x
print(COMPILED, double(21), hasattr(double, "py_func"))
"""


def output_of(script, folder, **variables):
    (folder / "script.py").write_text(script)
    process = subprocess.run(
        [sys.executable, folder / "script.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.split()


def test_the_index_works_without_numba(tmp_path):
    expected = match_features(np.tile(np.arange(11), 7), document_start=[0, 30]).length.sum()
    found = output_of(WITHOUT_NUMBA, tmp_path, HEARTH_NO_NUMBA="1")
    assert found == [str(expected), "False"]


@pytest.mark.skipif(not COMPILED, reason="numba cannot be loaded here")
def test_kernels_work_where_machine_code_cannot_be_kept(tmp_path):
    occupied = tmp_path / "a-file"
    occupied.write_text("no folder")
    found = output_of(UNKEPT, tmp_path, NUMBA_CACHE_DIR=str(occupied / "cache"))
    assert found == ["True", "42", "True"]


@pytest.mark.skipif(not COMPILED, reason="numba cannot be loaded here")
def test_machine_code_is_kept_in_a_folder_named_after_the_sources(tmp_path):
    chosen = tmp_path / "cache"
    assert output_of(UNKEPT, tmp_path, NUMBA_CACHE_DIR=str(chosen))[1] == "42"
    assert {path.name[:8] for path in chosen.iterdir()} == {"kernels-"}
    assert list(chosen.rglob("*.nbi"))
