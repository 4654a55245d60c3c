"""What lines are worth: the losses that knowing more and more of their rules leads to."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was drawn.

    Attributes:
        text: With its newline.
        answer: Where in it the answer begins; -1 where there is none.
        group: What the answer is scored by.
        nats: Information of everything that was drawn for it; -log of its probability.
    """

    text: str
    answer: int
    group: str
    nats: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The losses at which learning such lines comes to rest, in nats per character, estimated.

    Attributes:
        characters: Of a line with its newline, on average.
        unigram: Knowing how often each character is written.
        guessed: Knowing all but the answers, whose characters are guessed by their place.
        floor: Knowing everything: the entropy of what is drawn. The text's own is lower where one
            text can be drawn in several ways.
    """

    characters: float
    unigram: float
    guessed: float
    floor: float


def measured(lines: Iterable[Line]) -> Figures:
    """The figures of some lines, of which there is at least one."""
    written: Counter[str] = Counter()
    answers: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    n_lines, nats = 0, 0.0
    for line in lines:
        n_lines += 1
        nats += line.nats
        written.update(line.text)
        if line.answer >= 0:
            for place, character in enumerate(line.text[line.answer :]):
                answers[line.group, place][character] += 1
    characters = written.total()
    guesses = sum(_nats(counts) for counts in answers.values())
    return Figures(
        characters / n_lines,
        _nats(written) / characters,
        (nats + guesses) / characters,
        nats / characters,
    )


def _nats(counts: Counter[str]) -> float:
    """Information of all these characters, if each is guessed by how often it comes."""
    total = counts.total()
    return -sum(count * math.log(count / total) for count in counts.values())
