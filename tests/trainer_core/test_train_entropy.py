"""The training text's entropy stands in the journal of a training."""

from __future__ import annotations

import pytest
from train_for_tests import make_corpus, tiny_spec, trained

from trainer_core.data.corpus import open_corpus
from trainer_core.data.statistics import STATISTICS_NAME, read_statistics
from trainer_core.status import read_status
from trainer_core.train.entropy import entropy_record


def test_a_training_records_the_entropies_of_its_text(tmp_path):
    corpus = open_corpus(make_corpus(tmp_path))
    status = read_status(trained(tmp_path / "run", tiny_spec(corpus.folder, steps=6)))
    found = read_statistics(corpus.folder).entropy
    assert status.entropy is not None
    assert (status.entropy.unigram, status.entropy.bigram) == (found.unigram, found.bigram)
    assert status.entropy.tokens == status.entropy.of_tokens == corpus.train.n_tokens
    assert 0 < status.entropy.bigram < status.entropy.unigram


def test_they_are_counted_anew_for_a_corpus_without_statistics(tmp_path):
    corpus = open_corpus(make_corpus(tmp_path))
    before = entropy_record(corpus)
    (corpus.folder / STATISTICS_NAME).unlink()
    after = entropy_record(corpus)
    assert (after.unigram, after.bigram) == pytest.approx((before.unigram, before.bigram))
