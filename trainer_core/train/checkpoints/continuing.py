"""A new training with the weights of another one's checkpoint, on the text behind what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch import Tensor

from trainer_core.data.batches.order import ORDER_VERSION, Order
from trainer_core.data.batches.text import text_of
from trainer_core.errors import CheckpointError
from trainer_core.spec import ModelConfig, TrainSpec
from trainer_core.train.checkpoints.checkpoint import Checkpoint, open_checkpoint
from trainer_core.train.checkpoints.folders import FOLDER
from trainer_core.train.checkpoints.manifest import Ancestor, LoaderPosition
from trainer_core.train.inputs import Inputs

_SAFE = "Nothing was started, and the other run was not touched."
_STEP = "step-"


@dataclass(frozen=True)
class Continued:
    """What a training begins with.

    Attributes:
        weights: By name.
        loader: Which text comes next; None where it begins with the first.
        lineage: The runs that it continues, the oldest first.
    """

    weights: dict[str, Tensor]
    loader: LoaderPosition | None
    lineage: tuple[Ancestor, ...]


def order_of(spec: TrainSpec) -> LoaderPosition:
    """The order that the settings of a training ask for, at its first batch."""
    mixing = msgspec.json.encode(spec.data.mixing).decode() if spec.data.mixing else ""
    if len(spec.data.mixing) > 1:  # a schedule moves with the length of the training
        mixing += f" over {spec.budget.steps} steps"
    return LoaderPosition(
        order=ORDER_VERSION,
        seed=spec.seed,
        batch_size=spec.budget.batch_size,
        context_length=spec.model.context_length,
        batch=1,
        packing=spec.data.packing,
        mixing=mixing,
    )


def position_at(spec: TrainSpec, order: Order, batch: int) -> LoaderPosition:
    """Where the loader of a training stands.

    Args:
        spec: The training.
        order: Of its text.
        batch: Number of the batch that comes next, from 1.
    """
    return msgspec.structs.replace(
        order_of(spec),
        batch=batch,
        order_seed=None if order.seed == spec.seed else order.seed,
        begun={name: rows for name, rows in order.begun.items() if rows},
        drawn=order.drawn((batch - 1) * spec.budget.batch_size),
    )


def check_drawn(stored: LoaderPosition, order: Order) -> None:
    """Make sure that the order gives what was drawn before a checkpoint.

    Raises:
        CheckpointError: It does not, so that text would be left out or come twice.
    """
    if stored.drawn and stored.drawn != order.drawn((stored.batch - 1) * stored.batch_size):
        raise CheckpointError(
            "The sources would be drawn in another order than up to the checkpoint.",
            safe="The checkpoints were not touched.",
            do="Put the data settings back as they were, or start a new run.",
            field="data",
        )


def continued(run_folder: Path, spec: TrainSpec, inputs: Inputs) -> Continued:
    """The weights of the checkpoint that a training continues, and where its text goes on.

    With the same text, packed and mixed alike, it goes on behind what the other one saw. With
    weights for its sources it may be any text, and that begins anew.

    Args:
        run_folder: Job folder of the new training.
        spec: Its settings.
        inputs: What it reads.

    Raises:
        CheckpointError: There is no such checkpoint; it has another shape or tokenizer; or what is
            still unseen of the text cannot be told.
    """
    checkpoint = _open(spec.continue_from, run_folder)
    _check_model(checkpoint, spec, inputs)
    stored = checkpoint.manifest.loader
    problem = _other_order(checkpoint, spec, inputs)
    loader: LoaderPosition | None = None
    if stored is not None and not problem:
        loader = _behind(stored, spec)
    elif not spec.data.mixing:
        raise CheckpointError(
            f"What “{spec.continue_from}” has not seen of this text cannot be told: {problem}",
            safe=_SAFE,
            do="Take the same data settings as it had to go on behind what it saw, or say with"
            f" weights what to draw, from its beginning: {_example(inputs)}.",
            field="continue_from",
        )
    return Continued(checkpoint.read_weights(), loader, _lineage(checkpoint))


def _example(inputs: Inputs) -> str:
    sources = text_of(inputs.corpus).sources[:3]
    weights = ", ".join(f'"{source.name}" = 1.0' for source in sources)
    return f"data.mixing = [{{ weights = {{ {weights} }} }}]"


def _open(wanted: str, run_folder: Path) -> Checkpoint:
    folder, which = Path(wanted), "last"
    if folder.parent.name == FOLDER and folder.name.startswith(_STEP):
        folder, which = folder.parent.parent, folder.name.removeprefix(_STEP)
    if folder.resolve() == run_folder.resolve():
        raise CheckpointError(
            "The run would continue itself.",
            safe="Nothing was started.",
            do="Name another run, or leave continue_from empty.",
            field="continue_from",
        )
    try:
        return open_checkpoint(folder, which)
    except CheckpointError as error:
        raise CheckpointError(
            f"“{wanted}” cannot be continued: {error.what}",
            safe="Nothing was started.",
            do="Name the folder of a run that has a whole checkpoint, or of one of these.",
            field="continue_from",
        ) from None


def _check_model(checkpoint: Checkpoint, spec: TrainSpec, inputs: Inputs) -> None:
    if _shape(checkpoint.config) != _shape(spec.model):
        raise CheckpointError(
            f"The model of “{spec.continue_from}” is of another shape than model asks for.",
            safe=_SAFE,
            do="Take its model settings over; only dropout and match_dropout may differ.",
            field="model",
        )
    if checkpoint.manifest.fingerprints.tokenizer != inputs.fingerprints.tokenizer:
        raise CheckpointError(
            f"“{spec.continue_from}” was trained with another tokenizer: its weights mean nothing"
            " for these tokens.",
            safe=_SAFE,
            do='Prepare the text with the tokenizer of its corpus (tokenizer.kind = "corpus").',
            field="corpus",
        )


def _shape(config: ModelConfig) -> ModelConfig:
    return msgspec.structs.replace(config, dropout=0.0, match_dropout=0.0)


def _other_order(checkpoint: Checkpoint, spec: TrainSpec, inputs: Inputs) -> str:
    """Why the text does not go on behind what was seen; empty where it does."""
    stored, wanted = checkpoint.manifest.loader, order_of(spec)
    if stored is None or stored.order != ORDER_VERSION:
        return "it is of an earlier version of Hearth, which had another order."
    if checkpoint.manifest.fingerprints.corpus != inputs.fingerprints.corpus:
        return "it was trained on another corpus."
    if stored.packing != wanted.packing:
        return f"its sequences were packed as {stored.packing}, and these as {wanted.packing}."
    if bool(stored.mixing) != bool(wanted.mixing):
        return "it drew from its sources by other rules."
    return ""


def _behind(stored: LoaderPosition, spec: TrainSpec) -> LoaderPosition:
    """The first batch behind what a run has seen, in the order of that run."""
    seed = stored.seed if stored.order_seed is None else stored.order_seed
    return msgspec.structs.replace(order_of(spec), order_seed=seed, begun=stored.drawn)


def _lineage(checkpoint: Checkpoint) -> tuple[Ancestor, ...]:
    manifest = checkpoint.manifest
    ancestor = Ancestor(
        run=str(checkpoint.folder.parent.parent),
        step=manifest.step,
        tokens_seen=manifest.tokens_seen,
        digest=manifest.digest,
    )
    return (*manifest.lineage, ancestor)
