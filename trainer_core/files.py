"""Files and folders that are whole or absent: through to the disk first, then under their name."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: The disk is full or gone.
    """
    if path.is_dir() and os.name != "posix":
        return  # Windows cannot open a folder; NTFS journals its names by itself
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until a folder and everything below it is on the disk.

    Raises:
        OSError: The disk is full or gone.
    """
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(parent) / name)
        sync(Path(parent))


def write_whole_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write or replace a file in one step; when this returns it is on the disk.

    Args:
        path: The file; its folder exists.
        data: All of it.
        mode: Permissions, less what the process's umask takes away.

    Raises:
        OSError: The disk is full or gone; what stood there before is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(draft, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_hashed(path: Path, pieces: Iterable[memoryview]) -> tuple[int, str]:
    """Write a new file through to the disk, hashing it on the way.

    Args:
        path: The new file.
        pieces: Its content, asked for one by one: each is written before the next is made.

    Returns:
        Its size in bytes and its SHA-256 in hexadecimal digits.

    Raises:
        OSError: The disk is full or gone; the file may be half written.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size_bytes += piece.nbytes
        file.flush()
        os.fsync(file.fileno())
    return size_bytes, digest.hexdigest()


def append_whole(descriptor: int, data: bytes) -> None:
    """Append all of the data to an open file or leave it as it was.

    Raises:
        OSError: ENOSPC for a write that came out short; a full disk often raises nothing itself.
    """
    start = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, start)
        raise


def draft_beside(folder: Path) -> Path:
    """Where a folder stands while it is written."""
    return folder.with_name(f".{folder.name}.writing")


def replaced_beside(folder: Path) -> Path:
    """Where an older folder stands until the new one has its name."""
    return folder.with_name(f".{folder.name}.replaced")


def put_in_place(draft: Path, folder: Path) -> None:
    """Give a finished folder its name; an older one of that name goes once the new one stands.

    After a crash between the two renames, `put_back` restores the older one.

    Raises:
        OSError: It cannot be renamed; the older one is where it was.
    """
    if folder.exists():
        folder.rename(replaced_beside(folder))
    try:
        draft.rename(folder)
        sync(folder.parent)
    except BaseException:
        put_back(folder)
        raise
    shutil.rmtree(replaced_beside(folder), ignore_errors=True)


def put_back(folder: Path) -> None:
    """Restore the older folder that an interrupted `put_in_place` had set aside.

    Raises:
        OSError: It cannot be renamed.
    """
    replaced = replaced_beside(folder)
    if replaced.exists() and not folder.exists():
        replaced.rename(folder)


@contextlib.contextmanager
def whole_folder(folder: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Give an empty folder to write into; it gets the name `folder` when the block ends well.

    Args:
        folder: Where it is to stand; an older one there is replaced.
        check: Called with it before anything is written; raises where it must stay as it is.

    Raises:
        OSError: The disk is full or gone; what stood there before is as it was.
    """
    draft = draft_beside(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        put_back(folder)
        shutil.rmtree(replaced_beside(folder), ignore_errors=True)
        check(folder)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
        sync_tree(draft)
        put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
