"""How to train: the model, its data, the budget, when to measure and to save, and on what."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.data import DataConfig
from trainer_core.spec.model import ModelConfig
from trainer_core.spec.optimizer import OptimizerConfig
from trainer_core.spec.section import Positive, Section, Seed

Precision = Literal["auto", "fp32", "tf32", "bf16", "fp16"]


class BudgetConfig(Section, frozen=True, kw_only=True):
    """How long to train."""

    steps: Positive = 1000
    batch_size: Positive = 16
    """Sequences in one step, over all devices."""
    micro_batch_size: Annotated[int, Meta(ge=0)] = 0
    """Sequences that a device works on at once; the step's gradient is the exact mean over all its
    tokens. 0 takes all of a device's share at once."""


class ValidationSet(Section, frozen=True, kw_only=True):
    """Held-out text of another corpus with the same tokenizer."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    corpus: str


def check_set_names(sets: tuple[ValidationSet, ...]) -> None:
    """Make sure that figures can be told apart by the names of their sets.

    Raises:
        ValueError: Two sets have one name.
    """
    names = [one.name for one in sets]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"sets has the name {min(doubled)!r} more than once")


class EvaluationConfig(Section, frozen=True, kw_only=True):
    """When and on how much held-out text to measure."""

    every_steps: Positive = 100
    time_share: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.0
    """Validate as often as takes about this share of the run's time; 0 goes by `every_steps`."""
    max_tokens: Annotated[int, Meta(ge=1)] = 65_536
    """Held-out tokens per validation and set, always the same ones."""
    without_index: bool = False
    """Whether an index-backed model is measured without its index too."""
    by_source: bool = True
    """Whether the held-out text of each source is measured too, where there are several; one with
    less of it than a context is left out."""
    sets: tuple[ValidationSet, ...] = ()
    """More held-out text; the corpus's own counts for what is best."""
    sample_prompts: tuple[str, ...] = ()
    """Continued at each checkpoint, with the same seed."""
    sample_tokens: Annotated[int, Meta(ge=1, le=4096)] = 64

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: Two sets have one name.
        """
        check_set_names(self.sets)


class CheckpointConfig(Section, frozen=True, kw_only=True):
    """When to save and what to keep. The last and the best checkpoint are always kept."""

    every_steps: Positive = 200
    keep: Positive = 4
    """How many of the newest checkpoints stay."""
    keep_best: Positive = 1
    """How many of those with the lowest validation loss stay."""
    keep_every: Annotated[int, Meta(ge=0)] = 0
    """Those of each so many steps stay for good; 0: none do."""
    resumable: Annotated[int, Meta(ge=0)] = 0
    """How many of the newest keep what resuming needs; the others stay as weights only. 0: all."""


class GuardConfig(Section, frozen=True, kw_only=True):
    """When a training is stopped before it does harm."""

    bad_steps: Positive = 5
    """Skipped steps in a row, for a loss or gradient that is no number, that pause the run."""
    divergence: Annotated[float, Meta(ge=0.0)] = 1.0
    """The run pauses when the recent loss stays this many nats above the lowest that its longer
    average has been, for fifty steps. 0: never."""
    stall_minutes: Annotated[float, Meta(ge=0.0)] = 10.0
    """A step that takes longer than this, and than twenty usual ones, is told. 0: never."""


class DistributedConfig(Section, frozen=True, kw_only=True):
    """Several processes, one for each device, on one machine or several."""

    processes: Annotated[int, Meta(ge=1, le=64)] = 1
    """On each machine."""
    machines: Annotated[int, Meta(ge=1, le=64)] = 1
    address: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """Of the first machine, as the others reach it."""
    port: Annotated[int, Meta(ge=1024, le=65535)] = 29_500
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """`ddp` keeps a whole model on each device, `fsdp` a share."""
    restarts: Annotated[int, Meta(ge=0, le=100)] = 0
    """How often dead processes are started again, from the last checkpoint."""

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.strategy == "fsdp" and self.world_size == 1:
            raise ValueError(
                "strategy fsdp shares a model out among processes, and there is but one:"
                " choose more processes, or ddp"
            )

    @property
    def world_size(self) -> int:
        """Processes in all."""
        return self.processes * self.machines


class TrainSpec(Section, frozen=True, kw_only=True, tag="train", tag_field="verb"):
    """Train a model on a corpus, with or without its index."""

    corpus: str
    index: str = ""
    """The index folder; needed when `model.match_input` is on."""
    continue_from: str = ""
    """Another run, or one of its checkpoints, whose weights this one begins with; text that it has
    seen already comes last."""
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    budget: BudgetConfig = BudgetConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    data: DataConfig = DataConfig()
    guard: GuardConfig = GuardConfig()
    distributed: DistributedConfig = DistributedConfig()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "auto"
    """`auto` is bf16 on a GPU or processor that multiplies it natively, and fp32 elsewhere. Weights
    and optimizer are fp32 either way."""
    compile: Literal["auto", "on", "off"] = "auto"
    """`auto` compiles where it is known to pay and a compiler is there."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """CPU threads; 0 takes one per core."""
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the sections.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.model.match_input and not self.index:
            raise ValueError("model.match_input is on, but no index is given")
        self.optimizer.check(self.budget.steps, self.budget.batch_size)
        if self.optimizer.kind == "adafactor" and self.distributed.strategy == "fsdp":
            raise ValueError(
                "optimizer.kind adafactor needs whole matrices, and distributed.strategy fsdp"
                " leaves each device a share of them"
            )
        self._check_shares()

    def _check_shares(self) -> None:
        size, world = self.budget.batch_size, self.distributed.world_size
        if size % world:
            raise ValueError(
                f"budget.batch_size {size} is not a multiple of the {world} processes that share it"
            )
        if (size // world) % self.micro_batch_size:
            raise ValueError(
                f"budget.micro_batch_size {self.micro_batch_size} does not divide the"
                f" {size // world} sequences of a process"
            )

    @property
    def micro_batch_size(self) -> int:
        """Sequences that a process works on at once."""
        return self.budget.micro_batch_size or self.budget.batch_size // self.distributed.world_size
