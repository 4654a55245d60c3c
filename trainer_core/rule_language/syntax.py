"""From the text of rules to what it says: statements and expressions with their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trainer_core.rule_language.words import (
    NUMBER_MAX,
    SURROGATES,
    Place,
    RuleError,
    Word,
    unquoted,
    whole_number,
    words_of,
)

TEXT_CHARACTERS_MAX = 20_000
REPEATS_MAX = 1_000
DEPTH_MAX = 40
"""Parentheses and functions inside one another."""
WORDS = ("let", "line", "before")


# --- what rules say ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """A text as it stands there."""

    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """A pattern or a `let` by its name."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Before:
    """A `let` of the line before; the whole line where the name is empty."""

    name: str


@dataclass(frozen=True, slots=True)
class Range:
    """A number from low to high, or a character, all alike likely."""

    low: int
    high: int
    characters: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Joined:
    """One thing behind the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several, by weight."""

    options: tuple[Node, ...]
    weights: tuple[float, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same pattern several times, drawn anew each time."""

    item: Node
    low: int
    high: int
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """A function of texts."""

    function: str
    arguments: tuple[Node, ...]
    place: Place


Node = Literal | Named | Before | Range | Joined | Choice | Repeated | Call


@dataclass(frozen=True, slots=True)
class LineRule:
    """One kind of line.

    Attributes:
        group: What its answers are scored by.
        weight: How often it is drawn, against the others.
        prompt: What stands before the answer.
        answer: None where there is nothing to score.
        place: Where the statement begins.
    """

    group: str
    weight: float
    prompt: Node
    answer: Node | None
    place: Place


@dataclass
class Statements:
    """Everything that a text says.

    Attributes:
        patterns: By name.
        lets: By name.
        lines: In their order.
    """

    patterns: dict[str, Node] = field(default_factory=dict)
    lets: dict[str, Node] = field(default_factory=dict)
    lines: list[LineRule] = field(default_factory=list)


# --- reading -----------------------------------------------------------------------------------


def read(text: str, functions: Mapping[str, tuple[int, int]]) -> Statements:
    """What a text says.

    Args:
        text: The rules.
        functions: The fewest and the most arguments of each function.

    Raises:
        RuleError: With the first place at fault.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RuleError(
            f"rules may have {TEXT_CHARACTERS_MAX:,} characters, not {len(text):,}", Place(1, 1)
        )
    reader = _Reader(list(words_of(text)), functions)
    reader.read()
    if not reader.found.lines:
        last = reader.words[-1].place
        raise RuleError("there is no `line = ...`, which says what a line looks like", last)
    return reader.found


class _Reader:
    """Reads word after word; only names that stand above are known."""

    def __init__(self, words: list[Word], functions: Mapping[str, tuple[int, int]]) -> None:
        self.words = words
        self.found = Statements()
        self._functions = functions
        self._at = 0
        self._depth = 0
        self._looked_back: list[Word] = []
        """Names of `let`s of the line before; they may stand further down."""

    # --- statements ---

    def read(self) -> None:
        """Read everything."""
        while self._at < len(self.words):
            if self._take("end") is None:
                self._statement()
                self._want("end", "the end of the statement")
        for word in self._looked_back:
            if word.text not in self.found.lets:
                raise RuleError(f"no `let` is called `{word.text}`", word.place)

    def _statement(self) -> None:
        word = self._want("name", "`let`, `line` or a name")
        if word.text == "line":
            self._line(word.place)
        elif word.text == "let":
            name = self._new_name(self._want("name", "a name"))
            self._want("=", "`=`")
            self.found.lets[name] = self._choice()
        else:
            name = self._new_name(word)
            self._want("=", "`=`")
            self.found.patterns[name] = self._choice()

    def _new_name(self, word: Word) -> str:
        if word.text in WORDS:
            raise RuleError(
                f"`{word.text}` has a meaning of its own; take another name", word.place
            )
        if word.text in self._functions:
            raise RuleError(f"`{word.text}` is a function; take another name", word.place)
        if word.text in self.found.patterns or word.text in self.found.lets:
            raise RuleError(f"`{word.text}` is named twice", word.place)
        return word.text

    def _line(self, place: Place) -> None:
        named = self._take("string")
        group = unquoted(named) if named else f"line {len(self.found.lines) + 1}"
        if not group.strip():
            raise RuleError("the group has no name", named.place if named else place)
        weight = self._weight()
        self._want("=", "`=`")
        prompt = self._choice()
        answer = self._choice() if self._take("=>") else None
        self.found.lines.append(LineRule(group, weight, prompt, answer, place))

    # --- expressions ---

    def _choice(self) -> Node:
        place = self._word.place
        options, weights = [], []
        while True:
            options.append(self._joined())
            weights.append(self._weight())
            if self._take("|") is None:
                break
        if len(options) == 1 and weights == [1.0]:
            return options[0]
        if not any(weights):
            raise RuleError("all weights are 0", place)
        return Choice(tuple(options), tuple(weights), place)

    def _weight(self) -> float:
        if self._take(":") is None:
            return 1.0
        number = self._want("number", "a weight, such as `2` or `0.5`")
        weight = float(number.text)
        if not 0 <= weight <= NUMBER_MAX:
            raise RuleError("a weight is 0 or more", number.place)
        return weight

    def _joined(self) -> Node:
        items = [self._item()]
        while self._word.kind in ("string", "number", "name") or self._word.text == "(":
            items.append(self._item())
        return items[0] if len(items) == 1 else Joined(tuple(items))

    def _item(self) -> Node:
        item = self._atom()
        while star := self._take("*"):
            low = self._count()
            high = self._count() if self._take("..") else low
            if low > high:
                raise RuleError(f"{low}..{high} goes downwards", star.place)
            item = Repeated(item, low, high, star.place)
        return item

    def _count(self) -> int:
        word = self._want("number", "how many times, such as `3` or `3..5`")
        if not word.text.isdigit() or float(word.text) > REPEATS_MAX:
            raise RuleError(f"a count is a whole number from 0 to {REPEATS_MAX:,}", word.place)
        return int(word.text)

    def _atom(self) -> Node:
        word = self._word
        if word.kind not in ("string", "number", "name") and word.text != "(":
            raise RuleError("something is missing here: a text, a name or a number", word.place)
        self._at += 1
        if word.text == "(":
            inner = self._deeper(self._choice, word.place)
            self._want(")", "`)`")
            return inner
        if word.kind == "name":
            return self._by_name(word)
        if self._take("..") is not None:
            return self._range(word)
        if word.kind == "string":
            return Literal(unquoted(word))
        return Literal(str(whole_number(word)))

    def _range(self, first: Word) -> Node:
        last = self._want(first.kind, "the end of the range, of the same kind as its beginning")
        if first.kind == "number":
            found = Range(whole_number(first), whole_number(last), False, first.place)
        else:
            ends = [unquoted(word) for word in (first, last)]
            for end, word in zip(ends, (first, last), strict=True):
                if len(end) != 1 or end == "\t":
                    raise RuleError("a range goes from one character to another", word.place)
            found = Range(ord(ends[0]), ord(ends[1]), True, first.place)
        if found.low > found.high:
            raise RuleError(f"{first.text}..{last.text} goes downwards", first.place)
        if found.characters and found.low < SURROGATES < found.high:
            raise RuleError("a range of characters cannot be this wide", first.place)
        return found

    def _by_name(self, word: Word) -> Node:
        if self._take("("):
            return self._deeper(lambda: self._call(word), word.place)
        if word.text == "before":
            return Before(self._let_name() if self._take(".") else "")
        if word.text in self.found.patterns or word.text in self.found.lets:
            return Named(word.text, word.place)
        if word.text in self._functions:
            raise RuleError(f"`{word.text}` is a function: {word.text}(...)", word.place)
        raise RuleError(
            f"nothing above is called `{word.text}`; a text stands in quotation marks", word.place
        )

    def _let_name(self) -> str:
        word = self._want("name", "the name of a `let`")
        self._looked_back.append(word)
        return word.text

    def _call(self, word: Word) -> Node:
        if word.text not in self._functions:
            known = ", ".join(self._functions)
            raise RuleError(f"there is no function `{word.text}`, but {known}", word.place)
        arguments = []
        if self._word.text != ")":
            arguments.append(self._choice())
            while self._take(","):
                arguments.append(self._choice())
        self._want(")", "`,` or `)`")
        fewest, most = self._functions[word.text]
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise RuleError(f"`{word.text}` takes {wanted} values in its parentheses", word.place)
        return Call(word.text, tuple(arguments), word.place)

    def _deeper(self, inside: Callable[[], Node], place: Place) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise RuleError(f"more than {DEPTH_MAX} parentheses inside one another", place)
        found = inside()
        self._depth -= 1
        return found

    # --- words ---

    @property
    def _word(self) -> Word:
        return self.words[self._at]

    def _take(self, wanted: str) -> Word | None:
        """The next word, if it is of this kind or this sign."""
        word = self._word
        if word.kind != wanted and not (word.kind == "sign" and word.text == wanted):
            return None
        self._at += 1
        return word

    def _want(self, wanted: str, meaning: str) -> Word:
        word = self._take(wanted)
        if word is None:
            found = self._word
            there = "the statement ends" if found.kind == "end" else f"`{found.text}` stands there"
            raise RuleError(f"{meaning} is wanted here, but {there}", found.place)
        return word
