"""Changing a training's plan while it runs and while it rests; going back to a checkpoint."""

import shutil
import threading

import numpy as np
import pytest
from train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    resumed_steps,
    rows,
    saved_steps,
    tiny_spec,
    trained,
    validations,
)

from trainer_core import protocol
from trainer_core.__main__ import main
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.errors import ExitCode, KnownError
from trainer_core.job import Job, run_job
from trainer_core.records import CheckpointSaved, PlanChanged, Resumed, Rewound, SourcesSeen
from trainer_core.spec import ExportSpec
from trainer_core.status import read_status
from trainer_core.train import at_rest
from trainer_core.train.at_rest import change, rewind
from trainer_core.train.checkpoints.checkpoint import read_checkpoint
from trainer_core.train.checkpoints.folders import FOLDER, checkpoint_steps, folder_name
from trainer_core.train.checkpoints.saving import keep_weights_only
from trainer_core.training_plan import TrainingPlan

STEPS = 20


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("steering"))


def short(corpus, **sections):
    settings = {
        "steps": STEPS,
        "checkpoint": {"every_steps": 5, "keep": 99},
        "evaluation": {"every_steps": 10, "max_tokens": 128},
    }
    return tiny_spec(corpus, **settings | sections)


@pytest.fixture
def telling(monkeypatch):
    """Commands by step: each reaches its training in the pause after that step, over its socket."""
    orders, answers = {}, []
    commands = Job.commands

    def send(folder, message):
        try:
            protocol.send_command(folder, message, 120.0)
            answers.append(None)
        except KnownError as error:
            answers.append(error)

    def look(job):
        message = orders.pop(job.step, None)
        if message is None:
            return commands(job)
        threading.Thread(target=send, args=(job.folder, message)).start()
        while not (found := commands(job)):
            pass
        return found

    monkeypatch.setattr(Job, "commands", look)
    return orders, answers


def without_later_checkpoints(folder, step, copy):
    """A copy of a run as if it had been killed behind this step."""
    shutil.copytree(folder, copy)
    for later in checkpoint_steps(copy):
        if later > step:
            shutil.rmtree(copy / FOLDER / folder_name(later))
    return copy


# --- while it runs --------------------------------------------------------------------------------


def test_a_running_training_takes_a_new_rate_and_a_new_end(corpus, tmp_path, telling):
    orders, answers = telling
    orders[8] = protocol.ChangePlan(lr=2e-3, steps=33, why="too fast")
    folder = trained(tmp_path / "run", short(corpus))
    assert answers == [None]
    (changed,) = journal(folder, PlanChanged)
    assert (changed.step, changed.lr, changed.steps, changed.why) == (8, 2e-3, 33, "too fast")
    plan = TrainingPlan(short(corpus), [changed])
    expected = np.array([plan.lr_at(step) for step in range(1, 34)], np.float32)
    np.testing.assert_array_equal(rows(folder)["lr"], expected)
    assert saved_steps(folder) == [5, 10, 15, 20, 25, 30, 33]
    assert journal(folder, CheckpointSaved)[-1].reason == "end"
    assert list(validations(folder)) == [0, 10, 20, 30, 33]
    assert read_status(folder).changes == (changed,)


def test_a_running_training_can_end_sooner(corpus, tmp_path, telling):
    orders, answers = telling
    orders[8] = protocol.ChangePlan(steps=9)
    folder = trained(tmp_path / "run", short(corpus))
    assert answers == [None]
    assert len(rows(folder)) == 9
    assert saved_steps(folder)[-1] == 9
    assert run_job(folder) == ExitCode.OK  # it stays finished
    assert len(rows(folder)) == 9


def test_at_its_last_step_it_can_still_be_told_to_go_on(corpus, tmp_path, telling):
    orders, answers = telling
    orders[STEPS] = protocol.ChangePlan(steps=STEPS + 4)
    folder = trained(tmp_path / "run", short(corpus))
    assert answers == [None]
    assert len(rows(folder)) == STEPS + 4


@pytest.mark.parametrize("message", [{"lr": 1e-4}, {"steps": 40}, {"lr": 3e-3, "steps": 15}])
def test_a_resumed_training_makes_the_same_change_again(corpus, tmp_path, telling, message):
    orders, _ = telling
    orders[12] = protocol.ChangePlan(**message)
    spec = short(corpus, model={"dropout": 0.2, "family": "gpt2"})
    reference = trained(tmp_path / "reference", spec)
    folder = without_later_checkpoints(reference, 10, tmp_path / "run")
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [10]
    assert len(journal(folder, PlanChanged)) == 1
    assert_same_training(folder, reference)


@pytest.mark.parametrize(
    ("message", "what"),
    [({"steps": 3}, "cannot end at step 3"), ({"steps": 10**14}, "never end"), ({}, "Nothing")],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    corpus, tmp_path, telling, message, what
):
    orders, answers = telling
    orders[8] = protocol.ChangePlan(**message)
    folder = trained(tmp_path / "run", short(corpus))
    (problem,) = answers
    assert what in problem.what
    assert problem.safe == "The plan is as it was."
    assert problem.do
    assert journal(folder, PlanChanged) == []
    assert len(rows(folder)) == STEPS


# --- at rest --------------------------------------------------------------------------------------


def test_a_finished_run_goes_on_as_if_it_had_been_longer_from_the_start(corpus, tmp_path):
    """Text, rates, optimizer and random numbers: all go on where they stood."""
    settings = {"optimizer": {"schedule": "constant"}, "model": {"dropout": 0.1, "family": "gpt2"}}
    reference = trained(tmp_path / "long", short(corpus, steps=40, **settings))
    folder = trained(tmp_path / "run", short(corpus, **settings))
    assert ended(folder).state == "finished"
    change(folder, None, 40)
    assert read_status(folder).state == "paused"
    assert read_status(folder).resumable
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [STEPS]
    assert_same_training(folder, reference)


def test_what_is_added_is_unseen_text_until_the_epoch_is_over(corpus, tmp_path):
    folder = trained(tmp_path / "run", short(corpus))
    per_step = 4 * 32
    epoch = journal(folder, SourcesSeen)[-1].sources[0].tokens // per_step
    for steps in (STEPS + 10, epoch - 1):
        change(folder, None, steps)
        assert run_job(folder) == ExitCode.OK
        (source,) = journal(folder, SourcesSeen)[-1].sources
        assert source.seen == source.drawn > (steps - 1) * per_step
    change(folder, None, epoch + 3)
    assert run_job(folder) == ExitCode.OK
    (source,) = journal(folder, SourcesSeen)[-1].sources
    assert source.seen <= source.tokens < source.drawn


def test_a_change_at_rest_holds_from_the_checkpoint_that_it_goes_on_from(corpus, tmp_path):
    reference = trained(tmp_path / "reference", short(corpus))
    folder = without_later_checkpoints(reference, 10, tmp_path / "run")
    assert change(folder, 1e-4, None, "calmer").step == 10
    assert run_job(folder) == ExitCode.OK
    rate, before = rows(folder)["lr"], rows(reference)["lr"]
    np.testing.assert_array_equal(rate[:10], before[:10])
    np.testing.assert_allclose(rate[10:], before[10:] / 100, rtol=1e-5)


def test_whatever_note_is_given_the_record_can_be_read(corpus, tmp_path):
    from trainer_core.job import freeze_spec

    folder = tmp_path / "run"
    freeze_spec(folder, short(corpus))
    change(folder, None, 7, "x" * 3_000_000)
    change(folder, None, 8, "\udc80 no text, \0 or so")
    long, odd = journal(folder, PlanChanged)
    assert len(long.why) == 2000
    assert odd.why == "? no text, \0 or so"


def test_a_run_that_has_not_begun_can_be_changed(corpus, tmp_path):
    from trainer_core.job import freeze_spec

    folder = tmp_path / "run"
    freeze_spec(folder, short(corpus))
    assert change(folder, None, 7).step == 0
    assert run_job(folder) == ExitCode.OK
    assert len(rows(folder)) == 7


def test_the_command_line_says_what_it_does_and_refuses_plainly(corpus, tmp_path, capsys):
    folder = trained(tmp_path / "run", short(corpus))
    assert main(["change", str(folder), "--steps", "24", "--why", "more"]) == ExitCode.OK
    assert "from step 20 on" in capsys.readouterr().out
    assert main(["change", str(folder), "--steps", "5"]) == ExitCode.KNOWN_ERROR
    assert "cannot end at step 5" in capsys.readouterr().err
    assert main(["change", str(folder)]) == ExitCode.KNOWN_ERROR
    assert main(["change", str(tmp_path / "nowhere"), "--steps", "5"]) == ExitCode.KNOWN_ERROR
    assert "is not a job folder" in capsys.readouterr().err
    assert main(["rewind", str(folder), "--to", "10", "--skip", "12-13"]) == ExitCode.OK
    assert "Back at step 10; 2 later checkpoints were removed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["rewind", str(folder), "--to", "5", "--skip", "x"])
    assert len(journal(folder, PlanChanged)) == 2


# --- going back -----------------------------------------------------------------------------------


@pytest.fixture
def numbers(monkeypatch):
    """The batch of the order that each step saw, by the newest time that it was done."""
    seen, batch = {}, TrainBatches.batch

    def noted(self, step):
        seen[step] = self.number(step)
        return batch(self, step)

    monkeypatch.setattr(TrainBatches, "batch", noted)
    return seen


def test_going_back_leaves_out_the_batches_that_were_named(corpus, tmp_path, numbers):
    folder = trained(tmp_path / "run", short(corpus))
    first = rows(folder)
    assert rewind(folder, 10, (13, 14)) == [20, 15]
    status = read_status(folder)
    assert (status.state, status.rewind_to, status.resumable) == ("paused", 10, True)
    assert len(rows(folder)) == 10
    assert run_job(folder) == ExitCode.OK
    np.testing.assert_array_equal(rows(folder)["loss"][:12], first["loss"][:12])
    assert rows(folder)["loss"][12] != first["loss"][12]
    assert [numbers[step] for step in range(11, 21)] == [11, 12, *range(15, 23)]
    assert read_status(folder).rewind_to is None
    assert [(r.step, r.from_step) for r in journal(folder, Rewound)] == [(10, 20)]


def test_what_was_left_out_stays_so_when_the_run_is_killed(corpus, tmp_path, numbers):
    reference = trained(tmp_path / "run", short(corpus))
    rewind(reference, 5, (8, 8))
    assert run_job(reference) == ExitCode.OK
    for killed_after in (5, 10, 15):
        folder = without_later_checkpoints(
            reference, killed_after, tmp_path / f"killed-{killed_after}"
        )
        assert run_job(folder) == ExitCode.OK
        assert_same_training(folder, reference)
    assert read_checkpoint(reference, 20).manifest.loader.batch == 22


def test_going_back_twice_keeps_out_both(corpus, tmp_path, numbers):
    folder = trained(tmp_path / "run", short(corpus))
    rewind(folder, 10, (12, 12))
    assert run_job(folder) == ExitCode.OK
    assert numbers[15] == 16
    rewind(folder, 10, (15, 15))
    assert run_job(folder) == ExitCode.OK
    assert [numbers[step] for step in range(11, 21)] == [11, 13, 14, 15, *range(17, 23)]


def test_going_back_makes_later_changes_void(corpus, tmp_path):
    folder = trained(tmp_path / "run", short(corpus))
    reference = tmp_path / "reference"
    shutil.copytree(folder, reference)
    change(folder, None, 30)
    assert run_job(folder) == ExitCode.OK
    rewind(folder, 15)
    assert read_status(folder).changes == ()
    assert run_job(folder) == ExitCode.OK
    assert_same_training(folder, reference)


def test_going_back_that_is_broken_off_is_finished_by_the_resume(corpus, tmp_path, monkeypatch):
    reference = trained(tmp_path / "reference", short(corpus))
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)

    def broken(_folder, _step):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(at_rest, "forget_later", broken)
        with pytest.raises(KnownError, match="Removing later checkpoints"):
            rewind(folder, 10)
    assert checkpoint_steps(folder)[-1] == 20
    assert change(folder, 5e-3, None).step == 10  # not from a checkpoint that is void
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [10]
    np.testing.assert_array_equal(rows(folder)["loss"][:11], rows(reference)["loss"][:11])
    assert rows(folder)["loss"][15] != rows(reference)["loss"][15]


def test_to_the_very_beginning(corpus, tmp_path):
    folder = trained(tmp_path / "run", short(corpus))
    reference = tmp_path / "reference"
    shutil.copytree(folder, reference)
    assert rewind(folder, 0) == [20, 15, 10, 5]
    assert run_job(folder) == ExitCode.OK
    assert journal(folder, Resumed)[-1].step == 0
    assert read_status(folder).rewind_to is None
    assert_same_training(folder, reference)


def test_there_must_be_something_to_go_back_to(corpus, tmp_path):
    folder = trained(tmp_path / "run", short(corpus))
    keep_weights_only(read_checkpoint(folder, 5))
    (folder / FOLDER / folder_name(15) / "manifest.json").write_text("{")
    before = (folder / "journal.bin").read_bytes()
    for step, what in (
        (7, "no checkpoint of step 7"),
        (5, "holds weights only"),
        (15, "is damaged"),
        (-3, "no checkpoint"),
        (20, "is at step 20 already"),
    ):
        with pytest.raises(KnownError, match=what) as refused:
            rewind(folder, step)
        assert refused.value.do
    for skip in ((9, 12), (15, 12), (18, 25), (0, 3)):
        with pytest.raises(KnownError, match="cannot be left out"):
            rewind(folder, 10, skip)
    assert (folder / "journal.bin").read_bytes() == before
    assert checkpoint_steps(folder) == [5, 10, 15, 20]


def test_a_folder_at_work_is_left_alone(corpus, tmp_path):
    import filelock

    folder = trained(tmp_path / "run", short(corpus))
    with filelock.FileLock(folder / "lock"):
        with pytest.raises(KnownError, match="is in use"):
            rewind(folder, 10)
        with pytest.raises(KnownError, match="is in use"):
            change(folder, None, 30)
    assert checkpoint_steps(folder) == [5, 10, 15, 20]


def test_a_copy_for_others_tells_what_was_changed(corpus, tmp_path):
    folder = trained(tmp_path / "run", short(corpus, model={"family": "gpt2"}))
    change(folder, 2e-3, 25)
    assert run_job(folder) == ExitCode.OK
    spec = ExportSpec(run=str(folder), destination=str(tmp_path / "model"), checkpoint="last")
    assert run_job(tmp_path / "export", spec) == ExitCode.OK
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "| steps | 25 of 25 |" in card
    assert "| changed after step 20 | learning rate 0.002, 25 steps in all |" in card
