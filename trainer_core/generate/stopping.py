"""Ending a text at a stop string, without showing any part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trainer_core.generate.token import GeneratedToken


class StopFilter:
    """Holds tokens back while they may be the beginning of a stop string.

    Args:
        stops: Texts that end the generation; empty ones are ignored.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [s.encode("utf-8", "replace") for s in stops if s]
        self._held: list[GeneratedToken] = []
        self.stopped = False
        """Whether a stop string has come."""

    def push(self, token: GeneratedToken) -> list[GeneratedToken]:
        """Take one token; give those that can be shown now."""
        if not self._stops:
            return [token]
        self._held.append(token)
        data = b"".join(held.data for held in self._held)
        found = [at for at in (data.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.stopped = True
            return self._release(min(found))
        return self._release(len(data) - self._open_tail(data))

    def flush(self) -> list[GeneratedToken]:
        """What is still held when the text ends for another reason."""
        held, self._held = self._held, []
        return held

    def _open_tail(self, data: bytes) -> int:
        """Length of the longest end of the data that a stop string may begin with."""
        longest = max(len(stop) for stop in self._stops) - 1
        for length in range(min(longest, len(data)), 0, -1):
            tail = data[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0

    def _release(self, safe_bytes: int) -> list[GeneratedToken]:
        """The tokens within the first bytes; after a stop, the one that it cuts is shortened."""
        released: list[GeneratedToken] = []
        while self._held and len(self._held[0].data) <= safe_bytes:
            token = self._held.pop(0)
            safe_bytes -= len(token.data)
            released.append(token)
        if self.stopped and self._held and safe_bytes > 0:
            first = self._held[0]
            released.append(replace(first, data=first.data[:safe_bytes]))
        return released
