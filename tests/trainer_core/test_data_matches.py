"""Which sequences of a step are trained without their matches."""

import numpy as np
import pytest
import torch
from matches_for_tests import Features, matched

from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.matches import dropped_rows


class Stream:
    n_tokens = 400

    def tokens(self):
        return np.arange(400, dtype=np.uint16)


def batches(share):
    features = Features(np.full(400, 3), np.arange(1, 401))
    return TrainBatches(Stream(), features, 32, 8, seed=5, match_dropout=share)


def test_hidden_rows_have_no_match_and_the_others_keep_theirs():
    length, following = torch.full((3, 4), 2), torch.full((3, 4), 9)
    matches = matched(following, length, second=torch.full((3, 4), 7))
    hidden = matches.hidden(np.array([False, True, False]))
    for before, after in zip(matches, hidden, strict=True):
        assert after.dtype == before.dtype
        assert not after[1].any()
        assert torch.equal(after[[0, 2]], before[[0, 2]])


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_share_of_dropped_sequences_is_the_one_asked_for(share):
    drawn = np.concatenate([dropped_rows(share, 1, step, 50) for step in range(1, 200)])
    assert drawn.mean() == pytest.approx(share, abs=0.015)


def test_what_is_dropped_depends_on_seed_and_step_alone():
    first = [dropped_rows(0.5, 7, step, 64) for step in (3, 4)]
    np.random.default_rng().random(10)
    torch.rand(3)
    again = [dropped_rows(0.5, 7, step, 64) for step in (3, 4)]
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()
    assert (dropped_rows(0.5, 8, 3, 64) != first[0]).any()


def test_a_batch_hides_matches_and_changes_nothing_else():
    plain, dropping = batches(0.0).batch(2), batches(0.25).batch(2)
    rows = torch.from_numpy(dropped_rows(0.25, 5, 2, 32))
    assert 0 < rows.sum() < 32
    assert torch.equal(plain.inputs, dropping.inputs)
    assert torch.equal(plain.targets, dropping.targets)
    assert bool((dropping.matches.length[rows] == 0).all())
    assert torch.equal(dropping.matches.length[~rows], plain.matches.length[~rows])
    assert (dropping.hit_rate, dropping.mean_match) == (plain.hit_rate, plain.mean_match)
    for first, second in zip(dropping.matches, batches(0.25).batch(2).matches, strict=True):
        assert torch.equal(first, second)
