"""How well a model keeps the rules of a rule task: fresh cases, and the share of them it solves.

A case is a prompt of up to ten lines and the beginning of one more. Where the rest of that line
follows from the rules, the model is right when it writes exactly this rest, taking its likeliest
token each time; where it does not (`simple_dummy`), when the word that it draws keeps them. The
index is not asked: what is scored is the model.

Letters: B batch, T time, N cases, V vocabulary.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer_core.data.corpus import Corpus
from trainer_core.data.sources.generators import CONSONANTS, VOWELS, lines
from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.model.transformer import Transformer
from trainer_core.records import GroupScore
from trainer_core.rule_tasks import RULE_TASKS, SUMS, WORD_RULES
from trainer_core.spec import TaskName
from trainer_core.train.compute import Compute

LINES_BEFORE = 10
CASES_MAX = 64
"""Cases that are worked on at once."""
LINES_DRAWN_MAX = 200
"""Lines that are looked through for each case of a group; a group may be all but empty."""
WORD_CHARACTERS_MAX = 8
"""A word of `simple_dummy` with its end; what has not ended by then is no word."""


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


def rule_scorer(corpus: Corpus, context_length: int, per_group: int = 50) -> RuleScorer | None:
    """What scores models of this corpus; None where it is no rule task, or its lines do not fit.

    Args:
        corpus: What the models are trained on.
        context_length: Of the models, in tokens.
        per_group: Cases of each group; the same ones for every model.
    """
    task = corpus.manifest.rule_task
    if not task:
        return None
    cases = tuple(_cases(task, corpus, per_group))
    encoded = [_encode(case, corpus.tokenizer, context_length) for case in cases]
    fitting = [(case, each) for case, each in zip(cases, encoded, strict=True) if each is not None]
    if not fitting:
        return None
    return RuleScorer(task, [case for case, _ in fitting], [each for _, each in fitting], corpus)


# --- cases -------------------------------------------------------------------------------------


def _cases(task: TaskName, corpus: Corpus, per_group: int) -> Iterator[Case]:
    """Fresh cases, equally many of each group as far as they come up."""
    known = _known_sums(corpus) if task == "addition" else frozenset[str]()
    groups = ("",) if task == "simple_dummy" else RULE_TASKS[task].groups
    drawn: Counter[str] = Counter()
    before: deque[str] = deque(maxlen=LINES_BEFORE)
    stream = lines(task, corpus.manifest.seed, "scoring")
    for line in itertools.islice(stream, LINES_DRAWN_MAX * per_group):
        prompt = _prompt_of(task, line)
        group = _group_of(task, prompt, known)
        if len(before) == LINES_BEFORE and drawn[group] < per_group:
            drawn[group] += 1
            yield Case(group, tuple(before), prompt, line.removeprefix(prompt))
            if all(drawn[each] >= per_group for each in groups):
                return
        before.append(line)


def _prompt_of(task: TaskName, line: str) -> str:
    """The beginning of a line, up to where the rules begin to say what follows."""
    if task == "simple_dummy":
        return ""
    if task == "addition":
        return line[: line.index("=") + 1]
    return line[: next(at for at, letter in enumerate(line) if letter.isdigit()) + 1]


def _group_of(task: TaskName, prompt: str, known: frozenset[str]) -> str:
    if task == "simple_dummy":
        return ""
    if task == "simple_dummy2":
        return RULE_TASKS[task].groups[int(prompt[-1])]
    a, _, b, _ = prompt.split(" ")
    seen = prompt in known, f"{b} + {a} =" in known
    return SUMS[0] if seen[0] else SUMS[1] if seen[1] else SUMS[2]


def _known_sums(corpus: Corpus) -> frozenset[str]:
    """The beginnings of all lines of the training text."""
    text = corpus.tokenizer.decode(corpus.train.tokens())
    return frozenset(_prompt_of("addition", line) for line in text.splitlines() if "=" in line)


@dataclass(frozen=True)
class _Encoded:
    """A case in tokens: what the model reads, and the tokens that should follow it."""

    prompt: list[int]
    rest: list[int]


def _encode(case: Case, tokenizer: TextTokenizer, context_length: int) -> _Encoded | None:
    """The case with as many of the lines before as the context holds; None if not even its own."""
    rest = tokenizer.encode(case.rest).tolist()
    room = context_length + 1 - max(len(rest), WORD_CHARACTERS_MAX)
    for skipped in range(len(case.before) + 1):
        prompt = tokenizer.encode("".join(case.before[skipped:]) + case.prompt).tolist()
        if 0 < len(prompt) <= room:
            return _Encoded(prompt, rest)
    return None


# --- scoring -----------------------------------------------------------------------------------


class RuleScorer:
    """Always the same cases of one task. `rule_scorer` makes it.

    Attributes:
        cases: What is asked.
    """

    def __init__(
        self, task: TaskName, cases: Sequence[Case], encoded: Sequence[_Encoded], corpus: Corpus
    ) -> None:
        self._task, self.cases, self._encoded = task, cases, encoded
        self._tokenizer = corpus.tokenizer
        self._seed = corpus.manifest.seed

    def score(self, model: Transformer, compute: Compute) -> tuple[GroupScore, ...]:
        """How many cases of each group the model solves; groups without a case are left out.

        Args:
            model: On the compute's device.
            compute: Device and precision.
        """
        training = model.training
        model.eval()
        try:
            with torch.no_grad(), compute.autocast():
                if self._task == "simple_dummy":
                    return _word_scores(self.cases, self._draw_words(model, compute.device))
                solved = self._solved(model, compute.device)
        finally:
            model.train(training)
        totals = Counter(case.group for case in self.cases)
        rights = Counter(
            case.group for case, right in zip(self.cases, solved, strict=True) if right
        )
        return tuple(
            GroupScore(group=group, right=rights[group], total=totals[group])
            for group in RULE_TASKS[self._task].groups
            if totals[group]
        )

    def _batches(self) -> Iterator[Sequence[_Encoded]]:
        for at in range(0, len(self._encoded), CASES_MAX):
            yield self._encoded[at : at + CASES_MAX]

    def _solved(self, model: Transformer, device: torch.device) -> list[bool]:
        """Whether each case's rest is what the model would write, (N,).

        One pass reads the prompt and its right rest together. Every token of the rest is the
        likeliest after the right ones before it if and only if writing the likeliest token each
        time gives this rest.
        """
        solved: list[bool] = []
        for batch in self._batches():
            rows = [case.prompt + case.rest[:-1] for case in batch]
            hidden = model.hidden(_padded(rows, device))  # (B, T, C)
            places = [
                (row, len(case.prompt) - 1 + number)
                for row, case in enumerate(batch)
                for number in range(len(case.rest))
            ]
            likeliest = _logits_at(model, hidden, places).argmax(-1)
            wanted = torch.tensor([token for case in batch for token in case.rest], device=device)
            right = (likeliest == wanted).tolist()
            ends = itertools.accumulate(len(case.rest) for case in batch)
            solved += [
                all(right[end - len(case.rest) : end])
                for case, end in zip(batch, ends, strict=True)
            ]
        return solved

    def _draw_words(self, model: Transformer, device: torch.device) -> list[str]:
        """A word after each prompt, drawn as the model's probabilities are, up to its newline."""
        generator = torch.Generator().manual_seed(self._seed)
        words: list[str] = []
        for batch in self._batches():
            rows = [list(case.prompt) for case in batch]
            for _ in range(WORD_CHARACTERS_MAX):
                hidden = model.hidden(_padded(rows, device))
                places = [(number, len(row) - 1) for number, row in enumerate(rows)]
                chances = _logits_at(model, hidden, places).float().softmax(-1).cpu()
                drawn = torch.multinomial(chances, 1, generator=generator)
                for row, token in zip(rows, drawn[:, 0].tolist(), strict=True):
                    row.append(token)
            for row, case in zip(rows, batch, strict=True):
                text = self._tokenizer.decode(row[len(case.prompt) :])
                words.append(text.partition("\n")[0] + ("\n" if "\n" in text else ""))
        return words


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Rows of tokens side by side, (B, T); what is filled in behind a row changes nothing in it."""
    length = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows], device=device)


def _logits_at(model: Transformer, hidden: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
    """Logits at some (row, position)s, (N, V), without those of all the others."""
    rows, positions = torch.tensor(places, device=hidden.device).unbind(-1)
    return model.output(hidden[rows, positions].unsqueeze(0))[0]


def _word_scores(cases: Sequence[Case], words: Sequence[str]) -> tuple[GroupScore, ...]:
    kept: Counter[str] = Counter()
    for case, word in zip(cases, words, strict=True):
        kept.update(rules_kept(word, [line[0] for line in case.before[-3:]]))
    return tuple(GroupScore(group=rule, right=kept[rule], total=len(words)) for rule in WORD_RULES)


def rules_kept(line: str, firsts: Sequence[str]) -> list[str]:
    """Which of `WORD_RULES` a line of `simple_dummy` keeps.

    Args:
        line: What was written, its newline included if there was one.
        firsts: First letters of the last three words.
    """
    word, end = line.removesuffix(";\n"), line[-2:]
    kinds = zip(word, itertools.cycle((CONSONANTS, VOWELS)), strict=False)
    kept = (
        bool(word) and all(letter in kind for letter, kind in kinds),
        bool(word) and len(set(word)) == len(word),
        bool(word) and word[0] not in firsts,
        len(word) in (4, 6) and end == ";\n",
    )
    return [rule for rule, is_kept in zip(WORD_RULES, (*kept, all(kept)), strict=True) if is_kept]
