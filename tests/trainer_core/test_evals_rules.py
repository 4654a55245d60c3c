"""Scoring rule tasks: fresh cases, right or wrong as greedy writing would have it, by group."""

import itertools
import math
import re
from collections import Counter

import pytest
import torch
from train_for_tests import make_corpus

from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources.generators import CONSONANTS, result_of
from trainer_core.evals import cases
from trainer_core.evals.rules import rule_scorer, rules_kept
from trainer_core.model.transformer import Transformer
from trainer_core.rule_tasks import RULE_TASKS, SUMS, WORD_RULES
from trainer_core.spec import BpeTokenizer, ModelConfig, PrepareSpec, RuleLines
from trainer_core.train.compute import choose_compute

SMALL = ModelConfig(vocab_size=257, context_length=64, n_layer=1, n_head=2, n_embd=16)
LINES = {
    "simple_dummy": 400,
    "addition": 4_000,
    "simple_dummy2": 600,
    "copying": 400,
    "progressions": 6_000,
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    home = tmp_path_factory.mktemp("corpora")
    return {
        task: build_corpus(PrepareSpec(source=RuleLines(task=task, lines=count)), home / task)
        for task, count in LINES.items()
    }


@pytest.fixture
def compute():
    return choose_compute("cpu", "fp32", 1)


def small_model(seed=1):
    return Transformer(SMALL, torch.Generator().manual_seed(seed)).eval()


class Oracle(torch.nn.Module):
    """Stands in for a model that knows `answer`: the text so far, and what comes next."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def hidden(self, tokens):
        rows = [bytes(row).decode() for row in tokens.tolist()]
        wanted = [[ord(self.answer(row[: at + 1])) for at in range(len(row))] for row in rows]
        return torch.nn.functional.one_hot(torch.tensor(wanted), 257).float()

    def output(self, hidden):
        return hidden * 100


def next_of_actions(text):
    *_, before, line = ["", *text.split("\n")]
    asked = re.fullmatch(r"([a-f]+)(\d)(.*)", line)
    if asked is None:
        return "?"
    word, action, written = asked.groups()
    rest = result_of(action, word, re.match("[a-f]*", before)[0]) + ";\n"
    return rest[len(written) :][:1] or "?"


def next_of_sums(text):
    line = text.split("\n")[-1]
    asked = re.fullmatch(r"(\d+) \+ (\d+) =(.*)", line)
    if asked is None:
        return "?"
    a, b, written = asked.groups()
    return f" {int(a) + int(b)};\n"[len(written) :][:1] or "?"


def test_a_model_that_knows_every_action_solves_every_case(corpora, compute):
    scorer = rule_scorer(corpora["simple_dummy2"], 200, per_group=7)
    scores = scorer.score(Oracle(next_of_actions), compute)
    assert [score.group for score in scores] == list(RULE_TASKS["simple_dummy2"].groups)
    assert {(score.right, score.total) for score in scores} == {(7, 7)}


def test_an_action_that_the_model_gets_wrong_is_the_one_that_is_told(corpora, compute):
    def knows_no_nine(text):
        wanted = next_of_actions(text)
        return "y" if wanted == "z" else wanted

    scores = rule_scorer(corpora["simple_dummy2"], 200, 5).score(Oracle(knows_no_nine), compute)
    assert [score.right for score in scores] == [5] * 9 + [0]


def test_a_result_with_more_behind_it_is_wrong(corpora, compute):
    def goes_on(text):
        wanted = next_of_actions(text)
        return "z" if wanted == ";" and text[-1] == "0" else wanted

    scores = rule_scorer(corpora["simple_dummy2"], 200, 5).score(Oracle(goes_on), compute)
    assert scores[0].right == 0
    assert scores[9].right == 5


def test_sums_are_told_apart_by_what_the_training_text_holds(corpora, compute):
    corpus = corpora["addition"]
    scorer = rule_scorer(corpus, 200, per_group=20)
    text = corpus.tokenizer.decode(corpus.train.tokens())
    for case in scorer.cases:
        a, _, b, _ = case.prompt.split(" ")
        seen, mirrored = (f"\n{one} + {other} =" in text for one, other in ((a, b), (b, a)))
        assert case.group == SUMS[0 if seen else 1 if mirrored else 2]
    scores = scorer.score(Oracle(next_of_sums), compute)
    assert [(s.group, s.right, s.total) for s in scores] == [(kind, 20, 20) for kind in SUMS]

    def remembers(prefix):
        line = prefix.split("\n")[-1]
        head = line.partition("=")[0]
        return next_of_sums(prefix) if f"\n{head}=" in text else "?"

    assert [s.right for s in scorer.score(Oracle(remembers), compute)] == [20, 0, 0]


def next_of_copies(text):
    asked = re.fullmatch(r"([a-h]+)([=<^])(.*)", text.split("\n")[-1])
    if asked is None:
        return "?"
    word, sign, written = asked.groups()
    rest = {"=": word, "<": word[::-1], "^": "".join(sorted(word))}[sign] + ";\n"
    return rest[len(written) :][:1] or "?"


def next_of_progressions(text):
    """Knows how far equal, growing and alternating steps lead, and nothing of the others."""
    asked = re.fullmatch(r"((?:\d{3} ){3}\d{3})(.*)", text.split("\n")[-1])
    if asked is None:
        return "?"
    terms, written = [int(term) for term in asked[1].split(" ")], asked[2]
    a, b, c = (after - before for before, after in itertools.pairwise(terms))
    step = c + 1 if b - a == c - b == 1 else b
    return f" {terms[-1] + step};\n"[len(written) :][:1] or "?"


def test_copies_are_told_apart_by_their_sign_and_length(corpora, compute):
    scorer = rule_scorer(corpora["copying"], 200, 8)
    scores = scorer.score(Oracle(next_of_copies), compute)
    assert [(s.group, s.right, s.total) for s in scores] == [
        (group, 8, 8) for group in RULE_TASKS["copying"].groups
    ]
    for case in scorer.cases:
        way = {"=": "forwards", "<": "backwards", "^": "sorted"}[case.prompt[-1]]
        length = "4 to 6 letters" if len(case.prompt) <= 7 else "7 to 10 letters"
        assert case.group == f"{way}, {length}"


def test_progressions_that_were_read_are_not_asked(corpora, compute):
    corpus = corpora["progressions"]
    scorer = rule_scorer(corpus, 200, 30)
    read = corpus.tokenizer.decode(corpus.train.tokens())
    assert not any(f"{case.prompt}{case.rest}" in read for case in scorer.cases)
    scores = scorer.score(Oracle(next_of_progressions), compute)
    shares = {score.group: score.right / score.total for score in scores}
    assert shares.pop("doubling steps") < 0.2
    assert shares == dict.fromkeys(
        ["equal steps up", "equal steps down", "growing steps", "two steps in turn"], 1.0
    )


def test_right_is_what_greedy_writing_gives(corpora, compute):
    """One pass over prompt and rest, against writing token by token."""
    corpus = corpora["simple_dummy2"]
    scorer = rule_scorer(corpus, 64, per_group=6)
    model = small_model()
    # Learned for a moment, so that some cases are right and some are wrong.
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    stream = torch.from_numpy(corpus.train.tokens()[1:].astype("int64"))
    for step in range(60):
        rows = stream[step * 64 : step * 64 + 16 * 65].view(16, 65)
        model.loss(rows[:, :-1].contiguous(), rows[:, 1:].contiguous()).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    encode = corpus.tokenizer.encode
    right = Counter()
    for case in scorer.cases:
        before = next(
            n for n in range(11) if len("".join(case.before[n:]) + case.prompt) <= 64 + 1 - 8
        )
        written = encode("".join(case.before[before:]) + case.prompt).tolist()
        rest = encode(case.rest).tolist()
        for _ in rest:
            written.append(int(model(torch.tensor([written]))[0, -1].argmax()))
        right[case.group] += written[-len(rest) :] == rest
    scores = scorer.score(model, compute)
    assert {score.group: score.right for score in scores} == dict(right)
    assert 0 < sum(right.values()) < sum(score.total for score in scores)


def test_words_are_drawn_and_held_against_every_rule(corpora, compute):
    scorer = rule_scorer(corpora["simple_dummy"], 64, per_group=30)
    unlearned = scorer.score(small_model(), compute)
    assert [score.group for score in unlearned] == list(WORD_RULES)
    assert unlearned[-1].right == 0
    assert unlearned == scorer.score(small_model(), compute), "drawn with the same seed"

    def four_letters(text):
        *lines, word = text.split("\n")
        firsts = [line[:1] for line in lines[-3:]]
        free = [c for c in CONSONANTS if c not in word and (word or c not in firsts)]
        return f"{free[0]}a{free[0]}e;\n"[len(word) :][:1] or "?"

    scores = scorer.score(Oracle(four_letters), compute)
    assert {(score.right, score.total) for score in scores} == {(30, 30)}


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("bake;\n", ()),
        ("bakegi;\n", ()),
        ("abke;\n", (0,)),
        ("bakb;\n", (0, 1)),
        ("baba;\n", (1,)),
        ("daki;\n", (2,)),
        ("bak;\n", (3,)),
        ("bakig;\n", (3,)),
        ("bake", (0, 1, 2, 3)),
        ("bake;;\n", (0,)),
        (";\n", (0, 1, 2, 3)),
        ("", (0, 1, 2, 3)),
    ],
)
def test_each_rule_of_the_words(line, broken):
    kept = rules_kept(line, ["d", "c", "f"])
    named = {WORD_RULES[number] for number in broken} | ({WORD_RULES[-1]} if broken else set())
    if line in ("bake", "bake;;\n"):  # an unfinished or overlong word is wrong at least as a whole
        assert WORD_RULES[-1] not in kept
    else:
        assert set(WORD_RULES) - set(kept) == named


def test_scoring_leaves_the_model_in_training_and_its_random_numbers_alone(corpora, compute):
    model = small_model().train()
    before = torch.get_rng_state()
    for task in LINES:
        rule_scorer(corpora[task], 64, 3).score(model, compute)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_a_context_too_short_for_a_line_gives_no_score(corpora):
    assert rule_scorer(corpora["addition"], 8) is None
    assert rule_scorer(corpora["addition"], 40) is not None


def test_other_text_is_no_rule_task(tmp_path):
    from trainer_core.data.corpus import open_corpus

    assert rule_scorer(open_corpus(make_corpus(tmp_path)), 64) is None


def test_a_learned_tokenizer_is_scored_as_well(tmp_path, compute):
    spec = PrepareSpec(
        source=RuleLines(task="simple_dummy2", lines=500), tokenizer=BpeTokenizer(vocab_size=300)
    )
    corpus = build_corpus(spec, tmp_path / "corpus")
    model = Transformer(ModelConfig(vocab_size=300, n_layer=1, n_head=2, n_embd=16))
    scores = rule_scorer(corpus, 256, 4).score(model, compute)
    assert len(scores) == 10
    assert math.isfinite(sum(score.accuracy for score in scores))


def test_lines_that_were_read_are_known_however_they_are_cut(corpora, monkeypatch):
    corpus = corpora["progressions"]
    whole = cases._known_lines(corpus)
    monkeypatch.setattr(cases, "_TOKENS_AT_ONCE", 1_000)
    assert cases._known_lines(corpus) == whole
    assert whole == set(corpus.tokenizer.decode(corpus.train.tokens()).splitlines(keepends=True))
