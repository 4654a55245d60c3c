"""What a preview found, as the `preview` job writes it. Free of Qt.

The studio does not import the code that wrote the file.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from pathlib import Path
from typing import Any

import msgspec

from studio.pages.data.cleaning_facts import NearReport, StepReport
from studio.pages.data.corpus import SkippedGroup, load_json
from trainer_core.errors import KnownError

PREVIEW_FILE = "preview.json"
FOLDER = "previews"


class ShownDocument(msgspec.Struct, frozen=True):
    """One of the first documents; `text` is its beginning."""

    title: str
    path: str = ""
    text: str = ""
    size_bytes: int = msgspec.field(default=0, name="bytes")
    cut: bool = False


class Failed(msgspec.Struct, frozen=True):
    """Why a source cannot be read."""

    what: str = ""
    do: str = ""
    field: str = ""


class SourcePreview(msgspec.Struct, frozen=True):
    """What was found in one source."""

    name: str = ""
    description: str = ""
    documents: tuple[ShownDocument, ...] = ()
    documents_read: int = 0
    bytes_read: int = 0
    documents_total: int | None = None
    bytes_total: int | None = None
    fields: tuple[str, ...] = ()
    field: str = ""
    skipped: tuple[SkippedGroup, ...] = ()
    steps: tuple[StepReport, ...] = ()
    failed: Failed | None = None


class Preview(msgspec.Struct, frozen=True):
    """What was found in all of them."""

    sources: tuple[SourcePreview, ...] = ()
    near_duplicates: NearReport | None = None
    """Among the documents that were read, where they were looked for."""


def read_preview(folder: Path, _result: dict[str, Any]) -> Preview:
    """The preview that a job left in its folder.

    Raises:
        KnownError: There is none that can be read.
    """
    found = load_json(folder / PREVIEW_FILE, Preview)
    if found is None:
        raise KnownError(
            "The preview cannot be read.",
            safe="Your files were only read.",
            do="Look again; the text can be read without a preview too.",
        )
    return found
