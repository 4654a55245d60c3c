"""What a file gives: documents, each with a name and its text, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trainer_core.data.sources.skipped import Reason

RECORD_BYTES = 64 << 20
"""What has to be held in memory as a whole, such as one line of JSON, may not be longer."""

LeaveOut = Callable[[Reason, str], None]
"""Told the reason and the path of everything in a file that gives no document."""


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """One document of a file. Its text is read before the next document is asked for, or never.

    Attributes:
        title: Short name for people, such as `books.zip/emma.txt` or `posts.jsonl line 12`.
        path: The same with the whole path of the file.
        parts: The text, in parts that are cut where no token is; may raise `NoText`.
    """

    title: str
    path: str
    parts: Iterator[str]
