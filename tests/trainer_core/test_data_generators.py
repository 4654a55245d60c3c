"""The rule tasks' text: as they are defined, the same by seed, with known entropies."""

import itertools
import math
import re
from collections import Counter

import pytest
from data_for_tests import read_source

from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources.generators import CONSONANTS, VOWELS, lines, result_of
from trainer_core.errors import SpecError
from trainer_core.rule_tasks import PROGRESSION_KINDS, RULE_TASKS, steps_of
from trainer_core.spec import PrepareSpec, PythonLibrary, RuleLines, convert, from_toml, to_toml

FIELD_PLATEAUS = {
    "simple_dummy": [2.61, 1.241],
    "addition": [2.463, 1.00, 0.645],
    "simple_dummy2": [2.717, 1.649, 1.275],
}


def some_lines(task, count, seed=7, purpose="training"):
    return list(itertools.islice(lines(task, seed, purpose), count))


@pytest.mark.parametrize("task", FIELD_PLATEAUS)
def test_plateaus_are_those_of_the_tasks_author(task):
    found = [plateau.nats for plateau in RULE_TASKS[task].plateaus()]
    assert found == pytest.approx(FIELD_PLATEAUS[task], abs=0.002)


@pytest.mark.parametrize("task", RULE_TASKS)
def test_letter_frequencies_of_the_text_cost_what_the_first_plateau_says(task):
    counts = Counter("".join(some_lines(task, 20_000)))
    total = counts.total()
    entropy = -sum(n / total * math.log(n / total) for n in counts.values())
    assert entropy == pytest.approx(RULE_TASKS[task].plateaus()[0].nats, abs=0.006)


@pytest.mark.parametrize("task", RULE_TASKS)
def test_a_seed_gives_the_same_lines_and_another_seed_or_purpose_others(task):
    assert some_lines(task, 50) == some_lines(task, 50)
    assert some_lines(task, 50) != some_lines(task, 50, seed=8)
    assert some_lines(task, 50) != some_lines(task, 50, purpose="scoring")


def test_words_keep_every_rule():
    words = [line.removesuffix(";\n") for line in some_lines("simple_dummy", 3_000)]
    for word in words:
        assert all(letter in CONSONANTS for letter in word[::2])
        assert all(letter in VOWELS for letter in word[1::2])
        assert len(set(word)) == len(word)
    lengths = Counter(map(len, words))
    assert set(lengths) == {4, 6}
    assert lengths[4] == pytest.approx(1_500, abs=120)
    for number in range(3, len(words)):
        assert words[number][0] not in [word[0] for word in words[number - 3 : number]]


def test_the_floor_of_the_words_is_the_mean_surprise_of_the_process_that_makes_them():
    """Each word's probability by the rules, against the closed form."""
    surprise, characters = 0.0, 0
    for line in some_lines("simple_dummy", 10_000)[3:]:
        word = line.removesuffix(";\n")
        surprise += math.log(5 * 5 * 7 * 4 * 2 * (6 * 3 if len(word) == 6 else 1))
        characters += len(line)
    assert surprise / characters == pytest.approx(RULE_TASKS["simple_dummy"].floor, abs=0.003)


def test_sums_are_right_and_both_numbers_uniform():
    found = [re.fullmatch(r"(\d+) \+ (\d+) = (\d+);\n", li) for li in some_lines("addition", 9_999)]
    numbers = [tuple(map(int, match.groups())) for match in found]
    assert all(a + b == c for a, b, c in numbers)
    for side in (0, 1):
        drawn = [number[side] for number in numbers]
        assert set(drawn) == set(range(101))
        assert sum(drawn) / len(drawn) == pytest.approx(50, abs=1)


def test_actions_do_what_they_say():
    made = some_lines("simple_dummy2", 4_000)
    before = ""
    seen = Counter()
    for line in made:
        word, action, result = re.fullmatch(r"([a-f]{4,8})(\d)([a-lz]*);\n", line).groups()
        assert result == result_of(action, word, before)
        seen[action] += 1
        before = word
    assert min(seen.values()) > 300
    assert made[0][re.search(r"\d", made[0]).start()] in "012349"


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("0", ""),
        ("1", "abc"),
        ("2", "def"),
        ("3", "ghi"),
        ("4", "jkl"),
        ("5", "fed"),
        ("6", "cba"),
        ("7", "lkj"),
        ("8", "ihg"),
        ("9", "z"),
    ],
)
def test_each_action_by_hand(action, result):
    assert result_of(action, "abcdef", "fedcba") == result


def test_copies_do_what_their_sign_says():
    seen = Counter()
    for line in some_lines("copying", 4_000):
        word, sign, result = re.fullmatch(r"([a-h]{4,10})([=<^])([a-h]+);\n", line).groups()
        wanted = {"=": word, "<": word[::-1], "^": "".join(sorted(word))}[sign]
        assert result == wanted
        seen[sign, len(word)] += 1
    assert len(seen) == 3 * 7
    assert min(seen.values()) > 130


def test_progressions_go_on_by_their_steps():
    kinds = Counter()
    for line in some_lines("progressions", 4_000):
        assert re.fullmatch(r"(\d{3} ){4}\d{3};\n", line)
        terms = [int(term) for term in line.removesuffix(";\n").split(" ")]
        a, b, c, d = (after - before for before, after in itertools.pairwise(terms))
        kind = next(
            name
            for name, holds in {
                "equal steps up": a == b == c == d > 0,
                "equal steps down": a == b == c == d < 0,
                "growing steps": b - a == c - b == d - c == 1,
                "doubling steps": (b, c, d) == (2 * a, 4 * a, 8 * a),
                "two steps in turn": (a, b) == (c, d) and a != b,
            }.items()
            if holds
        )
        assert 1 <= abs(a) <= 9
        kinds[kind] += 1
    assert set(kinds) == set(PROGRESSION_KINDS)
    assert min(kinds.values()) > 700


def test_the_plateaus_of_progressions_are_those_of_all_their_lines():
    """Every line there is, by its probability: no two ways lead to one line."""
    chances, steps = Counter(), [Counter() for _ in range(4)]
    letters = Counter()
    for kind, step, other in itertools.product(range(5), range(1, 10), range(1, 10)):
        if step == other:
            continue
        sizes = steps_of(kind, step, other)
        for place, size in zip(steps, sizes, strict=True):
            place[size] += 1
        for first in range(150, 850):
            terms = itertools.accumulate(sizes, initial=first)
            chances[" ".join(map(str, terms)) + ";\n"] += 1
    for line, count in chances.items():
        for letter in line:
            letters[letter] += count

    def entropy(counts):
        total = counts.total()
        return -sum(n / total * math.log(n / total) for n in counts.values())

    found = [plateau.nats for plateau in RULE_TASKS["progressions"].plateaus()]
    guessed = math.log(700) + sum(entropy(place) for place in steps)
    wanted = [entropy(letters), guessed / 21, entropy(chances) / 21]
    assert found == pytest.approx(wanted, abs=0.0005)


def test_the_floor_of_the_copies_is_the_mean_surprise_of_the_process_that_makes_them():
    surprise, characters = 0.0, 0
    for line in some_lines("copying", 10_000):
        length = (len(line) - 3) // 2
        surprise += math.log(7) + length * math.log(8) + math.log(3)
        characters += len(line)
    _, guessed, floor = (plateau.nats for plateau in RULE_TASKS["copying"].plateaus())
    assert surprise / characters == pytest.approx(floor, abs=0.005)
    answers = (characters - 3 * 10_000) / 2 * math.log(8)
    assert (surprise + answers) / characters == pytest.approx(guessed, abs=0.005)


def test_the_source_is_one_document_of_all_lines():
    texts, left_out = read_source(RuleLines(task="addition", lines=2_500))
    assert list(texts) == ["addition"]
    assert texts["addition"] == "".join(some_lines("addition", 2_500, seed=1))
    assert left_out == {}


def test_a_corpus_of_a_task_says_so_and_is_split_at_a_lines_end(tmp_path):
    spec = PrepareSpec(source=RuleLines(task="simple_dummy2", lines=3_000), seed=5)
    corpus = build_corpus(spec, tmp_path / "corpus")
    assert corpus.manifest.rule_task == "simple_dummy2"
    assert corpus.tokenizer.kind == "bytes"
    sides = [corpus.tokenizer.decode(split.tokens()) for split in (corpus.train, corpus.validation)]
    assert "".join(sides) == "".join(some_lines("simple_dummy2", 3_000, seed=5))
    assert all(side.endswith(";\n") for side in sides)
    assert corpus.validation.n_bytes / corpus.train.n_bytes == pytest.approx(0.05 / 0.95, abs=0.005)
    again = build_corpus(spec, tmp_path / "again")
    assert again.fingerprint == corpus.fingerprint


def test_a_corpus_with_other_text_beside_the_task_is_no_rule_task(tmp_path):
    (tmp_path / "a.txt").write_text("something else\n" * 200)
    spec = from_toml(
        f"""
        verb = "prepare"
        tokenizer = {{ kind = "bytes" }}
        [[sources]]
        kind = "rule_task"
        task = "addition"
        lines = 200
        [[sources]]
        kind = "text_files"
        paths = ["{tmp_path / "a.txt"}"]
        """,
        "a spec",
    )
    assert build_corpus(spec, tmp_path / "corpus").manifest.rule_task == ""


def test_bytes_are_the_tokenizer_of_a_task_unless_another_is_named():
    task = RuleLines(task="addition")
    assert PrepareSpec(source=task).tokenizer.__class__.__name__ == "ByteTokenizer"
    assert PrepareSpec(source=PythonLibrary()).tokenizer.__class__.__name__ == "BpeTokenizer"
    named = convert(
        {"source": {"kind": "rule_task", "task": "addition"}, "tokenizer": {"kind": "bpe"}},
        PrepareSpec,
        "a spec",
    )
    assert named.tokenizer.__class__.__name__ == "BpeTokenizer"
    spec = PrepareSpec(source=task)
    assert from_toml(to_toml(spec), "a spec") == spec


def test_an_old_manifest_is_of_no_task(tmp_path):
    spec = PrepareSpec(source=RuleLines(task="addition", lines=300))
    path = build_corpus(spec, tmp_path / "corpus").folder / "manifest.json"
    path.write_text(re.sub(r'\s*"rule_task": "addition",', "", path.read_text()))
    assert open_corpus(tmp_path / "corpus").manifest.rule_task == ""


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"task": "subtraction"}, "source.task"),
        ({"task": "addition", "lines": -1}, "source.lines"),
        ({"task": "addition", "lines": 10**9}, "source.lines"),
        ({}, "source"),
    ],
)
def test_absurd_settings_are_refused_by_their_path(settings, field):
    with pytest.raises(SpecError) as refused:
        convert({"source": {"kind": "rule_task", **settings}}, PrepareSpec, "a spec")
    assert refused.value.field == field
