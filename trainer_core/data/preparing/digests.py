"""The hashes of tens of millions of texts, each kept once, in a few dozen bytes."""

from __future__ import annotations

from array import array

from trainer_core.data.preparing.split import DIGEST_BYTES

_FIRST_SLOTS = 1 << 10


class Digests:
    """Different digests in the order in which they came.

    They lie end to end in one block of bytes; an open-addressed table of their numbers, at most
    half full, finds them again. A set of `bytes` objects would take four times the memory.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._slots = array("I", bytes(4 * _FIRST_SLOTS))
        """Number of a digest + 1; 0 is free."""

    def __len__(self) -> int:
        return len(self._held) // DIGEST_BYTES

    def __getitem__(self, number: int) -> bytes:
        at = number * DIGEST_BYTES
        if not 0 <= at < len(self._held):
            raise IndexError(f"digest {number} of {len(self)}")
        return bytes(self._held[at : at + DIGEST_BYTES])

    def __contains__(self, digest: bytes) -> bool:
        return self._slots[self._slot(digest)] != 0

    def add(self, digest: bytes) -> bool:
        """Keep a digest, of DIGEST_BYTES; says whether it is new."""
        slot = self._slot(digest)
        if self._slots[slot]:
            return False
        self._held += digest
        self._slots[slot] = len(self)
        if 2 * len(self) > len(self._slots):
            self._grow()
        return True

    def _slot(self, digest: bytes) -> int:
        """Where a digest is, or would be put."""
        last = len(self._slots) - 1
        slot = int.from_bytes(digest[:8], "little") & last
        while number := self._slots[slot]:
            if self._held[(number - 1) * DIGEST_BYTES : number * DIGEST_BYTES] == digest:
                break
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        self._slots = array("I", bytes(8 * len(self._slots)))
        for number in range(len(self)):
            self._slots[self._slot(self[number])] = number + 1
