"""Begins a training or goes on with one: opens, restores, and says what runs where."""

from __future__ import annotations

import shutil

import torch

from trainer_core import records
from trainer_core.data.batches import TrainBatches
from trainer_core.errors import CheckpointError
from trainer_core.job import Job
from trainer_core.metrics import StepLog
from trainer_core.model.transformer import Transformer
from trainer_core.spec import TrainSpec
from trainer_core.status import STEPS_FILE
from trainer_core.train.checkpoint import Checkpoint, TrainState, weights_of
from trainer_core.train.compute import Compute
from trainer_core.train.guard import Guard
from trainer_core.train.held_out_sets import Windows, open_validation
from trainer_core.train.inputs import Inputs, check_unchanged
from trainer_core.train.meter import StepMeter, cut_log
from trainer_core.train.optim import Optimizer, make_optimizer
from trainer_core.train.rhythm import Rhythm
from trainer_core.train.saving import checkpoint_size_bytes, clear_drafts, newest_whole
from trainer_core.train.scaler import SCALER
from trainer_core.train.session import RANDOM, Session
from trainer_core.train.step import TrainStep
from trainer_core.train.validate import Validation


def open_session(job: Job, spec: TrainSpec, inputs: Inputs, compute: Compute) -> Session:
    """Begin a training, or go on from its newest whole checkpoint.

    Raises:
        DataError: The corpus is smaller than one context.
        CheckpointError: The checkpoint belongs to another corpus, index or shape.
        OSError: The job folder cannot be read or written.
    """
    context_length, batch_size = spec.model.context_length, spec.budget.batch_size
    corpus = inputs.corpus
    batches = TrainBatches(
        corpus.train,
        inputs.train_matches,
        batch_size,
        context_length,
        spec.seed,
        spec.model.match_dropout,
    )
    validation = _validation(job, spec, inputs)
    torch.manual_seed(spec.seed)
    model = Transformer(spec.model, torch.Generator().manual_seed(spec.seed)).to(compute.device)
    optimizer = make_optimizer(model, spec.optimizer, spec.budget.batch_size)
    train_step = TrainStep(model, optimizer, compute, spec.micro_batch_size)
    clear_drafts(job.folder)
    checkpoint = _checkpoint_to_resume(job, spec, inputs)
    state = TrainState()
    if checkpoint is not None:
        state = _restore(checkpoint, model, optimizer, train_step, compute)
    log = StepLog(job.folder / STEPS_FILE)
    if state.step < spec.budget.steps and (checkpoint is not None or log.rows):
        job.record(records.Resumed(step=state.step))
    cut_log(log, state.step, batches.tokens_per_step)
    meter = StepMeter(log, compute.device, batches.tokens_per_step, state.elapsed_s)
    guard = Guard(job, state, spec.optimizer.warmup_steps, spec.optimizer.clip_norm)
    session = Session(
        job=job,
        spec=spec,
        inputs=inputs,
        compute=compute,
        model=model,
        optimizer=optimizer,
        train_step=train_step,
        batches=batches,
        validation=validation,
        rhythm=Rhythm(spec.evaluation, spec.budget.steps, state),
        state=state,
        log=log,
        meter=meter,
        guard=guard,
        fingerprints=inputs.fingerprints,
        weights=weights_of(model),
        saved_step=state.step if checkpoint is not None else -1,
    )
    if state.step < session.steps:
        _introduce(session)
    return session


def _validation(job: Job, spec: TrainSpec, inputs: Inputs) -> Validation:
    """All that this run measures while it trains."""
    windows = Windows(spec.model.context_length, spec.micro_batch_size, spec.evaluation.max_tokens)
    both = spec.evaluation.without_index and spec.model.match_input
    return open_validation(
        job.folder,
        inputs,
        spec.evaluation.sets,
        windows,
        use_index=(True, False) if both else (True,),
        report=lambda phase, done, total: job.progress(phase, done, total, "tokens"),
    )


def _checkpoint_to_resume(job: Job, spec: TrainSpec, inputs: Inputs) -> Checkpoint | None:
    checkpoint, problems = newest_whole(job.folder)
    for problem in problems:
        goes_on = f"going on from step {checkpoint.step}" if checkpoint else "starting over"
        job.note("warning", "Damaged checkpoint set aside", f"{problem.what} Now {goes_on}.")
    if checkpoint is None:
        return None
    check_unchanged(checkpoint.manifest.fingerprints, inputs, checkpoint.step)
    if checkpoint.config != spec.model:
        raise CheckpointError(
            f"The checkpoint at step {checkpoint.step} is of another shape than model asks for.",
            safe="The checkpoints were not touched.",
            do="Start a new run for the new shape.",
            field="model",
        )
    return checkpoint


def _restore(
    checkpoint: Checkpoint,
    model: Transformer,
    optimizer: Optimizer,
    train_step: TrainStep,
    compute: Compute,
) -> TrainState:
    checkpoint.load_weights(model)
    tensors = checkpoint.load_optimizer()
    random = {name: tensors.pop(name) for name in list(tensors) if name.startswith(RANDOM)}
    train_step.restore(
        {name: tensors.pop(name) for name in list(tensors) if name.startswith(SCALER)}
    )
    torch.set_rng_state(random[f"{RANDOM}cpu"])
    if compute.device.type == "cuda" and f"{RANDOM}cuda" in random:
        torch.cuda.set_rng_state(random[f"{RANDOM}cuda"])
    optimizer.restore(weights_of(model), tensors)
    return checkpoint.load_state()


def _introduce(session: Session) -> None:
    """Say what is trained where, and whether the disk has room for it."""
    spec, job = session.spec, session.job
    count = sum(weight.numel() for weight in session.weights.values())
    size = checkpoint_size_bytes(spec.model)
    job.note(
        "info",
        f"Training on {session.compute.name}",
        f"{count:,} parameters; a checkpoint takes {size / 1e6:,.1f} MB.",
        session.state.step,
    )
    wanted = size * (spec.checkpoint.keep + 2)  # the best one, and the next while it is written
    free = shutil.disk_usage(job.folder).free
    if free < wanted:
        job.note(
            "warning",
            "The disk may fill up",
            f"The checkpoints of this run take up to {wanted / 1e6:,.0f} MB, and"
            f" {free / 1e6:,.0f} MB are free.",
            session.state.step,
        )
