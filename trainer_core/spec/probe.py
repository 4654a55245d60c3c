"""How to measure what this computer can train."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.data import DataConfig
from trainer_core.spec.model import ModelConfig
from trainer_core.spec.optimizer import OptimizerConfig
from trainer_core.spec.section import Section, Seed
from trainer_core.spec.train import Precision, TrainSpec


class ProbeSpec(Section, frozen=True, kw_only=True, tag="probe", tag_field="verb"):
    """Measure how fast this computer trains a model, and how large its batches can be."""

    corpus: str = ""
    """Where the tokens come from; without one they are random."""
    index: str = ""
    """The corpus's index; without one matches are random where the model reads them."""
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    data: DataConfig = DataConfig()
    batch_size: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Sequences in a step of the training that is planned: only its divisors are tried, as
    `budget.micro_batch_size`. 0 tries any number."""
    max_batch_size: Annotated[int, Meta(ge=1, le=65_536)] = 1024
    precisions: tuple[Precision, ...] = ()
    """The first one is tried with all batch sizes, the others with the best; none takes those that
    this computer is fast at."""
    compile: bool = True
    """Whether compiled steps are tried too, where a compiler is there."""
    activation_checkpointing: bool = True
    """Whether it is tried where memory ends before larger batches stop being faster."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    memory_limit_bytes: Annotated[int, Meta(ge=0)] = 0
    """What a trial may hold; 0 takes what is free, less a reserve for everything else."""
    budget_s: Annotated[float, Meta(ge=5.0, le=3600.0)] = 90.0
    """How long all of it may take, in seconds."""
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.index and not self.corpus:
            raise ValueError("index is given without the corpus that it was built over")
        if len(set(self.precisions)) < len(self.precisions):
            raise ValueError("precisions names one more than once")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The batch sizes that may be tried, rising."""
        largest = min(self.max_batch_size, self.batch_size or self.max_batch_size)
        whole = self.batch_size
        return tuple(size for size in range(1, largest + 1) if not whole or whole % size == 0)


def probe_of(train: TrainSpec) -> ProbeSpec:
    """What to probe for a training: its model and data, and batches that make up its own."""
    return ProbeSpec(
        corpus=train.corpus,
        index=train.index,
        model=train.model,
        optimizer=train.optimizer,
        data=train.data,
        batch_size=train.budget.batch_size // train.distributed.world_size,
        precisions=() if train.precision == "auto" else (train.precision,),
        compile=train.compile != "off",
        device=train.device,
        threads=train.threads,
        seed=train.seed,
    )
