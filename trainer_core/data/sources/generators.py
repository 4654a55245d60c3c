"""Text made by rules: the lines of the rule tasks, and the source that gives them to `prepare`.

What the tasks' author does not say is settled here:

- `simple_dummy`: every word begins with a consonant, as the entropy of 1.241 nats per character
  asks for; a stream's first words have fewer than three words before them to differ from.
- `simple_dummy2`: "the previous line" means its letters, not its result. A stream's first line has
  none before it, so its action is one of those that need none.
- All lines of a source are one document, so that the lines before are there to be read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random

from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.files import Place, SourceFile
from trainer_core.errors import DataError
from trainer_core.rule_language import RuleError, parse
from trainer_core.rule_tasks import FIRST_TERMS, PROGRESSION_KINDS, RULE_TASKS, STEP_MAX, steps_of
from trainer_core.spec import OwnRules, RuleLines, TaskName

CONSONANTS, VOWELS = "bcdfghjk", "aeiou"
LETTERS = "abcdef"
SHIFTED = str.maketrans("abcdef", "ghijkl")
OWN_ACTIONS = "012349"
"""Actions of `simple_dummy2` that need no line before."""
LARGEST_SUMMAND = 100
COPIED_LETTERS, COPY_SIGNS = "abcdefgh", "=<^"
COPIED_LENGTHS = 4, 10
COPIED_SHORT = 6
LINES_IN_A_PART = 1000
LINE_BYTES = 12
"""Of a line, on average and roughly; progress is counted with it."""


def lines(task: TaskName, seed: int, purpose: str = "training") -> Iterator[str]:
    """The lines of a task without end, each with its newline.

    Args:
        task: Which task.
        seed: Another seed gives other lines.
        purpose: So does another purpose: what is scored is never what was trained on.
    """
    return _LINES[task](Random(f"{task} {purpose} {seed}"))


def _one_of(random: Random, choices: Sequence[str]) -> str:
    # `random()` alone is promised to give the same numbers in every version of Python.
    return choices[int(random.random() * len(choices))]


def _words(random: Random) -> Iterator[str]:
    firsts: list[str] = []
    while True:
        word = _one_of(random, [c for c in CONSONANTS if c not in firsts])
        firsts = [*firsts, word][-3:]
        length = 4 if random.random() < 0.5 else 6
        while len(word) < length:
            kind = VOWELS if len(word) % 2 else CONSONANTS
            word += _one_of(random, [letter for letter in kind if letter not in word])
        yield f"{word};\n"


def _sums(random: Random) -> Iterator[str]:
    while True:
        a, b = (int(random.random() * (LARGEST_SUMMAND + 1)) for _ in range(2))
        yield f"{a} + {b} = {a + b};\n"


def _actions(random: Random) -> Iterator[str]:
    before = ""
    while True:
        length = 4 + int(random.random() * 5)
        word = "".join(_one_of(random, LETTERS) for _ in range(length))
        action = _one_of(random, "0123456789" if before else OWN_ACTIONS)
        yield f"{word}{action}{result_of(action, word, before)};\n"
        before = word


def _copies(random: Random) -> Iterator[str]:
    shortest, longest = COPIED_LENGTHS
    while True:
        length = shortest + int(random.random() * (longest + 1 - shortest))
        word = "".join(_one_of(random, COPIED_LETTERS) for _ in range(length))
        sign = _one_of(random, COPY_SIGNS)
        yield f"{word}{sign}{copied(sign, word)};\n"


def copied(sign: str, word: str) -> str:
    """What a sign of `copying` asks for: the same, backwards or sorted.

    Args:
        sign: One of `COPY_SIGNS`.
        word: The letters before it.
    """
    if sign == "=":
        return word
    return word[::-1] if sign == "<" else "".join(sorted(word))


def _terms(random: Random) -> Iterator[str]:
    lowest, highest = FIRST_TERMS
    while True:
        kind = int(random.random() * len(PROGRESSION_KINDS))
        first = lowest + int(random.random() * (highest + 1 - lowest))
        step = 1 + int(random.random() * STEP_MAX)
        other = 1 + int(random.random() * (STEP_MAX - 1))
        other += other >= step
        terms = itertools.accumulate(steps_of(kind, step, other), initial=first)
        yield " ".join(map(str, terms)) + ";\n"


_LINES: dict[TaskName, Callable[[Random], Iterator[str]]] = {
    "simple_dummy": _words,
    "addition": _sums,
    "simple_dummy2": _actions,
    "copying": _copies,
    "progressions": _terms,
}


def result_of(action: str, word: str, before: str) -> str:
    """What an action of `simple_dummy2` asks for.

    Args:
        action: A digit.
        word: The letters of this line.
        before: Those of the line before.
    """
    if action in "09":
        return "" if action == "0" else "z"
    number = int(action) - 1
    of = word if number < 4 else before
    part = of[-3:] if number % 2 else of[:3]
    return part.translate(SHIFTED) if number % 4 > 1 else part


class LineSource:
    """The lines of a rule task, or of one's own rules, as one document.

    Args:
        source: Which rules, and how many lines.
        seed: Draws them.
        field: Path of the source in the settings, for messages.
    """

    max_bytes = 0

    def __init__(self, source: RuleLines | OwnRules, seed: int, field: str) -> None:
        self._source, self._seed, self._field = source, seed, field
        self._n_lines = line_count(source)
        title = source.task if isinstance(source, RuleLines) else "own rules"
        size_bytes = self._n_lines * LINE_BYTES
        self.files = (SourceFile(describe_lines(source), title, size_bytes),)

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The one document; the arguments are those of `FileSource`.

        Raises:
            DataError: One's own rules give no line any more; it may be raised after many lines.
        """
        done = 0
        watch(lambda: done * LINE_BYTES)

        def parts() -> Iterator[str]:
            nonlocal done
            given = itertools.islice(self._lines(), self._n_lines)
            while part := "".join(itertools.islice(given, LINES_IN_A_PART)):
                done += LINES_IN_A_PART
                yield part

        yield FoundDocument(file.title, file.path, parts())

    def _lines(self) -> Iterator[str]:
        if isinstance(self._source, RuleLines):
            yield from lines(self._source.task, self._seed)
            return
        try:
            for line in parse(self._source.rules).lines(self._seed):
                yield line.text
        except RuleError as error:
            raise DataError(
                f"The rules give no line any more: {error}.",
                safe="Nothing was written.",
                do="Correct the rules there.",
                field=f"{self._field}.rules",
            ) from None


def line_count(source: RuleLines | OwnRules) -> int:
    """How many lines a source gives."""
    if isinstance(source, OwnRules):
        return source.lines
    return source.lines or RULE_TASKS[source.task].lines


def describe_lines(source: RuleLines | OwnRules) -> str:
    """The source in a few words, for the manifest and the model card."""
    made_by = f"Rule task {source.task}" if isinstance(source, RuleLines) else "Own rules"
    return f"{made_by}: {line_count(source):,} lines"
