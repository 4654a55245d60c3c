"""Where text comes from: the files of each source, in an order that depends on nothing but them."""

from __future__ import annotations

import hashlib
import os
import platform
import site
import stat
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.formats import ARCHIVES, Wanted, documents_in, has_suffix
from trainer_core.data.sources.packed import name_inside
from trainer_core.data.sources.reading import NoText, opened
from trainer_core.data.sources.skipped import Reason, Skipped, printable
from trainer_core.errors import DataError
from trainer_core.spec import PythonLibrary, TextFiles

FileKinds = PythonLibrary | TextFiles
Tick = Callable[[], None]
"""Called for every folder that is searched; may raise to end the search."""
Place = Callable[[], int]
"""How far a file is read, in bytes of it as it lies there."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that may hold documents.

    Attributes:
        path: Absolute path as the operating system takes it.
        title: Short name for people; the same on every computer with the same files.
        size_bytes: As it lies there, or a guess; progress is counted in it.
    """

    path: str
    title: str
    size_bytes: int = 0


class FileSource:
    """The documents of files on this computer.

    Args:
        files: In the order in which they are read.
        wanted: What is wanted of them.
        max_bytes: Read no further after this much text; 0 reads all.
    """

    def __init__(self, files: Sequence[SourceFile], wanted: Wanted, max_bytes: int = 0) -> None:
        self.files = files
        self.max_bytes = max_bytes
        self._wanted = wanted

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents of one of the files, in its order.

        Args:
            file: One of `files`.
            leave_out: Told of everything inside that gives no document.
            watch: Handed a function that tells how far the file is read, once it is open.

        Raises:
            NoText: The file as a whole, or the rest of it, cannot be used.
        """
        told = False

        def left_out(reason: Reason, path: str) -> None:
            nonlocal told
            told = True
            leave_out(reason, path)

        with opened(file.path) as opened_file:
            watch(opened_file.tell)
            found = documents_in(opened_file, file.title, file.path, self._wanted, left_out)
            for document in found:
                told = True
                yield document
        if not told:  # a table of no rows, an archive of no files
            raise NoText("empty")


def open_files(
    source: FileKinds, seed: int, skipped: Skipped, tick: Tick, field: str = "source"
) -> FileSource:
    """The files of a source, in a fixed order, and how they are read; as `list_files`.

    Raises:
        DataError: A path that the user named does not exist.
    """
    files = list_files(source, seed, skipped, tick, field)
    if isinstance(source, PythonLibrary):
        return FileSource(files, Wanted(), source.max_bytes)
    within = tuple(ending for ending in _endings(source) if not _is_archive(ending))
    return FileSource(files, Wanted(source.field, within, source.encoding))


def list_files(
    source: FileKinds, seed: int, skipped: Skipped, tick: Tick, field: str = "source"
) -> list[SourceFile]:
    """The files of a source, in a fixed order.

    Args:
        source: Which source.
        seed: Orders the files of the Python library.
        skipped: Takes what is left out.
        tick: Called often.
        field: Path of the source in the settings, for messages.

    Raises:
        DataError: A path that the user named does not exist.
    """
    if isinstance(source, PythonLibrary):
        return _python_files(seed, skipped, tick)
    return _text_files(source, skipped, tick, field)


def describe_files(source: FileKinds) -> str:
    """The source in a few words, for the manifest and the model card."""
    if isinstance(source, PythonLibrary):
        limit = f", {source.max_bytes:,} bytes of it" if source.max_bytes else ""
        version = platform.python_version()
        return f"Python {version}: standard library and installed packages{limit}"
    return "Text files: " + ", ".join(printable(path) for path in source.paths)


def _endings(source: TextFiles) -> tuple[str, ...]:
    return tuple("." + suffix.lower().lstrip("*").lstrip(".") for suffix in source.suffixes)


def _is_archive(ending: str) -> bool:
    return name_inside("x" + ending).endswith(ARCHIVES)


# --- the Python library ------------------------------------------------------------------------


def python_roots() -> list[Path]:
    """Folders of the running interpreter's standard library and installed packages."""
    candidates = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    candidates += [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    candidates += site.getsitepackages()
    if site.ENABLE_USER_SITE:
        candidates.append(site.getusersitepackages())
    roots: dict[str, Path] = {}
    for candidate in candidates:
        path = Path(candidate)
        if path.is_dir():
            roots.setdefault(os.path.realpath(path), path)
    return list(roots.values())


def _python_files(seed: int, skipped: Skipped, tick: Tick) -> list[SourceFile]:
    """Every `*.py`, ordered by a seeded hash of its title, so that a beginning is a fair sample."""
    walk = _Walk(skipped, tick, suffixes=(".py",), report=False)
    # A virtual environment's interpreter has folders of packages that are not its own.
    walk.without = frozenset({"__pycache__", "site-packages", "dist-packages"})
    files = [file for root in python_roots() for file in walk.files(root, "")]
    salt = str(seed).encode()

    def order(file: SourceFile) -> tuple[bytes, str]:
        title = file.title.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(title, digest_size=8, key=salt).digest(), file.path

    return sorted(files, key=order)


# --- text files and folders --------------------------------------------------------------------


def _text_files(source: TextFiles, skipped: Skipped, tick: Tick, field: str) -> list[SourceFile]:
    """The named files, and those in the named folders, in the order of the spec and by name."""
    walk = _Walk(skipped, tick, suffixes=_endings(source), report=True)
    files: list[SourceFile] = []
    for number, named in enumerate(source.paths):
        path = _named_path(named, f"{field}.paths[{number}]")
        if path.is_dir():
            files += walk.files(path, path.name)
        elif path.is_file():
            files.append(SourceFile(str(path), path.name, path.stat().st_size))
        else:
            skipped.add("special", str(path))
    return files


def path_of_user(named: str) -> Path:
    """A path that a user typed, absolute; a `~` that names nobody stays as it is."""
    return Path(os.path.abspath(os.path.expanduser(named)))  # noqa: PTH100, PTH111 - as said


def _named_path(named: str, field: str) -> Path:
    """The path that a user named, absolute.

    Raises:
        DataError: It is empty or does not exist.
    """
    try:
        path = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - keeps links as named
        path.stat()
        if named.strip():
            return path
        why = "the path is empty"
    except (OSError, ValueError, RuntimeError) as error:  # NUL in the path; a user without a home
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    raise DataError(
        f"{printable(named) or 'A source path'} cannot be read: {why}.",
        safe="Nothing was written.",
        do="Correct the path, or take it out of the sources.",
        field=field,
    )


class _Walk:
    """Searches folders, reading none of the files and following no folder twice.

    Args:
        skipped: Takes what is left out.
        tick: Called for every folder.
        suffixes: Wanted endings in lower case; empty takes all.
        report: Whether files with other endings and hidden ones are counted.
    """

    without: frozenset[str] = frozenset()
    """Names of folders, below the root, that are left out without a word."""

    def __init__(
        self, skipped: Skipped, tick: Tick, *, suffixes: tuple[str, ...], report: bool
    ) -> None:
        self._skipped = skipped
        self._tick = tick
        self._suffixes = suffixes
        self._report = report
        self._seen: set[tuple[int, int]] = set()

    def files(self, root: Path, prefix: str) -> Iterator[SourceFile]:
        """Files below a root, sorted by name, each folder's content in the place of its name."""
        if not self._enter(str(root)):
            return
        stack = [iter(self._entries(str(root), prefix))]
        while stack:
            for entry, title in stack[-1]:
                if entry.is_dir() and self._enter(entry.path):
                    stack.append(iter(self._entries(entry.path, title)))
                    break
                if entry.is_file():
                    yield SourceFile(entry.path, title, _size_bytes(entry))
            else:
                stack.pop()

    def _entries(self, folder: str, prefix: str) -> list[tuple[os.DirEntry[str], str]]:
        self._tick()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            self._skipped.add("unreadable", folder)
            return []
        slash = "/" if prefix else ""
        return [(e, f"{prefix}{slash}{e.name}") for e in entries if self._wanted(e)]

    def _wanted(self, entry: os.DirEntry[str]) -> bool:
        reason = self._reason_against(entry)
        if reason is None:
            return not (entry.name in self.without and entry.is_dir())
        if self._report or reason not in ("hidden", "other_suffix"):
            self._skipped.add(reason, entry.path)
        return False

    def _reason_against(self, entry: os.DirEntry[str]) -> Reason | None:
        if entry.name.startswith("."):
            return "hidden"
        try:
            if entry.is_dir():
                return None
            if not has_suffix(entry.name, self._suffixes):
                return "other_suffix"
            if entry.is_file():
                return None
        except OSError:  # a link to itself, or a drive that fails
            return "broken_link" if entry.is_symlink() else "unreadable"
        return _odd_kind(entry)

    def _enter(self, folder: str) -> bool:
        """Whether a folder is reached for the first time, by whatever path."""
        try:
            status = os.stat(folder)  # noqa: PTH116 - bytes that are no UTF-8 stay as they are
        except OSError:
            self._skipped.add("unreadable", folder)
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            self._skipped.add("reached_twice", folder)
            return False
        self._seen.add(identity)
        return True


def _size_bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # it will be reported when it is read
        return 0


def _odd_kind(entry: os.DirEntry[str]) -> Reason:
    """Why something that is neither a file nor a folder cannot be read."""
    try:
        mode = entry.stat().st_mode
    except OSError:
        return "broken_link" if entry.is_symlink() else "vanished"
    return "vanished" if stat.S_ISREG(mode) else "special"
