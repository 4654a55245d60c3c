"""A training in progress: what is open, where it stands, and what happens between two steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from trainer_core import records
from trainer_core.data.batches import TrainBatches
from trainer_core.errors import KnownError, from_os_error
from trainer_core.job import Job, JobStopped
from trainer_core.metrics import StepLog, read_rows
from trainer_core.model.transformer import Transformer
from trainer_core.records import perplexity_of
from trainer_core.spec import TrainSpec
from trainer_core.train.checkpoint import (
    Checkpoint,
    TrainState,
    best_step,
)
from trainer_core.train.compute import Compute
from trainer_core.train.guard import Guard
from trainer_core.train.inputs import Inputs
from trainer_core.train.manifest import Fingerprints
from trainer_core.train.meter import StepMeter
from trainer_core.train.optim import Optimizer
from trainer_core.train.rhythm import Rhythm
from trainer_core.train.samples import write_samples
from trainer_core.train.saving import (
    Snapshot,
    retire_checkpoints,
    save_checkpoint,
)
from trainer_core.train.step import TrainStep
from trainer_core.train.validate import Validation

Reason = Literal["schedule", "best", "asked", "pause", "stop", "end"]
_MUST_SAVE: frozenset[Reason] = frozenset({"pause", "stop", "end"})
"""Reasons to save after which the process ends: failing then is an error, not a warning."""
RANDOM = "random/"
"""Prefix of random states among the optimizer's tensors in a checkpoint."""


@dataclass
class Session:
    """Everything that the loop works with. `state` is the single place that says how far it is."""

    job: Job
    spec: TrainSpec
    inputs: Inputs
    compute: Compute
    model: Transformer
    optimizer: Optimizer
    train_step: TrainStep
    batches: TrainBatches
    validation: Validation
    rhythm: Rhythm
    state: TrainState
    log: StepLog
    meter: StepMeter
    guard: Guard
    fingerprints: Fingerprints
    weights: dict[str, Tensor] = field(default_factory=dict)
    saved_step: int = -1

    @property
    def steps(self) -> int:
        """The run's length."""
        return self.spec.budget.steps

    # --- between two steps ----------------------------------------------------------------------

    def between_steps(self) -> None:
        """Validate, save and obey, as far as each is due at this step.

        Raises:
            JobStopped: A pause or a stop was wanted, and the work is saved.
            KnownError: The training cannot go on.
        """
        step = self.state.step
        self.job.step = step
        wanted = self.job.wanted
        asked = bool(self.job.commands())
        last = step == self.steps
        if self.meter.due or wanted or last:
            self.hand_over()
        best = False
        if self.rhythm.due(step) and self.state.validated_step != step:
            best = self.validate()
            wanted = self.job.wanted
        if reason := self._reason(wanted, asked=asked, best=best):
            self.save(reason)
        if last and self.state.validated_step == step:
            return  # finished, whatever is wanted
        if wanted:
            raise JobStopped("paused" if wanted == "pause" else "stopped", step)
        self.job.state("running")
        self.meter.start()

    def _reason(self, wanted: str, *, asked: bool, best: bool) -> Reason | None:
        """Why a checkpoint is due now, or None."""
        step = self.state.step
        reasons: tuple[tuple[bool, Reason], ...] = (
            (step == self.steps, "end"),
            (wanted == "pause", "pause"),
            (wanted == "stop", "stop"),
            (asked, "asked"),
            (best, "best"),
            (step > 0 and step % self.spec.checkpoint.every_steps == 0, "schedule"),
        )
        if step == self.saved_step and not best:
            return None
        return next((reason for applies, reason in reasons if applies), None)

    def hand_over(self) -> None:
        """Write the figures of the steps since the last time, and look at them.

        Raises:
            KnownError: The guard ends the training.
            OSError: The log cannot be written.
        """
        rows = self.meter.hand_over()
        self.state.elapsed_s = self.meter.elapsed_s
        if len(rows):
            self.job.hint()
            self.rhythm.watch(rows)
            self.guard.watch(rows)

    # --- validation -----------------------------------------------------------------------------

    def validate(self) -> bool:
        """Measure the held-out text; whether it is the best so far.

        A pause or stop that comes meanwhile breaks off: the resumed training measures again.
        """
        self.hand_over()
        self.job.state("validating")
        state = self.state
        try:
            found = self.validation.run(
                self.model, self.compute, between=lambda _tokens: self.job.check_stop()
            )
        except JobStopped:
            return False
        measure = found.own
        known = math.isfinite(measure.loss)
        best = known and state.step > 0
        best = best and (state.best_val_loss is None or measure.loss < state.best_val_loss)
        state.validated_step = state.step
        state.val_loss = measure.loss if known else None
        state.bits_per_byte = measure.bits_per_byte if known else None
        if best:
            state.best_val_loss, state.best_step = measure.loss, state.step
        self.rhythm.measured(found.seconds)
        self.job.record(
            records.Validated(
                step=state.step,
                tokens_seen=state.tokens_seen,
                loss=measure.loss,
                bits_per_byte=measure.bits_per_byte,
                tokens=measure.tokens,
                best=best,
                seconds=found.seconds,
                buckets=measure.buckets,
                without_index=found.without_index,
                sets=found.sets,
                groups=found.groups,
            )
        )
        return best

    # --- checkpoints ----------------------------------------------------------------------------

    def save(self, reason: Reason) -> None:
        """Write a checkpoint, remove those that are no longer kept, and write samples.

        Raises:
            KnownError: The disk is full or gone, and the process ends after this checkpoint; or a
                weight is no number.
        """
        self.hand_over()
        self.job.state("saving")
        step = self.state.step
        began = time.perf_counter()
        snapshot = self._snapshot()
        try:
            self.log.sync()
            saved = save_checkpoint(self.job.folder, snapshot)
        except OSError as error:
            problem = from_os_error(error, "saving the checkpoint")
            if reason in _MUST_SAVE:
                raise problem from None
            text = f"{problem} The training goes on."
            self.job.note("error", "Checkpoint not saved", text, step)
            return
        self.saved_step = step
        self._tell_saved(saved, reason, time.perf_counter() - began)
        self._retire()
        if reason not in ("pause", "stop"):
            write_samples(self.job, self.spec, self.inputs, self.model, step)

    def _retire(self) -> None:
        try:
            for gone in retire_checkpoints(self.job.folder, self.spec.checkpoint.keep):
                self.job.record(records.CheckpointRemoved(step=gone))
        except OSError as error:
            text = str(from_os_error(error, "removing old checkpoints"))
            self.job.note("warning", "Old checkpoints not removed", text, self.state.step)

    def _tell_saved(self, saved: Checkpoint, reason: Reason, seconds: float) -> None:
        self.job.record(
            records.CheckpointSaved(
                step=saved.step,
                folder=saved.folder.relative_to(self.job.folder).as_posix(),
                size_bytes=saved.size_bytes,
                seconds=seconds,
                val_loss=saved.manifest.val_loss,
                best=best_step(self.job.folder) == saved.step,
                reason=reason,
            )
        )

    def _snapshot(self) -> Snapshot:
        finite = torch.stack([weight.isfinite().all() for weight in self.weights.values()]).all()
        if not finite.item():
            raise KnownError(
                f"A weight is not a finite number at step {self.state.step}.",
                safe="No checkpoint was written; the last one is good.",
                do="Start a run with a lower optimizer.lr or precision = fp32.",
                field="optimizer.lr",
            )
        random = {f"{RANDOM}cpu": torch.get_rng_state()}
        if self.compute.device.type == "cuda":
            random[f"{RANDOM}cuda"] = torch.cuda.get_rng_state()
        measured = self.state.validated_step == self.state.step
        return Snapshot(
            config=self.spec.model,
            fingerprints=self.fingerprints,
            state=self.state,
            weights=self.weights,
            optimizer=self.optimizer.tensors(self.weights)
            | self.train_step.state_tensors()
            | random,
            val_loss=self.state.val_loss if measured else None,
        )

    # --- the end --------------------------------------------------------------------------------

    def results(self) -> dict[str, Any]:
        """What the verb found out.

        `train_loss` is the mean over the last `evaluation.every_steps` steps; losses are in nats
        per token; `best_step` is the step of `best_val_loss`.
        """
        state = self.state
        window = min(self.spec.evaluation.every_steps, state.step)
        rows = read_rows(self.log.path, state.step - window)
        losses = rows["loss"][np.isfinite(rows["loss"])].astype(np.float64)
        return {
            "step": state.step,
            "tokens_seen": state.tokens_seen,
            "train_loss": float(losses.mean()) if len(losses) else math.nan,
            "val_loss": state.val_loss,
            "perplexity": None if state.val_loss is None else perplexity_of(state.val_loss),
            "bits_per_byte": state.bits_per_byte,
            "best_val_loss": state.best_val_loss,
            "best_step": state.best_step,
            "elapsed_s": state.elapsed_s,
            "tokens_per_s": state.tokens_seen / state.elapsed_s if state.elapsed_s else 0.0,
            "parameters": sum(weight.numel() for weight in self.weights.values()),
            "device": self.compute.name,
        }
