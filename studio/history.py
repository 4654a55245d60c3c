"""Which pages were shown, to go back to. Knows nothing of Qt."""

from __future__ import annotations

from dataclasses import dataclass

_MOST = 100


@dataclass(frozen=True)
class Place:
    """A page and what it showed."""

    page: str
    target: object | None = None


class History:
    """A browser's kind of history: going somewhere new forgets the way forward."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._at = -1

    @property
    def current(self) -> Place | None:
        """Where we are."""
        return self._places[self._at] if self._places else None

    def go(self, place: Place) -> None:
        """Remember a new place; going where we are changes nothing."""
        if place == self.current:
            return
        del self._places[self._at + 1 :]
        self._places.append(place)
        del self._places[: max(0, len(self._places) - _MOST)]
        self._at = len(self._places) - 1

    def back(self) -> Place | None:
        """The place before, or None at the first one."""
        if self._at <= 0:
            return None
        self._at -= 1
        return self._places[self._at]

    def forward(self) -> Place | None:
        """The place after, or None at the newest one."""
        if self._at + 1 >= len(self._places):
            return None
        self._at += 1
        return self._places[self._at]
