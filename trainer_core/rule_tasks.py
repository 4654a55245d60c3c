"""The rule tasks: what each asks of a model, and the losses at which learning it comes to rest.

A rule task is text made by rules that are known, so that what a model has learned can be said
exactly. The first three and their figures are those of the fork of femtoGPT that logs them; what it
does not say is settled in `trainer_core.data.sources.generators`.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from trainer_core.rule_language import parse
from trainer_core.spec import RulesSpec, TaskName

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


COPIES: tuple[str, ...] = tuple(
    f"{way}, {length}"
    for way in ("forwards", "backwards", "sorted")
    for length in ("4 to 6 letters", "7 to 10 letters")
)
"""What `copying` asks for."""
PROGRESSION_KINDS: tuple[str, ...] = (
    "equal steps up",
    "equal steps down",
    "growing steps",
    "doubling steps",
    "two steps in turn",
)
"""How `progressions` go on."""
FIRST_TERMS = 150, 849
"""From where to where `progressions` begin: all of their numbers have three digits."""
STEP_MAX = 9
_TERM_LETTERS = 2.477
"""Entropy of the letters of `progressions` in nats, counted over all of its lines."""

OWN_LINES = 20_000
"""Of one's own rules, unless another number is asked for."""

LEARNED = 0.70
"""Accuracy above which the tasks' author calls an action learned."""
SOLVED = 0.98
"""Accuracy from which on Hearth calls it solved."""


def steps_of(kind: int, step: int, other: int) -> tuple[int, ...]:
    """The four steps between the five numbers of a line of `progressions`.

    Args:
        kind: Number in `PROGRESSION_KINDS`.
        step: From 1 to `STEP_MAX`.
        other: Another one of these, for two steps in turn.
    """
    return (
        (step,) * 4,
        (-step,) * 4,
        tuple(step + more for more in range(4)),
        tuple(step << times for times in range(4)),
        (step, other) * 2,
    )[kind]


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
class Ruled:
    """What is known of text made by rules.

    Attributes:
        title: As people read it.
        sentence: What it is, one line.
        lines: How many are made unless another number is asked for.
        groups: What its score is told by, in order; none where nothing is asked.
        plateaus: Gives its plateaus, from the highest loss to the floor.
    """

    title: str
    sentence: str
    lines: int
    groups: tuple[str, ...]
    plateaus: Callable[[], tuple[Plateau, ...]]

    @property
    def floor(self) -> float:
        """The entropy of the text in nats per character: no model's loss can be lower."""
        return self.plateaus()[-1].nats


@dataclass(frozen=True)
class RuleTask(Ruled):
    """One of the tasks.

    Attributes:
        name: As settings name it.
    """

    name: TaskName = field(kw_only=True)


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


@cache
def _copy_plateaus() -> tuple[Plateau, ...]:
    """Of `copying`: 4 to 10 of eight letters, one of three signs, as many letters again."""
    letters, sign, ends = 2 * 7.0, 1.0, 1.0
    free = math.log(7) + 7 * math.log(8) + math.log(3)
    characters = letters + sign + 2 * ends
    unigram = _entropy([letters / 8] * 8 + [sign / 3] * 3 + [ends] * 2)
    return (
        Plateau("letter frequencies", unigram),
        Plateau("format", (free + 7 * math.log(8)) / characters),
        Plateau("floor", free / characters),
    )


@cache
def _progression_plateaus() -> tuple[Plateau, ...]:
    """Of `progressions`: one of 700 numbers, one of five kinds, a step or two; 21 characters.

    No two of these make the same line.
    """
    first = math.log(FIRST_TERMS[1] - FIRST_TERMS[0] + 1)
    kinds, in_turn = len(PROGRESSION_KINDS), STEP_MAX - 1
    free = first + math.log(kinds) + math.log(STEP_MAX) + math.log(in_turn) / kinds
    steps: list[Counter[int]] = [Counter() for _ in range(4)]
    for kind, step, other in itertools.product(
        range(kinds), range(1, STEP_MAX + 1), range(1, STEP_MAX + 1)
    ):
        if step != other:
            for place, size in enumerate(steps_of(kind, step, other)):
                steps[place][size] += 1
    guessed = first + sum(_entropy(sizes.values()) for sizes in steps)
    characters = 5 * 3 + 4 + 2
    return (
        Plateau("letter frequencies", _TERM_LETTERS),
        Plateau("steps guessed", guessed / characters),
        Plateau("floor", free / characters),
    )


RULE_TASKS: dict[TaskName, RuleTask] = {
    task.name: task
    for task in (
        RuleTask(
            "Made-up words",
            "Consonants and vowels take turns, no letter comes twice. Does the model keep to that?",
            8_000,
            WORD_RULES,
            _word_plateaus,
            name="simple_dummy",
        ),
        RuleTask(
            "Sums up to 200",
            "Two numbers up to 100 and their sum. Does the model add, or only remember?",
            8_000,
            SUMS,
            _sum_plateaus,
            name="addition",
        ),
        RuleTask(
            "Ten actions",
            "A digit says what to do with the letters before it. Which of the ten does it learn?",
            50_000,
            tuple(f"{digit} {action}" for digit, action in enumerate(ACTIONS)),
            _action_plateaus,
            name="simple_dummy2",
        ),
        RuleTask(
            "Copies",
            "The letters once more: forwards, backwards or sorted. How long a word can it keep?",
            30_000,
            COPIES,
            _copy_plateaus,
            name="copying",
        ),
        RuleTask(
            "Next number",
            "Five numbers in a row. Does the model see by which rule they go on?",
            20_000,
            PROGRESSION_KINDS,
            _progression_plateaus,
            name="progressions",
        ),
    )
}


def own_task(rules: str) -> Ruled:
    """One's own rules as a task; its plateaus are estimated from some of its lines.

    Raises:
        RuleError: The rules cannot be used.
    """
    parsed = parse(rules)

    @cache
    def plateaus() -> tuple[Plateau, ...]:
        figures = parsed.figures()
        return (
            Plateau("letter frequencies", figures.unigram),
            *([Plateau("answers guessed", figures.guessed)] if parsed.groups else []),
            Plateau("floor", figures.floor),
        )

    sentence = "Lines made by rules of one's own."
    return Ruled("Own rules", sentence, OWN_LINES, parsed.groups, plateaus)


def ruled(spec: RulesSpec) -> Ruled:
    """The task that a job trains on, or one's own rules.

    Raises:
        RuleError: The rules cannot be used.
    """
    return own_task(spec.own) if spec.task == "own" else RULE_TASKS[spec.task]


def task_of(groups: Iterable[str]) -> RuleTask | None:
    """The task whose score is told by these groups; None without any."""
    wanted = set(groups)
    return next((t for t in RULE_TASKS.values() if wanted and wanted <= set(t.groups)), None)
