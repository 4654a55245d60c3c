"""What a job folder says about its job, whether or not a process works in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.journal import read_records
from trainer_core.protocol.address import read_owner
from trainer_core.records import (
    END_STATES,
    CheckpointRemoved,
    CheckpointSaved,
    CheckpointThinned,
    ChildStarted,
    Ended,
    Held,
    JobStarted,
    Noted,
    PlanChanged,
    Progress,
    Provenance,
    Record,
    Released,
    Result,
    Resumed,
    Rewound,
    Sampled,
    SourcesSeen,
    State,
    StateChanged,
    TextEntropy,
    Validated,
)
from trainer_core.training_plan import with_change, without_changes_from

SPEC_FILE = "spec.toml"
JOURNAL_FILE = "journal.bin"
STEPS_FILE = "steps.bin"
SYSTEM_FILE = "system.bin"
LOG_FILE = "log.txt"
LOCK_FILE = "lock"
CHECKPOINTS_FOLDER = "checkpoints"

Shown = State | Literal["unborn", "killed"]
"""`unborn`: a spec without a journal. `killed`: at work by its journal, but its process is gone."""


@dataclass(frozen=True)
class JobStatus:
    """A job as its journal tells it. Void records (before a resume) are left out."""

    verb: str = ""
    state: Shown = "unborn"
    pid: int = 0
    alive: bool = False
    started_s: float = 0.0
    """When the running or last session began, seconds since the epoch."""
    born_s: float = 0.0
    """When the first session began."""
    last_s: float = 0.0
    """When the last record was written."""
    sessions: int = 0
    resumed_step: int = 0
    """Step that the running or last session began at."""
    device: str = ""
    progress: Progress | None = None
    validations: tuple[Validated, ...] = ()
    checkpoints: tuple[CheckpointSaved, ...] = ()
    samples: tuple[Sampled, ...] = ()
    notes: tuple[Noted, ...] = ()
    entropy: TextEntropy | None = None
    """Of the training text; None in trainings of older versions."""
    seen: SourcesSeen | None = None
    """How much of each source was seen; None in trainings of older versions."""
    changes: tuple[PlanChanged, ...] = ()
    """What a person changed about a training's plan, in the order of their steps."""
    rewound: tuple[Rewound, ...] = ()
    rewind_to: int | None = None
    """Step of the checkpoint that the run was taken back to, until it goes on from there."""
    held: Held | None = None
    """Why a training waits; None while it does not."""
    provenance: Provenance | None = None
    """What the newest session runs on and with; None in older versions."""
    children: tuple[ChildStarted, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)
    ended: Ended | None = None

    @property
    def best(self) -> Validated | None:
        """The validation with the lowest loss."""
        finite = [v for v in self.validations if v.loss == v.loss]
        return min(finite, key=lambda v: v.loss, default=None)

    @property
    def resumable(self) -> bool:
        """Whether starting the job again would go on with it."""
        return not self.alive and self.state in ("paused", "stopped", "failed", "killed", "unborn")


def fold(status: JobStatus, record: Record) -> JobStatus:  # noqa: C901 - one line per record type
    """The status after one more record; `alive` is left as it was."""
    status = replace(status, last_s=record.time_s or status.last_s)
    match record:
        case JobStarted():
            return replace(
                status,
                verb=record.verb,
                state="starting",
                pid=record.pid,
                started_s=record.time_s,
                born_s=status.born_s or record.time_s,
                sessions=status.sessions + 1,
                resumed_step=0,
                device=record.device,
                ended=None,
                held=None,
                children=(),
            )
        case Resumed():
            return replace(_forget_after(status, record.step), rewind_to=None)
        case StateChanged():
            return replace(status, state=record.state)
        case Progress():
            return replace(status, progress=record)
        case Validated():
            return replace(status, validations=(*status.validations, record))
        case CheckpointSaved():
            kept = tuple(c for c in status.checkpoints if c.step != record.step)
            return replace(status, checkpoints=(*kept, record), rewind_to=None)
        case CheckpointThinned():
            thinned = tuple(_thinned(c, record) for c in status.checkpoints)
            return replace(status, checkpoints=thinned)
        case CheckpointRemoved():
            kept = tuple(c for c in status.checkpoints if c.step != record.step)
            return replace(status, checkpoints=kept)
        case PlanChanged():
            return _changed(status, record)
        case Rewound():
            return _rewound(status, record)
        case Held():
            return replace(status, held=record)
        case Released():
            return replace(status, held=None)
        case Provenance():
            device = record.hardware.get("device", status.device)
            return replace(status, provenance=record, device=device)
        case Sampled():
            return replace(status, samples=(*status.samples, record))
        case Noted():
            return replace(status, notes=(*status.notes, record))
        case SourcesSeen():
            return replace(status, seen=record)
        case TextEntropy():
            return replace(status, entropy=record)
        case ChildStarted():
            return replace(status, children=(*status.children, record))
        case Result():
            return replace(status, result=record.values)
        case Ended():
            return replace(status, state=record.state, ended=record)


def _changed(status: JobStatus, record: PlanChanged) -> JobStatus:
    """A later end lets a finished training go on."""
    status = replace(status, changes=with_change(status.changes, record))
    if status.state != "finished" or record.steps is None:
        return status
    ended = status.ended and msgspec.structs.replace(status.ended, state="paused")
    return replace(status, state="paused", ended=ended)


def _rewound(status: JobStatus, record: Rewound) -> JobStatus:
    """A training at rest whose later figures are void; what it failed of lies behind it."""
    status = _forget_after(status, record.step)
    return replace(
        status,
        state="paused",
        ended=Ended(time_s=record.time_s, state="paused", exit_code=0, step=record.step),
        changes=without_changes_from(status.changes, record.step),
        rewound=(*status.rewound, record),
        rewind_to=record.step,
    )


def _thinned(saved: CheckpointSaved, record: CheckpointThinned) -> CheckpointSaved:
    if saved.step != record.step:
        return saved
    return msgspec.structs.replace(saved, size_bytes=record.size_bytes, resumable=False)


def _forget_after(status: JobStatus, step: int) -> JobStatus:
    return replace(
        status,
        resumed_step=step,
        validations=tuple(v for v in status.validations if v.step <= step),
        checkpoints=tuple(c for c in status.checkpoints if c.step <= step),
        samples=tuple(s for s in status.samples if s.step <= step),
        seen=status.seen if status.seen is not None and status.seen.step <= step else None,
    )


def with_liveness(status: JobStatus, folder: Path) -> JobStatus:
    """The same status, with `alive`, and "killed" where the process is gone without a word."""
    owner = read_owner(folder)
    alive = owner is not None and owner.pid == status.pid and owner.alive
    if status.state in END_STATES or status.state == "unborn":
        return replace(status, alive=alive and status.state in END_STATES)
    return replace(status, alive=alive, state=status.state if alive else "killed")


def read_status(folder: Path) -> JobStatus:
    """Read a job folder.

    Raises:
        JobFolderError: The journal is damaged at its head or of a newer version.
    """
    records, _ = read_records(folder / JOURNAL_FILE)
    status = JobStatus(verb=_verb_of_folder(folder))
    for record in records:
        status = fold(status, record)
    return with_liveness(status, folder)


def _verb_of_folder(folder: Path) -> str:
    try:
        return specs.verb_of(specs.load(folder / SPEC_FILE))
    except KnownError:
        return ""
