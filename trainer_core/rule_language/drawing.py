"""Lines drawn by rules."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from trainer_core.rule_language.figures import Figures, Line, measured
from trainer_core.rule_language.functions import FUNCTIONS, NoResult
from trainer_core.rule_language.syntax import (
    Before,
    Call,
    Choice,
    Joined,
    LineRule,
    Literal,
    Named,
    Node,
    Range,
    Repeated,
    Statements,
    read,
)
from trainer_core.rule_language.words import Place, RuleError

LINE_CHARACTERS_MAX = 4_096
STEPS_MAX = 20_000
"""Of one line: patterns made of patterns can ask for endless work and give no text at all."""
TRIED_LINES = 20
"""Of each kind are drawn before rules are taken: many mistakes show only then."""
MEASURED_LINES, MEASURED_STEPS = 2_000, 300_000
"""So many lines are measured at most, and so many steps are spent on them."""

_T = TypeVar("_T")


def parse(text: str) -> Rules:
    """The rules that a text describes; some lines of each kind are drawn on trial.

    Raises:
        RuleError: With the place at fault.
    """
    rules = Rules(read(text, {name: (f.fewest, f.most) for name, f in FUNCTIONS.items()}))
    rules.try_out()
    return rules


class Rules:
    """What `parse` gives.

    Args:
        statements: What the text says.
    """

    def __init__(self, statements: Statements) -> None:
        self._named = statements.patterns
        self._lets = statements.lets
        self._lines = [line for line in statements.lines if line.weight]
        if not self._lines:
            raise RuleError("all lines have the weight 0", statements.lines[0].place)
        # A first line has none before it to look at, unless there are no other kinds.
        self._firsts = [line for line in self._lines if not _looks_back(line)] or self._lines

    @property
    def groups(self) -> tuple[str, ...]:
        """What answers are scored by, in the order of the lines; none without answers."""
        return tuple(dict.fromkeys(line.group for line in self._lines if line.answer is not None))

    def lines(self, seed: int, purpose: str = "training") -> Iterator[Line]:
        """Lines without end, the same ones for the same arguments on every computer.

        Args:
            seed: Another seed gives other lines.
            purpose: So does another purpose.

        Raises:
            RuleError: A function has no result for what was drawn, or a line grows too long.
        """
        return (line for line, _ in self._drawn(Random(f"own rules {purpose} {seed}")))

    def _drawn(self, random: Random) -> Iterator[tuple[Line, int]]:
        """Lines, and how many steps each took."""
        draft = _Draft(random)
        first, following = _by_weight(self._firsts), _by_weight(self._lines)
        rule = draft.draw(first)
        while True:
            line = self._line(rule, draft)
            yield line, draft.steps
            draft = draft.following(line.text[:-1])
            rule = draft.draw(following)

    def sample(self, count: int, seed: int = 0) -> list[Line]:
        """A few lines, to be looked at.

        Raises:
            RuleError: As `lines`.
        """
        return list(itertools.islice(self.lines(seed, "sample"), count))

    def figures(self, seed: int = 0) -> Figures:
        """The losses at which learning comes to rest, estimated from some lines.

        Raises:
            RuleError: As `lines`.
        """
        return measured(self._some(Random(f"own rules figures {seed}")))

    def _some(self, random: Random) -> Iterator[Line]:
        """Enough lines to measure, fewer of those that take long."""
        work = 0
        for line, steps in itertools.islice(self._drawn(random), MEASURED_LINES):
            yield line
            work += steps
            if work > MEASURED_STEPS:
                return

    def try_out(self) -> None:
        """Draw some lines of each kind.

        Raises:
            RuleError: As `lines`.
        """
        draft = _Draft(Random(0))
        blank = True
        for rule in (*self._firsts, *self._lines):
            for _ in range(TRIED_LINES):
                text = self._line(rule, draft).text
                blank = blank and text.isspace()
                draft = draft.following(text[:-1])
        if blank:
            raise RuleError("all lines are blank", self._lines[0].place)

    # --- one line ---

    def _line(self, rule: LineRule, draft: _Draft) -> Line:
        draft.place = rule.place
        text = self._text(rule.prompt, draft)
        answer = -1
        if rule.answer is not None:
            answer, draft.is_answer = len(text), True
            text += self._text(rule.answer, draft)
            draft.check_length(text)
        return Line(text + "\n", answer, rule.group, draft.nats)

    def _text(self, node: Node, draft: _Draft) -> str:
        draft.step()
        match node:
            case Literal():
                return node.text
            case Named():
                return self._named_text(node, draft)
            case Before():
                return draft.earlier.get(node.name, "") if node.name else draft.line_before
            case Range():
                drawn = node.low + draft.below(node.high - node.low + 1, node.place)
                return chr(drawn) if node.characters else str(drawn)
            case Choice():
                return self._text(draft.draw(_options(node), node.place), draft)
            case Joined():
                return draft.check_length("".join(self._text(i, draft) for i in node.items))
            case Repeated():
                times = node.low + draft.below(node.high - node.low + 1, node.place)
                texts = [self._text(node.item, draft) for _ in range(times)]
                return draft.check_length("".join(texts))
            case Call():
                return self._result(node, draft)

    def _named_text(self, node: Named, draft: _Draft) -> str:
        if node.name in self._named:
            return self._text(self._named[node.name], draft)
        if node.name not in draft.values:
            outer, draft.place = draft.place, node.place
            draft.values[node.name] = self._text(self._lets[node.name], draft)
            draft.place = outer
        return draft.values[node.name]

    def _result(self, node: Call, draft: _Draft) -> str:
        values = [self._text(argument, draft) for argument in node.arguments]
        try:
            return draft.check_length(FUNCTIONS[node.function].call(*values))
        except NoResult as error:
            raise RuleError(f"`{node.function}` has no result: {error}", node.place) from None


# --- drawing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Weighted(Generic[_T]):
    """Things of which one is drawn."""

    options: Sequence[_T]
    ends: Sequence[float]
    """Sums of the weights up to and with each."""

    def nats(self, number: int) -> float:
        """Information of drawing this one."""
        weight = self.ends[number] - (self.ends[number - 1] if number else 0.0)
        return -math.log(weight / self.ends[-1])


def _weighted(options: Sequence[_T], weights: Sequence[float]) -> _Weighted[_T]:
    pairs = [(option, weight) for option, weight in zip(options, weights, strict=True) if weight]
    ends = list(itertools.accumulate(weight for _, weight in pairs))
    return _Weighted([option for option, _ in pairs], ends)


def _by_weight(lines: Sequence[LineRule]) -> _Weighted[LineRule]:
    return _weighted(lines, [line.weight for line in lines])


def _options(choice: Choice) -> _Weighted[Node]:
    return _weighted(choice.options, choice.weights)


@dataclass
class _Draft:
    """A line that is being drawn.

    Attributes:
        random: Draws.
        earlier: The `let`s of the line before.
        line_before: Its text, without the newline.
        values: The `let`s that were used so far.
        nats: Information of what was drawn.
        steps: Parts of expressions that were worked out.
        is_answer: Nothing may be drawn any more.
        place: Of the statement or name that is worked out.
    """

    random: Random
    earlier: dict[str, str] = field(default_factory=dict)
    line_before: str = ""
    values: dict[str, str] = field(default_factory=dict)
    nats: float = 0.0
    steps: int = 0
    is_answer: bool = False
    place: Place = Place(1, 1)  # noqa: RUF009 - frozen

    def following(self, text: str) -> _Draft:
        """The draft of the line behind this one, whose text is told."""
        return _Draft(self.random, self.values, text)

    def step(self) -> None:
        """Count one part of an expression.

        Raises:
            RuleError: They were too many.
        """
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise RuleError(f"one line takes more than {STEPS_MAX:,} steps", self.place)

    def check_length(self, text: str) -> str:
        """The text, unless it is too long for a line.

        Raises:
            RuleError: It is.
        """
        if len(text) > LINE_CHARACTERS_MAX:
            raise RuleError(f"a line grows beyond {LINE_CHARACTERS_MAX:,} characters", self.place)
        return text

    def below(self, count: int, place: Place) -> int:
        """A whole number below a count, all alike likely."""
        if count > 1:
            self._may_draw(place)
            self.nats += math.log(count)
        # `random()` alone is promised to give the same numbers in every version of Python.
        return int(self.random.random() * count) if count > 1 else 0

    def draw(self, among: _Weighted[_T], place: Place | None = None) -> _T:
        """One of several, by weight."""
        if len(among.options) == 1:
            return among.options[0]
        self._may_draw(place or self.place)
        at = self.random.random() * among.ends[-1]
        number = min(bisect_right(among.ends, at), len(among.ends) - 1)
        self.nats += among.nats(number)
        return among.options[number]

    def _may_draw(self, place: Place) -> None:
        if self.is_answer:
            raise RuleError(
                "the answer behind `=>` has to follow from what stands before it, but this is drawn"
                " only there",
                place,
            )


def _looks_back(line: LineRule) -> bool:
    """Whether a line has `before` in it; in a `let`, it may find nothing there."""
    nodes: list[Node] = [line.prompt, *([line.answer] if line.answer else [])]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Before):
            return True
        nodes += _inside(node)
    return False


def _inside(node: Node) -> Sequence[Node]:
    match node:
        case Choice():
            return node.options
        case Joined():
            return node.items
        case Repeated():
            return (node.item,)
        case Call():
            return node.arguments
        case _:
            return ()
