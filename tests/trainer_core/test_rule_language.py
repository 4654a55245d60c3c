"""The language of one's own rules: what it draws, what it refuses and where, what it is worth."""

import itertools
import math
import re
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainer_core.rule_language as language
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources.generators import lines, result_of
from trainer_core.errors import SpecError
from trainer_core.evals.cases import cases_of
from trainer_core.evals.rules import rule_scorer
from trainer_core.rule_language import EXAMPLES, FUNCTIONS, RuleError, parse
from trainer_core.rule_language.functions import NoResult
from trainer_core.rule_tasks import RULE_TASKS, own_task
from trainer_core.spec import BpeTokenizer, OwnRules, PrepareSpec, convert, from_toml, to_toml


def texts(rules, count=200, seed=1):
    return [line.text for line in itertools.islice(parse(rules).lines(seed), count)]


def only_text(rules):
    (text,) = set(texts(rules, 5))
    return text.removesuffix("\n")


# --- what is drawn -------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_examples_can_be_used(example):
    rules = parse(example.text)
    assert rules.groups
    sample = rules.sample(40)
    assert {line.group for line in sample if line.answer >= 0} == set(rules.groups)
    figures = rules.figures()
    assert 0 < figures.floor < figures.guessed < figures.unigram


def test_the_description_of_the_language_is_an_example_itself():
    shown = "\n".join(line[4:] for line in language.__doc__.splitlines() if line.startswith("    "))
    assert parse(shown).groups == ("copied", "backwards", "line before")


def test_patterns_are_drawn_anew_and_lets_once_in_a_line():
    rules = 'letter = "a".."d"\nlet kept = letter * 3\nline = kept "-" kept "-" letter * 3'
    found = [text.strip().split("-") for text in texts(rules)]
    assert all(first == second for first, second, _ in found)
    assert sum(third == first for first, _, third in found) < 20
    assert {len(first) for first, _, _ in found} == {3}


def test_weights_ranges_and_repeats_are_drawn_as_often_as_they_say():
    count = 8_000
    drawn = texts('line = ("a" : 3 | "b" | "c" : 0) (1..4) "x" * 0..2', count)
    firsts = Counter(text[0] for text in drawn)
    assert firsts["a"] / count == pytest.approx(0.75, abs=0.02)
    assert set(firsts) == {"a", "b"}
    for place in (Counter(text[1] for text in drawn), Counter(text.count("x") for text in drawn)):
        expected = count / len(place)
        assert all(n == pytest.approx(expected, rel=0.1) for n in place.values())
    assert set(Counter(text[1] for text in drawn)) == set("1234")


def test_lines_are_drawn_by_weight_and_groups_may_have_several():
    rules = 'line "x" : 3 = "a" => "1"\nline "y" = "b" => "2"\nline "x" = "c" => "3"\nline = "d"'
    parsed = parse(rules)
    assert parsed.groups == ("x", "y")
    counts = Counter(line.text[0] for line in itertools.islice(parsed.lines(3), 6_000))
    assert counts["a"] / 6_000 == pytest.approx(0.5, abs=0.03)
    kinds = {line.text: (line.group, line.answer) for line in parsed.sample(200)}
    assert kinds == {
        "a1\n": ("x", 1),
        "b2\n": ("y", 1),
        "c3\n": ("x", 1),
        "d\n": ("line 4", -1),
    }


def test_the_line_before_is_there_from_the_second_line_on():
    rules = """
let n = remainder(sum(before.n, 1), 5)
line "n" = "x" => n
line "all" = "[" before "]" => before.n
"""
    found = texts(rules, 300)
    assert found[0] == "x1\n", "a first line has none before it to look at"
    n = 0
    for before, line in itertools.pairwise(found):
        if line.startswith("x"):
            n = (int(before[1:]) if before.startswith("x") else 0) + 1
            assert line == f"x{n % 5}\n"
        else:
            shown = before[1:-1] if before.startswith("x") else ""
            assert line == f"[{before[:-1]}]{shown}\n"


def test_statements_go_on_in_lines_that_begin_with_white_space():
    rules = (
        '# first\nline = "a"   # the beginning\n\n  # between\n  "b" |\n\t"ab" "\\"\\\\#"\n# last'
    )
    assert set(texts(rules)) == {"ab\n", 'ab"\\#\n'}


def test_the_same_seed_gives_the_same_lines_and_another_seed_or_purpose_others():
    rules = parse(EXAMPLES[0].text)

    def some(*arguments):
        return [line.text for line in itertools.islice(rules.lines(*arguments), 50)]

    assert some(3) == some(3)
    assert some(3) != some(4)
    assert some(3) != some(3, "scoring")


def test_the_task_of_ten_actions_can_be_said_in_the_language():
    """Its plateaus and its results are those of the task itself."""
    own = """
letter = "a".."f"
let word = letter * 4..8
line "0" = word "0" => ";"
line "1" = word "1" => first(word, 3) ";"
line "2" = word "2" => last(word, 3) ";"
line "3" = word "3" => shift(first(word, 3), 6) ";"
line "4" = word "4" => shift(last(word, 3), 6) ";"
line "5" = word "5" => first(before.word, 3) ";"
line "6" = word "6" => last(before.word, 3) ";"
line "7" = word "7" => shift(first(before.word, 3), 6) ";"
line "8" = word "8" => shift(last(before.word, 3), 6) ";"
line "9" = word "9" => "z;"
"""
    before = ""
    for text in texts(own, 2_000):
        word, action, result = re.fullmatch(r"([a-f]+)(\d)(\w*);\n", text).groups()
        assert result == result_of(action, word, before)
        before = word
    found = [plateau.nats for plateau in own_task(own).plateaus()]
    wanted = [plateau.nats for plateau in RULE_TASKS["simple_dummy2"].plateaus()]
    assert found == pytest.approx(wanted, abs=0.02)
    assert texts(own, 1) != [next(lines("simple_dummy2", 1))]


# --- functions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ('copy("abc")', "abc"),
        ('reverse("abc")', "cba"),
        ('sort("bca1")', "1abc"),
        ('unique("abcab")', "abc"),
        ('upper("aß")', "ASS"),
        ('lower("ABc")', "abc"),
        ('first("abc", 2)', "ab"),
        ('first("abc", 9)', "abc"),
        ('last("abc", 2)', "bc"),
        ('last("abc", 0)', ""),
        ('rotate("abcd", 1)', "bcda"),
        ('rotate("abcd", -1)', "dabc"),
        ('rotate("", 3)', ""),
        ('shift("az-AZ9", 1)', "ba-BA0"),
        ('shift("abx", 1, "abc")', "bcx"),
        ('shift("b", -2)', "z"),
        ('replace("banana", "an", "01")', "b01010"),
        ('length("")', "0"),
        ('count("banana", "an")', "2"),
        ("sum(1, 2, -5)", "-2"),
        ("difference(3, 5)", "-2"),
        ("product(3, 5, 2)", "30"),
        ("quotient(-7, 2)", "-4"),
        ("remainder(-7, 2)", "1"),
        ("smallest(3, -5)", "-5"),
        ("largest(3, 10)", "10"),
        ("compare(3, 10)", "<"),
        ("compare(10, 10)", "="),
        ("compare(11, 10)", ">"),
        ('same("a", "a", "yes", "no")', "yes"),
        ('same("a", "b", "yes", "no")', "no"),
    ],
)
def test_each_function(call, result):
    assert only_text(f'line = "[" {call} "]"') == f"[{result}]"


def test_every_function_is_tried_above_and_tells_what_it_is():
    (cases,) = (mark.args[1] for mark in test_each_function.pytestmark)
    assert {call.partition("(")[0] for call, _ in cases} == set(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.meaning
        assert function.arguments
        assert 1 <= function.fewest <= function.most


@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(st.text(max_size=8), min_size=4, max_size=4))
def test_functions_give_a_text_or_say_that_they_have_none(name, values):
    function = FUNCTIONS[name]
    for count in range(function.fewest, min(function.most, 4) + 1):
        try:
            assert isinstance(function.call(*values[:count]), str)
        except NoResult as error:
            assert str(error)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "line", "column", "words"),
    [
        ("", 1, 1, "there is no `line"),
        ("# nothing\n\n", 3, 1, "there is no `line"),
        ('a = "x"\nline = b', 2, 8, "`b`"),
        ('line = a\na = "x"', 1, 8, "`a`"),
        ("a = a\nline = a", 1, 5, "`a`"),
        ('line = "abc', 1, 8, "closing quotation mark"),
        ('line = "a" ; "b"', 1, 12, "means nothing"),
        ('line = "a" *', 1, 13, "how many times"),
        ('line = "a" * 1001', 1, 14, "1,000"),
        ('line = "a" * 5..2', 1, 12, "downwards"),
        ("line = 5..2", 1, 8, "downwards"),
        ('line = "z".."a"', 1, 8, "downwards"),
        ('line = "ab".."c"', 1, 8, "one character"),
        ('line = "a"..3', 1, 13, "same kind"),
        ('line = "\x01"', 1, 8, "cannot be printed"),
        ('line = " ".."\U0001f600"', 1, 8, "this wide"),
        ('line = "a" | ', 1, 14, "something is missing"),
        ("line = ()", 1, 9, "something is missing"),
        ('line = ("a"', 1, 12, "`)`"),
        ('line = "a" : -1', 1, 14, "0 or more"),
        ('line = "a" : 0', 1, 8, "weights are 0"),
        ('line "g" : 0 = "a"', 1, 1, "weight 0"),
        ('line "" = "a"', 1, 6, "no name"),
        ('line = "a" => "b" => "c"', 1, 19, "end of the statement"),
        ('a = "x" => "y"\nline = a', 1, 9, "end of the statement"),
        ('line = "\\n"', 1, 8, "there is no `\\n`"),
        ('a = "x"\na = "y"\nline = a', 2, 1, "named twice"),
        ('before = "x"\nline = before', 1, 1, "meaning of its own"),
        ('sum = "x"\nline = "a"', 1, 1, "is a function"),
        ("line = sum", 1, 8, "is a function"),
        ("line = mean(1, 2)", 1, 8, "no function `mean`"),
        ('line = first("a")', 1, 8, "takes 2"),
        ('line = shift("a")', 1, 8, "takes 2 to 3"),
        ('line = sum("x")', 1, 8, "'x' is no whole number"),
        ("line = quotient(1, 0)", 1, 8, "divided by 0"),
        ('line = first("a", 2000)', 1, 8, "no count"),
        ("line = product(" + "999999999999999, " * 7 + "1)", 1, 8, "100 digits"),
        ("line = 9999999999999999", 1, 8, "at most"),
        ("line = " + "9" * 5_000, 1, 8, "at most"),
        ("line = 1.5", 1, 8, "whole"),
        ('line = before.word "a"', 1, 15, "no `let` is called `word`"),
        ('let w = "a".."c"\nline = "x" => w', 1, 9, "has to follow"),
        ('line = "x" => "a" | "b"', 1, 15, "has to follow"),
        ('line = "a" * 1000 * 5', 1, 1, "beyond 4,096"),
        ("line = " + "(" * 50 + '"a"' + ")" * 50, 1, 48, "40 parentheses"),
        ('line = ""', 1, 1, "blank"),
        ("let a = before.a\nline = a", 2, 1, "blank"),
        ('line = "' + "a" * 30_000 + '"', 1, 1, "20,000 characters"),
        ('let = "a"\nline = "b"', 1, 5, "a name is wanted"),
        ("1 = 2", 1, 1, "`let`, `line` or a name"),
    ],
)
def test_wrong_rules_are_refused_with_the_place(rules, line, column, words):
    with pytest.raises(RuleError, match=re.escape(words)) as refused:
        parse(rules)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert str(refused.value) == f"line {line}, column {column}: {refused.value.message}"


def test_patterns_that_ask_for_endless_work_are_refused_at_once():
    doubled = "\n".join(f"p{n + 1} = p{n} p{n} p{n} p{n}" for n in range(40))
    begun = time.perf_counter()
    with pytest.raises(RuleError, match="steps"):
        parse(f'p0 = ""\n{doubled}\nline = p40')
    assert time.perf_counter() - begun < 1


def test_rules_at_the_limit_are_measured_in_a_moment():
    slow = 'a = "a".."z"\nline = ' + " ".join(["a * 900"] * 4)
    rules = parse(slow)
    begun = time.perf_counter()
    assert rules.figures().floor == pytest.approx(math.log(26) * 3600 / 3601)
    assert time.perf_counter() - begun < 3


@given(st.text(alphabet='ab="|:*().,>0123 \n\t#line', max_size=60))
def test_whatever_is_typed_gives_lines_or_an_error_with_a_place(text):
    try:
        found = parse(text).sample(3)
    except RuleError as error:
        rows = text.split("\n")
        assert 1 <= error.line <= len(rows)
        assert 1 <= error.column <= len(rows[error.line - 1]) + 1
    else:
        assert all(line.text.endswith("\n") for line in found)


# --- figures -------------------------------------------------------------------------------------


def test_the_floor_is_the_entropy_of_what_is_drawn():
    line = math.log(6) + 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    figures = parse('line = 1..6 ("a" : 3 | "b")').figures()
    assert figures.characters == 3
    assert figures.floor == pytest.approx(line / 3, abs=0.01)


def test_answers_cost_what_their_characters_do_as_long_as_they_are_guessed():
    rules = 'let a = 0..9\nline = a "=" => a'
    figures = parse(rules).figures()
    assert figures.floor == pytest.approx(math.log(10) / 4)
    assert figures.guessed == pytest.approx(2 * math.log(10) / 4, abs=0.005)
    assert figures.unigram == pytest.approx(
        -(2 * 0.25 * math.log(0.25) + 0.5 * math.log(0.05)), abs=0.005
    )


# --- as a source ---------------------------------------------------------------------------------


def test_a_corpus_of_ones_own_rules_knows_them_and_asks_fresh_lines(tmp_path):
    own = EXAMPLES[0].text
    spec = PrepareSpec(source=OwnRules(rules=own, lines=3_000), seed=9)
    assert from_toml(to_toml(spec)) == spec
    corpus = build_corpus(spec, tmp_path / "corpus")
    assert corpus.tokenizer.kind == "bytes"
    assert (corpus.manifest.own_rules, corpus.manifest.rule_task) == (own, "")
    text = "".join(
        corpus.tokenizer.decode(split.tokens()) for split in (corpus.train, corpus.validation)
    )
    assert text == "".join(texts(own, 3_000, seed=9))
    cases = list(cases_of(corpus, 20))
    assert Counter(case.group for case in cases) == dict.fromkeys(parse(own).groups, 20)
    for case in cases:
        assert case.prompt[-1] in "=<^"
        assert case.rest.endswith(";\n")
        assert len(case.before) == 10
    assert rule_scorer(corpus, 128, 20) is not None


def test_rules_without_an_answer_are_text_that_nothing_is_asked_of(tmp_path):
    spec = PrepareSpec(source=OwnRules(rules='line = "a".."z" * 5', lines=500))
    assert rule_scorer(build_corpus(spec, tmp_path / "corpus"), 64) is None


def test_a_rule_that_fails_late_is_an_error_beside_its_field(tmp_path):
    rules = "let a = 0..4000\nline = a => quotient(1, difference(a, 77))"
    spec = PrepareSpec(
        source=OwnRules(rules=rules, lines=200_000), tokenizer=BpeTokenizer(vocab_size=300)
    )
    with pytest.raises(Exception, match="divided by 0") as failed:
        build_corpus(spec, tmp_path / "corpus")
    assert failed.value.field == "source.rules"
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"rules": "line = x"}, "source.rules"),
        ({"rules": 'line = "a"', "lines": 0}, "source.lines"),
        ({"rules": 'line = "a"', "lines": 10**9}, "source.lines"),
        ({}, "rules"),
    ],
)
def test_absurd_settings_are_refused(settings, field):
    with pytest.raises(SpecError) as refused:
        convert({"source": {"kind": "own_rules", **settings}}, PrepareSpec, "a spec")
    assert field in refused.value.what
