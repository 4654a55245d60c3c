"""Which document trains and which validates.

A document's side follows from the seed and a hash of its text alone: more files, other names or
another order move nothing, and equal texts always stand on the same side.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, overload

from trainer_core.errors import DataError

Side = Literal["train", "validation"]
DIGEST_BYTES = 16
_FAR_OFF = 4.0
"""With few or very unlike documents the hashes can miss the wanted share of the text by far; beyond
this factor the documents are dealt out by size instead."""

_LEAST_BYTES = 2
"""A shorter document cannot be cut in two."""


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What the split knows of a document: the hash of its text, and its bytes."""

    digest: bytes
    n_bytes: int


@dataclass(frozen=True)
class Split:
    """The side of each document, and the documents that are cut in two, at most one of a source.

    Attributes:
        sides: (D,), in the order of the documents; None for one that is left out, and for a cut
            document the side of its beginning.
        cuts: For each document whose end validates where it is to be cut, in bytes of its text;
            the cut moves to a line's end.
    """

    sides: tuple[Side | None, ...]
    cuts: dict[int, int] = field(default_factory=dict)

    def keeps(self, number: int) -> bool:
        """Whether a document is on either side."""
        return self.sides[number] is not None

    def side(self, number: int) -> Side:
        """The side of a document that is not left out."""
        side = self.sides[number]
        if side is None:
            raise ValueError(f"document {number} is left out")
        return side


def position(seed: int, digest: bytes) -> float:
    """A number in [0, 1) that depends on the seed and the document's text alone."""
    hashed = hashlib.blake2b(digest, digest_size=8, key=str(seed).encode()).digest()
    return (int.from_bytes(hashed, "big") >> 11) / 2**53


def split_sources(
    documents: Sequence[DocumentKey],
    sources: Sequence[Sequence[int]],
    fraction: float,
    seed: int,
) -> Split:
    """Deal the documents of each source out, so that each holds out its share.

    Args:
        documents: Of all sources.
        sources: For each source the numbers of its documents that are kept; one that is too short
            to be cut in two trains whole, as long as it is not the only one.
        fraction: Share of each source that validates, above 0 and at most one half.
        seed: Another seed gives another split.

    Raises:
        DataError: There is nothing that could be cut in two.
    """
    sides: list[Side | None] = [None] * len(documents)
    cuts: dict[int, int] = {}
    with_text = [numbers for numbers in sources if numbers]
    for numbers in with_text:
        part = _Part(documents, numbers)
        if len(with_text) > 1 and len(part) == 1 and part[0].n_bytes < _LEAST_BYTES:
            sides[numbers[0]] = "train"
            continue
        split = split_documents(part, fraction, seed)
        for number, side in zip(numbers, split.sides, strict=True):
            sides[number] = side
        cuts.update({numbers[at]: cut_byte for at, cut_byte in split.cuts.items()})
    return Split(tuple(sides), cuts)


class _Part(Sequence[DocumentKey]):
    """Some of the documents, without a copy."""

    def __init__(self, documents: Sequence[DocumentKey], numbers: Sequence[int]) -> None:
        self._documents, self._numbers = documents, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> DocumentKey: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[DocumentKey]: ...
    def __getitem__(self, at: int | slice) -> DocumentKey | Sequence[DocumentKey]:
        if isinstance(at, slice):
            return _Part(self._documents, self._numbers[at])
        return self._documents[self._numbers[at]]


def split_documents(documents: Sequence[DocumentKey], fraction: float, seed: int) -> Split:
    """Deal documents out to training and validation.

    Each document validates when its hash falls below `fraction`. When that puts no document on one
    of the sides, or misses the wanted share of the text by a factor of four, whole documents are
    taken in the order of their hashes while they fit the share. When these fall short of it too,
    because one document is most of the text (a single book, say), its end is cut off, at a line's
    end, and the others that fit go by their hashes alone.

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
    return _deal_by_size(documents, positions, fraction, fraction * total)


def _deal_by_size(
    documents: Sequence[DocumentKey], positions: Sequence[float], share: float, wanted: float
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
    # One document holds most of the text: its end makes up what the others' hashes leave open.
    longest = max(order, key=lambda number: documents[number].n_bytes)
    n_bytes = documents[longest].n_bytes
    if n_bytes < _LEAST_BYTES:
        raise DataError(
            "The text is too short to split into training and validation.",
            safe="Nothing was written.",
            do="Add more text to the sources.",
        )
    for number in order:
        if sides[number] == "validation" and positions[number] >= share:
            sides[number] = "train"
            held -= documents[number].n_bytes
    cut = min(max(n_bytes - round(wanted - held), 1), n_bytes - 1)
    return Split(tuple(sides), {longest: cut})


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
