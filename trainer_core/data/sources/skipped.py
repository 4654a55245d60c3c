"""The report of what a source left out: how much for which reason, and the first paths of each."""

from __future__ import annotations

import os
from collections import Counter
from typing import Literal

from trainer_core.data.manifest import SkippedGroup
from trainer_core.records import Level

Reason = Literal[
    "not_utf8",
    "other_encoding",
    "binary",
    "unreadable",
    "vanished",
    "changed",
    "special",
    "broken_link",
    "broken",
    "bomb",
    "locked",
    "nested",
    "too_long",
    "no_record",
    "no_field",
    "no_string",
    "other_tokens",
    "reached_twice",
    "archive_link",
    "empty",
    "duplicate",
    "too_short",
    "too_large",
    "hook",
    "excluded",
    "near_duplicate",
    "hidden",
    "other_suffix",
]

_MEANINGS: dict[Reason, tuple[Level, str]] = {
    "not_utf8": ("warning", "not UTF-8 text"),
    "other_encoding": ("warning", "not text in the encoding chosen, or in any that is likely"),
    "binary": ("warning", "not text: NUL bytes inside"),
    "unreadable": ("warning", "cannot be read: no permission, or the drive failed"),
    "vanished": ("warning", "gone before it could be read"),
    "changed": ("warning", "changed while it was read"),
    "special": ("warning", "no file: a pipe, a socket or a device"),
    "broken_link": ("warning", "a link that leads nowhere"),
    "broken": ("warning", "damaged or cut off"),
    "bomb": ("warning", "unpacks to hundreds of times its size, which no honest text does"),
    "locked": ("warning", "locked with a password"),
    "nested": ("warning", "an archive inside an archive"),
    "too_long": ("warning", "a single line or record of more than 64 MiB"),
    "no_record": ("warning", "no JSON where a record was expected"),
    "no_field": ("warning", "without the field or column that holds the text"),
    "no_string": ("warning", "the field is there, but it is no text"),
    "other_tokens": ("warning", "token ids that GPT-2 does not have"),
    "reached_twice": ("info", "a link to a folder that is read anyway"),
    "archive_link": ("info", "a link inside an archive"),
    "empty": ("info", "empty, or white space only"),
    "duplicate": ("info", "the same text as an earlier document"),
    "too_short": ("info", "shorter than chosen"),
    "too_large": ("info", "longer than chosen"),
    "hook": ("info", "left out by your own step"),
    "excluded": ("info", "left out by hand"),
    "near_duplicate": ("info", "nearly the same text as an earlier document"),
    "hidden": ("info", "hidden: the name starts with a dot"),
    "other_suffix": ("info", "another kind of file than chosen"),
}
EXAMPLES_KEPT = 20

SkippedState = dict[Reason, tuple[int, tuple[str, ...]]]
"""Of each reason how much was left out, and the first paths; it can be written down."""


def meaning(reason: Reason) -> str:
    """A reason for people, such as "not UTF-8 text"."""
    return _MEANINGS[reason][1]


def printable(path: str) -> str:
    """A path that can be shown and stored: bytes that are not UTF-8 are written as numbers."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class Skipped:
    """Counts what was left out, with bounded memory."""

    def __init__(self) -> None:
        self.counts: Counter[Reason] = Counter()
        self._examples: dict[Reason, list[str]] = {}

    def add(self, reason: Reason, path: str, count: int = 1) -> None:
        """Count one file or document, or several of one file."""
        self.counts[reason] += count
        examples = self._examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_KEPT:
            examples.append(printable(path))

    @property
    def problems(self) -> int:
        """How much was left out that a person may want to mend."""
        return sum(n for reason, n in self.counts.items() if _MEANINGS[reason][0] != "info")

    def add_all(self, others: Skipped) -> None:
        """Count what another source left out."""
        for reason, count in others.counts.items():
            self.counts[reason] += count
            examples = self._examples.setdefault(reason, [])
            examples += others._examples[reason][: EXAMPLES_KEPT - len(examples)]

    def state(self) -> SkippedState:
        """Everything that was counted."""
        return {reason: (n, tuple(self._examples[reason])) for reason, n in self.counts.items()}

    def restore(self, state: SkippedState) -> None:
        """Count on from what `state` gave, and forget everything else."""
        self.counts = Counter({reason: n for reason, (n, _) in state.items()})
        self._examples = {reason: list(paths) for reason, (_, paths) in state.items()}

    def groups(self) -> tuple[SkippedGroup, ...]:
        """The report, in the order of how much a person should care."""
        return tuple(
            SkippedGroup(
                reason=reason,
                meaning=meaning,
                level=level,
                count=self.counts[reason],
                examples=tuple(self._examples[reason]),
            )
            for reason, (level, meaning) in _MEANINGS.items()
            if self.counts[reason]
        )
