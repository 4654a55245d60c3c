"""Begins a training or goes on with one: opens, restores, and says what runs where."""

from __future__ import annotations

import msgspec
import torch

from trainer_core import records
from trainer_core.data.batches.loader import TrainBatches, open_batches
from trainer_core.data.batches.order import check_text
from trainer_core.data.batches.packing import Plan
from trainer_core.data.batches.seen import SeenCounter
from trainer_core.data.batches.text import text_of
from trainer_core.job import Job
from trainer_core.metrics import StepLog
from trainer_core.model.transformer import Transformer
from trainer_core.records import PlanChanged
from trainer_core.spec import DistributedConfig, TrainSpec
from trainer_core.status import STEPS_FILE, read_status
from trainer_core.train.checkpoints.background import BackgroundSaver
from trainer_core.train.checkpoints.checkpoint import weights_of
from trainer_core.train.checkpoints.continuing import check_drawn, order_of
from trainer_core.train.checkpoints.folders import forget_later
from trainer_core.train.checkpoints.resuming import Restorable, Resumed, resume
from trainer_core.train.checkpoints.retention import checkpoint_size
from trainer_core.train.checkpoints.saving import clear_drafts
from trainer_core.train.compute import Compute
from trainer_core.train.disk import DiskForecast
from trainer_core.train.distributed import World
from trainer_core.train.distributed.state import seed_randomness
from trainer_core.train.distributed.strategy import exchanging, share_out
from trainer_core.train.entropy import entropy_record
from trainer_core.train.guard import Guard
from trainer_core.train.inputs import Inputs
from trainer_core.train.meter import StepMeter, cut_log
from trainer_core.train.optim import make_optimizer
from trainer_core.train.room import check_room
from trainer_core.train.session import Session
from trainer_core.train.stall import Slowness, Watchdog
from trainer_core.train.steering import Orders
from trainer_core.train.step import TrainStep
from trainer_core.train.validation.held_out_sets import Windows, open_validation
from trainer_core.train.validation.rhythm import Rhythm
from trainer_core.train.validation.validate import Validation
from trainer_core.training_plan import TrainingPlan

CROPPED_SHARE = 0.05
"""So much text may be cut off before it is worth a warning."""


def open_session(
    job: Job, spec: TrainSpec, inputs: Inputs, compute: Compute, world: World
) -> Session:
    """Begin a training, or go on from its newest whole checkpoint.

    Raises:
        SpecError: No memory here holds the model, or a weight of the mixing names no source.
        DataError: The corpus is smaller than one context.
        CheckpointError: The checkpoint belongs to another corpus, index or shape; or the run that
            is continued cannot be.
        OSError: The job folder cannot be read or written.
    """
    check_text(text_of(inputs.corpus), spec.data, spec.model.context_length)
    validation = _validation(job, spec, inputs, world)
    check_room(spec.model, compute.device, _shares(spec.distributed))
    seed_randomness(world, spec.seed)
    model = Transformer(spec.model, torch.Generator().manual_seed(spec.seed)).to(compute.device)
    model.activation_checkpointing = spec.activation_checkpointing
    share_out(model, world, spec.distributed, compute.device)
    optimizer = make_optimizer(model, spec.optimizer, spec.budget.batch_size)
    train_step = TrainStep(model, optimizer, compute, spec.micro_batch_size, world)
    train_step.module = exchanging(train_step.module, world, spec.distributed)
    plan = _plan(job, spec, world)
    parts = Restorable(model, optimizer, train_step, compute.device)
    resumed = _resume(job, spec, inputs, parts, world)
    state = resumed.state
    batches = _batches(spec, inputs, resumed, world)
    batches.skips = tuple(skip for skip in plan.skips if skip[0] >= state.step)
    log = StepLog(job.folder / STEPS_FILE)
    if state.step < plan.steps and (not resumed.is_new or log.rows or resumed.is_rewound):
        job.record(records.Resumed(step=state.step))
    cut_log(log, state.step, batches.tokens_per_step)
    meter = StepMeter(log, compute.device, batches.tokens_per_step, state.elapsed_s)
    guard = Guard(job, state, spec)
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
        rhythm=Rhythm(spec.evaluation, plan.steps, state),
        state=state,
        log=log,
        meter=meter,
        guard=guard,
        watchdog=Watchdog(job, spec.guard.stall_minutes),
        slowness=Slowness(job),
        saver=BackgroundSaver(job, log, spec.checkpoint),
        fingerprints=inputs.fingerprints,
        weights=weights_of(model),
        saved_step=-1 if resumed.is_new else state.step,
        world=world,
        lineage=resumed.lineage,
        plan=plan,
        orders=Orders(job),
        disk=DiskForecast(job, spec, checkpoint_size(spec)),
        seen=SeenCounter(batches.order, text_of(inputs.corpus).sources),
    )
    if resumed.is_new and resumed.lineage:
        _tell_origin(job, resumed)
    if state.step < session.steps:
        _introduce(session)
    return session


def _tell_cropped(session: Session) -> None:
    """Say how much text no sequence holds, because its documents are longer than the context."""
    plans = [pool.packed for pool in session.batches.order.pools]
    lost = sum(plan.lost for plan in plans if isinstance(plan, Plan))
    if lost:
        share = lost / (lost + sum(plan.tokens for plan in plans))
        session.job.note(
            "warning" if share > CROPPED_SHARE else "info",
            "Long documents are cut off",
            f"{share:.1%} of the training text is never seen: it stands behind the first"
            f" {session.spec.model.context_length:,} tokens of its document. data.packing best_fit"
            " and stream lose none.",
            session.state.step,
        )


def _tell_origin(job: Job, resumed: Resumed) -> None:
    """Say what a new training continues."""
    before = resumed.lineage[-1]
    text = "Text that it has seen comes last."
    if resumed.loader is None:
        text = "Each source is drawn from its beginning; that run may have seen some of it."
    job.note(
        "info",
        "Continuing another run",
        f"The weights are those of step {before.step:,} of {before.run}. {text}",
        0,
    )


def _batches(spec: TrainSpec, inputs: Inputs, resumed: Resumed, world: World) -> TrainBatches:
    """What the training sees, from where it goes on."""
    at = resumed.loader or order_of(spec)
    batches = open_batches(
        text_of(inputs.corpus),
        inputs.train_matches,
        spec.data,
        spec.budget.batch_size,
        spec.model.context_length,
        spec.seed,
        match_dropout=spec.model.match_dropout,
        steps=spec.budget.steps,
        order_seed=at.order_seed,
        begun=at.begun,
        share=None if world.is_alone else world.share(spec.budget.batch_size),
        vocab_size=inputs.corpus.vocab_size,
    )
    check_drawn(at, batches.order)
    batches.passed_over = resumed.passed_over
    return batches


def _shares(distributed: DistributedConfig) -> int:
    """Devices that each hold a part of the model."""
    return distributed.world_size if distributed.strategy == "fsdp" else 1


def _validation(job: Job, spec: TrainSpec, inputs: Inputs, world: World) -> Validation:
    """All that this run measures while it trains."""
    windows = Windows(
        spec.model.context_length,
        spec.micro_batch_size,
        spec.evaluation.max_tokens,
        mask_documents=spec.data.separate_documents,
    )
    both = spec.evaluation.without_index and spec.model.match_input
    return open_validation(
        job.folder,
        inputs,
        spec.evaluation.sets,
        windows,
        use_index=(True, False) if both else (True,),
        report=lambda phase, done, total: job.progress(phase, done, total, "tokens"),
        by_source=spec.evaluation.by_source,
        world=world,
    )


def _plan(job: Job, spec: TrainSpec, world: World) -> TrainingPlan:
    """The plan with all that a person has changed about it, the same on every rank."""
    changes = read_status(job.folder).changes if world.is_main else ()
    told = world.told(msgspec.json.encode(changes))
    return TrainingPlan(spec, msgspec.json.decode(told, type=tuple[PlanChanged, ...]))


def _finish_rewind(job: Job) -> bool:
    """Remove what a person's way back to a checkpoint has left; whether there was such a way."""
    step = read_status(job.folder).rewind_to
    for gone in [] if step is None else forget_later(job.folder, step):
        job.record(records.CheckpointRemoved(step=gone))
    return step is not None


def _resume(job: Job, spec: TrainSpec, inputs: Inputs, parts: Restorable, world: World) -> Resumed:
    """Restore what can be restored, and say what could not."""
    clear_drafts(job.folder)
    rewound = world.is_main and _finish_rewind(job)
    resumed = resume(job.folder, spec, inputs, parts, world)
    resumed.is_rewound = rewound
    found = resumed.checkpoint
    for problem in resumed.problems:
        goes_on = f"going on from step {found.step}" if found else "starting over"
        job.note("warning", "Damaged checkpoint set aside", f"{problem.what} Now {goes_on}.")
    if found is not None:
        for gone in forget_later(job.folder, found.step):
            job.record(records.CheckpointRemoved(step=gone))
    return resumed


def _introduce(session: Session) -> None:
    """Say what is trained where, on which text, and whether the disk has room for it."""
    job = session.job
    job.record(entropy_record(session.inputs.corpus))
    count = sum(weight.numel() for weight in session.weights.values())
    size = session.disk.size
    job.note(
        "info",
        f"Training on {session.compute.name}",
        f"{count:,} parameters; a checkpoint takes {size.resumable / 1e6:,.1f} MB, and as much"
        " memory while the training goes on.",
        session.state.step,
    )
    _tell_cropped(session)
    session.disk.look(session.state.step, session.steps, session.state.elapsed_s)
