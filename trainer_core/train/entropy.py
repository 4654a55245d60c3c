"""What the training text's own entropy is, for the charts of a training."""

from __future__ import annotations

from trainer_core import records
from trainer_core.data.corpus import Corpus
from trainer_core.data.statistics import read_statistics
from trainer_core.data.statistics.entropy import text_entropy

_TOKENS_OF_OLD_CORPORA = 2**24
"""Counted at the start of a training, so that it takes a second at most."""


def entropy_record(corpus: Corpus) -> records.TextEntropy:
    """The entropies that the corpus was prepared with; counted now where it is too old for that."""
    statistics = read_statistics(corpus.folder)
    found = statistics.entropy if statistics is not None else None
    if found is None:
        found = text_entropy(corpus.train, corpus.vocab_size, limit=_TOKENS_OF_OLD_CORPORA)
    return records.TextEntropy(
        unigram=found.unigram,
        bigram=found.bigram,
        tokens=found.tokens,
        of_tokens=found.of_tokens,
    )
