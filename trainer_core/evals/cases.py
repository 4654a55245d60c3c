"""What models of rule tasks are asked: fresh lines, cut where the rules say what follows."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trainer_core.data.corpus import Corpus
from trainer_core.data.sources.generators import COPIED_SHORT, COPY_SIGNS, lines
from trainer_core.rule_language import RuleError, parse
from trainer_core.rule_tasks import COPIES, PROGRESSION_KINDS, RULE_TASKS, SUMS, steps_of
from trainer_core.spec import TaskName

LINES_BEFORE = 10
_TOKENS_AT_ONCE = 1 << 20
LINES_DRAWN_MAX = 200
"""Lines that are looked through for each case of a group; a group may be all but empty."""


@dataclass(frozen=True)
class Case:
    """One question to the model.

    Attributes:
        group: What it is scored by.
        before: The lines before, each with its newline.
        prompt: The beginning of this line.
        rest: Its rest, with the newline.
    """

    group: str
    before: tuple[str, ...]
    prompt: str
    rest: str


@dataclass(frozen=True)
class _Asked:
    """A fresh line as a question; one without a group is only read as a line before."""

    group: str | None
    line: str
    prompt: str


def cases_of(corpus: Corpus, per_group: int) -> Iterator[Case]:
    """Fresh cases for models of a corpus, equally many of each group as far as they come up.

    Args:
        corpus: What the models are trained on; of other text than that of rules, nothing is asked.
        per_group: Cases of each group.
    """
    manifest = corpus.manifest
    if manifest.own_rules:
        rules = parse(manifest.own_rules)
        return _chosen(_own_lines(manifest.own_rules, manifest.seed), rules.groups, per_group)
    if not manifest.rule_task:
        return iter(())
    task = manifest.rule_task
    groups = ("",) if task == "simple_dummy" else RULE_TASKS[task].groups
    return _chosen(_task_lines(task, corpus), groups, per_group)


def _chosen(asked: Iterator[_Asked], groups: tuple[str, ...], per_group: int) -> Iterator[Case]:
    drawn: Counter[str] = Counter()
    before: deque[str] = deque(maxlen=LINES_BEFORE)
    for each in itertools.islice(asked, LINES_DRAWN_MAX * per_group):
        if all(drawn[group] >= per_group for group in groups):
            return
        group = each.group
        if group is not None and len(before) == LINES_BEFORE and drawn[group] < per_group:
            drawn[group] += 1
            yield Case(group, tuple(before), each.prompt, each.line.removeprefix(each.prompt))
        before.append(each.line)


def _own_lines(rules: str, seed: int) -> Iterator[_Asked]:
    """Lines of one's own rules, up to the first that they cannot make."""
    try:
        for line in parse(rules).lines(seed, "scoring"):
            group = line.group if line.answer >= 0 else None
            yield _Asked(group, line.text, line.text[: max(line.answer, 0)])
    except RuleError:
        return


def _task_lines(task: TaskName, corpus: Corpus) -> Iterator[_Asked]:
    known = _known_lines(corpus) if task in ("addition", "progressions") else frozenset[str]()
    for line in lines(task, corpus.manifest.seed, "scoring"):
        prompt, group = _QUESTIONS[task](line, known)
        yield _Asked(group, line, prompt)


def _known_lines(corpus: Corpus) -> frozenset[str]:
    """All lines of the training text, each with its newline; many of them are equal."""
    known: set[str] = set()
    held = ""
    for begin in range(0, corpus.train.n_tokens, _TOKENS_AT_ONCE):
        end = min(begin + _TOKENS_AT_ONCE, corpus.train.n_tokens)
        *whole, held = (held + corpus.tokenizer.decode(corpus.train.read(begin, end))).split("\n")
        known.update(f"{line}\n" for line in whole)
    return frozenset(known)


# --- what is asked of a line of each task --------------------------------------------------------


def _of_words(line: str, known: frozenset[str]) -> tuple[str, str]:
    return "", ""


def _of_sums(line: str, known: frozenset[str]) -> tuple[str, str]:
    prompt, rest = line[: line.index("=") + 1], line[line.index("=") + 1 :]
    a, _, b, _ = prompt.split(" ")
    seen = line in known, f"{b} + {a} ={rest}" in known
    return prompt, SUMS[0] if seen[0] else SUMS[1] if seen[1] else SUMS[2]


def _of_actions(line: str, known: frozenset[str]) -> tuple[str, str]:
    at = next(at for at, letter in enumerate(line) if letter.isdigit())
    return line[: at + 1], RULE_TASKS["simple_dummy2"].groups[int(line[at])]


def _of_copies(line: str, known: frozenset[str]) -> tuple[str, str]:
    at = next(at for at, letter in enumerate(line) if letter in COPY_SIGNS)
    is_long = at > COPIED_SHORT
    return line[: at + 1], COPIES[2 * COPY_SIGNS.index(line[at]) + is_long]


def _of_progressions(line: str, known: frozenset[str]) -> tuple[str, str | None]:
    """Lines that the model has read are passed over: it could know the last number by heart."""
    prompt, last = line.rsplit(" ", 1)
    terms = [int(term) for term in [*prompt.split(" "), last.removesuffix(";\n")]]
    steps = tuple(after - before for before, after in itertools.pairwise(terms))
    kinds = range(len(PROGRESSION_KINDS))
    kind = next(each for each in kinds if steps_of(each, abs(steps[0]), steps[1]) == steps)
    return prompt, None if line in known else PROGRESSION_KINDS[kind]


_QUESTIONS: dict[TaskName, Callable[[str, frozenset[str]], tuple[str, str | None]]] = {
    "simple_dummy": _of_words,
    "addition": _of_sums,
    "simple_dummy2": _of_actions,
    "copying": _of_copies,
    "progressions": _of_progressions,
}
