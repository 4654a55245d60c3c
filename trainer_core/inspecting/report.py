"""The file `batches.json`: batches token by token, as plain values that the studio reads.

T tokens of a row (the context length).
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import msgspec

BATCHES_NAME = "batches.json"
BATCHES_VERSION = 1
NOTHING = -1
"""Stands for an ignored target, for the document of padding, and for a token that a match lacks."""


class DocumentRun(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a row that come from one document, or padding."""

    start: int
    """First of them in the row."""
    stop: int
    """Behind the last of them."""
    document: int
    """Its number in the training part; `NOTHING` for padding."""
    offset: int
    """Which token of the document the first one is; 0 is its separator."""


class RowMatches(msgspec.Struct, frozen=True, kw_only=True):
    """The longest match at each input of a row, (T,) each; the model reads nothing else of it."""

    length: tuple[int, ...]
    """Tokens in the match; 0 for none."""
    next: tuple[int, ...]
    """What followed its most recent occurrence; `NOTHING` without a match."""
    second: tuple[int, ...]
    """The latest other token that followed; `NOTHING` where all agree."""
    count: tuple[int, ...]
    """Bucket of how often the run occurred."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One sequence of a batch, (T,) each."""

    ids: tuple[int, ...]
    """The inputs."""
    targets: tuple[int, ...]
    """What is to be predicted after each input; `NOTHING` where nothing is learned."""
    positions: tuple[int, ...]
    """Of each input as the model counts, from 0; it begins again with each document when masked."""
    documents: tuple[DocumentRun, ...]
    """All T inputs, in order."""
    masks: tuple[int, ...] = ()
    """Where runs of inputs begin that see each other and nothing else; empty: all see all before
    them."""
    matches: RowMatches | None = None
    """None without an index, and in a row whose matches are hidden from the model."""


class ShownBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What one optimizer step sees, or the first rows of it."""

    step: int
    rows: tuple[Row, ...]


class ShownDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that a row holds a part of."""

    title: str
    path: str
    source: str = ""
    """Name of its source; empty where there is only one."""
    tokens: int
    """In the whole document, its separator among them."""


class Batches(msgspec.Struct, frozen=True, kw_only=True):
    """Batches of a training, as it will really see them."""

    version: int = BATCHES_VERSION
    context_length: int
    batch_size: int
    packing: str
    masked: bool
    separator: int
    count_buckets: tuple[str, ...] = ()
    """What each bucket of match counts stands for."""
    batches: tuple[ShownBatch, ...]
    documents: dict[int, ShownDocument]
    """By number, all that the rows name."""
    tokens: dict[int, str]
    """By id, the bytes of all tokens that the rows name, in base64; the separator has none."""
