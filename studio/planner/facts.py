"""What a plan depends on besides the settings: text, earlier runs, the computer, prices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.planner.scaling import TrainedPoint
from trainer_core.probe_table import ProbeTable
from trainer_core.spec import ModelConfig, Precision, TrainSpec

GIB = float(1 << 30)

DeviceKind = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class DataFacts:
    """The text that is trained on.

    Attributes:
        train_tokens: Of its training part.
        validation_tokens: Held out.
        text_bytes: Of both parts; 0 where it is unknown.
        unigram_entropy: Nats per token, of a model that knows how often each token occurs; None
            where it was not counted.
        index_hit_rate: Share of held-out tokens that the index names; None while unknown.
        index_bytes: What the index takes on the disk, or will; None without one.
        index_seconds: How long building it will take; None where it is there, or not wanted.
        corpus: The folder, by which runs on the same text are known.
        sources: How many sources the text has.
    """

    train_tokens: int
    validation_tokens: int = 0
    text_bytes: int = 0
    unigram_entropy: float | None = None
    index_hit_rate: float | None = None
    index_bytes: int | None = None
    index_seconds: float | None = None
    corpus: str = ""
    sources: int = 1

    @property
    def bytes_per_token(self) -> float | None:
        """On average; None where it is unknown."""
        tokens = self.train_tokens + self.validation_tokens
        return self.text_bytes / tokens if self.text_bytes and tokens else None


@dataclass(frozen=True)
class PastRun:
    """A training that this computer has done, with what it took and where it got.

    Attributes:
        name: What people call it.
        spec: Its settings.
        tokens_per_s: Over all its time, validation and checkpoints included; 0 where too little of
            it was measured.
        tokens: Training tokens that it read.
        corpus_tokens: Of its training text; 0 where that is unknown.
        loss: Held-out loss at its end, in nats per token; None unless it was finished.
        bytes_per_token: Of its text; None where it is unknown.
        hit_rate: Share of held-out tokens that its index named; None without an index.
        unigram_entropy: Of its text, in nats per token.
        device: What it ran on; empty where that is unknown.
        s_per_step: Of the steps alone, in seconds; None where it was not measured.
        validation_s: Mean of a validation, in seconds.
        checkpoint_s: How long training stood still for a checkpoint, on average.
        start_s: From its start to its first step, in seconds.
    """

    name: str
    spec: TrainSpec
    tokens_per_s: float = 0.0
    tokens: int = 0
    corpus_tokens: int = 0
    loss: float | None = None
    bytes_per_token: float | None = None
    hit_rate: float | None = None
    unigram_entropy: float | None = None
    device: str = ""
    s_per_step: float | None = None
    validation_s: float | None = None
    checkpoint_s: float | None = None
    start_s: float | None = None

    @property
    def point(self) -> TrainedPoint | None:
        """What it says about losses; None unless it has one."""
        loss = self.loss
        if loss is None or not math.isfinite(loss) or loss <= 0 or self.tokens <= 0:
            return None
        return TrainedPoint(
            name=self.name,
            model=self.spec.model,
            tokens=self.tokens,
            corpus_tokens=self.corpus_tokens or self.tokens,
            loss=loss,
            corpus=self.spec.corpus,
            bytes_per_token=self.bytes_per_token,
            unigram_entropy=self.unigram_entropy,
            hit_rate=self.hit_rate,
        )


@dataclass(frozen=True)
class ProbeFacts:
    """What a probe measured on this computer for a model of this shape.

    Attributes:
        table: Its rows.
        spec: The training that it was made for.
        measured_s: When, in seconds since the epoch.
    """

    table: ProbeTable
    spec: TrainSpec
    measured_s: float = 0.0

    def fits(self, spec: TrainSpec) -> bool:
        """Whether its figures hold for these settings too."""
        mine, other = self.spec, spec
        return (
            shape_of(mine.model) == shape_of(other.model)
            and mine.optimizer.kind == other.optimizer.kind
            and mine.data.masks == other.data.masks
            and mine.device == other.device
            and mine.threads == other.threads
        )


def shape_of(model: ModelConfig) -> Mapping[str, Any]:
    """Everything of a model that its speed and its memory depend on."""
    names = (name for name in model.__struct_fields__ if name not in _NOT_SHAPE)
    return {name: getattr(model, name) for name in names}


_NOT_SHAPE = frozenset({"match_dropout", "rope_theta", "norm_eps"})


@dataclass(frozen=True)
class Machine:
    """The computer. Memory in bytes; 0 where it is unknown.

    Attributes:
        device: Where trainings compute under `device = auto`.
        name: Of the GPU, or empty.
        gpu_bytes: Memory of the GPU.
        gpu_free_bytes: What other programs leave of it.
        ram_bytes: Main memory.
        ram_free_bytes: What other programs leave of it.
        peak_flops: What the GPU multiplies in bf16 per second at the most; None where unknown.
        cores: Of the processor, that this program may use.
        fast_bf16: Whether the device multiplies bf16 faster than float32.
        power_w: What the computer takes while it trains; None where nobody knows.
        power_is_set: Whether a person said so, or measured it.
    """

    device: DeviceKind = "cpu"
    name: str = ""
    gpu_bytes: int = 0
    gpu_free_bytes: int = 0
    ram_bytes: int = 0
    ram_free_bytes: int = 0
    peak_flops: float | None = None
    cores: int = 1
    fast_bf16: bool = False
    power_w: float | None = None
    power_is_set: bool = False

    def device_of(self, spec: TrainSpec) -> DeviceKind:
        """Where a training with these settings computes."""
        return self.device if spec.device == "auto" else spec.device

    def precision_of(self, spec: TrainSpec) -> Precision:
        """What `auto` comes to."""
        if spec.precision != "auto":
            return spec.precision
        return "bf16" if self.fast_bf16 else "fp32"

    def memory_bytes(self, spec: TrainSpec) -> int:
        """Memory of the device that the settings choose; 0 where it is unknown."""
        return self.gpu_bytes if self.device_of(spec) == "cuda" else self.ram_bytes


@dataclass(frozen=True)
class Prices:
    """What electricity costs here; None: nobody has said."""

    per_kwh: float | None = None
    currency: str = "€"


@dataclass(frozen=True)
class Surroundings:
    """What a plan depends on besides the settings and the text.

    Attributes:
        runs: Trainings that this computer has done, newest first.
        probe: What was measured for this plan or one of the same shape; None before that.
        machine: The computer.
        prices: Of electricity.
        free_bytes: Room on the disk that runs are stored on; None where it is unknown.
        now_s: Seconds since the epoch, for the finishing clock; 0 takes the clock.
    """

    runs: tuple[PastRun, ...] = ()
    probe: ProbeFacts | None = None
    machine: Machine = Machine()
    prices: Prices = Prices()
    free_bytes: int | None = None
    now_s: float = 0.0
