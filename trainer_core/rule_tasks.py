"""The rule tasks: what each asks of a model, and the losses at which learning it comes to rest.

A rule task is text made by rules that are known, so that what a model has learned can be said
exactly. The tasks and their figures are those of the fork of femtoGPT that logs them; what it does
not say is settled in `trainer_core.data.sources.generators`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from trainer_core.spec import TaskName

ACTIONS: tuple[str, ...] = (
    "nothing",
    "first three",
    "last three",
    "first three, shifted",
    "last three, shifted",
    "line before: first three",
    "line before: last three",
    "line before: first three, shifted",
    "line before: last three, shifted",
    "the letter z",
)
"""What each digit of `simple_dummy2` asks for; three letters, as they are or six further on."""

SUMS: tuple[str, ...] = ("seen in training", "b + a seen", "neither seen")
"""Kinds of sums of `addition`; `UNSEEN` are those whose answer the training text does not hold."""
UNSEEN = SUMS[1:]

WORD_RULES: tuple[str, ...] = (
    "letters alternate",
    "no letter twice",
    "a fresh first letter",
    "four or six letters",
    "every rule",
)
"""What is asked of each word of `simple_dummy`; the last stands for the whole word."""


LEARNED = 0.70
"""Accuracy above which the tasks' author calls an action learned."""
SOLVED = 0.98
"""Accuracy from which on Hearth calls it solved."""


@dataclass(frozen=True)
class Plateau:
    """A loss that a model reaches by knowing so much and no more.

    Attributes:
        name: What is known there.
        nats: Per character.
    """

    name: str
    nats: float


@dataclass(frozen=True)
class RuleTask:
    """One of the tasks.

    Attributes:
        name: As settings name it.
        title: As people read it.
        sentence: What it is, one line.
        lines: How many the task has.
        groups: What its score is told by, in order.
        plateaus: Gives its plateaus, from the highest loss to the floor.
    """

    name: TaskName
    title: str
    sentence: str
    lines: int
    groups: tuple[str, ...]
    plateaus: Callable[[], tuple[Plateau, ...]]

    @property
    def floor(self) -> float:
        """The entropy of the text in nats per character: no model's loss can be lower."""
        return self.plateaus()[-1].nats


def _entropy(weights: Iterable[float]) -> float:
    """Entropy in nats of the distribution with these weights."""
    kept = [weight for weight in weights if weight > 0]
    total = sum(kept)
    return -sum(weight / total * math.log(weight / total) for weight in kept)


@cache
def _word_plateaus() -> tuple[Plateau, ...]:
    """Of `simple_dummy`: 8 consonants, 5 vowels; on average 5 letters, `;` and a newline.

    The first letter is one of 8 - 3, and each later one of those of its kind that are left.
    """
    consonants, vowels, ends = 2.5, 2.5, 1.0
    unigram = _entropy([consonants / 8] * 8 + [vowels / 5] * 5 + [ends] * 2)
    four = math.log(5) + math.log(5) + math.log(7) + math.log(4)
    two_more = math.log(6) + math.log(3)
    return (
        Plateau("letter frequencies", unigram),
        Plateau("floor", (four + math.log(2) + two_more / 2) / 7),
    )


@cache
def _sum_plateaus() -> tuple[Plateau, ...]:
    """Of `addition`: two numbers of 101, and a sum that the first two plateaus do not work out."""
    characters: Counter[str] = Counter()
    sums: Counter[int] = Counter()
    for a, b in itertools.product(range(101), repeat=2):
        characters.update(f"{a} + {b} = {a + b};\n")
        sums[a + b] += 1
    per_line = characters.total() / 101**2
    numbers = 2 * math.log(101)
    return (
        Plateau("letter frequencies", _entropy(characters.values())),
        Plateau("format", (numbers + _entropy(sums.values())) / per_line),
        Plateau("floor", numbers / per_line),
    )


@cache
def _action_plateaus() -> tuple[Plateau, ...]:
    """Of `simple_dummy2`: 4 to 8 of six letters, one of ten digits, its result; 11.5 characters."""
    letters, shifted, digit, single = 6 + 4 * 3 / 10, 4 * 3 / 10, 1.0, 1.0
    counts = [letters / 6] * 6 + [shifted / 6] * 6 + [digit / 10] * 10 + [1 / 10, single, single]
    free = math.log(5) + 6 * math.log(6) + math.log(10)
    guessed = 8 * 3 / 10 * math.log(6)
    return (
        Plateau("letter frequencies", _entropy(counts)),
        Plateau("format", (free + guessed) / sum(counts)),
        Plateau("floor", free / sum(counts)),
    )


RULE_TASKS: dict[TaskName, RuleTask] = {
    task.name: task
    for task in (
        RuleTask(
            "simple_dummy",
            "Made-up words",
            "Consonants and vowels take turns, no letter comes twice. Does the model keep to that?",
            8_000,
            WORD_RULES,
            _word_plateaus,
        ),
        RuleTask(
            "addition",
            "Sums up to 200",
            "Two numbers up to 100 and their sum. Does the model add, or only remember?",
            8_000,
            SUMS,
            _sum_plateaus,
        ),
        RuleTask(
            "simple_dummy2",
            "Ten actions",
            "A digit says what to do with the letters before it. Which of the ten does it learn?",
            50_000,
            tuple(f"{digit} {action}" for digit, action in enumerate(ACTIONS)),
            _action_plateaus,
        ),
    )
}


def task_of(groups: Iterable[str]) -> RuleTask | None:
    """The task whose score is told by these groups; None without any."""
    wanted = set(groups)
    return next((t for t in RULE_TASKS.values() if wanted and wanted <= set(t.groups)), None)
