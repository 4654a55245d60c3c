"""What a probe measured, as its job folder keeps it: a row for each way to train that was tried."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from pathlib import Path
from typing import Literal

import msgspec

from trainer_core.errors import JobFolderError
from trainer_core.spec import Precision

PROBE_FILE = "probe.json"
SAME_SPEED = 0.03
"""Speeds that differ by less than this share count as equal."""

Ended = Literal["", "speed", "memory", "time", "largest", "error"]
"""Why no larger batch was tried: it was no faster, memory or time ended, or it was the largest."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A way to train, whatever the batch."""

    precision: Precision
    compile: bool = False
    activation_checkpointing: bool = False

    def __str__(self) -> str:
        """Such as `bf16, compiled`."""
        extras = (
            ", compiled" if self.compile else "",
            ", activation checkpointing" if self.activation_checkpointing else "",
        )
        return self.precision + "".join(extras)


class ProbeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One batch size in one variant. Figures are 0 where it did not work."""

    batch_size: int
    """Sequences that are worked on at once."""
    variant: Variant
    failure: Literal["", "memory", "time", "error"] = ""
    """Why it did not work; empty when it did."""
    why: str = ""
    """The same in words."""
    tokens_per_s: float = 0.0
    step_ms: float = 0.0
    """Median over the measured steps."""
    step_ms_low: float = 0.0
    """A quarter of the steps took less."""
    step_ms_high: float = 0.0
    """A quarter of the steps took more."""
    steps: int = 0
    """How many were measured."""
    first_step_s: float = 0.0
    compile_s: float = 0.0
    """What compiling took before it."""
    compile_cached: bool = False
    """Whether an earlier process had compiled the same, so that nothing new was written."""
    peak_memory_bytes: int = 0
    """Most that the process, or on a GPU its allocator, held at once."""

    @property
    def ok(self) -> bool:
        """Whether it worked."""
        return not self.failure


class Checkpoints(msgspec.Struct, frozen=True, kw_only=True):
    """What one checkpoint takes."""

    size_bytes: int
    blocked_s: float
    """How long the training stands still for it."""
    seconds: float
    """Until it is whole on the disk."""


class ProbeTable(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a probe has measured so far."""

    device: str = ""
    parameters: int = 0
    context_length: int = 0
    memory_limit_bytes: int = 0
    """What no trial may exceed."""
    rows: tuple[ProbeRow, ...] = ()
    """In the order in which they were measured."""
    ended: Ended = ""
    recommended: int | None = None
    """Number of the row to train with; None where nothing worked yet."""
    reason: str = ""
    """Why this one."""
    validation_tokens_per_s: float = 0.0
    checkpoint: Checkpoints | None = None
    parts: dict[str, float] = {}
    """Seconds that each part of the probe took."""
    complete: bool = False

    @property
    def best(self) -> ProbeRow | None:
        """The recommended row."""
        return None if self.recommended is None else self.rows[self.recommended]


def read_table(folder: Path) -> ProbeTable:
    """The table in a probe's job folder; an empty one where nothing was measured yet.

    Raises:
        JobFolderError: It is damaged.
    """
    path = folder / PROBE_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProbeTable)
    except FileNotFoundError:
        return ProbeTable()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JobFolderError(
            f"{path} cannot be read: {error}.",
            safe="Nothing was changed.",
            do="Remove it, then probe again.",
        ) from None


def recommend(rows: tuple[ProbeRow, ...]) -> int | None:
    """Number of the row to train with: of the fastest, the one that asks for least.

    Rows whose speeds are the same within `SAME_SPEED` are told apart by their memory, and by what
    is simpler: not compiled, no activation checkpointing.
    """
    working = [number for number, row in enumerate(rows) if row.ok]
    if not working:
        return None
    enough = max(rows[number].tokens_per_s for number in working) * (1 - SAME_SPEED)

    def cost(number: int) -> tuple[bool, bool, int, int]:
        row = rows[number]
        variant = row.variant
        return (
            variant.activation_checkpointing,
            variant.compile,
            row.batch_size,
            row.peak_memory_bytes,
        )

    return min((n for n in working if rows[n].tokens_per_s >= enough), key=cost)
