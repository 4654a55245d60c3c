"""Losses that are no number, and losses that rise: found in time, told, and never saved over."""

import math

import msgspec
import numpy as np
import pytest
import torch
from train_for_tests import (
    ended,
    journal,
    make_corpus,
    notes,
    result,
    resumed_steps,
    rows,
    tiny_spec,
    trained,
)

from trainer_core import spec as specs
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.errors import ExitCode, KnownError, SpecError
from trainer_core.job import run_job
from trainer_core.metrics import STEP_DTYPE
from trainer_core.model.transformer import Transformer
from trainer_core.records import CheckpointRemoved, Noted
from trainer_core.spec import GuardConfig
from trainer_core.status import read_status
from trainer_core.terminal import raise_failure
from trainer_core.train.checkpoints.checkpoint import (
    TrainState,
    open_checkpoint,
    read_checkpoint,
    weights_of,
)
from trainer_core.train.checkpoints.folders import checkpoint_steps
from trainer_core.train.guard import FAST_STEPS, HIGH_STEPS, Guard


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-guard"))


def change_loss(monkeypatch, change):
    """Put the training losses of each step through `change(step, losses)`; not the validation's."""
    loss = Transformer.loss
    seen = {"step": 0}

    def changed(self, *batch):
        losses = loss(self, *batch)
        if torch.is_grad_enabled():
            seen["step"] += 1
            return change(seen["step"], losses)
        return losses

    monkeypatch.setattr(Transformer, "loss", changed)


def poison(monkeypatch, bad_steps):
    """Make the loss of these training steps no number."""
    change_loss(monkeypatch, lambda step, loss: loss * math.nan if step in bad_steps else loss)


# --- losses that are no number --------------------------------------------------------------------


def test_a_step_without_a_usable_loss_is_skipped_and_told(corpus, tmp_path, monkeypatch):
    poison(monkeypatch, {7, 8, 21})
    folder = trained(tmp_path / "run", tiny_spec(corpus))
    assert [note.step for note in notes(folder, "Step skipped")] == [7, 8, 21]
    got = rows(folder)
    assert np.flatnonzero(~np.isfinite(got["loss"])).tolist() == [6, 7, 20]
    assert got["loss"][-1] < got["loss"][0]
    weights = weights_of(open_checkpoint(folder, "last").load_model())
    assert all(weight.isfinite().all() for weight in weights.values())
    assert math.isfinite(result(folder)["train_loss"])


def test_five_in_a_row_pause_the_run_on_its_last_good_checkpoint(corpus, tmp_path, monkeypatch):
    poison(monkeypatch, set(range(13, 99)))
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus)) == ExitCode.KNOWN_ERROR
    last = ended(folder)
    assert (last.state, last.step) == ("paused", 10)
    assert "5 steps in a row, up to step 17" in last.what and "Resume" in last.do
    assert read_status(folder).resumable
    assert last.what in (folder / "log.txt").read_text()
    with pytest.raises(KnownError, match="Resume it"):  # what the command line prints
        raise_failure(read_status(folder))
    assert [note.level for note in notes(folder, "Steps without a usable loss")] == ["error"]
    assert checkpoint_steps(folder) == [10]
    monkeypatch.undo()
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [10]
    assert np.isfinite(rows(folder)["loss"]).all()


def test_what_led_there_is_left_out_when_the_run_goes_on(corpus, tmp_path, monkeypatch):
    """The same text would lead to the same end: a run is a function of its seed."""
    batch = TrainBatches.batch
    seen = []

    def spoiled(self, step):
        found = batch(self, step)
        number = step + self.passed_over
        seen.append(number)
        if 13 <= number <= 17:
            found.targets[:] = 0  # the model below says NaN to that
        return found

    monkeypatch.setattr(TrainBatches, "batch", spoiled)
    loss = Transformer.loss

    def strict(self, tokens, targets, *rest):
        losses = loss(self, tokens, targets, *rest)
        return losses if targets.any() else losses * math.nan

    monkeypatch.setattr(Transformer, "loss", strict)
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus)) == ExitCode.KNOWN_ERROR
    loader = read_checkpoint(folder, 10).manifest.loader
    assert 18 <= loader.batch <= 21
    seen.clear()
    assert run_job(folder) == ExitCode.OK
    assert seen == list(range(loader.batch, loader.batch + 30))
    assert np.isfinite(rows(folder)["loss"]).all() and len(rows(folder)) == 40
    assert open_checkpoint(folder, "last").manifest.loader.batch == loader.batch + 30


def test_how_many_in_a_row_is_a_setting(corpus, tmp_path, monkeypatch):
    poison(monkeypatch, {12, 13, 22, 23, 24})
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus, guard={"bad_steps": 3})) == ExitCode.KNOWN_ERROR
    assert "3 steps in a row, up to step 24" in ended(folder).what


def test_without_an_earlier_checkpoint_the_run_fails(corpus, tmp_path, monkeypatch):
    poison(monkeypatch, set(range(1, 99)))
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus)) == ExitCode.KNOWN_ERROR
    assert ended(folder).state == "failed" and ended(folder).field == "optimizer.lr"
    assert checkpoint_steps(folder) == []


def test_a_weight_that_is_no_number_never_reaches_a_checkpoint(corpus, tmp_path, monkeypatch):
    made = Transformer.__init__

    def broken(self, *settings):
        made(self, *settings)
        with torch.no_grad():
            self.embed.weight[250] = math.nan  # a byte that no text holds

    monkeypatch.setattr(Transformer, "__init__", broken)
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus, model={"tie_embeddings": False})) != ExitCode.OK
    assert "A weight is not a finite number" in ended(folder).what
    assert checkpoint_steps(folder) == []


# --- divergence -----------------------------------------------------------------------------------


class Listener:
    """A job that remembers what it is told."""

    def __init__(self):
        self.told = []

    def note(self, level, title, text="", step=None):
        self.told.append((level, title, step))


def figures(losses, norms=None, first=1):
    found = np.zeros(len(losses), STEP_DTYPE)
    found["step"] = np.arange(first, first + len(losses))
    found["loss"], found["grad_norm"] = losses, 1.0 if norms is None else norms
    return found


def guard(corpus_name="c", *, divergence=1.0, warmup=0):
    spec = tiny_spec(corpus_name, steps=5000, optimizer={"warmup_steps": warmup}, guard={})
    spec = msgspec.structs.replace(spec, guard=GuardConfig(divergence=divergence))
    state, job = TrainState(), Listener()
    return Guard(job, state, spec), state, job


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.2, count)


def falling(count):
    return 3.0 + 4.0 * np.exp(-np.arange(count) / 60) + noise(count)


def test_a_loss_that_jumps_and_stays_is_divergence():
    watched, _, _ = guard()
    assert watched.watch(figures(falling(400))) is None
    trouble = watched.watch(figures(7.0 + noise(100), first=401))
    assert trouble.title == "Training diverges" and trouble.field == "optimizer.lr"
    assert 400 + HIGH_STEPS <= trouble.step < 410 + HIGH_STEPS
    assert 400 - 3 * FAST_STEPS <= trouble.calm_step <= 400


def test_a_loss_that_climbs_slowly_is_divergence():
    watched, _, _ = guard()
    climb = np.concatenate([falling(400), 3.0 + np.arange(3000) / 1000 + noise(3000)])
    trouble = watched.watch(figures(climb))
    assert 1400 < trouble.step < 1700 + HIGH_STEPS
    assert trouble.calm_step < 1000


@pytest.mark.parametrize(
    "losses",
    [
        falling(2000),
        np.concatenate([falling(400), np.full(30, 9.0), falling(2000)[400:]]),  # a spike
        np.full(100, 5.0),
        np.linspace(6.0, 0.01, 500),
    ],
    ids=["falls", "a spike", "flat", "to nothing"],
)
def test_what_goes_well_is_left_alone(losses):
    watched, state, job = guard()
    assert watched.watch(figures(losses)) is None
    assert job.told == [] and state.calm_step == len(losses)
    assert watched.calm.certain == len(losses) - FAST_STEPS


def test_a_rise_while_the_rate_warms_up_is_expected():
    watched, _, _ = guard(warmup=200)
    rise = np.concatenate([np.full(100, 3.0), np.full(100, 8.0), np.linspace(8, 3, 300)])
    assert watched.watch(figures(rise)) is None


def test_divergence_need_not_be_watched():
    watched, state, _ = guard(divergence=0.0)
    rise = np.concatenate([falling(300), np.full(300, 20.0)])
    assert watched.watch(figures(rise)) is None and state.calm_step == 600


@pytest.mark.parametrize("cut", [1, 7, 150, 330])
def test_what_the_guard_finds_does_not_depend_on_when_it_looks(cut):
    losses = np.concatenate([falling(300), np.full(90, 9.0)])
    whole, whole_state, _ = guard()
    found = whole.watch(figures(losses))
    parts, state, job = guard()
    assert parts.watch(figures(losses[:cut])) is None
    stored = msgspec.json.decode(msgspec.json.encode(state), type=TrainState)
    resumed = Guard(job, stored, tiny_spec("c", steps=5000, optimizer={"warmup_steps": 0}))
    assert resumed.watch(figures(losses[cut:], first=cut + 1)) == found
    assert stored == whole_state


def test_a_gradient_that_spikes_is_told_once():
    watched, _, job = guard()
    norms = np.ones(60)
    norms[40:43] = 30.0
    assert watched.watch(figures(np.full(60, 3.0), norms)) is None
    assert job.told == [("warning", "Gradient spike clipped", 41)]


def test_steps_that_fp16_left_out_say_nothing_about_gradients():
    watched, state, job = guard()
    norms = np.tile([0.0, 0.0, 1.0], 40)
    assert watched.watch(figures(np.full(120, 3.0), norms)) is None
    assert job.told == [] and set(state.recent_norms) == {1.0}


DIVERGES = 60


@pytest.fixture
def diverged(corpus, tmp_path, monkeypatch):
    """A run whose loss jumps behind step 60; it saves often and keeps little."""
    change_loss(monkeypatch, lambda step, loss: loss + 6.0 if step > DIVERGES else loss)
    folder = tmp_path / "run"
    spec = tiny_spec(
        corpus,
        steps=150,
        checkpoint={"every_steps": 5, "keep": 1, "resumable": 1},
        evaluation={"every_steps": 1000},
        guard={"divergence": 0.5},
    )
    code = run_job(folder, spec)
    monkeypatch.undo()
    return folder, code


def test_a_run_that_diverges_pauses_on_a_checkpoint_from_before(diverged):
    folder, code = diverged
    last = ended(folder)
    assert code == ExitCode.KNOWN_ERROR and last.state == "paused"
    assert "The loss rose to" in last.what and "lower optimizer.lr" in last.do
    assert last.step <= DIVERGES and checkpoint_steps(folder)[-1] == last.step
    assert read_checkpoint(folder, last.step).manifest.resumable
    removed = [record.step for record in journal(folder, CheckpointRemoved)]
    assert DIVERGES + 5 in removed  # those that were saved while it diverged
    told = [note for note in journal(folder, Noted) if note.title == "Training diverges"]
    assert [note.level for note in told] == ["error"] and f"step {last.step}" in told[0].text


def test_a_run_that_diverged_goes_on_with_other_text(diverged):
    folder, _ = diverged
    step = ended(folder).step
    loader = read_checkpoint(folder, step).manifest.loader
    assert loader.batch > DIVERGES + HIGH_STEPS
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [step]
    assert result(folder)["step"] == 150
    assert open_checkpoint(folder, "last").manifest.loader.batch == loader.batch + 150 - step


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("divergence = 1.0", "divergence = nan"),
        ("divergence = 1.0", "divergence = -1.0"),
        ("stall_minutes = 10.0", "stall_minutes = nan"),
        ("stall_minutes = 10.0", "stall_minutes = -1.0"),
        ("bad_steps = 5", "bad_steps = 0"),
        ("keep = 3", "keep = 0"),
        ("keep = 3", "keep = 2.5"),
        ("resumable = 0", "resumable = -1"),
    ],
)
def test_a_setting_without_sense_is_refused_by_name(tmp_path, old, new):
    text = specs.to_toml(tiny_spec("c"))
    assert text.count(old) == 1
    path = tmp_path / "spec.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(SpecError) as refused:
        specs.load(path)
    assert refused.value.field in (f"guard.{new.split()[0]}", f"checkpoint.{new.split()[0]}")


@pytest.mark.parametrize("extreme", [10**15, 1])
def test_extreme_settings_work(corpus, tmp_path, extreme):
    spec = tiny_spec(
        corpus,
        checkpoint={"keep": extreme, "resumable": extreme, "every_steps": extreme},
        guard={
            "bad_steps": extreme,
            "divergence": math.inf if extreme > 1 else 0.0,
            "stall_minutes": math.inf if extreme > 1 else 1e-300,
        },
    )
    folder = trained(tmp_path / "run", spec)
    assert result(folder)["step"] == 40
