"""Ranks names by how well they answer what a user typed into the search box."""

from __future__ import annotations

from collections.abc import Iterable

from studio.storage.rows import Found


def ranked(text: str, candidates: Iterable[Found]) -> list[Found]:
    """Candidates whose title and context hold every word of the text, best first.

    Whole titles come first, then titles that begin with the text, then titles with a word that
    does, then the rest; equals keep their order. An empty text finds nothing.
    """
    wanted = " ".join(text.casefold().split())
    if not wanted:
        return []
    scored = [(_rank(wanted, each), each) for each in candidates if _holds(wanted, each)]
    return [each for _, each in sorted(scored, key=lambda pair: pair[0])]


def _holds(wanted: str, found: Found) -> bool:
    everything = f"{found.title} {found.context}".casefold()
    return all(word in everything for word in wanted.split())


def _rank(wanted: str, found: Found) -> int:
    title = found.title.casefold()
    if title == wanted:
        return 0
    if title.startswith(wanted):
        return 1
    if any(word.startswith(wanted) for word in title.replace("-", " ").split()):
        return 2
    return 3 if wanted in title else 4
