"""How well a model keeps the rules of a rule task: fresh cases, and the share of them it solves.

A case is a prompt of up to ten lines and the beginning of one more. Where the rest of that line
follows from the rules, the model is right when it writes exactly this rest, taking its likeliest
token each time; where it does not (`simple_dummy`), when the word that it draws keeps them. The
index is not asked: what is scored is the model.

Letters: B batch, T time, N cases, V vocabulary.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer_core.data.corpus import Corpus
from trainer_core.data.manifest import Manifest
from trainer_core.data.sources.generators import CONSONANTS, VOWELS
from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.evals.cases import Case, cases_of
from trainer_core.model.transformer import Transformer
from trainer_core.records import GroupScore
from trainer_core.rule_language import parse
from trainer_core.rule_tasks import RULE_TASKS, WORD_RULES
from trainer_core.train.compute import Compute

CASES_MAX = 64
"""Cases that are worked on at once."""
WORD_CHARACTERS_MAX = 8
"""A word of `simple_dummy` with its end; what has not ended by then is no word."""


def rule_scorer(corpus: Corpus, context_length: int, per_group: int = 50) -> RuleScorer | None:
    """What scores models of this corpus; None where no rules made it, or no line fits.

    Args:
        corpus: What the models are trained on.
        context_length: Of the models, in tokens.
        per_group: Cases of each group; the same ones for every model.
    """
    cases = tuple(cases_of(corpus, per_group))
    encoded = [_encode(case, corpus.tokenizer, context_length) for case in cases]
    fitting = [(case, each) for case, each in zip(cases, encoded, strict=True) if each is not None]
    if not fitting:
        return None
    return RuleScorer([case for case, _ in fitting], [each for _, each in fitting], corpus)


# --- cases -------------------------------------------------------------------------------------


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


def _groups_of(manifest: Manifest) -> tuple[str, ...]:
    """What the score of a corpus made by rules is told by, in order."""
    if manifest.own_rules:
        return parse(manifest.own_rules).groups
    return RULE_TASKS[manifest.rule_task].groups if manifest.rule_task else ()


# --- scoring -----------------------------------------------------------------------------------


class RuleScorer:
    """Always the same cases of one task. `rule_scorer` makes it.

    Attributes:
        cases: What is asked.
    """

    def __init__(self, cases: Sequence[Case], encoded: Sequence[_Encoded], corpus: Corpus) -> None:
        self.cases, self._encoded = cases, encoded
        self._draws_words = corpus.manifest.rule_task == "simple_dummy"
        self._groups = _groups_of(corpus.manifest)
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
                if self._draws_words:
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
            for group in self._groups
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
