"""A training in progress: what is open, where it stands, and what happens between two steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from torch import Tensor

from trainer_core import records
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.batches.seen import SeenCounter
from trainer_core.errors import KnownError
from trainer_core.job import Job, JobStopped
from trainer_core.metrics import StepLog, read_rows
from trainer_core.model.transformer import Transformer
from trainer_core.records import perplexity_of
from trainer_core.spec import TrainSpec
from trainer_core.train.checkpoints.background import BackgroundSaver, Reason, SaveOrder
from trainer_core.train.checkpoints.checkpoint import TrainState, all_finite
from trainer_core.train.checkpoints.continuing import position_at
from trainer_core.train.checkpoints.manifest import Ancestor, Fingerprints, LoaderPosition
from trainer_core.train.checkpoints.resuming import go_back
from trainer_core.train.checkpoints.retention import good_step
from trainer_core.train.checkpoints.snapshot import Snapshot
from trainer_core.train.compute import Compute
from trainer_core.train.disk import DiskForecast
from trainer_core.train.distributed import Wishes, World
from trainer_core.train.distributed.state import random_states, whole_on_main
from trainer_core.train.distributed.strategy import whole_model
from trainer_core.train.guard import Guard, Trouble
from trainer_core.train.holding import hold, reason_to_hold
from trainer_core.train.inputs import Inputs
from trainer_core.train.meter import StepMeter
from trainer_core.train.mfu import mfu
from trainer_core.train.optim import Optimizer
from trainer_core.train.samples import write_samples
from trainer_core.train.stall import Slowness, Watchdog
from trainer_core.train.steering import Orders, carry_out_changes
from trainer_core.train.step import TrainStep
from trainer_core.train.validation.rhythm import Rhythm
from trainer_core.train.validation.validate import Validation
from trainer_core.training_plan import TrainingPlan


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
    watchdog: Watchdog
    slowness: Slowness
    saver: BackgroundSaver
    fingerprints: Fingerprints
    seen: SeenCounter
    plan: TrainingPlan
    orders: Orders
    disk: DiskForecast
    weights: dict[str, Tensor] = field(default_factory=dict)
    saved_step: int = -1
    world: World = field(default_factory=World)
    lineage: tuple[Ancestor, ...] = ()

    @property
    def steps(self) -> int:
        """The run's length, as it stands."""
        return self.plan.steps

    # --- between two steps ----------------------------------------------------------------------

    def between_steps(self) -> None:
        """Validate, save and obey, as far as each is due at this step.

        Raises:
            JobStopped: A pause or a stop was wanted, and the work is saved.
            KnownError: The training cannot go on.
        """
        step = self.state.step
        self.job.step = step
        wishes = self._agreed(step)
        if wishes.change:
            carry_out_changes(self)
        last = step >= self.steps
        scheduled = self.is_scheduled(step)
        asked = bool(wishes.wanted) or wishes.save or wishes.hold
        measures = self._measures(wishes, step)
        if self.meter.due or asked or measures or scheduled or last:
            self.hand_over()
        self.watchdog.rest()  # only now: a GPU is waited for when figures are handed over
        wanted, best = wishes.wanted, False
        if wishes.hold and not wanted:
            wanted = hold(self)
            last = step >= self.steps  # the plan may have changed meanwhile
            measures = not wanted and self._measures(wishes, step)
        if measures:
            best = self.validate()
            wanted = self.world.agree_to_end(self.job.wanted) or wanted
        if reason := self._reason(wanted, asked=wishes.save, best=best, scheduled=scheduled):
            self.save(reason)
        if last and self.state.validated_step == step:
            return  # finished, whatever is wanted
        if wanted:
            raise JobStopped("paused" if wanted == "pause" else "stopped", step)
        self.job.state("running")
        self.meter.start()
        self.watchdog.begin(step + 1)

    def _measures(self, wishes: Wishes, step: int) -> bool:
        """Whether held-out text is to be measured at this step."""
        due = wishes.validate if self._is_by_clock(step) else self.rhythm.due(step)
        return due and self.state.validated_step != step

    def is_scheduled(self, step: int) -> bool:
        """Whether a checkpoint is due at this step by the run's settings."""
        return step > 0 and step % self.spec.checkpoint.every_steps == 0

    def _is_by_clock(self, step: int) -> bool:
        """Whether the time that passed says if to validate at this step, and ranks may differ."""
        return bool(self.spec.evaluation.time_share) and 0 < step < self.steps

    def _agreed(self, step: int) -> Wishes:
        """What is wished for at this step, the same on every rank."""
        self.orders.take_in()
        return self.world.agree(
            Wishes(
                self.job.wanted,
                self.orders.take_save(),
                self._is_by_clock(step) and self.rhythm.due(step),
                reason_to_hold(self) is not None,
                bool(self.orders.changes),
            ),
            now=step >= self.steps,
        )

    def _reason(self, wanted: str, *, asked: bool, best: bool, scheduled: bool) -> Reason | None:
        """Why a checkpoint is due now, or None."""
        step = self.state.step
        reasons: tuple[tuple[bool, Reason], ...] = (
            (step >= self.steps, "end"),
            (wanted == "pause", "pause"),
            (wanted == "stop", "stop"),
            (asked, "asked"),
            (best, "best"),
            (scheduled, "schedule"),
        )
        if step == self.saved_step and not best:
            return None
        return next((reason for applies, reason in reasons if applies), None)

    def hand_over(self) -> None:
        """Write the figures of the steps since the last time, and look at them.

        Raises:
            JobStopped: The guard pauses the training on an earlier checkpoint.
            KnownError: It would, and there is none.
            OSError: The log cannot be written.
        """
        before_s = self.meter.elapsed_s
        rows = self.meter.hand_over()
        self.state.elapsed_s = self.meter.elapsed_s
        if len(rows):
            self.job.hint()
            self.rhythm.watch(rows)
            self.slowness.watch(rows, before_s)
            if self.world.is_main:
                self.disk.look(self.state.step, self.steps, self.state.elapsed_s)
            trouble = self.guard.watch(rows) if self.world.is_main else None
            if trouble is not None:  # the other ranks end with this one
                self._pause_in(trouble)

    def _pause_in(self, trouble: Trouble) -> NoReturn:
        """Go back to the last checkpoint before it, and leave the rest to the user."""
        self.saver.wait()
        folder = self.job.folder
        step = good_step(folder, trouble.calm_step)
        if step is None:
            raise trouble.problem(
                "No checkpoint was written before that.", f"Start a run with {trouble.do}."
            )
        for gone in go_back(folder, step, self._loader_position()):
            self.job.record(records.CheckpointRemoved(step=gone))
        problem = trouble.problem(
            f"The training is back at its checkpoint of step {step}, from before that.",
            "Resume it: it leaves out the text that it saw since. If this happens again, start a"
            f" run with {trouble.do}.",
        )
        self.job.note("error", trouble.title, str(problem), trouble.step)
        raise JobStopped("paused", step, problem)

    # --- validation -----------------------------------------------------------------------------

    def validate(self) -> bool:
        """Measure the held-out text; whether it is the best so far.

        A pause or stop that comes meanwhile breaks off: the resumed training measures again.
        """
        self.hand_over()
        self.job.state("validating")
        state = self.state
        try:
            found = self.validation.run(self.model, self.compute, between=self._check_stop)
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

    def _check_stop(self, _tokens: int) -> None:
        """Break off when any rank is asked to end: all of them or none."""
        if wanted := self.world.agree_to_end(self.job.wanted):
            raise JobStopped("paused" if wanted == "pause" else "stopped")

    # --- checkpoints ----------------------------------------------------------------------------

    def save(self, reason: Reason) -> None:
        """Save a checkpoint and write samples; it reaches the disk while the training goes on.

        Raises:
            KnownError: The disk is full or gone, and the process ends after this checkpoint; or a
                weight is no number.
        """
        began_s = time.perf_counter()
        self.hand_over()
        self.job.state("saving")
        snapshot = self._snapshot()
        self.saved_step = self.state.step
        if not self.world.is_main:
            return
        if not self.saver.save(SaveOrder(snapshot, reason, self.guard.calm, began_s)):
            self.saved_step = -1
        self.job.record(self._sources_seen())
        if reason not in ("hold", "pause", "stop"):
            model = whole_model(self.model, snapshot.weights)
            write_samples(self.job, self.spec, self.inputs, model, self.state.step)

    def _snapshot(self) -> Snapshot:
        """What to save; every rank takes part in it, and rank 0 has all of it."""
        state, world = self.state, self.world
        weights = whole_on_main(world, self.weights)
        if not all_finite(weights.values()):
            raise KnownError(
                f"A weight is not a finite number at step {state.step}.",
                safe="No checkpoint was written; the last one is good.",
                do="Start a run with a lower optimizer.lr or precision = fp32.",
                field="optimizer.lr",
            )
        optimizer = whole_on_main(world, self.optimizer.tensors(self.weights))
        if not all_finite(optimizer.values()):
            raise KnownError(
                f"The optimizer's state is not a finite number at step {state.step}.",
                safe="No checkpoint was written; the last one is good.",
                do="Start a run with a lower optimizer.lr, or with optimizer.clip_norm.",
                field="optimizer.lr",
            )
        others = self.train_step.state_tensors() | random_states(world, self.compute.device)
        return Snapshot(
            config=self.spec.model,
            fingerprints=self.fingerprints,
            state=state,
            weights=weights,
            optimizer=optimizer | others,
            val_loss=state.val_loss if state.validated_step == state.step else None,
            loader=self._loader_position(),
            lineage=self.lineage,
        )

    def _loader_position(self) -> LoaderPosition:
        batch = self.batches.number(self.state.step) + 1
        return position_at(self.spec, self.batches.order, batch)

    def _sources_seen(self) -> records.SourcesSeen:
        """How much of each source was seen up to now."""
        state = self.state
        found = self.seen.upto(self.batches.drawn(state.step))
        sources = tuple(records.SourceSeen(**source._asdict()) for source in found)
        return records.SourcesSeen(step=state.step, sources=sources)

    # --- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """End the threads, once the last checkpoint is on the disk, and close the log."""
        self.watchdog.close()
        try:
            self.saver.wait()
        finally:
            self.log.close()

    def results(self) -> dict[str, Any]:
        """What the verb found out.

        `train_loss` is the mean over the last `evaluation.every_steps` steps; losses are in nats
        per token; `best_step` is the step of `best_val_loss`; `mfu` is None but on known GPUs.
        """
        state = self.state
        window = min(self.spec.evaluation.every_steps, state.step)
        rows = read_rows(self.log.path, state.step - window)
        losses = rows["loss"][np.isfinite(rows["loss"])].astype(np.float64)
        rate = state.tokens_seen / state.elapsed_s if state.elapsed_s else 0.0
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
            "tokens_per_s": rate,
            "mfu": mfu(self.spec.model, rate / self.world.size, self.compute.name),
            "parameters": sum(weight.numel() for weight in self.weights.values()),
            "device": self.compute.name,
        }
