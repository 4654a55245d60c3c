"""Documents that are nearly equal: MinHash signatures on the disk, grouped band by band.

Two documents are as alike as the share of their runs of five words that they have in common (the
Jaccard index). A signature holds for each of `PERMUTATIONS` random orders of all such runs the
least one of a document; two documents agree in as many places as they are alike. Signatures are cut
into bands, and only documents with an equal band are compared.

Source: Broder, "On the resemblance and containment of documents", 1997; the bands are those of
Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3. The library is rensa.

Letters: D documents, P permutations.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.cleaning.words import WORDS, Hashes, run_hashes, word_hashes

PERMUTATIONS = 128
RECORD_BYTES = 4 * PERMUTATIONS
"""Of one signature on the disk."""
_SEED = 1337
_COMPARED_PAIRS = 1 << 16
"""Signatures that are compared at once; it bounds the memory."""
_ROUNDS = 8
"""In a group of equal bands each document is compared with so many others at most."""
_FIRSTS = 256
"""So many documents that are unlike each other are told apart where all hang together by others."""

Signatures = NDArray[np.uint32]
"""(D, P)."""


class Signature:
    """The signature of one document, from its text in parts."""

    def __init__(self) -> None:
        self._least = np.full(PERMUTATIONS, 0xFFFFFFFF, np.uint32)
        self._words = np.empty(0, np.uint64)
        """The last words, which runs can begin with that end in the next part."""
        self._is_long = False
        self._signs = 0
        """Of a text without a word: a number of its signs."""

    def add(self, text: str) -> None:
        """Take the next part of the text."""
        for hashes in word_hashes(text):
            words = np.concatenate([self._words, hashes])
            if len(words) >= WORDS:
                self._take(run_hashes(words))
                words = words[-(WORDS - 1) :]
                self._is_long = True
            self._words = words
        if not len(self._words):
            self._signs = zlib.crc32(text.encode("utf-8", "surrogatepass"), self._signs)

    def _take(self, runs: Hashes) -> None:
        from rensa import RMinHash  # takes a moment, and few datasets ask for it

        ends = np.array([0, len(runs)], np.uint64)
        rows = RMinHash.digest_matrix_from_flat_token_hashes(runs, ends, PERMUTATIONS, _SEED)
        np.minimum(self._least, np.array(rows.to_rows()[0], np.uint32), out=self._least)

    def digest(self) -> bytes:
        """The signature, `RECORD_BYTES` long. A text of few words is one run."""
        if not self._is_long:
            words = self._words if len(self._words) else np.array([self._signs], np.uint64)
            self._take(run_hashes(words, len(words)))
        return self._least.astype("<u4").tobytes()


def map_signatures(path: Path) -> Signatures:
    """The signatures in a file, (D, P) uint32, mapped; none in an empty one."""
    if not path.stat().st_size:
        return np.empty((0, PERMUTATIONS), np.uint32)
    mapped: Signatures = np.memmap(path, "<u4", "r").reshape(-1, PERMUTATIONS)
    return mapped


def bands_for(similarity: float) -> tuple[int, int]:
    """How many bands of how many places: the fewest wide ones that hardly miss an alike pair.

    A pair that is just alike enough shares none of b bands of r places with probability
    (1 - s^r)^b, which is kept below one in a hundred where `PERMUTATIONS` allow it.
    """
    for rows in (16, 8, 4, 2):
        bands = PERMUTATIONS // rows
        if (1 - similarity**rows) ** bands <= 0.01:
            return bands, rows
    return PERMUTATIONS, 1


def first_of_its_kind(
    signatures: Signatures, similarity: float, tick: Callable[[float], None]
) -> NDArray[np.int64]:
    """For each document the earliest one that it is nearly equal to, (D,); itself if there is none.

    The earliest ones are no near duplicates of each other, and each of the others is one of its
    earliest one itself, not merely by way of others. Memory is a few numbers for each document.

    Args:
        signatures: Of all documents, (D, P).
        similarity: Share of equal places from which on two are nearly equal, 0 to 1.
        tick: Told the share that is done; may raise to end the work.
    """
    first = np.arange(len(signatures), dtype=np.int64)
    bands, rows = bands_for(similarity)
    keys = _keys(signatures, (bands - 1) * rows, rows)
    for band in range(bands):
        tick(band / bands)
        # Among equals of this band those that agree in another one too stand side by side.
        others, keys = keys, _keys(signatures, band * rows, rows)
        order = np.lexsort((others, keys))
        _join_equal(first, keys[order], order, signatures, similarity)
    _tell_apart(first := _settled(first), signatures, similarity)
    tick(1.0)
    return first


def _tell_apart(first: NDArray[np.int64], signatures: Signatures, similarity: float) -> None:
    """Divide documents that hang together by others into those that are alike themselves.

    Args:
        first: (D,), the earliest document that each one hangs together with; changed.
        signatures: (D, P).
        similarity: As in `first_of_its_kind`.
    """
    later = np.flatnonzero(first != np.arange(len(first)))
    apart = [
        part[(signatures[part] == signatures[first[part]]).mean(axis=1) < similarity]
        for part in np.array_split(later, len(later) // _COMPARED_PAIRS + 1)
    ]
    kinds: dict[int, list[int]] = {}
    for number in np.concatenate(apart).tolist():
        firsts = kinds.setdefault(int(first[number]), [])
        known = np.array(firsts, np.int64)
        alike = (signatures[known] == signatures[number]).mean(axis=1) >= similarity
        first[number] = known[alike.argmax()] if alike.any() else number
        if first[number] == number and len(firsts) < _FIRSTS:
            firsts.append(number)


def _keys(signatures: Signatures, begin: int, rows: int) -> NDArray[np.uint64]:
    """One number for each document's band, (D,)."""
    keys = np.full(len(signatures), 0x9E3779B97F4A7C15, np.uint64)
    for column in range(begin, begin + rows):
        keys ^= signatures[:, column].astype(np.uint64)
        keys *= np.uint64(0xFF51AFD7ED558CCD)
        keys ^= keys >> np.uint64(32)
    return keys


def _join_equal(
    first: NDArray[np.int64],
    keys: NDArray[np.uint64],
    order: NDArray[np.int64],
    signatures: Signatures,
    similarity: float,
) -> None:
    """Join the documents of each run of equal keys that are alike.

    Args:
        first: (D,), an earlier document of the same kind, or itself; changed.
        keys: (D,), rising.
        order: (D,), the document of each key.
        signatures: (D, P).
        similarity: As in `first_of_its_kind`.
    """
    equal = np.flatnonzero(keys[1:] == keys[:-1]) + 1  # places with the key of the place before
    for distance in range(1, _ROUNDS + 1):
        # In round d a document is compared with the d-th before it in its run.
        near = equal[keys[equal] == keys[np.maximum(equal - distance, 0)]]
        near = near[near >= distance]
        if not len(near):
            return
        for at in range(0, len(near), _COMPARED_PAIRS):
            part = near[at : at + _COMPARED_PAIRS]
            _join(first, order[part - distance], order[part], signatures, similarity)


def _join(
    first: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    signatures: Signatures,
    similarity: float,
) -> None:
    roots = _settled(first)
    apart = roots[left] != roots[right]
    left, right = left[apart], right[apart]
    alike = (signatures[left] == signatures[right]).mean(axis=1) >= similarity
    for one, other in zip(left[alike].tolist(), right[alike].tolist(), strict=True):
        a, b = _root(first, one), _root(first, other)
        first[max(a, b)] = min(a, b)


def _root(first: NDArray[np.int64], number: int) -> int:
    while (parent := int(first[number])) != number:
        first[number] = first[parent]
        number = parent
    return number


def _settled(first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every document's first, followed to the end."""
    while not np.array_equal(following := first[first], first):
        first = following
    return first
