"""What happened to a job, in sentences; routine events fold into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studio.runs.wording import count_text, duration_text, size_text
from trainer_core.records import (
    CheckpointSaved,
    ChildStarted,
    Ended,
    Held,
    JobStarted,
    Level,
    Noted,
    PlanChanged,
    Record,
    Released,
    Resumed,
    Rewound,
    Validated,
)
from trainer_core.spec import JobSpec, TrainSpec

EventKind = Literal[
    "validation",
    "checkpoint",
    "note",
    "child",
    "started",
    "resumed",
    "reattached",
    "ended",
    "changed",
    "rewound",
    "held",
    "released",
]
ROUTINE: frozenset[str] = frozenset({"validation", "checkpoint"})
_SHOWN_SINGLY = {"validation": 1, "checkpoint": 2}
"""How many of the newest routine events of a kind stay out of the groups."""

_WORK = {
    "prepare": "Reading text",
    "preview": "Preview",
    "tokenizers": "Comparison of tokenizers",
    "inspect": "Look at batches",
    "dump": "Export of text",
    "index": "Index build",
    "train": "Training",
    "evaluate": "Evaluation",
    "generate": "Playground",
    "export": "Export",
    "tour": "Tour",
    "probe": "Measurement",
    "rules": "Rule task",
}


@dataclass(frozen=True)
class Event:
    """One thing that happened. `time_s` is seconds since the epoch."""

    time_s: float
    kind: EventKind
    level: Level
    title: str
    text: str = ""
    step: int | None = None


@dataclass(frozen=True)
class EventGroup:
    """Routine events in a row, newest first."""

    events: tuple[Event, ...]

    @property
    def title(self) -> str:
        """Such as `22 validations, 3 checkpoints`."""
        validations = sum(event.kind == "validation" for event in self.events)
        checkpoints = len(self.events) - validations
        parts = []
        if validations:
            parts.append(count_text(validations, "validation", "validations"))
        if checkpoints:
            parts.append(count_text(checkpoints, "checkpoint", "checkpoints"))
        return ", ".join(parts)


def work_name(verb: str) -> str:
    """What a verb's job is called, such as `Training`."""
    return _WORK.get(verb, "Job")


def event_of(record: Record, *, verb: str, spec: JobSpec | None, first: bool) -> Event | None:
    """The event that a record tells, or None for the ones that are no news to a person.

    Args:
        record: What the job wrote.
        verb: The job's verb.
        spec: Its spec, where known.
        first: Whether this is the job's first session.
    """
    match record:
        case JobStarted():
            return _started(record, verb, spec) if first else None
        case Resumed():
            where = f"from step {record.step:,}" if record.step else "from the beginning"
            return Event(
                record.time_s, "resumed", "info", f"{work_name(verb)} resumed", where, record.step
            )
        case Validated():
            return _validated(record)
        case CheckpointSaved():
            return _checkpoint(record)
        case Noted():
            return Event(
                record.time_s, "note", record.level, record.title, record.text, record.step
            )
        case PlanChanged() | Rewound() | Held() | Released():
            return _steered(record, work_name(verb))
        case ChildStarted():
            return Event(record.time_s, "child", "info", record.name)
        case Ended():
            return _ended(record, verb)
        case _:
            return None


def _steered(record: PlanChanged | Rewound | Held | Released, work: str) -> Event:
    """What a person did to a training's course, or its manners."""
    time_s, step = record.time_s, record.step
    match record:
        case PlanChanged():
            return _changed(record)
        case Rewound():
            text = f"from step {record.from_step:,} to its checkpoint of step {step:,}"
            return Event(time_s, "rewound", "info", f"{work} taken back", text, step)
        case Held():
            return Event(time_s, "held", "info", f"{work} waits", record.reason, step)
        case Released():
            after = f"after {duration_text(record.seconds)}"
            return Event(time_s, "released", "info", f"{work} goes on", after, step)


def _changed(record: PlanChanged) -> Event:
    """What a person changed; two changes at once share one title, so that no figure is cut."""
    titles, parts = [], [f"after step {record.step:,}"]
    if record.lr is not None:
        titles.append(f"Learning rate is now {record.lr:g}")
    if record.steps is not None:
        titles.append(f"The end is now step {record.steps:,}")
    if record.skip:
        left_out = count_text(record.skip, "batch is left out", "batches are left out")
        titles.append(left_out)
    if len(titles) > 1:
        parts[:0] = [title[0].lower() + title[1:] for title in titles]
        titles = ["The plan is changed"]
    if record.why:
        parts.append(record.why)
    return Event(record.time_s, "changed", "info", "".join(titles), ", ".join(parts), record.step)


def _started(record: JobStarted, verb: str, spec: JobSpec | None) -> Event:
    text = ""
    if isinstance(spec, TrainSpec):
        tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
        text = f"Plan: {spec.budget.steps:,} steps, {tokens:,} tokens"
    return Event(record.time_s, "started", "info", f"{work_name(verb)} started", text)


def _validated(record: Validated) -> Event:
    best = ", best so far" if record.best else ""
    return Event(
        record.time_s,
        "validation",
        "good" if record.best else "info",
        f"Validation {record.loss:.3f}{best}",
        ", ".join(_validation_words(record)),
        record.step,
    )


def _validation_words(record: Validated) -> list[str]:
    words = [f"step {record.step:,}", f"{record.bits_per_byte:.3f} bits per byte"]
    if record.without_index is not None:
        words.append(f"{record.without_index.loss:.3f} without the index")
    words += [f"{each.name} {each.measured.loss:.3f}" for each in record.sets]
    if record.groups:
        worst = min(record.groups, key=lambda score: score.accuracy)
        words.append(f"worst accuracy {worst.accuracy:.0%} ({worst.group})")
    return words


def _checkpoint(record: CheckpointSaved) -> Event:
    parts = [f"step {record.step:,}", size_text(record.size_bytes)]
    if not record.resumable:
        parts.append("weights only")
    if record.best:
        parts.append("best so far")
    return Event(
        record.time_s, "checkpoint", "good", "Checkpoint saved", ", ".join(parts), record.step
    )


def _ended(record: Ended, verb: str) -> Event:
    if record.state == "failed":
        text = " ".join(part for part in (record.safe, record.do) if part)
        title = record.what or f"{work_name(verb)} failed"
        return Event(record.time_s, "ended", "error", title, text, record.step)
    at = "" if record.step is None else f"at step {record.step:,}"
    level: Level = "good" if record.state == "finished" else "info"
    if record.what:  # it paused of its own accord
        at = " ".join(part for part in (record.what, record.safe, record.do) if part)
        level = "warning"
    return Event(
        record.time_s, "ended", level, f"{work_name(verb)} {record.state}", at, record.step
    )


def is_void(event: Event, step: int) -> bool:
    """Whether a resume from this step makes the event void: it will happen again, or did not."""
    if event.step is None or event.step <= step:
        return False
    return event.kind in ROUTINE or (event.kind == "note" and event.level != "error")


def grouped(events: Sequence[Event]) -> list[Event | EventGroup]:
    """Events newest first, with routine ones in a row folded, but for the newest of each kind.

    Args:
        events: Oldest first, as `JobModel.events` has them.
    """
    out: list[Event | EventGroup] = []
    left = dict(_SHOWN_SINGLY)
    row: list[Event] = []

    def close_row() -> None:
        if len(row) == 1:
            out.append(row[0])
        elif row:
            out.append(EventGroup(tuple(row)))
        row.clear()

    for event in reversed(events):
        if event.kind in ROUTINE and not left.get(event.kind):
            row.append(event)
            continue
        if event.kind in ROUTINE:
            left[event.kind] -= 1
        close_row()
        out.append(event)
    close_row()
    return out
