"""What a step sees: every token once per epoch, by step and seed alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matches_for_tests import Features

from trainer_core.data.batches.gather import IGNORED, gather
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.batches.prefetch import Prefetcher
from trainer_core.errors import DataError


class Stream:
    """Tokens that are their own positions."""

    def __init__(self, n):
        self.n_tokens = n

    def tokens(self):
        return np.arange(self.n_tokens, dtype=np.uint32)


@settings(deadline=None, max_examples=60)
@given(n=st.integers(3, 300), t=st.integers(2, 40), b=st.integers(1, 5), seed=st.integers(0, 9))
def test_an_epoch_shows_every_token_once_as_input_and_once_as_target(n, t, b, seed):
    if n < t + 1:
        with pytest.raises(DataError, match="fewer than one context"):
            TrainBatches(Stream(n), None, b, t, seed)
        return
    batches = TrainBatches(Stream(n), None, b, t, seed)
    rows = batches.order.rows_per_epoch
    assert rows == -(-n // t)
    steps = range(1, -(-3 * rows // b) + 1)
    inputs = torch.cat([batches.batch(step).inputs for step in steps])
    targets = torch.cat([batches.batch(step).targets for step in steps])
    for epoch in range(3):
        part = slice(epoch * rows, (epoch + 1) * rows)
        learned = targets[part] != IGNORED
        assert sorted(inputs[part][learned].tolist()) == list(range(n))
        assert sorted(targets[part][learned].tolist()) == list(range(n))
        assert torch.equal(targets[part][learned], (inputs[part][learned] + 1) % n)
        assert not inputs[part][~learned].any()  # padded with the stream's first token
        assert int((~learned).any(1).sum()) == (n % t > 0)
    follows = (inputs[:, 1:] == (inputs[:, :-1] + 1) % n) | (targets[:, 1:] == IGNORED)
    assert follows.all()


def test_a_batch_depends_on_seed_and_step_alone():
    first, second = (TrainBatches(Stream(1000), None, 4, 16, 5) for _ in range(2))
    forward = [first.batch(step).inputs for step in range(1, 60)]
    backward = [second.batch(step).inputs for step in range(59, 0, -1)][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forward, backward, strict=True))
    other = TrainBatches(Stream(1000), None, 4, 16, 6)
    assert not torch.equal(other.batch(1).inputs, forward[0])


def test_each_epoch_has_its_own_order_and_offset():
    batches = TrainBatches(Stream(64 * 16), None, 1, 16, 5)
    starts = [
        [int(batches.batch(epoch * 64 + i + 1).inputs[0, 0]) for i in range(64)]
        for epoch in range(4)
    ]
    assert len({min(s) for s in starts}) > 1
    assert len({tuple(np.argsort(s)) for s in starts}) == 4


def test_matches_are_gathered_at_the_inputs_and_counted():
    tokens = np.array([5, 6, 7, 5, 6, 9, 9], np.uint16)
    features = Features(
        length=np.array([0, 0, 0, 1, 2, 0, 1], np.uint8),
        next=np.array([0, 0, 0, 6, 7, 0, 9], np.uint16),
    )
    batch = gather(tokens, features, np.array([0, 2]), 4)
    assert batch.inputs.tolist() == [[5, 6, 7, 5], [7, 5, 6, 9]]
    assert batch.targets.tolist() == [[6, 7, 5, 6], [5, 6, 9, 9]]
    assert batch.matches.length.tolist() == [[0, 0, 0, 1], [0, 1, 2, 0]]
    assert batch.matches.next.tolist() == [[0, 0, 0, 6], [0, 6, 7, 0]]
    assert batch.hit_rate == pytest.approx(2 / 8)  # 6 after the match of 5, twice; 7 was wrong
    assert batch.mean_match == pytest.approx(4 / 8)


def test_documents_are_numbered_within_each_window():
    tokens = np.arange(20, dtype=np.uint16)
    batch = gather(tokens, None, np.array([0, 3, 8]), 5, np.array([0, 4, 5, 12]))
    assert batch.documents.tolist() == [[0, 0, 0, 0, 1], [0, 1, 2, 2, 2], [0, 0, 0, 0, 1]]
    assert gather(tokens, None, np.array([0]), 5).documents is None


def test_processes_share_out_the_rows_of_the_same_batch():
    features = Features(
        length=np.arange(500, dtype=np.uint8) % 3, next=np.arange(1, 501, dtype=np.uint32)
    )
    options = {"document_start": np.arange(0, 500, 7), "match_dropout": 0.5}
    whole = TrainBatches(Stream(500), features, 4, 8, 1, **options)
    halves = [
        TrainBatches(Stream(500), features, 4, 8, 1, share=rows, **options)
        for rows in (slice(0, 2), slice(2, 4))
    ]
    for step in (1, 2, 40):
        expected, parts = whole.batch(step), [half.batch(step) for half in halves]
        for name in ("inputs", "targets", "documents"):
            joined = torch.cat([getattr(part, name) for part in parts])
            assert torch.equal(joined, getattr(expected, name))
        assert torch.equal(
            torch.cat([part.matches.length for part in parts]), expected.matches.length
        )
        for part in parts:
            assert (part.n_targets, part.hit_rate, part.mean_match) == (
                expected.n_targets,
                expected.hit_rate,
                expected.mean_match,
            )
    assert halves[0].tokens_per_step == whole.tokens_per_step == 32


def test_micro_batches_are_the_batch_in_order():
    batch = TrainBatches(Stream(500), None, 6, 8, 1, document_start=np.arange(0, 500, 7)).batch(3)
    parts = batch.parts(2)
    assert [len(part.inputs) for part in parts] == [2, 2, 2]
    assert torch.equal(torch.cat([part.documents for part in parts]), batch.documents)
    assert {part.n_targets for part in parts} == {48}


def test_the_prefetcher_gives_the_same_batches_in_order():
    batches = TrainBatches(Stream(500), None, 2, 8, 1)
    with Prefetcher(batches, range(3, 20), torch.device("cpu")) as ready:
        got = [batch.inputs for batch in ready]
    expected = [
        TrainBatches(Stream(500), None, 2, 8, 1).batch(step).inputs for step in range(3, 20)
    ]
    assert len(got) == 17
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_leaving_early_ends_the_prefetcher():
    batches = TrainBatches(Stream(500), None, 2, 8, 1)
    with Prefetcher(batches, range(1, 10_000), torch.device("cpu")) as ready:
        next(iter(ready))
    assert not ready._thread.is_alive()


def test_what_goes_wrong_in_the_thread_is_raised_in_the_loop():
    class Broken(TrainBatches):
        def batch(self, step):
            if step == 3:
                raise OSError(5, "Input/output error")
            return super().batch(step)

    broken = Broken(Stream(500), None, 2, 8, 1)
    seen = 0
    with Prefetcher(broken, range(1, 10), torch.device("cpu")) as ready, pytest.raises(OSError):
        for _ in ready:
            seen += 1
    assert seen == 2
