"""The table of datasets: what each row says about its text and its index."""

from __future__ import annotations

import time
from dataclasses import dataclass

from studio.storage.rows import DatasetRow
from studio.widgets.cells import Cell, Column, Row
from studio.widgets.figures import MISSING, count, duration, percent, plural, size, whole
from studio.widgets.pill import PILLS, PillLook
from trainer_core.status import JobStatus

COLUMNS = (
    Column("name", "Name", 140, 1, "strong"),
    Column("what", "What", 150, 5, "muted"),
    Column("documents", "Documents", 96, style="mono", right=True),
    Column("tokens", "Tokens", 80, style="mono", right=True),
    Column("size", "Size", 88, style="mono", right=True),
    Column("tokenizer", "Tokenizer", 124, style="muted"),
    Column("index", "Memory index", 258, style="muted", sortable=False),
    Column("used", "Used by", 84, style="muted"),
)

IDLE = JobStatus()
_WAITING = ("unborn", "")


class PhaseClock:
    """Tells how long the current phase of a job will still take, from when it was first seen."""

    def __init__(self) -> None:
        self._phase = ""
        self._began = (0.0, 0.0)

    def seconds_left(self, status: JobStatus, now_s: float | None = None) -> float | None:
        """Seconds until the phase is done; None while that cannot be told.

        Args:
            status: The job; its progress carries the time it was made at.
            now_s: Seconds since the epoch; None takes the clock.
        """
        progress = status.progress
        if progress is None or progress.total <= 0:
            return None
        now = time.time() if now_s is None else now_s
        if progress.phase != self._phase or progress.done < self._began[1]:
            self._phase, self._began = progress.phase, (progress.time_s or now, progress.done)
        began_s, began_done = self._began
        done, elapsed = progress.done - began_done, now - began_s
        if done <= 0 or elapsed < 1.0:
            return None
        return elapsed * (progress.total - progress.done) / done


@dataclass(frozen=True)
class RowFacts:
    """What a row is made from.

    Attributes:
        dataset: The library's row.
        prepare: The job that reads the text.
        index: The job that builds the index.
        used_by: Number of runs.
        seconds_left: Of the job at work.
        build_seconds: How long a build would take by earlier ones; None without any.
        known: Whether the jobs' folders have been read; before that nothing is said of them.
    """

    dataset: DatasetRow
    prepare: JobStatus = IDLE
    index: JobStatus = IDLE
    used_by: int = 0
    seconds_left: float | None = None
    build_seconds: float | None = None
    known: bool = True


def table_row(facts: RowFacts) -> Row:
    """The row of one dataset."""
    dataset = facts.dataset
    lock = "lock" if dataset.private else ""
    what = f"{dataset.what}, never leaves this computer" if dataset.private else dataset.what
    return Row(
        dataset.id,
        {
            "name": Cell(dataset.name, icon=lock, tooltip="Private" if lock else ""),
            "what": Cell(what or MISSING),
            "documents": _figure(dataset.documents, whole(dataset.documents), "documents"),
            "tokens": _figure(dataset.tokens, count(dataset.tokens), "tokens"),
            "size": _figure(dataset.size_bytes, size(dataset.size_bytes), "bytes"),
            "tokenizer": Cell(dataset.tokenizer),
            "index": state_cell(facts),
            "used": Cell(plural(facts.used_by, "run") if facts.used_by else "none"),
        },
    )


def _figure(value: int | None, text: str, unit: str) -> Cell:
    exact = "" if value is None else f"{value:,} {unit}"
    return Cell(text, sort=float("nan") if value is None else value, tooltip=exact)


def state_cell(facts: RowFacts) -> Cell:
    """What stands under "Memory index": first of all, whether the text is there."""
    if not facts.known:
        return Cell()
    if facts.prepare.state != "finished":
        return _prepare_cell(facts)
    state = facts.index.state
    if state in _WAITING and not facts.index.alive:
        about = "Build"
        if facts.build_seconds:
            about = f"Build, about {duration(max(facts.build_seconds, 1.0))}"
        return Cell(about, pill=PILLS["not_built"], link=True)
    if state == "finished":
        stored = facts.dataset.index_bytes
        return Cell(size(stored) if stored else "", pill=PILLS["ready"], style="mono_muted")
    if state in ("failed", "killed", "stopped", "paused"):
        return _ended_cell(facts.index, "Build again")
    return _working_cell(facts.index, PILLS["building"], facts.seconds_left)


def _prepare_cell(facts: RowFacts) -> Cell:
    status = facts.prepare
    if status.state in ("failed", "killed", "stopped", "paused"):
        wrong_setting = status.ended is not None and bool(status.ended.field)
        return _ended_cell(status, "Change" if wrong_setting else "Read again")
    return _working_cell(status, PILLS["reading"], facts.seconds_left)


def _ended_cell(status: JobStatus, link: str) -> Cell:
    why = status.ended.what if status.ended else "Its process ended without a word."
    return Cell(link, pill=PILLS.get(status.state, PILLS["failed"]), link=True, tooltip=why)


def _working_cell(status: JobStatus, pill: PillLook, seconds_left: float | None) -> Cell:
    progress = status.progress
    if progress is None or progress.total <= 0:
        return Cell(progress.phase if progress else "", pill=pill)
    share = min(progress.done / progress.total, 1.0)
    text = percent(share, 0)
    if seconds_left is not None:
        text = f"{text}, {duration(seconds_left)} left"
    return Cell(text, pill=pill, share=share, bar_role="info", tooltip=progress.phase)
