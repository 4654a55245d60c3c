"""The text of a training: its tokens, where documents begin, and which part each source made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import Corpus


class Tokens(Protocol):
    """A token stream, as a part of a corpus gives it."""

    @property
    def n_tokens(self) -> int:
        """How many tokens there are."""

    def tokens(self) -> NDArray[Any]:
        """All of them, (n_tokens,) of an unsigned integer type, mapped or in memory."""


class SourcePart(NamedTuple):
    """The tokens of one source: those from `low` up to `high` (excluded)."""

    name: str
    low: int
    high: int


@dataclass(frozen=True)
class TrainText:
    """What a training reads.

    Attributes:
        tokens: The stream.
        document_start: (D,) rising, where its documents begin; the first is 0.
        sources: Which part each source made, in their order; all tokens are in one of them.
    """

    tokens: Tokens
    document_start: NDArray[np.int64]
    sources: tuple[SourcePart, ...] = ()


def text_of(corpus: Corpus) -> TrainText:
    """The training part of a corpus; one that names no sources is one source of its own name."""
    ends = np.cumsum([0, *(source.train.tokens for source in corpus.manifest.sources)]).tolist()
    parts = tuple(
        SourcePart(source.name, low, high)
        for source, low, high in zip(corpus.manifest.sources, ends[:-1], ends[1:], strict=True)
    )
    if ends[-1] != corpus.train.n_tokens:
        parts = (SourcePart(corpus.manifest.name, 0, corpus.train.n_tokens),)
    return TrainText(corpus.train, corpus.train.document_start, parts)
