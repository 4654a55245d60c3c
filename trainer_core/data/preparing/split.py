"""Which document trains and which validates.

A document's side follows from the seed and a hash of its text alone: more files, other names or
another order move nothing, and equal texts always stand on the same side.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from trainer_core.errors import DataError

Side = Literal["train", "validation"]
DIGEST_BYTES = 16
_FAR_OFF = 4.0
"""With few or very unlike documents the hashes can miss the wanted share of the text by far; beyond
this factor the documents are dealt out by size instead."""


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What the split knows of a document: the hash of its text, and its bytes."""

    digest: bytes
    n_bytes: int


@dataclass(frozen=True)
class Split:
    """The side of each document, and the one document that is cut in two, if any.

    Attributes:
        sides: (D,), in the order of the documents; for a cut document the side of its beginning.
        cut_document: Number of the document whose end validates, or -1.
        cut_byte: Where it is to be cut, in bytes of its text; the cut moves to a line's end.
    """

    sides: tuple[Side, ...]
    cut_document: int = -1
    cut_byte: int = 0


def position(seed: int, digest: bytes) -> float:
    """A number in [0, 1) that depends on the seed and the document's text alone."""
    hashed = hashlib.blake2b(digest, digest_size=8, key=str(seed).encode()).digest()
    return (int.from_bytes(hashed, "big") >> 11) / 2**53


def split_documents(documents: Sequence[DocumentKey], fraction: float, seed: int) -> Split:
    """Deal documents out to training and validation.

    Each document validates when its hash falls below `fraction`. When that puts no document on one
    of the sides, or misses the wanted share of the text by a factor of four, whole documents are
    taken in the order of their hashes while they fit the share; and when not even one does (a
    single book, say), the end of the first in that order is cut off, at a line's end.

    Args:
        documents: At least one.
        fraction: Share of the text that validates, above 0 and at most one half.
        seed: Another seed gives another split.

    Raises:
        DataError: There is nothing that could be cut in two.
    """
    positions = array("d", (position(seed, document.digest) for document in documents))
    sides: list[Side] = ["validation" if p < fraction else "train" for p in positions]
    total = sum(document.n_bytes for document in documents)
    held = sum(d.n_bytes for d, side in zip(documents, sides, strict=True) if side != "train")
    most = min(_FAR_OFF * fraction, (1 + fraction) / 2) * total
    if fraction * total / _FAR_OFF <= held <= most:
        return Split(tuple(sides))
    return _deal_by_size(documents, positions, fraction * total)


def _deal_by_size(
    documents: Sequence[DocumentKey], positions: Sequence[float], wanted: float
) -> Split:
    """Fill validation with whole documents up to `wanted` bytes, or cut one."""
    order = sorted(range(len(documents)), key=positions.__getitem__)
    sides: list[Side] = ["train"] * len(documents)
    held = 0
    for number in order:
        if held + documents[number].n_bytes <= wanted * 1.5 and len(documents) > 1:
            sides[number] = "validation"
            held += documents[number].n_bytes
        if held >= wanted / 2:
            return Split(tuple(sides))
    # What is in validation so far stays; the end of one long document makes up the rest.
    longest = max(order, key=lambda number: documents[number].n_bytes)
    n_bytes = documents[longest].n_bytes
    if n_bytes < 2:
        raise DataError(
            "The text is too short to split into training and validation.",
            safe="Nothing was written.",
            do="Add more text to the sources.",
        )
    cut = min(max(n_bytes - round(wanted - held), 1), n_bytes - 1)
    return Split(tuple(sides), longest, cut)


def cut_parts(parts: Iterator[str], cut_byte: int) -> tuple[Iterator[str], Iterator[str]]:
    """The beginning and the end of a document, cut behind the first line that ends after a byte.

    A text without a line's end there is cut behind an earlier one of the same part, or between two
    characters. The first iterator must be used up before the second is touched.

    Args:
        parts: The document's text.
        cut_byte: At least 1 and less than the document's bytes.
    """
    rest: list[str] = []

    def beginning() -> Iterator[str]:
        done = 0
        for text in parts:
            data = text.encode()
            if done + len(data) > cut_byte:
                following = next(parts, "")
                at = _line_end(data, cut_byte - done, more=bool(following))
                rest.extend((data[at:].decode(), following))
                if at:
                    yield data[:at].decode()
                return
            done += len(data)
            yield text

    def end() -> Iterator[str]:
        yield from filter(None, rest)
        yield from parts

    return beginning(), end()


def _line_end(data: bytes, wanted: int, *, more: bool) -> int:
    """Where to cut UTF-8 text near a byte: behind a line, else between characters.

    Args:
        data: The text.
        wanted: A place in it.
        more: Text follows, so that the end of `data` is a place to cut too.
    """
    after = data.find(b"\n", wanted) + 1
    if 0 < after < len(data) + more:
        return after
    before = data.rfind(b"\n", 0, wanted) + 1
    if before > 0:
        return before
    near = (*range(wanted, min(wanted + 4, len(data))), *range(wanted, max(wanted - 4, 0), -1))
    return next((at for at in near if at and data[at] & 0xC0 != 0x80), 0)
