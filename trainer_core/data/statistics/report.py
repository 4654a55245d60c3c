"""The file `statistics.json`: plain values that the studio reads without this package.

Version 1 had `documents` to `lengths`, `samples`, and a table of crops that nobody needs any more;
such files are read with the rest at its defaults.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from pathlib import Path

import msgspec

STATISTICS_NAME = "statistics.json"
STATISTICS_VERSION = 2


class LengthBar(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of at least `low` and fewer than `high` tokens."""

    low: float
    high: float
    documents: int


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """How long documents are, in tokens without their separators."""

    documents: int
    mean_tokens: float
    median_tokens: float
    longest_tokens: int
    lengths: tuple[LengthBar, ...]


class SourceStatistics(Lengths, frozen=True, kw_only=True):
    """One of the sources, both sides of the split together."""

    name: str
    tokens: int
    """With one separator for each document."""
    validation_tokens: int
    bytes: int
    """Of text, as UTF-8."""
    bytes_per_token: float
    """Separators not counted; 0 without any token."""


class PackingCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of packing makes of the training part. Shares are 0 to 1."""

    lost: float
    """Share of the tokens that no sequence holds."""
    padding: float
    """Share of the places in sequences that hold no token."""
    split: float
    """Share of the documents that are cut into several sequences."""
    rows: int
    """Sequences in an epoch."""


class ContextCost(msgspec.Struct, frozen=True, kw_only=True):
    """What each way of packing makes of sequences of `context` tokens."""

    context: int
    longer: float
    """Share of all documents that are longer."""
    stream: PackingCost
    best_fit: PackingCost
    documents: PackingCost


class TextEntropy(msgspec.Struct, frozen=True, kw_only=True):
    """Entropy of the training part in nats per token, separators counted as tokens.

    A model that knows how often each token occurs, and nothing else, reaches the first as its loss;
    one that also knows the token before reaches the second. They are those of the counts
    themselves, so on little text the second is lower than any held-out loss could be.

    Source: Shannon, "A Mathematical Theory of Communication", 1948: F1 and F2.
    """

    unigram: float
    bigram: float
    tokens: int
    """So many were counted: evenly spaced blocks, where the text is larger."""
    of_tokens: int


class NGram(msgspec.Struct, frozen=True, kw_only=True):
    """A run of tokens inside one document."""

    ids: tuple[int, ...]
    text: str
    """What they stand for; broken UTF-8 shows as U+FFFD."""
    count: int


class NGrams(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent runs of `n` tokens, the first most."""

    n: int
    total: int
    """All runs of `n` tokens that were counted."""
    different: int
    top: tuple[NGram, ...]


class SampleDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a training document, token by token."""

    document: int
    title: str
    path: str
    source: str = ""
    """Name of its source; empty where there is only one."""
    tokens: int
    """In the whole document, without its separator."""
    bytes: int
    """In the whole document."""
    data: str
    """Bytes of the tokens shown, in base64."""
    lengths: tuple[int, ...]
    """Bytes of each token shown."""


class Statistics(Lengths, frozen=True, kw_only=True):
    """Figures over all documents, both sides of the split, where nothing else is said."""

    version: int = STATISTICS_VERSION
    sources: tuple[SourceStatistics, ...] = ()
    contexts: tuple[ContextCost, ...] = ()
    entropy: TextEntropy | None = None
    """None in files of version 1."""
    ngrams: tuple[NGrams, ...] = ()
    """Of the training part, for one to five tokens."""
    ngram_tokens: int = 0
    """So many tokens of the training part were looked at for them."""
    samples: tuple[SampleDocument, ...]


def read_statistics(folder: Path) -> Statistics | None:
    """The statistics of a corpus folder; None where there are none that can be used."""
    try:
        return msgspec.json.decode((folder / STATISTICS_NAME).read_bytes(), type=Statistics)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None
