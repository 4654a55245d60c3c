"""How long the documents of a corpus are, in all and by source. D documents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import Corpus, CorpusSplit
from trainer_core.data.manifest import NamedSourceReport
from trainer_core.data.statistics.report import LengthBar, Lengths, SourceStatistics

BARS_PER_OCTAVE = 3


def document_lengths(split: CorpusSplit) -> NDArray[np.int64]:
    """Tokens of each document, (D,), without its separator."""
    return np.diff(split.document_start, append=split.n_tokens) - 1


def length_figures(lengths: NDArray[np.int64]) -> Lengths:
    """The distribution of some lengths, (D,), in tokens; zeros without any document."""
    if len(lengths) == 0:
        return Lengths(
            documents=0, mean_tokens=0.0, median_tokens=0.0, longest_tokens=0, lengths=()
        )
    return Lengths(
        documents=len(lengths),
        mean_tokens=float(lengths.mean()),
        median_tokens=float(np.median(lengths)),
        longest_tokens=int(lengths.max()),
        lengths=length_bars(lengths),
    )


def length_bars(lengths: NDArray[np.int64]) -> tuple[LengthBar, ...]:
    """Count documents by length, on a log scale of three bars to an octave.

    Args:
        lengths: Tokens of each document, (D,); documents without any count as one token.
    """
    steps = np.floor(np.log2(np.maximum(lengths, 1)) * BARS_PER_OCTAVE + 1e-9).astype(np.int64)
    first = int(steps.min())
    counts = np.bincount(steps - first)
    return tuple(
        LengthBar(
            low=2 ** ((first + i) / BARS_PER_OCTAVE),
            high=2 ** ((first + i + 1) / BARS_PER_OCTAVE),
            documents=int(documents),
        )
        for i, documents in enumerate(counts)
    )


def source_figures(
    corpus: Corpus, train: NDArray[np.int64], validation: NDArray[np.int64]
) -> tuple[SourceStatistics, ...]:
    """Each source of a corpus; none for a corpus from before there could be several.

    The documents of both sides stand in the order of the sources, so a source is a run of them.

    Args:
        corpus: Whose.
        train: Lengths of the training documents, (D,).
        validation: Those of the validation documents.
    """
    found = []
    at_train = at_validation = 0
    for source in corpus.manifest.sources:
        to_train = at_train + source.train.documents
        to_validation = at_validation + source.validation.documents
        lengths = np.concatenate(
            [train[at_train:to_train], validation[at_validation:to_validation]]
        )
        found.append(_source(source, lengths))
        at_train, at_validation = to_train, to_validation
    return tuple(found)


def _source(source: NamedSourceReport, lengths: NDArray[np.int64]) -> SourceStatistics:
    figures = length_figures(lengths)
    text_bytes = source.train.bytes + source.validation.bytes
    text_tokens = int(lengths.sum())
    return SourceStatistics(
        name=source.name,
        tokens=source.train.tokens + source.validation.tokens,
        validation_tokens=source.validation.tokens,
        bytes=text_bytes,
        bytes_per_token=text_bytes / text_tokens if text_tokens else 0.0,
        documents=figures.documents,
        mean_tokens=figures.mean_tokens,
        median_tokens=figures.median_tokens,
        longest_tokens=figures.longest_tokens,
        lengths=figures.lengths,
    )
