"""Folder names made from what a user typed: safe on every file system, and not yet taken."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from trainer_core.errors import KnownError, from_os_error

LENGTH_MAX = 48
_TRIES = 10_000
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def slug(name: str, fallback: str = "unnamed") -> str:
    """A lower-case name of letters, digits and hyphens, at most 48 characters.

    Letters with accents lose them; scripts other than Latin are left out.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:LENGTH_MAX].strip("-")
    if not kept:
        return fallback
    return f"{kept}-1" if _RESERVED.fullmatch(kept) else kept  # Windows keeps some for devices


def make_folder(parent: Path, name: str, fallback: str = "unnamed") -> Path:
    """Create a new folder with the name's slug, numbered when that one is taken.

    Raises:
        KnownError: It cannot be created.
    """
    base = slug(name, fallback)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, _TRIES):
            folder = parent / (base if number == 1 else f"{base}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise from_os_error(error, "creating a folder") from error
    raise KnownError(
        f"{parent} holds {_TRIES:,} folders of the name {base}.",
        safe="Nothing was changed.",
        do="Choose another name.",
    )
