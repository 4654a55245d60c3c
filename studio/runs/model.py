"""A job as the studio shows it: everything its folder told so far, ready to draw. Free of Qt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from studio.runs.events import Event, event_of, is_void, work_name
from studio.runs.importing.reference import VERB as REFERENCE_VERB
from studio.runs.pace import Pace, SessionStart, measure_pace
from studio.runs.series import StepSeries, SystemSeries
from studio.runs.tail import Update
from trainer_core.metrics import Rows
from trainer_core.records import (
    END_STATES,
    CheckpointSaved,
    ChildStarted,
    JobStarted,
    PlanChanged,
    Progress,
    Record,
    Resumed,
    Rewound,
    Sampled,
    Validated,
)
from trainer_core.rule_tasks import Ruled
from trainer_core.spec import JobSpec, TrainSpec, verb_of
from trainer_core.status import JobStatus, fold
from trainer_core.training_plan import TrainingPlan

Observer = Callable[[], None]
RESERVED_MAX = 2_000_000
"""Figures of so many steps get their place at once: what is not written yet takes no memory, and
nothing is moved while a run goes on."""
_AT_REST = END_STATES | {"unborn", "killed"}


@dataclass(frozen=True)
class Problem:
    """Why a job failed, or why its folder cannot be shown."""

    what: str
    safe: str = ""
    do: str = ""
    details: str = ""


class JobModel:
    """What is known of one job; belongs to the thread that applies the updates.

    Attributes:
        folder: The job folder.
        status: Facts of the journal, with liveness; its `state` is what to show.
        steps: Figures by step; empty for jobs that do not train.
        system: Figures by second.
        events: What happened, oldest first.
        error: Why it failed or cannot be read, or None.
        reattached_s: When this studio found the job at work without having started it, or None.
        caught_up: Whether everything that was on disk has been read once.
        behind: Whether more waits on disk than could be taken in at once.
        ruled: One's own rules that made its text; None for other text. Set from outside: the job's
            folder does not tell.
    """

    def __init__(self, folder: Path, opened_s: float | None = None) -> None:
        """Begin to know nothing.

        Args:
            folder: The job folder.
            opened_s: When this studio was started, seconds since the epoch; a job that was at work
                by then counts as reattached. None never does.
        """
        self.folder = folder
        self.ruled: Ruled | None = None
        self._opened_s = opened_s
        self._observers: list[Observer] = []
        self._forget()

    def _forget(self) -> None:
        self.spec: JobSpec | None = None
        self.status = JobStatus()
        self.steps = StepSeries()
        self.system = SystemSeries()
        self.events: list[Event] = []
        self.error: Problem | None = None
        self.reattached_s: float | None = None
        self.caught_up = False
        self.behind = True
        self._resumes: list[Resumed | Rewound] = []
        self._sessions: list[SessionStart] = []
        self._idle: list[tuple[float, float]] = []
        self._idle_since_s: float | None = None
        self._waited_s = 0.0
        self._plan: tuple[tuple[TrainSpec, tuple[PlanChanged, ...]], TrainingPlan] | None = None
        self._worked_s = 0.0
        self._seen_s = 0.0

    # --- what it tells -------------------------------------------------------------------------

    @property
    def verb(self) -> str:
        """The job's verb, or an empty string while it is unknown."""
        return self.status.verb or (verb_of(self.spec) if self.spec else "")

    @property
    def state(self) -> str:
        """`unborn`, `killed`, or one of `records.State`."""
        return self.status.state

    @property
    def alive(self) -> bool:
        """Whether a process works on it."""
        return self.status.alive

    @property
    def plan(self) -> TrainingPlan | None:
        """Length and learning rates as they stand, changes included; None without a training."""
        if not isinstance(self.spec, TrainSpec):
            return None
        made_of = (self.spec, self.status.changes)
        if self._plan is None or self._plan[0] != made_of:
            self._plan = made_of, TrainingPlan(*made_of)
        return self._plan[1]

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.steps.n

    @property
    def total_steps(self) -> int:
        """Optimizer steps to do; 0 for jobs that do not train."""
        if self.verb == REFERENCE_VERB:
            return self.step
        return self.plan.steps if self.plan is not None else 0

    @property
    def total_tokens(self) -> int:
        """Tokens to train on; 0 for jobs that do not train."""
        return self.plan.tokens if self.plan is not None else 0

    @property
    def tokens_seen(self) -> int:
        """Tokens trained on so far."""
        return int(self.steps.last("tokens_seen")) if self.steps.n else 0

    @property
    def share_done(self) -> float:
        """Progress from 0 to 1: by steps, or within the current phase of other jobs."""
        if self.total_steps:
            return min(1.0, self.step / self.total_steps)
        if self.state == "finished":
            return 1.0
        progress = self.status.progress
        return min(1.0, progress.done / progress.total) if progress and progress.total else 0.0

    @property
    def progress(self) -> Progress | None:
        """The current phase of a job that reports phases."""
        return self.status.progress

    @property
    def validations(self) -> tuple[Validated, ...]:
        """Validations, by step."""
        return self.status.validations

    @property
    def checkpoints(self) -> tuple[CheckpointSaved, ...]:
        """Checkpoints that are on disk, by step."""
        return self.status.checkpoints

    @property
    def samples(self) -> tuple[Sampled, ...]:
        """Text written at checkpoints, by step."""
        return self.status.samples

    @property
    def children(self) -> tuple[ChildStarted, ...]:
        """Jobs within this job."""
        return self.status.children

    @property
    def best(self) -> Validated | None:
        """The validation with the lowest loss."""
        return self.status.best

    @property
    def pace(self) -> Pace:
        """Speed and time left; both None for jobs that do not train or have not begun."""
        if not isinstance(self.spec, TrainSpec):
            return Pace()
        return measure_pace(
            self.spec,
            self.steps,
            self._sessions,
            self.validations,
            self.checkpoints,
            self.total_steps,
            self._idle,
        )

    def elapsed_s(self, now_s: float | None = None) -> float:
        """Seconds that processes worked on this job, over all sessions, without what they waited.

        Args:
            now_s: Seconds since the epoch; None takes the clock.
        """
        if self.verb == REFERENCE_VERB:
            return self.steps.last("elapsed_s") if self.steps.n else 0.0
        if self.status.sessions == 0:
            return 0.0
        end_s = self._seen_s
        if self.alive:
            end_s = time.time() if now_s is None else now_s
        waited_s = self._waited_s
        if self.status.state == "waiting" and self._idle_since_s is not None:
            waited_s += max(0.0, end_s - self._idle_since_s)
        return max(0.0, self._worked_s + max(0.0, end_s - self.status.started_s) - waited_s)

    # --- observers -----------------------------------------------------------------------------

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call this function after each change; returns the function that ends it."""
        self._observers.append(observer)

        def unsubscribe() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return unsubscribe

    # --- updates -------------------------------------------------------------------------------

    def apply(self, update: Update) -> None:
        """Take in what a poll found, then tell the observers."""
        if update.reset:
            self._forget()
        self.spec = update.spec or self.spec
        for record in update.records:
            self._take_record(record)
        if update.rows is not None:
            self.steps.truncate(update.first_row)
            self.steps.reserve(max(update.rows_known, min(self.total_steps, RESERVED_MAX)))
            self.steps.append(update.rows)
        if update.system_rows is not None:
            self.system.reserve(update.system_rows_known)
            self._take_system_rows(update.first_system_row, update.system_rows)
        self._take_liveness(update)
        self.behind = update.more
        if not update.more and not self.caught_up:
            self.caught_up = True
            self._notice_reattachment()
        for observer in list(self._observers):
            observer()

    def _take_record(self, record: Record) -> None:
        match record:
            case JobStarted():
                if self.status.sessions:
                    self._worked_s += max(0.0, self._seen_s - self.status.started_s)
                self._sessions.append(SessionStart(record.time_s, 0))
            case Validated():
                self._forget_validations(record.step)
        waited = self.status.state == "waiting"
        # A process that was killed while it waited did so until its last word.
        until_s = self._seen_s if isinstance(record, JobStarted | Rewound) else record.time_s
        self.status = fold(self.status, record)
        if not isinstance(record, PlanChanged | Rewound):  # these may come long after the work
            self._seen_s = max(self._seen_s, record.time_s)
        self._take_idleness(record, until_s, waited=waited)
        if isinstance(record, Resumed):
            self._take_resume(record)
        if isinstance(record, Rewound):
            self._forget_after(record)
        event = event_of(record, verb=self.verb, spec=self.spec, first=self.status.sessions == 1)
        if event is not None:
            self.events.append(event)

    def _take_idleness(self, record: Record, until_s: float, *, waited: bool) -> None:
        """Note when a process compiles or waits: neither is a part of the rounds to come."""
        idles = self.status.state in ("compiling", "waiting")
        if idles and self._idle_since_s is None:
            self._idle_since_s = record.time_s
        elif not idles and self._idle_since_s is not None:
            self._idle.append((self._idle_since_s, until_s))
            if waited:
                self._waited_s += max(0.0, until_s - self._idle_since_s)
            self._idle_since_s = None

    def _forget_validations(self, step: int) -> None:
        """Drop validations from this step on: a session that died early left one behind."""
        if not self.validations or self.validations[-1].step < step:
            return
        kept = tuple(each for each in self.validations if each.step < step)
        if len(kept) != len(self.validations):
            self.status = replace(self.status, validations=kept)
            self.events = [
                event
                for event in self.events
                if not (event.kind == "validation" and (event.step or 0) >= step)
            ]

    def _take_resume(self, record: Resumed) -> None:
        """Forget what was reported for later steps: it is void."""
        if self._sessions:
            self._sessions[-1] = replace(self._sessions[-1], step=record.step)
        self._forget_after(record)

    def _forget_after(self, record: Resumed | Rewound) -> None:
        self._resumes.append(record)
        self.steps.truncate(record.step)
        self.events = [event for event in self.events if not is_void(event, record.step)]
        time_s, step = self.system.column("time_s"), self.system.column("step")
        self.system.keep((time_s > record.time_s) | (step <= record.step))

    def _take_system_rows(self, first: int, rows: Rows) -> None:
        if first == 0 and self.system.n:
            self.system.truncate(0)
        for resume in self._resumes:
            rows = rows[(rows["time_s"] > resume.time_s) | (rows["step"] <= resume.step)]
        self.system.append(rows)
        if len(rows):
            self._seen_s = max(self._seen_s, float(rows["time_s"][-1]))

    def _take_liveness(self, update: Update) -> None:
        was = self.status.state
        self.status = replace(self.status, alive=update.alive)
        if update.killed and was != "killed":
            self.status = replace(self.status, state="killed")
            self.events.append(self._killed_event())
        if update.alive and self.status.state in _AT_REST:
            self.status = replace(self.status, state="starting", ended=None)
        if update.stillborn is not None:
            self.status = replace(self.status, state="failed")
        self.error = self._problem(update)

    def _killed_event(self) -> Event:
        last = self.checkpoints[-1].step if self.checkpoints else None
        go_on = "Resume starts it again."
        if last is not None:
            go_on = f"Nothing before step {last:,} is lost; resume goes on from there."
        return Event(
            self._seen_s,
            "ended",
            "error",
            f"{work_name(self.verb)} was killed",
            f"Its process ended without a word, perhaps out of memory. {go_on}",
            self.step or None,
        )

    def _problem(self, update: Update) -> Problem | None:
        if update.problem is not None:
            return Problem(update.problem.what, update.problem.safe, update.problem.do)
        if update.stillborn is not None:
            return Problem(
                "The job ended before it could begin.",
                "Nothing that was saved before is touched.",
                "The details say why; correct that, then start it again.",
                update.stillborn,
            )
        ended = self.status.ended
        if ended is not None and ended.what:  # it failed, or paused of its own accord
            return Problem(ended.what, ended.safe, ended.do, ended.details)
        if self.status.state == "killed":
            event = self._killed_event()
            return Problem(event.title + ".", event.text, "Resume the job.")
        return None

    def _notice_reattachment(self) -> None:
        """Say once that a job which was at work before this studio opened is followed again."""
        if self._opened_s is None or not self.alive:
            return
        if 0.0 < self.status.started_s < self._opened_s:
            self.reattached_s = time.time()
            self.events.append(
                Event(
                    self.reattached_s,
                    "reattached",
                    "good",
                    "Window reattached",
                    f"{work_name(self.verb)} went on in the background; nothing missed",
                    self.step or None,
                )
            )
