"""Work the statistics of a corpus out and keep them beside its manifest."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from trainer_core.data.corpus import Corpus
from trainer_core.data.statistics.costs import context_costs
from trainer_core.data.statistics.entropy import text_entropy
from trainer_core.data.statistics.lengths import document_lengths, length_figures, source_figures
from trainer_core.data.statistics.ngrams import top_ngrams
from trainer_core.data.statistics.report import STATISTICS_NAME, Statistics
from trainer_core.data.statistics.samples import sample_documents
from trainer_core.errors import from_os_error
from trainer_core.files import write_whole_file

COUNTING = "counting tokens"

Report = Callable[[str, float, float, str], None]
"""Told of a phase: what is done, how much of it, of how much, in which unit."""


def corpus_statistics(corpus: Corpus, report: Report = lambda *_: None) -> Statistics:
    """Work out the statistics of a corpus.

    Memory: some ten bytes for each document, and a quarter of a gigabyte at most for the rest.

    Args:
        corpus: An open corpus.
        report: Told of the progress; may raise to give up.

    Raises:
        DataError: A file of the corpus is damaged.
    """
    train, validation = document_lengths(corpus.train), document_lengths(corpus.validation)
    lengths = np.concatenate([train, validation])
    figures = length_figures(lengths)
    report(COUNTING, 0.0, 1.0, "")
    contexts = context_costs(lengths, train)
    report(COUNTING, 0.2, 1.0, "")
    ngrams, ngram_tokens = top_ngrams(corpus)
    entropy = text_entropy(
        corpus.train,
        corpus.vocab_size,
        lambda share: report(COUNTING, 0.4 + 0.6 * share, 1.0, ""),
    )
    return Statistics(
        documents=figures.documents,
        mean_tokens=figures.mean_tokens,
        median_tokens=figures.median_tokens,
        longest_tokens=figures.longest_tokens,
        lengths=figures.lengths,
        sources=source_figures(corpus, train, validation),
        contexts=contexts,
        entropy=entropy,
        ngrams=ngrams,
        ngram_tokens=ngram_tokens,
        samples=tuple(sample_documents(corpus)),
    )


def write_statistics(corpus: Corpus, report: Report = lambda *_: None) -> Statistics:
    """Work out the statistics and write them beside the manifest, whole or not at all.

    Raises:
        DataError: A file of the corpus is damaged.
        KnownError: They cannot be written.
    """
    found = corpus_statistics(corpus, report)
    try:
        write_whole_file(corpus.folder / STATISTICS_NAME, msgspec.json.encode(found))
    except OSError as error:
        raise from_os_error(error, "writing the statistics of the corpus") from None
    return found
