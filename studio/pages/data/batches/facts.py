"""Batches of a training as an `inspect` job leaves them, read as plain data. Free of Qt.

The studio does not import the code that writes the file. T tokens of a row (the context length).
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import base64
from bisect import bisect_right
from pathlib import Path
from typing import Any

import msgspec

from studio.pages.data.corpus import load_json
from trainer_core.errors import KnownError

BATCHES_FILE = "batches.json"
NOTHING = -1
"""Stands for an ignored target, for the document of padding, and for a token that a match lacks."""


class DocumentRun(msgspec.Struct, frozen=True):
    """Inputs `start` to before `stop` of a row, from one document; the first is its `offset`th."""

    start: int
    stop: int
    document: int
    offset: int = 0

    @property
    def is_padding(self) -> bool:
        """Whether these are no tokens at all."""
        return self.document == NOTHING


class RowMatches(msgspec.Struct, frozen=True):
    """The longest match at each input of a row, (T,) each."""

    length: tuple[int, ...] = ()
    next: tuple[int, ...] = ()
    second: tuple[int, ...] = ()
    count: tuple[int, ...] = ()


class BatchRow(msgspec.Struct, frozen=True):
    """One sequence of a batch, (T,) each; see `trainer_core.inspecting.report`."""

    ids: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    documents: tuple[DocumentRun, ...] = ()
    masks: tuple[int, ...] = ()
    matches: RowMatches | None = None

    def run_at(self, place: int) -> DocumentRun | None:
        """The document that an input is from."""
        starts = [run.start for run in self.documents]
        found = bisect_right(starts, place) - 1
        return self.documents[found] if found >= 0 else None

    def seen_from(self, place: int) -> int:
        """The first input that the one at `place` sees."""
        return self.masks[bisect_right(self.masks, place) - 1] if self.masks else 0

    @property
    def padding(self) -> int:
        """Inputs that are no tokens."""
        return sum(run.stop - run.start for run in self.documents if run.is_padding)

    @property
    def n_documents(self) -> int:
        """Documents that the row has a part of."""
        return len({run.document for run in self.documents if not run.is_padding})


class ShownBatch(msgspec.Struct, frozen=True):
    """What one optimizer step sees, or the first rows of it."""

    step: int = 0
    rows: tuple[BatchRow, ...] = ()


class ShownDocument(msgspec.Struct, frozen=True):
    """A document that a row holds a part of; its separator is one of its tokens."""

    title: str = ""
    path: str = ""
    source: str = ""
    tokens: int = 0


class Batches(msgspec.Struct, frozen=True):
    """Batches of a training, as it will really see them."""

    context_length: int = 0
    batch_size: int = 0
    packing: str = "stream"
    masked: bool = False
    separator: int = NOTHING
    count_buckets: tuple[str, ...] = ()
    batches: tuple[ShownBatch, ...] = ()
    documents: dict[int, ShownDocument] = {}
    tokens: dict[int, str] = {}

    def piece(self, token: int) -> bytes:
        """The bytes of a token; the separator is shown by a sign of its own."""
        if token == self.separator:
            return SEPARATOR_SIGN
        return base64.b64decode(self.tokens.get(token, ""))

    def count_words(self, bucket: int) -> str:
        """How often a match occurs, by its bucket."""
        return self.count_buckets[bucket] if 0 <= bucket < len(self.count_buckets) else ""


SEPARATOR_SIGN = "¶".encode()


def read_batches(folder: Path, result: dict[str, Any]) -> Batches:
    """The batches that a finished job shows; blocks on the disk.

    Raises:
        KnownError: They cannot be read.
    """
    name = str(result.get("batches", BATCHES_FILE))
    found = load_json(folder / name, Batches)
    if found is None or not any(batch.rows for batch in found.batches):
        raise KnownError(
            "The batches cannot be read.", safe="The data was only read.", do="Show them again."
        )
    return found
