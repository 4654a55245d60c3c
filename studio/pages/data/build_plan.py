"""What building an index will take, before it starts: bytes, seconds, room on the disk. Free of Qt.

Time is what the formula says, corrected by the largest build that this computer has done.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.pages.data.corpus import ManifestFacts
from trainer_core.index_plan import RESUMABLE_TOKENS, expected_bytes, expected_seconds

_RATIO_LIMITS = (0.2, 20.0)
"""A measurement further off than this tells of a disturbance, not of the computer."""
_MEASURED_TOKENS_MIN = 100_000


@dataclass(frozen=True)
class TextSize:
    """What the size of an index depends on. Counts are of tokens and training documents."""

    train_tokens: int
    validation_tokens: int
    documents: int
    vocab_size: int

    @classmethod
    def of_result(cls, result: dict[str, Any]) -> TextSize | None:
        """From the result of a `prepare` job; None where it does not tell."""
        keys = ("train_tokens", "validation_tokens", "train_documents", "vocab_size")
        found = [result.get(key) for key in keys]
        numbers = [value for value in found if isinstance(value, int)]
        return cls(*numbers) if len(numbers) == len(keys) and numbers[0] > 0 else None

    @classmethod
    def of_manifest(cls, manifest: ManifestFacts) -> TextSize:
        """From a corpus's manifest."""
        return cls(
            manifest.train.tokens,
            manifest.validation.tokens,
            manifest.train.documents,
            manifest.vocab_size,
        )


@dataclass(frozen=True)
class BuildPlan:
    """What a build will take.

    Attributes:
        size_bytes: Of the finished index.
        seconds: Until it is there.
        free_bytes: Room on the disk it is written to; None where that is unknown.
        goes_on: Whether a build that was ended goes on behind its finished steps; small ones begin
            anew.
    """

    size_bytes: int
    seconds: float
    free_bytes: int | None = None
    goes_on: bool = False

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.free_bytes is None or self.size_bytes < self.free_bytes


def plan_build(
    text: TextSize,
    results: Iterable[dict[str, Any]] = (),
    free_bytes: int | None = None,
    threads: int = 0,
) -> BuildPlan:
    """What building the index of a text will take.

    Args:
        text: Its size.
        results: Of finished builds on this computer.
        free_bytes: Room on the disk.
        threads: Of the build; 0 takes one for each core.
    """
    seconds = expected_seconds(text.train_tokens, text.validation_tokens, threads or _cores())
    return BuildPlan(
        size_bytes=expected_bytes(
            text.train_tokens, text.validation_tokens, text.documents, text.vocab_size
        ),
        seconds=seconds * slowness(results),
        free_bytes=free_bytes,
        goes_on=text.train_tokens >= RESUMABLE_TOKENS,
    )


def slowness(results: Iterable[dict[str, Any]]) -> float:
    """How many times as long as expected the largest build took; 1 before there was one."""
    largest, ratio = _MEASURED_TOKENS_MIN, 1.0
    for result in results:
        tokens, seconds = result.get("tokens"), result.get("seconds")
        held_out = result.get("validation_tokens")
        fresh = result.get("built") and not (result.get("appended") or result.get("resumed"))
        if not (isinstance(tokens, int) and isinstance(seconds, float) and fresh):
            continue
        if tokens > largest:
            low, high = _RATIO_LIMITS
            validation = held_out if isinstance(held_out, int) else 0
            expected = expected_seconds(tokens, validation, _cores())
            largest, ratio = tokens, min(max(seconds / expected, low), high)
    return ratio


def _cores() -> int:
    return os.cpu_count() or 1
