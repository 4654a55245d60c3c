"""Follows a job folder: each poll reads what the job wrote since the last one.

The order matters. Whether the process is alive is asked before the journal is read, so that what
is gone has written its last word by then. The journal is read before the step rows and once more
after them: when the job was resumed in between, the rows are dropped and read again.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studio.runs.launch import log_tail, read_launch
from trainer_core import spec as specs
from trainer_core.errors import JobFolderError, KnownError, from_os_error
from trainer_core.journal import read_records
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE, Rows, count_rows, read_rows
from trainer_core.protocol import read_owner
from trainer_core.records import Ended, JobStarted, Record, Resumed, Rewound
from trainer_core.status import JOURNAL_FILE, SPEC_FILE, STEPS_FILE, SYSTEM_FILE

RECORDS_MAX = 2_000
ROWS_MAX = 100_000
"""Bounds of one update, so that applying it never holds up a frame for long."""

_HEAD_BYTES = 64
"""The first bytes of a journal tell it from others: its first record holds a time and checksum."""


@dataclass(frozen=True)
class Update:
    """What a poll found. Apply updates in order, each exactly once."""

    folder: Path
    spec: specs.JobSpec | None = None
    records: tuple[Record, ...] = ()
    first_row: int = 0
    """Step rows from this number on are replaced by `rows`."""
    rows: Rows | None = None
    rows_known: int = 0
    """Step rows that there are, read or not; 0 where that was not asked."""
    first_system_row: int = 0
    system_rows: Rows | None = None
    system_rows_known: int = 0
    reset: bool = False
    """The folder holds another job than before: forget everything first."""
    alive: bool = False
    """Whether a process works on the job, or was just started to."""
    killed: bool = False
    """By the journal it works, but its process is gone."""
    stillborn: str | None = None
    """A process was started and died before its first record: the end of its log."""
    problem: KnownError | None = None
    """The folder cannot be read, or only in part."""
    more: bool = False
    """There is more to read right now."""
    is_news: bool = True
    """Whether anything is different from the update before."""


class JobTail:
    """Reads one job folder bit by bit. Belongs to one thread; never writes."""

    def __init__(self, folder: Path) -> None:
        """Start before the first record."""
        self.folder = folder
        self._spec: specs.JobSpec | None = None
        self._was_there = False
        self._told: tuple[object, ...] = ()
        self._journal_id = 0
        self._head = b""
        self._forget()

    def _forget(self) -> None:
        self._offset = 0
        self._pending: deque[Record] = deque()
        self._row = 0
        self._system_row = 0
        self._started_s = 0.0
        self._pid = 0
        self._at_work = False
        self._resumed_step = 0
        self._last_row = b""
        self._last_system_row = b""

    def poll(self) -> Update:
        """Everything new since the last poll, up to a bound; never raises for a bad folder."""
        try:
            update = self._poll()
        except KnownError as error:
            update = Update(self.folder, spec=self._spec, problem=error)
        except OSError as error:
            problem = from_os_error(error, "reading the job folder")
            update = Update(self.folder, spec=self._spec, problem=problem)
        return self._mark_news(update)

    def _mark_news(self, update: Update) -> Update:
        problem = update.problem.what if update.problem else ""
        told = (update.alive, update.killed, update.stillborn, problem, update.spec is None)
        grew = bool(update.records) or update.rows is not None or update.system_rows is not None
        is_news = grew or update.reset or told != self._told
        self._told = told
        return replace(update, is_news=is_news)

    def _poll(self) -> Update:
        if not self._is_there():
            return Update(self.folder)
        reset = self._was_replaced()
        if reset:
            self._forget()
            self._spec = None
        owner_lived = self._owner_lives()
        launch = read_launch(self.folder)
        launch_lived = launch is not None and launch.alive
        problem = self._read_spec()
        self._read_journal()
        update = Update(self.folder, spec=self._spec, reset=reset, problem=problem)
        if len(self._pending) <= RECORDS_MAX:
            update = self._with_rows(update)
        records = self._take_records()
        alive = self._confirm(owner_lived)
        stillborn: str | None = None
        if launch is not None and not alive and launch.time_s > self._started_s:
            alive = launch_lived
            stillborn = None if launch_lived else log_tail(self.folder)
        return replace(
            update,
            records=records,
            alive=alive,
            killed=self._at_work and not alive and stillborn is None,
            stillborn=stillborn,
            more=bool(self._pending) or update.more,
        )

    # --- the folder ----------------------------------------------------------------------------

    def _is_there(self) -> bool:
        if self.folder.is_dir():
            self._was_there = True
            return True
        if self._was_there:
            raise JobFolderError(
                f"The folder {self.folder} is gone.",
                safe="What was read from it before is still shown.",
                do="Put the folder back, or remove this entry.",
            )
        return False

    def _was_replaced(self) -> bool:
        """Whether the journal is another file than before, or shorter than what was read of it."""
        try:
            with (self.folder / JOURNAL_FILE).open("rb") as file:
                found = os.fstat(file.fileno())
                head = file.read(_HEAD_BYTES)
        except FileNotFoundError:
            return self._offset > 0
        before, self._journal_id = self._journal_id, found.st_ino
        known, self._head = self._head[: self._offset], head
        if before not in (0, found.st_ino) or found.st_size < self._offset:
            return True
        return not head.startswith(known)  # a file system may give the new one the old number

    def _read_spec(self) -> KnownError | None:
        path = self.folder / SPEC_FILE
        if self._spec is None and path.exists():
            try:
                self._spec = specs.load(path)
            except KnownError as error:  # the rest of the folder may still tell something
                return error
        return None

    # --- the process ---------------------------------------------------------------------------

    def _owner_lives(self) -> bool:
        owner = read_owner(self.folder)
        return owner is not None and owner.alive

    def _confirm(self, owner_lived: bool) -> bool:
        """Whether the process is alive, now that its journal was read.

        When the owner was dead before the journal was read, but the journal begins a new session,
        another process has taken over since: ask again.
        """
        if owner_lived:
            return self._at_work
        owner = read_owner(self.folder)
        return self._at_work and owner is not None and owner.pid == self._pid and owner.alive

    # --- the files -----------------------------------------------------------------------------

    def _read_journal(self) -> bool:
        """Take in new records; tells whether later steps became void."""
        records, self._offset = read_records(self.folder / JOURNAL_FILE, self._offset)
        self._pending.extend(records)
        for record in records:
            match record:
                case JobStarted():
                    self._started_s, self._pid, self._at_work = record.time_s, record.pid, True
                case Resumed() | Rewound():
                    if record.step < self._row:
                        self._row, self._last_row = record.step, b""
                    self._resumed_step = record.step
                    if isinstance(record, Rewound):  # by hand, while nobody works on it
                        self._at_work = False
                case Ended():
                    self._at_work = False
        return any(isinstance(record, Resumed | Rewound) for record in records)

    def _take_records(self) -> tuple[Record, ...]:
        count = min(len(self._pending), RECORDS_MAX)
        return tuple(self._pending.popleft() for _ in range(count))

    def _with_rows(self, update: Update) -> Update:
        steps = self._new_rows(STEPS_FILE, STEP_DTYPE, self._row, self._last_row)
        if steps is None:
            # Cut back, and perhaps grown again, since the last poll: only what was done before
            # the last known resume can have stayed.
            first = min(self._row, self._resumed_step)
            steps = self._new_rows(STEPS_FILE, STEP_DTYPE, first, b"", again=True)
        system = self._new_rows(SYSTEM_FILE, SYSTEM_DTYPE, self._system_row, self._last_system_row)
        if system is None:
            system = self._new_rows(SYSTEM_FILE, SYSTEM_DTYPE, 0, b"", again=True)
        if steps is None or system is None or self._read_journal():
            return update  # these rows may be void: the next poll reads them again
        self._row, self._last_row = steps.end, steps.last
        self._system_row, self._last_system_row = system.end, system.last
        return replace(
            update,
            first_row=steps.first,
            rows=steps.rows,
            first_system_row=system.first,
            system_rows=system.rows,
            more=steps.more or system.more,
            rows_known=steps.known,
            system_rows_known=system.known,
        )

    def _new_rows(
        self, name: str, dtype: np.dtype[np.void], known: int, last: bytes, *, again: bool = False
    ) -> _NewRows | None:
        """Rows after the known ones; None when those are not in the file any more.

        Args:
            name: File in the job folder.
            dtype: Its rows.
            known: How many were read before.
            last: The last one of these, to see whether it still stands; empty skips that.
            again: Report even that there are no rows.
        """
        before = 1 if last else 0
        path = self.folder / name
        rows = read_rows(path, known - before, dtype, before + ROWS_MAX + 1)
        if len(rows) < before or (before and rows[0].tobytes() != last):
            return None
        rows = rows[before:]
        if dtype == STEP_DTYPE:
            rows = _dense(rows, known)
        taken = rows[:ROWS_MAX]
        return _NewRows(
            first=known,
            rows=taken if len(taken) or again else None,
            last=taken[-1].tobytes() if len(taken) else last,
            more=len(rows) > ROWS_MAX,
            known=count_rows(path, dtype) if len(rows) > ROWS_MAX else known + len(taken),
        )


@dataclass(frozen=True)
class _NewRows:
    """Rows from a row number on; None for no change."""

    first: int
    rows: Rows | None
    last: bytes
    more: bool
    known: int

    @property
    def end(self) -> int:
        return self.first + (0 if self.rows is None else len(self.rows))


def _dense(rows: Rows, first: int) -> Rows:
    """The rows up to the first one whose step is not the expected one."""
    wrong = np.flatnonzero(rows["step"] != np.arange(first, first + len(rows)) + 1)
    return rows[: int(wrong[0])] if len(wrong) else rows
