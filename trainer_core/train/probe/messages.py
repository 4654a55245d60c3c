"""What a probe and the process of its trials tell each other: JSON, one message a line."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Literal

import msgspec

from trainer_core.probe_table import Checkpoints, ProbeRow, Variant
from trainer_core.spec import Precision, ProbeSpec


class Message(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=lambda name: name.lower()
):
    """One line in either direction."""


class Open(Message, frozen=True, kw_only=True):
    """The first request: what to train, and how."""

    spec: ProbeSpec
    variant: Variant


class Opened(Message, frozen=True, kw_only=True):
    """The answer to it.

    Attributes:
        device: Where it computes.
        name: For people, such as `CPU, 2 threads, bf16`.
        precision: What the variant's precision came to; `auto` is settled here.
        others: Further precisions that are worth trying on this device.
        compiler: Whether steps can be compiled.
        memory_limit_bytes: What a trial may hold.
    """

    device: Literal["cpu", "cuda"]
    name: str
    precision: Precision
    others: tuple[Precision, ...]
    compiler: bool
    memory_limit_bytes: int


class Refused(Message, frozen=True, kw_only=True):
    """The answer to `Open` where the settings cannot work; as a `KnownError`."""

    what: str
    safe: str
    do: str
    field: str


class Try(Message, frozen=True, kw_only=True):
    """Measure steps of this many sequences for about this long."""

    batch_size: int
    seconds: float


class Tried(Message, frozen=True, kw_only=True):
    """The answer to it."""

    row: ProbeRow


class Finish(Message, frozen=True, kw_only=True):
    """Measure validation and a checkpoint, in forward passes of this many sequences.

    Attributes:
        batch_size: Sequences in one forward pass.
        seconds: For about this long.
        folder: Where a checkpoint may be written; the probe removes it.
    """

    batch_size: int
    seconds: float
    folder: str


class Finished(Message, frozen=True, kw_only=True):
    """The answer to it."""

    validation_tokens_per_s: float
    checkpoint: Checkpoints | None


Request = Open | Try | Finish
Answer = Opened | Refused | Tried | Finished
