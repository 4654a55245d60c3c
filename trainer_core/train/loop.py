"""The training loop, top to bottom."""

from __future__ import annotations

from typing import Any

import msgspec
import torch

from trainer_core.data.batches.gather import Batch
from trainer_core.data.batches.prefetch import Prefetcher
from trainer_core.job import Job
from trainer_core.provenance import Gathering
from trainer_core.spec import TrainSpec
from trainer_core.train.compiling import (
    flex_attention_agrees,
    is_worth_compiling,
    keep_compiled,
    missing_compiler,
)
from trainer_core.train.compute import choose_compute, out_of_memory
from trainer_core.train.distributed.meeting import meeting
from trainer_core.train.distributed.place import take_device, threads_of
from trainer_core.train.inputs import open_inputs
from trainer_core.train.opening import open_session
from trainer_core.train.session import Session
from trainer_core.training_plan import STEPS_MOST


def run(job: Job, spec: TrainSpec) -> dict[str, Any]:
    """Train, or go on training, until the last step.

    A run that was finished before has nothing left to do. `Session.results` says what comes back.

    Raises:
        JobStopped: It was asked to pause or stop, and the work is saved.
        KnownError: The settings, the data or the disk do not allow it.
    """
    gathering = Gathering()
    take_device(spec)
    compute = choose_compute(spec.device, spec.precision, threads_of(spec))
    inputs = open_inputs(spec.corpus, spec.index, spec.model)
    try:
        with meeting(job, spec, inputs.fingerprints) as world:
            session = open_session(job, spec, inputs, compute, world)
            try:
                if world.is_main and session.state.step < session.steps:
                    data = msgspec.structs.asdict(inputs.fingerprints)
                    job.record(gathering.record(compute.name, data))
                train(session)
                return session.results()
            finally:
                session.close()
    except RuntimeError as error:
        problem = out_of_memory(error, compute.device)
        if problem is None:
            raise
        raise problem from error


def train(session: Session) -> None:
    """Step after step from where the session stands; what happens between them is its business."""
    state, device = session.state, session.compute.device
    coming = range(state.step + 1, STEPS_MOST + 1)  # the end may be moved at any time
    with Prefetcher(session.batches, coming, device, lambda: session.steps) as prefetched:
        batches = iter(prefetched)
        session.between_steps()
        while state.step < session.steps:
            step, batch = state.step + 1, next(batches)
            if step == coming.start:
                prepare(session, batch)
            lr = session.plan.lr_at(step)
            loss, norm = session.train_step(batch, session.plan.lr_factor(step))
            state.step, state.tokens_seen = step, step * session.batches.tokens_per_step
            session.meter.add(step, loss, norm, lr=lr, hit=batch.hit_rate, match=batch.mean_match)
            session.between_steps()


def prepare(session: Session, batch: Batch) -> None:
    """Compile the step where it is wanted and can be done; a training needs no compiler.

    Args:
        session: Before its first step.
        batch: The first one.
    """
    spec, device = session.spec, session.compute.device
    wanted = is_worth_compiling(spec, device, torch.get_num_threads())
    problem = missing_compiler(device)
    # All processes or none: another machine may have fewer cores, or lack the compiler.
    wishes, lacks = session.world.sum_(torch.tensor([wanted, bool(problem)]).int()).tolist()
    if not wishes:
        return
    if lacks and not problem:
        problem = "Another process has no compiler."
    if not problem:
        session.job.state("compiling")
        keep_compiled()
        if device.type == "cuda" and spec.data.masks:
            agrees = flex_attention_agrees(spec.model, session.compute)
            session.model.flex_attention = agrees
        problem = session.train_step.compile(batch)
        session.job.state("running")
        session.meter.start()
    if problem:
        session.model.flex_attention = False
        session.job.note(
            "warning" if spec.compile == "on" else "info",
            "Training without compiling",
            f"{problem} The steps take longer, and compute the same.",
            session.state.step,
        )
