"""Memory that a training takes, worked out from its shape; a probe's figure where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from studio.planner.facts import Machine, ProbeFacts
from studio.planner.scaling import plain_parameters
from trainer_core.compile_plan import is_compiled
from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig, TrainSpec

_GPU_PROGRAM_BYTES = 700e6
"""A GPU's context and the libraries' workspaces."""
_OPEN_CORPUS_BYTES, _OPEN_INDEX_BYTES = 80e6, 90e6
"""What an open corpus takes of main memory, most of it code, and its index on top."""
_COMPILER_BYTES = {"cpu": 160e6, "cuda": 0.0}
_KEPT_LOGITS = {"cpu": 1 << 26, "cuda": 1 << 30}
_LOGITS_AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 28}
"""As in `trainer_core.model.cross_entropy`."""
_MICRO_BATCH_MAX = 65_536
_GPU_SPILL = 1.08
"""What a GPU's allocator takes beyond what is asked for."""
_BLOCK_TIME_MAX, _BLOCK_SHARE = 512, 0.625
"""As in `trainer_core.model.block_attention`: up to which context probabilities are kept on a CPU,
and which share of them lies at or before a block's last query."""


class _Cpu(NamedTuple):
    """How a processor's memory exceeds the sum of the tensors that a backward pass needs.

    The C library keeps what one layer frees for the next, in pieces that do not always fit. Fitted
    to 51 peaks of probes: 8 shapes of all families of 1 to 30 million parameters, three optimizers,
    float32 and bf16, 0.3 to 2.6 thousand tokens at once. The mean error is 5 %, the largest 18 %.

    Attributes:
        program: Bytes that torch itself takes.
        layer: Times what the layers keep; with activation checkpointing, one layer.
        probability: Bytes for each attention weight that is kept.
        dropped: Bytes more for each attention weight where some are dropped.
        logit: Times the logits that are kept.
        stream: Times what checkpoints of activations take.
    """

    program: float
    layer: float
    probability: float
    dropped: float
    logit: float = 3.0
    stream: float = 1.4


_CPU = {
    "half": _Cpu(305e6, 1.7, 12.4, 5.6),
    "float": _Cpu(274e6, 1.29, 0.0, 13.0),
    "again": _Cpu(377e6, 5.1, 0.0, 5.6),
}


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory of the device that a training takes at its peak, in bytes.

    Attributes:
        weights: With the copies that products in half precision need.
        gradients: One for each weight.
        optimizer: Its state.
        activations: What the backward pass needs, for a micro batch; the logits among it.
        program: Torch itself, its compiler, and the copy of a checkpoint that is being written
            where that lies in the same memory.
        source: `measured` by a probe, or `calculated`.
        limit: Memory of the device; 0 where it is unknown.
        free: What other programs leave of it; 0 where it is unknown.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    program: int
    source: Literal["measured", "calculated"] = "calculated"
    limit: int = 0
    free: int = 0

    @property
    def model(self) -> int:
        """What does not depend on the batch."""
        return self.weights + self.gradients + self.optimizer + self.program

    @property
    def total(self) -> int:
        """All of it."""
        return self.model + self.activations

    @property
    def share(self) -> float:
        """Of the device's memory; 0 where that is unknown."""
        return self.total / self.limit if self.limit else 0.0

    @property
    def fits(self) -> bool:
        """Whether the device has as much."""
        return not self.limit or self.total <= self.limit


def micro_batches(spec: TrainSpec) -> Iterator[int]:
    """Micro batches that make up a process's share of a step, the largest first."""
    share = spec.budget.batch_size // spec.distributed.world_size
    for micro in range(min(share, _MICRO_BATCH_MAX), 0, -1):
        if share % micro == 0:
            yield micro


def estimate_memory(
    spec: TrainSpec, machine: Machine, probe: ProbeFacts | None = None
) -> MemoryEstimate:
    """The memory of a training.

    Args:
        spec: What is planned.
        machine: Where.
        probe: What was measured, if it is about this shape.
    """
    device = machine.device_of(spec)
    made = _calculated(spec, machine)
    measured = measured_peak(spec, machine, probe)
    if measured is None:
        return made
    copy = _copy_bytes(spec) if device == "cpu" else 0
    fixed = made.weights + made.gradients + made.optimizer
    # A GPU's peak is that of torch's allocator, which does not count the context.
    program = min(made.program - copy, max(measured - fixed, 0)) if device == "cpu" else 0
    outside = copy if device == "cpu" else made.program
    activations = max(measured - fixed - program, 0)
    return MemoryEstimate(
        weights=made.weights,
        gradients=made.gradients,
        optimizer=made.optimizer,
        activations=activations,
        program=program + outside,
        source="measured",
        limit=made.limit,
        free=made.free,
    )


def measured_peak(spec: TrainSpec, machine: Machine, probe: ProbeFacts | None) -> int | None:
    """The probe's peak for exactly this micro batch and way to train, in bytes; None without."""
    if probe is None or not probe.fits(spec):
        return None
    precision = machine.precision_of(spec)
    rows = [
        row
        for row in probe.table.rows
        if row.ok
        and row.batch_size == spec.micro_batch_size
        and row.variant.precision == precision
        and row.variant.activation_checkpointing == spec.activation_checkpointing
    ]
    return max((row.peak_memory_bytes for row in rows), default=None)


def _calculated(spec: TrainSpec, machine: Machine) -> MemoryEstimate:
    device = machine.device_of(spec)
    half = _is_half(spec, machine)
    count = parameter_count(spec.model)
    program = _GPU_PROGRAM_BYTES
    if device == "cpu":
        program = _cpu(spec, machine).program + _OPEN_CORPUS_BYTES
        program += _OPEN_INDEX_BYTES if spec.index else 0.0
    shares = spec.distributed.world_size if spec.distributed.strategy == "fsdp" else 1
    matrices = count - _table_parameters(spec.model)
    copy = _copy_bytes(spec) if device == "cpu" else 0
    compiled = _COMPILER_BYTES[device] if _is_compiled(spec, machine) else 0.0
    return MemoryEstimate(
        weights=round(4 * count / shares + (2 * matrices if half else 0)),
        gradients=round(4 * count / shares),
        optimizer=round(optimizer_bytes(spec) / shares),
        activations=round(activation_bytes(spec, machine)),
        program=round(program + compiled + copy),
        limit=machine.memory_bytes(spec),
        free=machine.gpu_free_bytes if device == "cuda" else machine.ram_free_bytes,
    )


def _is_compiled(spec: TrainSpec, machine: Machine) -> bool:
    return is_compiled(spec, machine.device_of(spec), spec.threads or machine.cores)


def _table_parameters(model: ModelConfig) -> int:
    """Of tables that are only looked up, which no product needs in half precision."""
    tables = 0 if model.tie_embeddings else model.vocab_size * model.n_embd
    return tables + parameter_count(model) - plain_parameters(model)


def _copy_bytes(spec: TrainSpec) -> int:
    """The copy of weights and optimizer that is written in the background."""
    return 4 * parameter_count(spec.model) + optimizer_bytes(spec)


def optimizer_bytes(spec: TrainSpec) -> int:
    """State of the optimizer: two moments for AdamW, one momentum for each matrix under Muon."""
    count, kind = parameter_count(spec.model), spec.optimizer.kind
    if kind == "adamw":
        return 8 * count
    matrices = _layer_matrices(spec.model)
    if kind == "muon":
        return 4 * matrices + 8 * (count - matrices)
    # Adafactor: a row and a column for each matrix and table, everything for the few vectors.
    model = spec.model
    edges = model.n_layer * 6 * (model.n_embd + model.inner) + 2 * model.vocab_size
    return 4 * edges


def _layer_matrices(model: ModelConfig) -> int:
    """Parameters in the matrices of the layers."""
    queries = model.n_head * model.head_size
    heads = queries + 2 * model.kv_heads * model.head_size
    attention = model.n_embd * heads + queries * model.n_embd
    factors = 3 if model.recipe.feed_forward == "swiglu" else 2
    return model.n_layer * (attention + factors * model.n_embd * model.inner)


def activation_bytes(spec: TrainSpec, machine: Machine) -> float:
    """What the backward pass of a micro batch needs, its logits among it, in bytes."""
    model, device = spec.model, machine.device_of(spec)
    number = 2 if _is_half(spec, machine) else 4
    tokens = spec.micro_batch_size * model.context_length
    layer = tokens * _layer_bytes_per_token(model, number)
    stream = 4 * tokens * model.n_embd * model.n_layer
    logits = tokens * model.vocab_size
    kept = logits * number if logits <= _KEPT_LOGITS[device] else 0
    if device == "cuda":
        layers = layer + stream if spec.activation_checkpointing else layer * model.n_layer
        ends = tokens * model.n_embd * (3 * 4 + 2 * number)
        return _GPU_SPILL * (layers + ends + kept + 12 * min(logits, _LOGITS_AT_ONCE[device]))
    found = _cpu(spec, machine)
    if spec.activation_checkpointing:
        layers = found.layer * layer + found.stream * stream
    else:
        layers = (found.layer * layer + _attention_bytes(spec, found)) * model.n_layer
    return layers + found.logit * kept


def _attention_bytes(spec: TrainSpec, found: _Cpu) -> float:
    """What one layer keeps of its attention weights on a processor."""
    model = spec.model
    weights = spec.micro_batch_size * model.context_length**2 * model.n_head * _BLOCK_SHARE
    each = found.dropped if model.dropout else 0.0
    if model.context_length <= _BLOCK_TIME_MAX:
        each += found.probability
    return weights * each


def _is_half(spec: TrainSpec, machine: Machine) -> bool:
    return machine.precision_of(spec) in ("bf16", "fp16")


def _cpu(spec: TrainSpec, machine: Machine) -> _Cpu:
    if spec.activation_checkpointing:
        return _CPU["again"]
    return _CPU["half" if _is_half(spec, machine) else "float"]


def _layer_bytes_per_token(model: ModelConfig, number: int) -> float:
    """What one layer keeps for the backward pass, for each token.

    The stream and what the norms read are in float32 whatever the precision; `number` is the size
    of everything else.
    """
    queries = model.n_head * model.head_size
    heads = queries + 2 * model.kv_heads * model.head_size
    stream = 2 * 4 * model.n_embd + 2 * number * model.n_embd
    attention = number * (2 * heads + 2 * queries)
    inner = {"swiglu": 4, "relu2": 3, "gelu": 2}[model.recipe.feed_forward]
    dropout = 3 * model.n_embd if model.dropout else 0
    return float(stream + attention + number * inner * model.inner + dropout)
