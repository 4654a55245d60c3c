"""The folder in which an index is made: files that grow, and which steps of the work are finished.

The draft stands beside the place where the index will be. A thread writes and hashes its files
beside the work itself. Of a long build each finished step is noted with the sizes and checksums of
the files that it wrote, so that a build that was killed goes on behind its last whole step.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import contextlib
import hashlib
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import from_os_error
from trainer_core.files import (
    append_whole,
    draft_beside,
    put_back,
    put_in_place,
    replaced_beside,
    sync,
    write_whole_file,
)
from trainer_core.index import store
from trainer_core.index.building.growing import GrowingFile, whole_until
from trainer_core.index.store import FileEntry

PLAN_FILE = "plan.json"
STEPS_FILE = "steps.jsonl"
WORK_PREFIX = "work-"
"""Begins the names of files that are gone when the index is finished."""

_WAITING_BYTES = 1 << 25
"""Arrays that may wait to be written, together, before the work waits for the disk."""


class _Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the list of finished steps.

    Attributes:
        name: Of the step.
        files: Size in bytes and CRC-32 of each file that it appended to, as the step left it.
        dropped: Files that nothing needs any more.
    """

    name: str
    files: dict[str, tuple[int, int]] = {}
    dropped: tuple[str, ...] = ()


class Draft:
    """An index that is being made; see `draft_of`. Its methods are called by one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.resumable = (folder / PLAN_FILE).exists()
        """Whether what is there is worth keeping when the work is interrupted."""
        self._files: dict[str, GrowingFile] = {}
        self._finished: set[str] = set()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="index-files")
        self._waiting: deque[tuple[Future[None], int]] = deque()

    # --- files ---------------------------------------------------------------------------------

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Append numbers to a file, which is made when it is absent.

        Args:
            name: Of the file.
            values: Any array; from now on nobody changes it.

        Raises:
            OSError: The disk is full or gone; maybe because of an earlier call.
        """
        if name not in self._files:
            self._files[name] = GrowingFile(
                self.folder / name, lasting=not _is_work(name), resumable=self.resumable
            )
        little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        data = little.view(np.uint8).reshape(-1).data
        file = self._files[name]
        self._waiting.append((self._beside.submit(file.append, data), len(data)))
        while sum(size for _, size in self._waiting) > _WAITING_BYTES and len(self._waiting) > 1:
            self._waiting.popleft()[0].result()

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: The disk is full or gone.
        """
        while self._waiting:
            self._waiting.popleft()[0].result()
        for file in self._files.values():
            file.flush()

    def path(self, name: str) -> Path:
        """Where a file is, with all that was appended to it.

        Raises:
            OSError: The disk is full or gone.
        """
        self.wait()
        return self._files[name].path

    def map(self, name: str, dtype: str) -> NDArray[Any]:
        """What a file holds by now, mapped read-only.

        Raises:
            OSError: It cannot be written or read.
        """
        self.wait()
        size_bytes = self._files[name].size_bytes
        if not size_bytes:  # an empty file cannot be mapped
            return np.zeros(0, dtype=dtype)
        kind = np.dtype(dtype).newbyteorder("<")
        size = size_bytes // kind.itemsize
        return np.asarray(np.memmap(self.folder / name, dtype=kind, mode="r", shape=(size,)))

    def sha256(self, names: Sequence[str]) -> str:
        """A hash of files' hashes."""
        self.wait()
        return hashlib.sha256(
            "".join(self._files[name].sha256 for name in names).encode()
        ).hexdigest()

    def work_files(self) -> list[str]:
        """Names of the files that there are and that do not last."""
        return [name for name in self._files if _is_work(name)]

    def entries(self) -> tuple[FileEntry, ...]:
        """What the manifest says of the files that last, as they are now.

        Raises:
            OSError: The disk is full or gone.
        """
        self.wait()
        return tuple(
            FileEntry(name=name, size_bytes=file.size_bytes, sha256=file.sha256)
            for name, file in sorted(self._files.items())
            if not _is_work(name)
        )

    # --- steps ---------------------------------------------------------------------------------

    def go_on(self, plan: bytes, *, resumable: bool) -> int:
        """Take up what an earlier attempt with the same plan has finished; clear anything else.

        Args:
            plan: What is built, and in which steps.
            resumable: Whether to note the steps of this attempt.

        Returns:
            How many steps are finished.

        Raises:
            OSError: The disk is full or gone.
        """
        self.wait()
        steps = self._whole_steps() if resumable and self.plan() == plan else []
        sizes = {name: size for step in steps for name, (size, _) in step.files.items()}
        for name in (name for step in steps for name in step.dropped):
            sizes.pop(name, None)
        for path in self.folder.iterdir():
            if path.name not in self._files and path.name not in sizes:
                path.unlink()
        for name, size_bytes in sizes.items():
            self._files[name] = GrowingFile(
                self.folder / name, keep_bytes=size_bytes, lasting=not _is_work(name)
            )
        self._finished = {step.name for step in steps}
        self.resumable = resumable
        if resumable:
            lines = b"".join(msgspec.json.encode(step) + b"\n" for step in steps)
            write_whole_file(self.folder / STEPS_FILE, lines)
            write_whole_file(self.folder / PLAN_FILE, plan)
        return len(steps)

    def plan(self) -> bytes:
        """The plan of the attempt that left this draft; empty without one."""
        try:
            return (self.folder / PLAN_FILE).read_bytes()
        except OSError:
            return b""

    def has(self, step: str) -> bool:
        """Whether a step is finished."""
        return step in self._finished

    def finish(self, step: str, files: Iterable[str]) -> None:
        """Note that a step is finished.

        Args:
            step: Its name.
            files: What it appended to.

        Raises:
            OSError: The disk is full or gone.
        """
        self._note(step, tuple(files), ())

    def drop(self, step: str, files: Iterable[str]) -> None:
        """Remove files that nothing needs any more.

        Args:
            step: Name of the step that this is.
            files: Their names.

        Raises:
            OSError: They cannot be removed.
        """
        dropped = tuple(files)
        self.wait()
        for name in dropped:
            self._files.pop(name).abandon()
        self._note(step, (), dropped)
        self.wait()
        for name in dropped:
            with contextlib.suppress(PermissionError):  # mapped, on Windows; `close` removes it
                (self.folder / name).unlink()

    def _note(self, name: str, files: tuple[str, ...], dropped: tuple[str, ...]) -> None:
        self._finished.add(name)
        if self.resumable:
            written = [self._files[file] for file in files]
            self._waiting.append((self._beside.submit(self._write_step, name, written, dropped), 0))

    def _write_step(self, name: str, files: list[GrowingFile], dropped: tuple[str, ...]) -> None:
        for file in files:
            file.flush()
        step = _Step(name, {file.path.name: (file.size_bytes, file.crc) for file in files}, dropped)
        descriptor = os.open(self.folder / STEPS_FILE, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            append_whole(descriptor, msgspec.json.encode(step) + b"\n")
        finally:
            os.close(descriptor)

    def _whole_steps(self) -> list[_Step]:
        """The finished steps of an earlier attempt, up to the first one whose files are damaged."""
        steps: list[_Step] = []
        with contextlib.suppress(OSError, msgspec.DecodeError):
            for line in (self.folder / STEPS_FILE).read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                steps.append(msgspec.json.decode(line, type=_Step))
        dropped = {name: number for number, step in enumerate(steps) for name in step.dropped}
        marks: dict[str, list[tuple[int, int, int]]] = {}
        for number, step in enumerate(steps):
            for name, (size_bytes, crc) in step.files.items():
                if name not in dropped:
                    marks.setdefault(name, []).append((number, size_bytes, crc))
        whole = min(
            (whole_until(self.folder / name, of_file) for name, of_file in marks.items()),
            default=len(steps),
        )
        whole = min(whole, len(steps))
        # What a later step has dropped cannot be had again.
        return [] if any(number >= whole for number in dropped.values()) else steps[:whole]

    # --- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Write everything through to the disk and forget the steps; work files are removed.

        Raises:
            OSError: The disk is full or gone.
        """
        self.wait()
        self._beside.shutdown()
        for name, file in self._files.items():
            if _is_work(name):
                file.abandon()
            else:
                file.finish()
        for path in self.folder.iterdir():
            if _is_work(path.name) or path.name in (STEPS_FILE, PLAN_FILE):
                path.unlink()

    def abandon(self) -> None:
        """Let go of the files, whatever state they are in; what waits is written if it can be."""
        self._beside.shutdown()
        for file in self._files.values():
            file.abandon()


@contextlib.contextmanager
def draft_of(folder: Path) -> Iterator[Draft]:
    """A folder to write an index into; it takes its place when the block ends without an error.

    When the block is interrupted, the draft stays where it is if it is `resumable`.

    Args:
        folder: Where the index will be. One that is there is replaced at the end.

    Raises:
        IndexFileError: Something else than an index is there.
        DiskFullError: There is no room; nothing half-written stays, and what was there before is
            unharmed.
        KnownError: The folder cannot be written.
    """
    path = draft_beside(folder)
    draft: Draft | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        put_back(folder)
        if replaced_beside(folder).exists():
            shutil.rmtree(replaced_beside(folder))
        store.refuse_other_folder(folder)
        path.mkdir(exist_ok=True)
        draft = Draft(path)
        yield draft
        sync(path)
        put_in_place(path, folder)
    except OSError as error:
        if draft is not None:
            draft.abandon()
        shutil.rmtree(path, ignore_errors=True)
        raise from_os_error(error, "writing the index") from None
    except BaseException:
        if draft is not None:
            draft.abandon()
            if not draft.resumable:
                shutil.rmtree(path, ignore_errors=True)
        raise


def _is_work(name: str) -> bool:
    return name.startswith(WORK_PREFIX)
