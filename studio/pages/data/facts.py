"""What the data page shows of a dataset: its corpus, its jobs, its index. Free of Qt."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from dataclasses import dataclass
from typing import Any

import msgspec

from studio.pages.data.corpus import CorpusFiles, ManifestFacts, StatisticsFacts
from studio.pages.data.index_state import NO_INDEX, IndexNow
from studio.storage.rows import DatasetRow
from trainer_core.errors import KnownError
from trainer_core.status import JobStatus


class MatchBar(msgspec.Struct, frozen=True):
    """Held-out tokens by the length of their longest match."""

    low: int
    high: int
    tokens: int
    hit_rate: float
    """Share of these tokens that the match alone names."""


class DuplicateFacts(msgspec.Struct, frozen=True):
    """What stands more than once in the training text; shares are of its tokens.

    `repeated_share` is None where the index tells no matches of `least_tokens` apart.
    """

    tokens: int = 0
    documents: int = 0
    least_tokens: int = 32
    repeated_share: float | None = None
    repeated_same_document_share: float | None = None
    repeated_other_document_share: float | None = None
    exact_duplicate_documents: int = 0
    """Copies beyond the first of each."""


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset as its folders tell it now.

    Attributes:
        prepare: State of the `prepare` job.
        index: Where its index stands.
        manifest: The corpus; None until it is whole.
        statistics: None for a corpus without them.
        matches: Held-out tokens by match length, from the index job's result.
        duplicates: What the index found more than once in the training text, or None.
        is_code: Whether the text is program code, which is shown in a fixed-width font.
        problem: Why the folder cannot be read.
    """

    dataset: DatasetRow
    prepare: JobStatus
    index: IndexNow = NO_INDEX
    manifest: ManifestFacts | None = None
    statistics: StatisticsFacts | None = None
    matches: tuple[MatchBar, ...] = ()
    duplicates: DuplicateFacts | None = None
    is_code: bool = False
    problem: KnownError | None = None

    @property
    def index_bytes(self) -> int | None:
        """Size of the finished index."""
        value = self.index.status.result.get("size_bytes")
        return int(value) if isinstance(value, int | float) else None

    @property
    def index_ready(self) -> bool:
        """Whether there is a whole index, in step with the text or not."""
        return self.index.kind in ("ready", "outdated")

    @property
    def serious_skips(self) -> int:
        """Files left out that a person may have wanted in."""
        groups = self.manifest.source.skipped if self.manifest else ()
        return sum(group.count for group in groups if group.level != "info")


def make_facts(
    dataset: DatasetRow,
    files: CorpusFiles,
    prepare: JobStatus,
    index: IndexNow,
    problem: KnownError | None = None,
) -> DatasetFacts:
    """Everything about a dataset, from its files and its two jobs."""
    result = index.status.result
    return DatasetFacts(
        dataset,
        prepare,
        index,
        manifest=files.manifest,
        statistics=files.statistics,
        matches=match_bars(result),
        duplicates=duplicate_facts(result),
        is_code=files.is_code,
        problem=problem,
    )


def match_bars(result: dict[str, Any]) -> tuple[MatchBar, ...]:
    """Held-out tokens by match length from the index job's result; empty when it has none."""
    try:
        bars = msgspec.convert(result.get("buckets", ()), tuple[MatchBar, ...])
    except msgspec.ValidationError:
        return ()
    return bars if any(bar.tokens for bar in bars) else ()


def duplicate_facts(result: dict[str, Any]) -> DuplicateFacts | None:
    """What the index job found more than once in the training text; None where it did not look."""
    try:
        return msgspec.convert(result["duplicates"], DuplicateFacts)
    except (KeyError, msgspec.ValidationError):
        return None
