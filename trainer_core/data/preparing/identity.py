"""What decides what comes out of a preparation, as two hashes: the settings, and the files."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec

from trainer_core import __version__
from trainer_core.data.preparing.survey import NamedSource
from trainer_core.data.sources.files import SourceFile, path_of_user
from trainer_core.spec import PrepareSpec


def settings_hash(spec: PrepareSpec, shard_tokens: int) -> str:
    """Hash of the settings and of the programs that carry them out.

    Args:
        spec: The settings.
        shard_tokens: Tokens in a shard file.
    """
    digest = hashlib.sha256(f"{__version__} {platform.python_version()} {shard_tokens}".encode())
    digest.update(msgspec.json.encode(spec))
    if spec.cleaning.hook:
        digest.update(_content(path_of_user(spec.cleaning.hook)))
    return digest.hexdigest()


def files_hash(sources: Sequence[NamedSource]) -> str:
    """Hash of the names, sizes and times of all files, in order; none of them is read."""
    digest = hashlib.sha256()
    for number, source in enumerate(sources):
        for file in source.opened.files:
            digest.update(f"{number}\0{file.size_bytes}\0{_time_ns(file)}\0".encode())
            digest.update(os.fsencode(file.path) + b"\0" + os.fsencode(file.title) + b"\0")
    return digest.hexdigest()


def _time_ns(file: SourceFile) -> int:
    """When a file was changed; -1 for what is no file."""
    try:
        return os.stat(file.path).st_mtime_ns  # noqa: PTH116 - bytes that are no UTF-8 stay
    except (OSError, ValueError):
        return -1


def _content(path: Path) -> bytes:
    """What a file holds; nothing when it cannot be read, which its reader reports."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
