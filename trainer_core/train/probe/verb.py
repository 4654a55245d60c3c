"""The verb `probe`: a table of measured batch sizes and ways to train, and the one to take.

The values of its result are the fields of `ProbeTable`; the same stand in `probe.json` of the job
folder from the first trial on. A probe that is stopped keeps what it has measured, and goes on
from there when it is started again.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from trainer_core.errors import KnownError
from trainer_core.files import write_whole_file
from trainer_core.job import Job
from trainer_core.presets import parameter_count
from trainer_core.probe_table import (
    PROBE_FILE,
    SAME_SPEED,
    Ended,
    ProbeRow,
    ProbeTable,
    Variant,
    read_table,
    recommend,
)
from trainer_core.spec import Precision, ProbeSpec
from trainer_core.status import LOG_FILE
from trainer_core.train.probe.messages import Finish, Finished, Opened, Tried, Try
from trainer_core.train.probe.process import TrialDied, TrialProcess
from trainer_core.train.probe.reserve import reserve_bytes
from trainer_core.train.probe.search import Search

_STEPS_SHARE = 1 / 60
"""Of the time budget that each trial measures steps for, within these seconds:"""
_STEPS_S = (0.3, 3.0)
_SIZES_SHARE, _CHECKPOINTING_SHARE, _PRECISIONS_SHARE = 0.4, 0.5, 0.65
"""Share of the time budget at which each part ends at the latest."""
_LONGER_SHARE = 0.06
"""Of the time budget, the row that was found best is measured once more."""
_COMPILE_S = 10.0
"""With less time than this, compiling is not begun."""
_FIRST_S = 10.0
"""The first trial has this long, however little of the budget the start has left."""
_ENDED_IN_WORDS: dict[Ended, str] = {
    "speed": "larger batches are no faster",
    "memory": "memory ends with larger batches",
    "time": "the time for the probe was too short to try larger batches",
    "largest": "it is the largest that may be tried",
}


def run(job: Job, spec: ProbeSpec) -> dict[str, Any]:
    """Probe.

    Raises:
        JobStopped: It was asked to stop; what was measured is kept.
        KnownError: The settings cannot work, or nothing fits this computer.
    """
    job.state("running")
    with _Probe(job, spec) as probe:
        probe.measure()
        table = probe.table
    best = table.best
    if best is None:
        raise _nothing_works(table)
    values: dict[str, Any] = msgspec.to_builtins(table)
    return values


def _nothing_works(table: ProbeTable) -> KnownError:
    row = table.rows[-1]
    if row.failure == "memory":
        return KnownError(
            "This model does not fit this computer: a single sequence takes more than the"
            f" {table.memory_limit_bytes / 1e6:,.0f} MB that a trial may hold.",
            safe="What was measured stands in the job folder.",
            do="Choose a smaller model or a shorter context, or allow more memory.",
            field="model",
        )
    if row.failure == "time":
        return KnownError(
            "There was not enough time for a single step.",
            safe="What was measured stands in the job folder.",
            do="Allow more time (budget_s), or choose a smaller model.",
            field="budget_s",
        )
    return KnownError(
        f"A training step failed: {row.why}",
        safe="What was measured stands in the job folder.",
        do="Check the settings; the log of this folder says more.",
    )


class _Probe:
    """A probe in progress: the process of its trials and the table so far."""

    def __init__(self, job: Job, spec: ProbeSpec) -> None:
        self._job, self._spec = job, spec
        self._began_s = time.monotonic()
        self._earlier = {
            (row.batch_size, row.variant): row
            for row in read_table(job.folder).rows
            if row.failure in ("", "memory")
        }
        self._trials: TrialProcess | None = None
        self._doing = "Starting"
        self._search = Search(self._measure, spec.sizes, self._at(_SIZES_SHARE))
        low, high = _STEPS_S
        self._steps_s = min(high, max(low, spec.budget_s * _STEPS_SHARE))
        self.table = ProbeTable(
            parameters=parameter_count(spec.model), context_length=spec.model.context_length
        )

    def __enter__(self) -> _Probe:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()
        shutil.rmtree(self._job.folder / "probe-checkpoint", ignore_errors=True)

    def measure(self) -> None:
        """Measure everything that there is time for, the most telling first."""
        with self._part("start"):
            wanted = self._spec.precisions[:1] or ("auto",)
            opened = self._start(Variant(precision=wanted[0]))
        base = Variant(precision=opened.precision)
        with self._part("batch sizes"):
            ended = self._search.grow(base)
        if ended == "memory" and self._spec.activation_checkpointing:
            with self._part("activation checkpointing"):
                self._search.deadline_s = self._at(_CHECKPOINTING_SHARE)
                frugal = msgspec.structs.replace(base, activation_checkpointing=True)
                fitting = [row.batch_size for row in self._search.rows if row.ok]
                ended = self._search.grow(frugal, first=max(fitting, default=0) + 1)
        self._tell(ended=ended)
        if self.table.best is not None:
            self._vary(self.table.best, opened)
        self._tell(complete=True)

    def _vary(self, best: ProbeRow, opened: Opened) -> None:
        """What comes between steps, then other ways to compute the best batch."""
        with self._part("longer look"):
            best = self._look_longer(best)
        with self._part("validation and checkpoint"):
            self._finish(best)
        with self._part("precisions"):
            self._search.deadline_s = self._at(_PRECISIONS_SHARE)
            chosen = self._spec.precisions
            for precision in chosen[1:] if chosen else opened.others:
                best = self._try_precision(best, precision)
        if self._spec.compile and opened.compiler:
            with self._part("compile"):
                self._search.deadline_s = self._at(1.0)
                self._try_compiled(best)

    def _start(self, variant: Variant) -> Opened:
        """Learn what there is to try.

        Raises:
            KnownError: The settings cannot work.
        """
        try:
            return self._open(variant).opened
        except TrialDied as death:
            raise KnownError(
                f"The process of the trials did not start: {death.why}",
                safe="Nothing was measured.",
                do="See the log of this folder.",
            ) from None

    def _try_precision(self, best: ProbeRow, precision: Precision) -> ProbeRow:
        """The best batch in another precision, and larger ones if it is faster there.

        Returns:
            The best row now.
        """
        if self._search.left_s < self._expected_s(best):
            return best
        variant = msgspec.structs.replace(best.variant, precision=precision)
        row = self._search.try_(best.batch_size, variant)
        if row.tokens_per_s > best.tokens_per_s:
            self._tell(ended=self._search.grow(variant, 2 * row.batch_size, row.tokens_per_s))
        return self.table.best or best

    def _try_compiled(self, best: ProbeRow) -> None:
        """The best batch, compiled; last of all, since nobody knows how long that takes."""
        if self._search.left_s >= self._expected_s(best) + _COMPILE_S:
            variant = msgspec.structs.replace(best.variant, compile=True)
            self._search.try_(best.batch_size, variant)

    def _expected_s(self, best: ProbeRow) -> float:
        """How long a trial of the best batch takes at least, in a new process."""
        return self.table.parts["start"] + 5 * best.step_ms / 1000

    def _look_longer(self, best: ProbeRow) -> ProbeRow:
        """More steps of the row that a plan's time will rest on; its memory is that of before.

        Returns:
            The row, now by more steps; as it was where there was no time.
        """
        seconds = self._spec.budget_s * _LONGER_SHARE
        if best.steps * best.step_ms / 1000 >= seconds:
            return best
        self._doing = f"Measuring {best.batch_size:,} sequences at once for longer"
        with contextlib.suppress(TrialDied):
            ask = Try(batch_size=best.batch_size, seconds=seconds)
            answer = self._process(best.variant).ask(ask, max(1.0, self._left_s))
            if isinstance(answer, Tried) and answer.row.ok:
                again = msgspec.structs.replace(
                    answer.row,
                    first_step_s=best.first_step_s,
                    compile_s=best.compile_s,
                    compile_cached=best.compile_cached,
                    peak_memory_bytes=best.peak_memory_bytes,
                )
                rows = [again if row == best else row for row in self.table.rows]
                self._search.rows = rows
                self._tell(rows=tuple(rows))
                return again
        return best

    def _finish(self, best: ProbeRow) -> None:
        """What comes between steps."""
        folder = self._job.folder / "probe-checkpoint"
        ask = Finish(batch_size=best.batch_size, seconds=self._steps_s, folder=str(folder))
        self._doing = "Measuring validation and a checkpoint"
        with contextlib.suppress(TrialDied):  # then the table has no figures of it
            answer = self._process(best.variant).ask(ask, max(1.0, self._left_s))
            if isinstance(answer, Tried):
                self._job.note("warning", "Validation and checkpoint not measured", answer.row.why)
            if isinstance(answer, Finished):
                self.table = msgspec.structs.replace(
                    self.table,
                    validation_tokens_per_s=answer.validation_tokens_per_s,
                    checkpoint=answer.checkpoint,
                )

    # --- trials ---------------------------------------------------------------------------------

    def _measure(self, size: int, variant: Variant, left_s: float) -> ProbeRow:
        """One row; see `search.Measure`."""
        self._doing = f"Trying {size:,} sequences at once, {variant}"
        self._check()
        if not self.table.rows:  # without a first row all the rest is in vain
            left_s = max(self._left_s, _FIRST_S)
        row = self._earlier.get((size, variant)) or self._tried(size, variant, left_s)
        self._tell(rows=(*self.table.rows, row))
        return row

    def _tried(self, size: int, variant: Variant, left_s: float) -> ProbeRow:
        request = Try(batch_size=size, seconds=min(self._steps_s, left_s / 2))
        try:
            if variant.compile:
                self._close()  # compiled code of one batch size is not that of another
            answer = self._process(variant).ask(request, left_s)
        except TrialDied as death:
            self._close()
            return ProbeRow(batch_size=size, variant=variant, failure=death.failure, why=death.why)
        except KnownError as error:  # such as a precision that this device cannot compute
            return ProbeRow(batch_size=size, variant=variant, failure="error", why=error.what)
        if not isinstance(answer, Tried):
            raise TypeError(f"{type(answer).__name__} is no answer to a trial")
        if not answer.row.ok:
            self._close()  # its memory is in disorder
        return answer.row

    def _process(self, variant: Variant) -> TrialProcess:
        """A process for this variant, the running one where it is the same."""
        if self._trials is not None and self._trials.variant == variant:
            return self._trials
        return self._open(variant)

    def _open(self, variant: Variant) -> TrialProcess:
        self._close()
        log = self._job.folder / LOG_FILE
        trials = TrialProcess(self._spec, variant, log, reserve_bytes(), self._check)
        opened = trials.opened
        trials.variant = msgspec.structs.replace(variant, precision=opened.precision)
        self._trials = trials
        if not self.table.device:
            self._tell(device=opened.name, memory_limit_bytes=opened.memory_limit_bytes)
        return trials

    def _close(self) -> None:
        if self._trials is not None:
            self._trials.close()
            self._trials = None

    def _check(self) -> None:
        """Say how far it is, and end when asked to."""
        spent_s = time.monotonic() - self._began_s
        budget_s = self._spec.budget_s
        done_s = min(spent_s, budget_s)
        self._job.progress(self._doing, done_s, budget_s, "s", whole=done_s / budget_s)

    # --- time and table -------------------------------------------------------------------------

    def _at(self, share: float) -> float:
        return self._began_s + share * self._spec.budget_s

    @property
    def _left_s(self) -> float:
        return self._at(1.0) - time.monotonic()

    @contextlib.contextmanager
    def _part(self, name: str) -> Iterator[None]:
        began_s = time.monotonic()
        try:
            yield
        finally:
            spent_s = time.monotonic() - began_s
            self._tell(parts={**self.table.parts, name: spent_s})

    def _tell(self, **change: object) -> None:
        """Change the table, and write it."""
        table = msgspec.structs.replace(self.table, **change)
        chosen = recommend(table.rows)
        reason = "" if chosen is None else _reason(table, table.rows[chosen])
        self.table = msgspec.structs.replace(table, recommended=chosen, reason=reason)
        write_whole_file(self._job.folder / PROBE_FILE, msgspec.json.encode(self.table))


def _reason(table: ProbeTable, row: ProbeRow) -> str:
    """Why this row, in a sentence."""
    fastest = max(each.tokens_per_s for each in table.rows)
    same = row.tokens_per_s < fastest
    text = f"{row.batch_size:,} sequences at once, {row.variant}: {row.tokens_per_s:,.0f} tokens/s,"
    text += f" within {SAME_SPEED:.0%} of the fastest with less" if same else " the fastest"
    words = _ENDED_IN_WORDS.get(table.ended, "")
    return f"{text}; {words}." if words else f"{text}."
