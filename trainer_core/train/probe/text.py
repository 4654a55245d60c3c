"""What a probe trains on: a corpus, or random tokens of its vocabulary.

Letters: n tokens, T time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.batches.text import Tokens
from trainer_core.data.matches import Matches
from trainer_core.spec import ModelConfig, ProbeSpec
from trainer_core.spec.section import MATCH_COUNTS

_RANDOM_TOKENS = 1 << 20
_DOCUMENT_TOKENS = 600
"""Mean length of a random document."""


@dataclass(frozen=True)
class ProbeText:
    """A text to train on and one to validate on.

    Attributes:
        train: Training tokens.
        matches: Their match features; None for a plain model without an index.
        document_start: Where their documents begin.
        byte_lengths: (V,) bytes of each token.
    """

    train: Tokens
    matches: Matches | None
    document_start: NDArray[np.int64]
    byte_lengths: NDArray[Any]


@dataclass(frozen=True)
class _RandomTokens:
    values: NDArray[Any]

    @property
    def n_tokens(self) -> int:
        return self.values.size

    def tokens(self) -> NDArray[Any]:
        return self.values


@dataclass(frozen=True)
class _RandomMatches:
    """Matches that say nothing; see `Matches`."""

    length: NDArray[Any]
    next: NDArray[Any]
    second: NDArray[Any]
    count: NDArray[Any]
    has_second: NDArray[np.bool_]

    def at(self, places: NDArray[np.int64]) -> _RandomMatches:
        return _RandomMatches(
            self.length[places],
            self.next[places],
            self.second[places],
            self.count[places],
            self.has_second[places],
        )


def open_text(spec: ProbeSpec) -> ProbeText:
    """The text of a probe.

    Raises:
        DataError: The corpus is absent, damaged or newer than this version.
        IndexFileError: The index is, or it belongs to another corpus.
        SpecError: The model does not fit them.
    """
    if not spec.corpus:
        return _random_text(spec)
    from trainer_core.train.inputs import open_inputs  # what the index needs is slow to import

    inputs = open_inputs(spec.corpus, spec.index, spec.model)
    matches: Matches | None = inputs.train_matches
    train = inputs.corpus.train
    if matches is None and spec.model.match_input:
        matches = _random_matches(train.n_tokens, spec.model, spec.seed)
    return ProbeText(train, matches, train.document_start, inputs.byte_lengths)


def _random_text(spec: ProbeSpec) -> ProbeText:
    size = max(_RANDOM_TOKENS, 4 * spec.model.context_length)
    random = np.random.default_rng(spec.seed)
    dtype = np.uint16 if spec.model.vocab_size <= 1 << 16 else np.uint32
    tokens = random.integers(0, spec.model.vocab_size, size).astype(dtype)
    starts = np.flatnonzero(random.random(size) < 1 / _DOCUMENT_TOKENS)
    matched = spec.model.match_input
    return ProbeText(
        _RandomTokens(tokens),
        _random_matches(size, spec.model, spec.seed) if matched else None,
        np.append(0, starts[starts > 0]),
        np.full(spec.model.vocab_size, 4, np.int64),
    )


def _random_matches(size: int, model: ModelConfig, seed: int) -> _RandomMatches:
    random = np.random.default_rng([seed, 1])
    length = random.integers(0, model.match_length_max + 1, size).astype(np.uint8)
    found = length > 0
    return _RandomMatches(
        length=length,
        next=random.integers(0, model.vocab_size, size) * found,
        second=random.integers(0, model.vocab_size, size) * found,
        count=random.integers(1, MATCH_COUNTS, size).astype(np.uint8) * found,
        has_second=(random.random(size) < 0.5) & found,
    )
