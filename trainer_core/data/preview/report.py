"""What a preview found: the file that the job writes."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import msgspec

from trainer_core.data.manifest import NearReport, SkippedGroup, StepReport

REPORT_NAME = "preview.json"


class ShownDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first documents, as it would be read."""

    title: str
    path: str
    text: str
    """Its beginning, at most `SHOWN_BYTES` of it."""
    bytes: int
    """Of the text that was read of it, which is all of it unless the preview ended there."""
    cut: bool
    """Whether there is more than is shown."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a source cannot be read."""

    what: str
    do: str
    field: str


class SourcePreview(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one source."""

    name: str
    description: str
    documents: tuple[ShownDocument, ...] = ()
    documents_read: int = 0
    """Documents with usable text, equal ones counted once."""
    bytes_read: int = 0
    """Of their text, cleaned."""
    documents_total: int | None = None
    """About how many there are in all; exact where all was read, none where nobody knows."""
    bytes_total: int | None = None
    fields: tuple[str, ...] = ()
    """Fields of its records, or columns of its tables, that hold text."""
    field: str = ""
    """The one that was read; empty where the source has none."""
    skipped: tuple[SkippedGroup, ...] = ()
    steps: tuple[StepReport, ...] = ()
    """What each cleaning step did that is switched on."""
    failed: Failed | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in all sources."""

    sources: tuple[SourcePreview, ...]
    near_duplicates: NearReport | None = None
    """What is nearly equal among the documents that were read, where it was looked for."""
    seconds: float = 0.0
