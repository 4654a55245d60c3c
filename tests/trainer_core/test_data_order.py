"""Which rows come when: each packing against a plain reference, weights, and what is seen."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.batches.gather import IGNORED
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.batches.mixing import Weighted
from trainer_core.data.batches.order import make_order
from trainer_core.data.batches.seen import SeenCounter
from trainer_core.data.batches.text import SourcePart, TrainText
from trainer_core.errors import DataError, SpecError
from trainer_core.spec import DataConfig, Mix

SEPARATOR = 0
PACKINGS = ("stream", "best_fit", "documents")


class Stream:
    def __init__(self, values):
        self.values = np.asarray(values, np.uint16)
        self.n_tokens = len(values)

    def tokens(self):
        return self.values


def text_of(*sources):
    """Documents of these lengths for each source; a separator, then tokens counted up from 1."""
    values, starts, parts = [], [], []
    fresh = itertools.count(1)
    for number, lengths in enumerate(sources):
        low = len(values)
        for length in lengths:
            starts.append(len(values))
            values += [SEPARATOR, *itertools.islice(fresh, length - 1)]
        parts.append(SourcePart(f"s{number}", low, len(values)))
    return TrainText(Stream(values), np.array(starts), tuple(parts))


def batches_of(text, data, b=2, t=8, seed=3, **options):
    order = make_order(text, data, t, seed, batch_size=b, **options)
    starts = text.document_start if data.masks else None
    return TrainBatches(text.tokens, None, b, t, seed, document_start=starts, order=order)


def first_rows(batches, n, b=2):
    """Inputs, targets, places and documents of the first n rows."""
    steps = range(1, -(-n // b) + 1)
    found = [batches.batch(step) for step in steps]
    places = np.concatenate([batches.places(step) for step in steps])[:n]
    documents = None
    if found[0].documents is not None:
        documents = torch.cat([batch.documents for batch in found])[:n].numpy()
    inputs = torch.cat([batch.inputs for batch in found])[:n].numpy()
    return inputs, torch.cat([batch.targets for batch in found])[:n].numpy(), places, documents


LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=12)


@settings(deadline=None, max_examples=80)
@given(
    lengths=LENGTHS, t=st.integers(1, 20), packing=st.sampled_from(PACKINGS), masked=st.booleans()
)
def test_rows_are_what_the_text_says_token_by_token(lengths, t, packing, masked):
    text = text_of(lengths)
    n = text.tokens.n_tokens
    data = DataConfig(packing=packing, mask_documents=masked)
    if packing == "stream" and n <= t:
        with pytest.raises(DataError, match="fewer than one context"):
            batches_of(text, data, t=t)
        return
    batches = batches_of(text, data, t=t)
    rows = batches.order.rows_per_epoch
    inputs, targets, places, documents = first_rows(batches, rows)
    values = text.tokens.values.tolist()
    document_of = np.repeat(np.arange(len(lengths)), lengths)
    for row in range(rows):
        marks = []
        for column, place in enumerate(places[row].tolist()):
            if place < 0:
                assert (inputs[row, column], targets[row, column]) == (SEPARATOR, IGNORED)
                marks.append((-1,))
                continue
            assert inputs[row, column] == values[place]
            assert targets[row, column] == values[(place + 1) % n]
            joined = column and place == places[row, column - 1] + 1
            piece = marks[-1][1] if joined else column  # a piece that goes on in the same document
            new = place in text.document_start or not column
            marks.append((int(document_of[place]), column if new else piece))
        if documents is not None:
            same = np.equal.outer(documents[row], documents[row])
            assert (same == [[a == b for b in marks] for a in marks]).all()
            assert (np.diff(documents[row]) >= 0).all() and documents[row, 0] == 0


@settings(deadline=None, max_examples=60)
@given(
    lengths=LENGTHS, t=st.integers(1, 12), packing=st.sampled_from(PACKINGS), seed=st.integers(0, 9)
)
def test_no_token_is_lost_or_seen_twice_in_an_epoch(lengths, t, packing, seed):
    text = text_of(lengths)
    if packing == "stream" and text.tokens.n_tokens <= t:
        return
    batches = batches_of(text, DataConfig(packing=packing), t=t, seed=seed)
    rows = batches.order.rows_per_epoch
    places = first_rows(batches, 3 * rows)[2]
    kept = {
        place
        for a, n in zip(text.document_start, lengths, strict=True)
        for place in range(a, a + min(n, t))
    }
    wanted = kept if packing == "documents" else set(range(text.tokens.n_tokens))
    for epoch in range(3):
        drawn = places[epoch * rows : (epoch + 1) * rows]
        assert Counter(drawn[drawn >= 0].tolist()) == Counter(wanted)


@pytest.mark.parametrize("packing", PACKINGS)
def test_ranks_and_earlier_steps_change_nothing(packing):
    text = text_of([5, 30, 7, 11], [9] * 8, [3] * 20)
    mixing = (Mix(weights={"s0": 2.0, "s1": 1.0}), Mix(at=1.0, weights={"s2": 1.0}))
    data = DataConfig(packing=packing, mixing=mixing)
    whole = batches_of(text, data, b=4, steps=40)
    forward = [whole.batch(step).inputs for step in range(1, 60)]
    for step in (59, 1, 30, 2):
        assert torch.equal(
            batches_of(text, data, b=4, steps=40).batch(step).inputs, forward[step - 1]
        )
    order = make_order(text, data, 8, 3, batch_size=4, steps=40)
    halves = [
        TrainBatches(text.tokens, None, 4, 8, 3, share=rows, order=order)
        for rows in (slice(0, 2), slice(2, 4))
    ]
    for step in (1, 17, 58):
        parts = [half.batch(step).inputs for half in halves]
        assert torch.equal(torch.cat(parts), forward[step - 1])


# --- mixing -------------------------------------------------------------------------------------


def source_of(text, places):
    """The source of each row."""
    lows = [part.low for part in text.sources]
    return np.searchsorted(lows, places[:, 0], side="right") - 1


@settings(deadline=None, max_examples=40)
@given(
    weights=st.lists(st.floats(0.0, 10.0), min_size=2, max_size=5).filter(lambda w: sum(w) > 0.1),
    seed=st.integers(0, 2**63 - 1),
)
def test_sources_come_as_often_as_their_weights_say_in_every_stretch(weights, seed):
    names = [f"s{number}" for number in range(len(weights))]
    mix = Mix(weights=dict(zip(names, weights, strict=True)))
    drawing = Weighted((mix,), names, 100, 8, seed)
    pools, counts = drawing.at(range(60_000, 70_000))
    share = np.bincount(pools, minlength=len(weights)) / len(pools)
    np.testing.assert_allclose(share, np.array(weights) / sum(weights), atol=2e-3)
    assert all(
        (share[i] == 0) == (weight == 0) or weight < 1e-2 for i, weight in enumerate(weights)
    )
    for number in range(len(weights)):
        own = counts[pools == number]
        before = drawing.counts(60_000)[number]
        np.testing.assert_array_equal(own, before + np.arange(len(own)))
    assert sum(drawing.counts(65_536)) == 65_536


def test_weights_move_along_a_straight_line():
    mixing = (
        Mix(weights={"a": 1.0}),
        Mix(at=0.5, weights={"a": 3.0, "b": 3.0}),
        Mix(at=1.0, weights={"b": 5.0}),
    )
    drawing = Weighted(mixing, ["a", "b"], 1000, 10, 7)
    share = [
        drawing.at(range(at, at + 100))[0].mean() for at in (0, 2450, 4950, 7450, 9900, 20_000)
    ]
    np.testing.assert_allclose(share, [0.005, 0.25, 0.5, 0.75, 0.995, 1.0], atol=0.02)


def test_a_source_that_ends_begins_its_next_epoch_and_the_others_go_on():
    text = text_of([20] * 2, [20] * 20)
    data = DataConfig(mixing=(Mix(weights={"s0": 1.0, "s1": 1.0}),))
    batches = batches_of(text, data, b=2, t=10)
    _, _, places, _ = first_rows(batches, 80)
    sources = source_of(text, places)
    assert abs(int((sources == 0).sum()) - 40) <= 1
    small, large = places[sources == 0], places[sources == 1]
    for epoch in range(9):
        assert sorted(small[4 * epoch : 4 * epoch + 4].ravel()) == list(range(40))
    assert len(set(large.ravel().tolist())) == large.size  # of 400 tokens none came twice


def test_without_weights_all_sources_end_together():
    text = text_of([40] * 30, [40] * 10)
    batches = batches_of(text, DataConfig(), b=1, t=8)
    rows = batches.order.rows_per_epoch
    sources = source_of(text, first_rows(batches, rows, b=1)[2])
    assert np.mean(sources[: rows // 2]) == pytest.approx(0.25, abs=0.1)
    assert np.mean(sources[rows // 2 :]) == pytest.approx(0.25, abs=0.1)


def test_a_weight_for_no_source_is_refused_by_its_path():
    text = text_of([20, 20], [30])
    mixing = (Mix(weights={"s0": 1.0}), Mix(at=0.5, weights={"web": 1.0}))
    with pytest.raises(SpecError, match="“web”") as refused:
        batches_of(text, DataConfig(mixing=mixing))
    assert refused.value.field == "data.mixing[1].weights" and "“s1”" in refused.value.do


@pytest.mark.parametrize(
    ("mixing", "why"),
    [
        ((Mix(weights={"a": math.inf}),), "not finite"),
        ((Mix(weights={"a": 0.0}),), "no source with a weight"),
        ((Mix(at=0.5, weights={"a": 1.0}),), "the first of them 0"),
        ((Mix(weights={"a": 1.0}), Mix(weights={"a": 2.0})), "rising"),
    ],
)
def test_weights_that_mean_nothing_are_refused(mixing, why):
    with pytest.raises(ValueError, match=why):
        DataConfig(mixing=mixing)


def test_a_source_that_is_never_drawn_may_be_of_any_size():
    text = text_of([20, 20], [3])
    assert batches_of(text, DataConfig(mixing=(Mix(weights={"s0": 1.0}),))).batch(1)
    with pytest.raises(DataError, match="source “s1”"):
        batches_of(text, DataConfig(mixing=(Mix(weights={"s1": 1.0}),)))


# --- what was seen ------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("mixed", [False, True])
def test_what_was_seen_of_each_source_is_counted_token_for_token(packing, mixed):
    text = text_of([5, 30, 7, 11], [9] * 8, [3] * 20)
    mixing = (Mix(weights={"s0": 3.0, "s1": 1.0, "s2": 1.0}),) if mixed else ()
    batches = batches_of(text, DataConfig(packing=packing, mixing=mixing))
    counter = SeenCounter(batches.order, text.sources)
    drawn = Counter()
    for step in range(1, 60):
        places = batches.places(step)
        drawn.update(places[places >= 0].tolist())
        found = counter.upto(batches.drawn(step))
        if step % 7 == 0:
            assert SeenCounter(batches.order, text.sources).upto(batches.drawn(step)) == found
        for part, seen in zip(text.sources, found, strict=True):
            own = [count for place, count in drawn.items() if part.low <= place < part.high]
            assert seen == (part.name, part.high - part.low, len(own), sum(own))
    assert max(drawn.values()) > 1  # into a further epoch
    assert counter.upto(batches.drawn(1)) == SeenCounter(batches.order, text.sources).upto(
        batches.drawn(1)
    )


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("mixed", [False, True])
def test_an_order_goes_on_behind_what_was_drawn_before_whatever_the_batch_size(packing, mixed):
    text = text_of([5, 30, 7, 11] * 4, [9] * 30)
    mixing = (Mix(weights={"s0": 1.0, "s1": 1.0}),) if mixed else ()
    data = DataConfig(packing=packing, mixing=mixing)
    first = batches_of(text, data, b=2)
    seen = first_rows(first, 10)[2]
    second = batches_of(text, data, b=3, begun=first.drawn(5))
    rest = first_rows(second, 9, b=3)[2]
    drawn = np.concatenate([seen, rest])
    drawn = drawn[drawn >= 0].tolist()
    assert len(set(drawn)) == len(drawn)
    assert sum(second.drawn(3).values()) == 10 + 9


def test_what_an_ancestor_drew_of_other_sources_is_not_forgotten():
    text = text_of([20] * 4, [20] * 4)
    first = batches_of(text, DataConfig(mixing=(Mix(weights={"s0": 1.0, "s1": 1.0}),)))
    second = batches_of(text, DataConfig(mixing=(Mix(weights={"s1": 1.0}),)), begun=first.drawn(3))
    assert second.drawn(2)["s0"] == first.drawn(3)["s0"] > 0
    counter = SeenCounter(second.order, text.sources)
    assert counter.upto(second.drawn(2))[0].seen == 8 * first.drawn(3)["s0"]
