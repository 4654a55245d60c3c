"""A rule task from one command: its parts, its score, what is said of it, and going on with it."""

import signal
import subprocess
import sys
import time

import pytest
from train_for_tests import journal

from trainer_core import spec as specs
from trainer_core.__main__ import main
from trainer_core.data.corpus import open_corpus
from trainer_core.errors import SpecError
from trainer_core.evals import verb as evaluate
from trainer_core.job import run_job
from trainer_core.presets import parameter_count
from trainer_core.records import Validated
from trainer_core.rule_language import parse
from trainer_core.rule_tasks import RULE_TASKS, task_of
from trainer_core.rules.plan import RECIPES, train_spec
from trainer_core.spec import RulesSpec, TrainSpec
from trainer_core.status import read_status

SMALL = {"steps": 2, "lines": 900, "threads": 1}


@pytest.fixture(autouse=True)
def few_cases(monkeypatch):
    monkeypatch.setattr(evaluate, "_CASES", 6)


@pytest.mark.parametrize("task", RULE_TASKS)
def test_recipes_fit_every_length(task):
    for steps in (1, 5, 100, 0):
        spec = train_spec(RulesSpec(task=task, steps=steps), "corpus")
        assert spec.budget.steps == (steps or RECIPES[task].steps)
        assert specs.from_toml(specs.to_toml(spec), "a spec") == spec


def test_the_model_of_ten_actions_is_as_small_as_it_is_said_to_be():
    assert parameter_count(RECIPES["simple_dummy2"].model) <= 400_000


@pytest.mark.parametrize("task", RULE_TASKS)
def test_a_task_is_prepared_trained_and_scored(tmp_path, task, capsys):
    folder = tmp_path / "t"
    options = [f"--{name}={value}" for name, value in SMALL.items()]
    assert main(["rules", task, str(folder), *options]) == 0
    said = capsys.readouterr().out
    found = read_status(folder).result
    groups = RULE_TASKS[task].groups
    assert [score["group"] for score in found["groups"]] == list(groups)
    assert all(group.split(" ")[0] in said for group in groups)
    assert {part.folder for part in read_status(folder).children} == {"data", "run", "score"}
    spec = specs.load(folder / "run" / "spec.toml")
    assert isinstance(spec, TrainSpec)
    assert found["parameters"] == parameter_count(spec.model)
    assert found["loss"] > found["floor"] == RULE_TASKS[task].floor
    validations = journal(folder / "run", Validated)
    assert task_of(score.group for score in validations[-1].groups) is RULE_TASKS[task]
    assert f"{found['floor']:.3f}" in said


def test_the_same_command_again_changes_nothing(tmp_path):
    spec = RulesSpec(task="addition", **SMALL)
    assert run_job(tmp_path / "t", spec) == 0
    weights = next((tmp_path / "t" / "run").rglob("model*.safetensors"))
    before, first = weights.read_bytes(), read_status(tmp_path / "t").result
    assert run_job(tmp_path / "t", spec) == 0
    assert weights.read_bytes() == before
    again = read_status(tmp_path / "t").result
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_another_task_does_not_take_over_the_folder(tmp_path, capsys):
    options = [f"--{name}={value}" for name, value in SMALL.items()]
    assert main(["rules", "addition", str(tmp_path / "t"), *options]) == 0
    assert main(["rules", "simple_dummy", str(tmp_path / "t"), *options]) != 0
    assert "already belongs to another job" in capsys.readouterr().err


OWN = """
letter = "a".."d"
let word = letter * 2..3
line "once more" = word "=" => word ";"
line "backwards" = word "<" => reverse(word) ";"
"""


def test_rules_of_ones_own_are_trained_on_and_scored(tmp_path, capsys):
    (tmp_path / "rules.txt").write_text(OWN)
    folder = tmp_path / "t"
    options = ["--own", str(tmp_path / "rules.txt"), "--steps=3", "--lines=2000", "--threads=1"]
    assert main(["rules", *options, str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Own rules: accuracy on fresh lines" in said
    found = read_status(folder).result
    assert [group["group"] for group in found["groups"]] == ["once more", "backwards"]
    assert [group["total"] for group in found["groups"]] == [6, 6]
    figures = parse(OWN).figures()
    assert found["floor"] == figures.floor
    assert [each["nats"] for each in found["plateaus"]] == [
        figures.unigram,
        figures.guessed,
        figures.floor,
    ]
    assert open_corpus(folder / "data" / "corpus").manifest.own_rules == OWN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("line = word", "own line 1, column 8"),
        ('line = "nothing is asked"', "nothing is asked, so nothing is scored"),
        (None, "No such file"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_rules_of_ones_own_that_cannot_be_used_are_refused(tmp_path, capsys, text, words):
    path = tmp_path / "rules.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["rules", "--own", str(path), str(tmp_path / "t")]) != 0
    assert words in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_the_context_of_ones_own_rules_holds_some_of_their_lines():
    short, long = 'line = "a" => "b"', 'let x = ("a".."z") * 60\nline = x => x'
    lengths = [
        train_spec(RulesSpec(task="own", own=own), "corpus").model.context_length
        for own in (short, long, long.replace("60", "400"))
    ]
    assert lengths == [64, 1024, 1024]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"task": "chess"}, "task"),
        ({"task": "own"}, "own"),
        ({"task": "addition", "own": 'line = "a" => "b"'}, "own"),
        ({"task": "addition", "steps": -1}, "steps"),
        ({"task": "addition", "lines": 10**12}, "lines"),
        ({"task": "addition", "threads": -2}, "threads"),
        ({}, "task"),
    ],
)
def test_absurd_options_are_refused(values, field):
    with pytest.raises(SpecError) as refused:
        specs.convert(values, RulesSpec, "the options")
    assert field in refused.value.what


def test_lines_too_few_for_a_training_are_a_clear_failure_of_the_whole(tmp_path):
    assert run_job(tmp_path / "t", RulesSpec(task="simple_dummy", lines=3)) != 0
    ended = read_status(tmp_path / "t").ended
    assert ended.state == "failed"
    assert "fewer than one context" in ended.what


def test_a_template_can_be_started(capsys):
    assert main(["template", "rules"]) == 0
    assert specs.from_toml(capsys.readouterr().out, "a template") == RulesSpec(task="simple_dummy2")


@pytest.mark.slow
def test_an_interrupted_task_goes_on_with_the_same_command(tmp_path):
    command = [sys.executable, "-m", "trainer_core", "rules", "simple_dummy", str(tmp_path / "t")]
    command += ["--steps=40", "--lines=900", "--threads=1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    steps = tmp_path / "t" / "run" / "steps.bin"
    while not (steps.exists() and steps.stat().st_size > 200):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert read_status(tmp_path / "t").state == "stopped"
    at = read_status(tmp_path / "t" / "run").ended.step
    assert 0 < at < 40
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "keep every rule" in done.stdout
    assert read_status(tmp_path / "t" / "run").resumed_step == at
