"""A dataset as the wizard knows it. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.pages.data.corpus import StatisticsFacts
from studio.pages.wizard.sequences import SourceChoice


@dataclass(frozen=True)
class DataChoice:
    """A dataset that can be trained on.

    Attributes:
        train_tokens: Of the training part.
        index_bytes: Size of the index, or None while there is none.
        index: The index folder, whether or not it is there.
        index_state: `ready`, `building`, `stopped`, `failed`, `outdated` or `absent`.
        index_hit_rate: Share of held-out tokens that the index names; None while unknown.
        sources: What its text was put together from; none in an old corpus.
        statistics: Of its documents; None for a corpus without them.
        is_code: Whether it is program code.
    """

    id: int
    name: str
    what: str
    tokenizer: str
    corpus: Path
    index: Path | None
    vocab_size: int
    train_tokens: int
    validation_tokens: int
    documents: int = 0
    train_documents: int = 0
    text_bytes: int = 0
    index_state: str = "absent"
    index_bytes: int | None = None
    index_hit_rate: float | None = None
    index_max_length: int = 32
    sources: tuple[SourceChoice, ...] = ()
    statistics: StatisticsFacts | None = None
    is_code: bool = False
