"""Per-step and per-second figures as fixed-size rows that numpy maps and charts read directly.

Layout: 16 bytes (8 magic, u32 version, u32 bytes per row), then rows. Row i of the step log is step
i + 1, so a reader needs no index and a resumed run cuts the file at its checkpoint's step.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import JobFolderError
from trainer_core.files import append_whole

Rows = NDArray[np.void]

STEP_DTYPE = np.dtype(
    [
        ("step", "<u4"),
        ("tokens_seen", "<u8"),
        ("elapsed_s", "<f8"),
        ("loss", "<f4"),
        ("lr", "<f4"),
        ("grad_norm", "<f4"),
        ("tokens_per_s", "<f4"),
        ("hit_rate", "<f4"),
        ("mean_match", "<f4"),
    ]
)
"""One row per optimizer step.

`elapsed_s` counts active training seconds over all sessions; `loss` is the mean over the step's
tokens in nats; `hit_rate` is the share of tokens whose match names the right next token and
`mean_match` the mean match length in tokens, both NaN without an index.
"""

SYSTEM_DTYPE = np.dtype(
    [
        ("time_s", "<f8"),
        ("step", "<u4"),
        ("process_gib", "<f4"),
        ("ram_used_gib", "<f4"),
        ("ram_total_gib", "<f4"),
        ("cpu_pct", "<f4"),
        ("gpu_used_gib", "<f4"),
        ("gpu_total_gib", "<f4"),
        ("gpu_pct", "<f4"),
        ("gpu_temp_c", "<f4"),
        ("gpu_power_w", "<f4"),
    ]
)
"""One row per second; NaN where this computer has no such thing."""

VERSION = 1
_HEADER = struct.Struct("<8sII")
_MAGIC = {STEP_DTYPE: b"HEARTHST", SYSTEM_DTYPE: b"HEARTHSY"}
_CHECKED_ROWS = 4096


def _check_header(header: bytes, dtype: np.dtype[np.void], path: Path) -> None:
    magic, version, row_bytes = _HEADER.unpack(header)
    if magic != _MAGIC[dtype]:
        raise JobFolderError(
            f"{path} does not hold the figures it should.",
            safe="Nothing was changed.",
            do="Restore this file from a copy, or remove it to start its record anew.",
        )
    if version > VERSION or row_bytes != dtype.itemsize:
        raise JobFolderError(
            f"{path} was written by another version of Hearth.",
            safe="Nothing was changed.",
            do="Open this job with the version that wrote it, or a newer one.",
        )


def read_rows(
    path: Path,
    start: int = 0,
    dtype: np.dtype[np.void] = STEP_DTYPE,
    most: int | None = None,
) -> Rows:
    """Whole rows from a row number on, possibly while another process appends.

    Args:
        path: The file.
        start: First row wanted, from 0.
        dtype: `STEP_DTYPE` or `SYSTEM_DTYPE`.
        most: Rows wanted at most; None wants all.

    Returns:
        A copy, (rows,); empty when the file is absent or shorter.

    Raises:
        JobFolderError: The file is of another kind or version.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return np.empty(0, dtype)
            _check_header(header, dtype, path)
            there = (os.fstat(file.fileno()).st_size - _HEADER.size) // dtype.itemsize - start
            wanted = there if most is None else min(there, most)
            file.seek(_HEADER.size + start * dtype.itemsize)
            return np.fromfile(file, dtype, max(0, wanted))
    except FileNotFoundError:
        return np.empty(0, dtype)


def count_rows(path: Path, dtype: np.dtype[np.void] = STEP_DTYPE) -> int:
    """Whole rows in a file; 0 when it is absent."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    return max(size - _HEADER.size, 0) // dtype.itemsize


class RowLog:
    """Appends fixed-size rows; opening it cuts off a half-written row."""

    dtype: np.dtype[np.void] = SYSTEM_DTYPE

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            JobFolderError: It is of another kind or version.
            OSError: It cannot be written.
        """
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o644)
        try:
            self._recover()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _recover(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size < _HEADER.size:
            os.ftruncate(self._descriptor, 0)
            header = _HEADER.pack(_MAGIC[self.dtype], VERSION, self.dtype.itemsize)
            append_whole(self._descriptor, header)
            return
        with self.path.open("rb") as file:
            _check_header(file.read(_HEADER.size), self.dtype, self.path)
        self._cut((size - _HEADER.size) // self.dtype.itemsize)

    def _cut(self, rows: int) -> None:
        os.ftruncate(self._descriptor, _HEADER.size + rows * self.dtype.itemsize)

    @property
    def rows(self) -> int:
        """Whole rows in the file."""
        return (os.fstat(self._descriptor).st_size - _HEADER.size) // self.dtype.itemsize

    def append(self, rows: Rows) -> None:
        """Add rows of this file's dtype, (n,).

        Raises:
            OSError: The disk is full or gone; the file is as it was before.
        """
        append_whole(self._descriptor, np.ascontiguousarray(rows, self.dtype).tobytes())

    def sync(self) -> None:
        """Wait until the rows are on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SystemLog(RowLog):
    """The per-second log of a job."""

    dtype = SYSTEM_DTYPE


class StepLog(RowLog):
    """The per-step log of a training: dense, row i is step i + 1."""

    dtype = STEP_DTYPE

    def _recover(self) -> None:
        super()._recover()
        rows = self.rows
        first = max(0, rows - _CHECKED_ROWS)
        tail = read_rows(self.path, first, self.dtype)
        wrong = np.flatnonzero(tail["step"] != np.arange(first, first + len(tail)) + 1)
        if len(wrong):
            self._cut(first + int(wrong[0]))

    def truncate(self, step: int) -> None:
        """Forget everything after this step.

        Raises:
            JobFolderError: The log ends before it, so rows of finished steps are missing.
        """
        if step > self.rows:
            raise JobFolderError(
                f"{self.path} ends at step {self.rows}, before the checkpoint at step {step}.",
                safe="The checkpoints are whole.",
                do="Resume from an earlier checkpoint.",
            )
        self._cut(step)
        self.sync()
