"""Held-out losses, on figures that can be checked by hand."""

import math

import numpy as np
import pytest
import torch
from matches_for_tests import Features, matched

from trainer_core.data.batches.gather import IGNORED, Batch
from trainer_core.data.matches import MatchTensors
from trainer_core.errors import DataError
from trainer_core.model.transformer import Transformer
from trainer_core.records import MATCH_BUCKETS, MeasuredSet
from trainer_core.spec import ModelConfig
from trainer_core.train.compute import Compute
from trainer_core.train.distributed.world import World
from trainer_core.train.validation.measures import Sums
from trainer_core.train.validation.validate import HeldOut, Validation

CPU = Compute(torch.device("cpu"), "fp32", "CPU")
VOCABULARY = 13
CONFIG = ModelConfig(
    vocab_size=VOCABULARY, context_length=8, n_layer=1, n_head=2, n_embd=8, match_input=True
)
BYTES = np.array([0, *range(1, VOCABULARY)], np.int32)
"""Bytes per token; token 0 is the separator."""


class Split:
    def __init__(self, n, seed=0):
        self.n_tokens = n
        self._tokens = np.random.default_rng(seed).integers(0, VOCABULARY, n).astype(np.uint16)

    def tokens(self):
        return self._tokens


def some_features(split, seed=1):
    random = np.random.default_rng(seed)
    length = random.choice([0, 1, 3, 4, 5, 6, 8, 15, 16, 32], split.n_tokens).astype(np.uint8)
    following = np.append(split.tokens()[1:], 0)
    wrong = random.integers(0, VOCABULARY, split.n_tokens)
    named = np.where(random.random(split.n_tokens) < 0.5, following, wrong)
    return Features(length, np.where(length > 0, named, 0).astype(np.uint16))


def held_out(split, features=None, *, batch_size=3, max_tokens=10**9):
    return HeldOut(
        split,
        features,
        BYTES,
        context_length=CONFIG.context_length,
        batch_size=batch_size,
        max_tokens=max_tokens,
    )


@pytest.fixture(scope="module")
def model():
    net = Transformer(CONFIG, torch.Generator().manual_seed(4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.manual_seed(1)) * 0.2)
    return net


@torch.no_grad()
def window_losses(model, split, features, windows):
    """One window at a time, by the model's logits, (windows * 8,)."""
    losses = []
    for window in range(windows):
        at = slice(window * 8, window * 8 + 8)
        tokens = torch.tensor(split.tokens()[at].astype(np.int64))[None]
        targets = torch.tensor(split.tokens()[at.start + 1 : at.stop + 1].astype(np.int64))
        places = np.arange(at.start, at.stop)[None]
        matches = None if features is None else MatchTensors.of(features.at(places))
        logits = model(tokens, matches)
        logs = logits[0].double().log_softmax(-1)
        losses.append(-logs[torch.arange(8), targets])
    return torch.cat(losses).numpy()


@pytest.mark.parametrize("with_index", [False, True])
def test_loss_and_bits_per_byte_are_those_of_the_logits(model, with_index):
    split = Split(100)
    features = some_features(split) if with_index else None
    (measure,) = held_out(split, features).measure(model, CPU)
    losses = window_losses(model, split, features, 12)  # 99 // 8 whole windows
    n_bytes = BYTES[split.tokens()[1:97]].sum()
    assert (measure.tokens, measure.n_bytes) == (96, n_bytes)
    assert measure.loss == pytest.approx(losses.mean(), rel=1e-5)
    assert measure.bits_per_byte == pytest.approx(losses.sum() / math.log(2) / n_bytes, rel=1e-5)


@pytest.mark.parametrize("use_index", [False, True])
def test_losses_are_sorted_by_the_length_of_the_match_before_the_target(model, use_index):
    split = Split(400)
    features = some_features(split)
    (measure,) = held_out(split, features).measure(model, CPU, use_index=(use_index,))
    losses = window_losses(model, split, features if use_index else None, 49)
    length, following = features.length[:392], features.next[:392]
    hits = (following == split.tokens()[1:393]) & (length > 0)
    by_range = {(bucket.low, bucket.high): bucket for bucket in measure.buckets}
    for low, high in MATCH_BUCKETS:
        inside = (length >= low) & (length <= high)
        if not inside.any():
            assert (low, high) not in by_range
            continue
        bucket = by_range.pop((low, high))
        assert bucket.tokens == inside.sum()
        assert bucket.loss == pytest.approx(losses[inside].mean(), rel=1e-5)
        assert bucket.hit_rate == pytest.approx(hits[inside].mean())
    assert not by_range
    total = sum(bucket.loss * bucket.tokens for bucket in measure.buckets)
    assert total / measure.tokens == pytest.approx(measure.loss)


def test_the_batch_size_does_not_change_the_measure(model):
    split = Split(300)
    losses = {held_out(split, batch_size=b).measure(model, CPU)[0].loss for b in (1, 5, 100)}
    assert max(losses) == pytest.approx(min(losses), rel=1e-6)


@pytest.mark.parametrize(("max_tokens", "tokens"), [(1, 8), (17, 16), (10**6, 96)])
def test_only_whole_windows_up_to_the_limit_are_measured(model, max_tokens, tokens):
    assert held_out(Split(100), max_tokens=max_tokens).measure(model, CPU)[0].tokens == tokens


def test_the_windows_are_spread_over_the_whole_text():
    starts = np.concatenate(held_out(Split(8 * 100 + 1), max_tokens=8 * 10).batches())
    assert (starts % 8 == 0).all() and len(set(starts.tolist())) == 10
    assert starts.min() == 0 and starts.max() >= 8 * 89
    assert np.ptp(np.diff(starts)) <= 8


def test_text_shorter_than_a_window_is_refused():
    held_out(Split(9))
    with pytest.raises(DataError, match="fewer than one context") as error:
        held_out(Split(8))
    assert error.value.field == "model.context_length"


def test_the_model_stays_in_training_mode_even_when_measuring_is_broken_off(model):
    class EnoughError(Exception):
        pass

    def stop(tokens):
        raise EnoughError

    model.train()
    with pytest.raises(EnoughError):
        held_out(Split(100)).measure(model, CPU, between=stop)
    assert model.training


def test_documents_are_masked_as_in_the_training(model):
    """A document that fills a window alone costs what it costs with others around it."""
    split = Split(25)
    starts = np.array([0, 8, 12, 16])

    def loss(document_start):
        windows = HeldOut(
            split,
            None,
            BYTES,
            context_length=8,
            batch_size=2,
            max_tokens=10**6,
            document_start=document_start,
        )
        return windows.measure(model, CPU)[0].loss

    def alone(first, stop):
        tokens = torch.from_numpy(split.tokens()[first : stop + 1].astype(np.int64))[None]
        return model.loss(tokens[:, :-1], tokens[:, 1:]).sum().item()

    with torch.no_grad():
        expected = alone(0, 8) + alone(8, 12) + alone(12, 16) + alone(16, 24)
    assert loss(starts) == pytest.approx(expected / 24, rel=1e-5)
    assert loss(None) != pytest.approx(expected / 24, rel=1e-5)


def test_several_ways_in_one_pass_are_those_of_a_pass_each(model):
    split = Split(200)
    windows = held_out(split, some_features(split))
    both = windows.measure(model, CPU, use_index=(True, False))
    alone = tuple(windows.measure(model, CPU, use_index=(use,))[0] for use in (True, False))
    assert both == alone
    assert both[0].loss != both[1].loss


def test_ignored_targets_count_for_nothing():
    targets = torch.tensor([[1, IGNORED, 3], [IGNORED, 2, 4]])
    length = torch.tensor([[4, 4, 0], [5, 8, 8]])
    matches = matched(torch.tensor([[1, 9, 9], [9, 9, 4]]), length)
    sums = Sums(1, BYTES, torch.device("cpu"))
    losses = torch.tensor([[0.5, 0.0, 1.0], [0.0, 2.0, 0.25]])
    sums.add([losses], Batch(torch.zeros_like(targets), targets, matches))
    (measure,) = sums.measures(sums.total())
    assert (measure.tokens, measure.n_bytes) == (4, 1 + 3 + 2 + 4)
    assert measure.loss == 3.75 / 4
    by_low = {
        bucket.low: (bucket.tokens, bucket.loss, bucket.hit_rate) for bucket in measure.buckets
    }
    assert by_low == {0: (1, 1.0, 0.0), 4: (1, 0.5, 1.0), 8: (2, 1.125, 0.5)}


def test_text_of_ignored_targets_alone_has_no_loss():
    sums = Sums(1, BYTES, torch.device("cpu"))
    (measure,) = sums.measures(sums.total())
    assert math.isnan(measure.loss) and math.isnan(measure.bits_per_byte)


class OneOf(World):
    """A rank whose sums are kept, or added to those of the ranks before it."""

    def __init__(self, rank, size, before):
        super().__init__(rank, size)
        self.before = before

    def sum_(self, tensor):
        self.before.append(tensor.clone())
        return torch.stack(self.before).sum(0)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_ranks_share_the_batches_and_add_up_to_the_whole(model, size):
    split = Split(200)
    windows = held_out(split, some_features(split), batch_size=4)  # 24 windows, 6 batches
    whole = windows.measure(model, CPU, use_index=(True, False))
    sums, calls = [], []
    for rank in range(size):
        seen = []
        shared = windows.measure(
            model,
            CPU,
            use_index=(True, False),
            between=seen.append,
            world=OneOf(rank, size, sums),
        )
        calls.append(len(seen))
    assert len(set(calls)) == 1  # a sharded model is computed by all ranks together
    for ours, theirs in zip(shared, whole, strict=True):
        assert (ours.tokens, ours.n_bytes) == (theirs.tokens, theirs.n_bytes)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-12)
        assert [b.tokens for b in ours.buckets] == [b.tokens for b in theirs.buckets]


def test_a_validation_measures_each_set_in_each_way(model):
    split, other = Split(200), Split(120, seed=5)
    own, more = held_out(split, some_features(split)), held_out(other, some_features(other))
    validation = Validation(own, {"more": more}, use_index=(True, False))
    seen = []
    found = validation.run(model, CPU, seen.append)
    ways = own.measure(model, CPU, use_index=(True, False))
    assert (found.own, found.without_index) == (ways[0], ways[1].measured)
    more_ways = more.measure(model, CPU, use_index=(True, False))
    assert found.sets == (
        MeasuredSet(
            name="more", measured=more_ways[0].measured, without_index=more_ways[1].measured
        ),
    )
    assert sum(seen) == validation.tokens == own.tokens + more.tokens
    assert found.seconds > 0 and found.groups == ()
