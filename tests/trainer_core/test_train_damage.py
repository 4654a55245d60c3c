"""Whatever was done to its files: a training goes on from what is whole, or says what is wrong."""

import errno
import json
import os
import shutil
import struct

import msgspec
import numpy as np
import pytest
import torch
from train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    notes,
    resumed_steps,
    rows,
    saved_steps,
    tiny_spec,
    trained,
)

from trainer_core.data.corpus import open_corpus
from trainer_core.errors import CheckpointError, ExitCode
from trainer_core.job import run_job
from trainer_core.records import CheckpointRemoved
from trainer_core.train.checkpoints import background
from trainer_core.train.checkpoints.checkpoint import open_checkpoint, read_checkpoint
from trainer_core.train.checkpoints.folders import checkpoint_steps
from trainer_core.train.checkpoints.manifest import (
    MANIFEST,
    OPTIMIZER,
    STATE,
    WEIGHTS,
    encode_manifest,
)
from trainer_core.train.checkpoints.saving import keep_weights_only
from trainer_core.train.checkpoints.tensor_file import file_fact, read_tensors, write_tensors


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-damage"))


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """A finished run with checkpoints at 10, 20, 30 and 40."""
    spec = tiny_spec(corpus, evaluation={"every_steps": 1000}, checkpoint={"keep": 4})
    return trained(tmp_path_factory.mktemp("whole") / "run", spec)


@pytest.fixture
def stopped(whole, tmp_path):
    """As if that run had been stopped at step 30."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "checkpoints" / "step-00000040")
    return folder


def newest(folder):
    return read_checkpoint(folder, checkpoint_steps(folder)[-1], verify=False)


def reseal(checkpoint, **changes):
    """Give a checkpoint a manifest that vouches for its files as they are now."""
    files = {name: file_fact(checkpoint.folder / name) for name in checkpoint.manifest.files}
    manifest = msgspec.structs.replace(checkpoint.manifest, files=files, **changes)
    (checkpoint.folder / MANIFEST).write_bytes(encode_manifest(manifest))


def rewrite(path, tensors):
    path.unlink()
    write_tensors(path, tensors)


class Bomb:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


# --- files that are not what was written ----------------------------------------------------------


def _flip_weights(folder):
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-3] ^= 1
    (folder / WEIGHTS).write_bytes(data)


def _remove_weights(folder):
    (folder / WEIGHTS).unlink()


def _truncate_optimizer(folder):
    os.truncate(folder / OPTIMIZER, 100)


def _empty_state(folder):
    os.truncate(folder / STATE, 0)


def _truncate_manifest(folder):
    os.truncate(folder / MANIFEST, 40)


def _change_manifest(folder):
    data = json.loads((folder / MANIFEST).read_bytes())
    data["tokens_seen"] += 1
    (folder / MANIFEST).write_text(json.dumps(data))


def _remove_manifest(folder):
    (folder / MANIFEST).unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _flip_weights,
        _remove_weights,
        _truncate_optimizer,
        _empty_state,
        _truncate_manifest,
        _change_manifest,
        _remove_manifest,
    ],
    ids=lambda f: f.__name__.strip("_"),
)
def test_a_damaged_checkpoint_is_set_aside_and_an_older_one_taken(stopped, whole, damage):
    damage(stopped / "checkpoints" / "step-00000030")
    assert run_job(stopped) == ExitCode.OK
    assert resumed_steps(stopped) == [20]
    assert len(notes(stopped, "Damaged checkpoint set aside")) == 1
    assert (stopped / "checkpoints" / "step-00000030.damaged").is_dir()
    assert_same_training(stopped, whole)


def test_a_second_damaged_one_of_the_same_step_has_a_place_too(stopped):
    for _ in range(2):
        _flip_weights(stopped / "checkpoints" / "step-00000030")
        assert run_job(stopped) == ExitCode.OK
        shutil.rmtree(stopped / "checkpoints" / "step-00000040")
    assert (stopped / "checkpoints" / "step-00000030.damaged-1").is_dir()


# --- files that are whole, and still cannot be used -----------------------------------------------


def _nan_in_weights(checkpoint):
    weights = {name: t.clone() for name, t in read_tensors(checkpoint.folder / WEIGHTS).items()}
    next(iter(weights.values())).view(-1)[5] = float("nan")
    rewrite(checkpoint.folder / WEIGHTS, weights)


def _infinity_in_optimizer(checkpoint):
    tensors = {n: t.clone() for n, t in read_tensors(checkpoint.folder / OPTIMIZER).items()}
    name = next(name for name, t in tensors.items() if t.is_floating_point() and t.numel() > 1)
    tensors[name].view(-1)[0] = float("inf")
    rewrite(checkpoint.folder / OPTIMIZER, tensors)


def _weights_of_another_shape(checkpoint):
    weights = dict(read_tensors(checkpoint.folder / WEIGHTS))
    name = next(iter(weights))
    rewrite(checkpoint.folder / WEIGHTS, weights | {name: torch.zeros(3, 3)})


def _a_weight_too_few(checkpoint):
    weights = dict(read_tensors(checkpoint.folder / WEIGHTS))
    weights.popitem()
    rewrite(checkpoint.folder / WEIGHTS, weights)


def _no_random_state(checkpoint):
    tensors = dict(read_tensors(checkpoint.folder / OPTIMIZER))
    del tensors["random/cpu"]
    rewrite(checkpoint.folder / OPTIMIZER, tensors)


def _pickle_for_weights(checkpoint):
    torch.save({"x": Bomb(checkpoint.folder / "exploded")}, checkpoint.folder / WEIGHTS)


def _pickle_for_optimizer(checkpoint):
    torch.save({"x": Bomb(checkpoint.folder / "exploded")}, checkpoint.folder / OPTIMIZER)


def _huge_header(checkpoint):
    (checkpoint.folder / WEIGHTS).write_bytes(struct.pack("<Q", 2**63) + b"{" * 100)


def _state_that_is_none(checkpoint):
    (checkpoint.folder / STATE).write_text('{"step": "thirty"}')


@pytest.mark.parametrize(
    "plant",
    [
        _nan_in_weights,
        _infinity_in_optimizer,
        _weights_of_another_shape,
        _a_weight_too_few,
        _no_random_state,
        _pickle_for_weights,
        _pickle_for_optimizer,
        _huge_header,
        _state_that_is_none,
    ],
    ids=lambda f: f.__name__.strip("_"),
)
def test_what_was_planted_with_the_right_hashes_is_not_gone_on_from(stopped, whole, plant):
    checkpoint = newest(stopped)
    plant(checkpoint)
    reseal(checkpoint)
    assert run_job(stopped) == ExitCode.OK
    assert resumed_steps(stopped) == [20]
    assert len(notes(stopped, "Damaged checkpoint set aside")) == 1
    assert not list(stopped.rglob("exploded"))
    assert_same_training(stopped, whole)


@pytest.mark.parametrize(
    "plant", [_nan_in_weights, _weights_of_another_shape, _pickle_for_weights, _huge_header]
)
def test_nobody_else_loads_it_either(stopped, plant):
    checkpoint = newest(stopped)
    plant(checkpoint)
    reseal(checkpoint)
    with pytest.raises(CheckpointError):
        open_checkpoint(stopped, "last").load_model()
    assert not list(stopped.rglob("exploded"))


def test_files_that_do_not_belong_to_a_checkpoint_are_never_read(stopped, whole):
    folder = newest(stopped).folder
    for name in ("extra.pt", "pytorch_model.bin", "model.pkl"):
        torch.save({"x": Bomb(folder / "exploded")}, folder / name)
    assert run_job(stopped) == ExitCode.OK
    assert resumed_steps(stopped) == [30] and not (folder / "exploded").exists()
    assert_same_training(stopped, whole)


def refused(folder):
    before = rows(folder).tobytes(), checkpoint_steps(folder)
    assert run_job(folder) not in (ExitCode.OK, ExitCode.BUG)
    assert (rows(folder).tobytes(), checkpoint_steps(folder)) == before
    last = ended(folder)
    assert last.state == "failed" and last.safe and last.do
    return last


def edit_spec(folder, old, new):
    path = folder / "spec.toml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_checkpoint_of_another_shape_is_refused(stopped):
    edit_spec(stopped, "n_embd = 16", "n_embd = 32")
    assert refused(stopped).field == "model"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("seed = 1337", "seed = 1338", "seed"),
        ("batch_size = 4", "batch_size = 8", "budget.batch_size"),
        ('kind = "adamw"', 'kind = "muon"', "optimizer.kind"),
    ],
)
def test_settings_that_a_run_cannot_change_on_its_way_are_refused(stopped, old, new, field):
    edit_spec(stopped, old, new)
    assert refused(stopped).field == field


# --- weights alone --------------------------------------------------------------------------------


def test_when_only_weights_are_left_nothing_starts_over(stopped):
    for step in checkpoint_steps(stopped):
        keep_weights_only(read_checkpoint(stopped, step))
    last = refused(stopped)
    assert "holds weights only" in last.what and last.field == "checkpoint.resumable"
    assert open_checkpoint(stopped, "last").load_model() is not None


def test_an_older_one_with_everything_is_gone_on_from(stopped, whole):
    keep_weights_only(newest(stopped))
    assert run_job(stopped) == ExitCode.OK
    assert resumed_steps(stopped) == [20]
    assert [record.step for record in journal(stopped, CheckpointRemoved)] == [30]
    assert_same_training(stopped, whole)


# --- damaged text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_token_that_does_not_exist_is_a_clear_error(tmp_path, part):
    corpus = make_corpus(tmp_path)
    np.memmap(corpus / part / "tokens-00000.bin", np.uint16, "r+")[:] = 60_000
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus)) == ExitCode.KNOWN_ERROR
    assert "60,000" in ended(folder).what and ended(folder).field == "corpus"


def test_text_may_end_in_the_middle_of_a_batch(tmp_path):
    """Three windows and batches of four: every batch crosses from one epoch to the next."""
    corpus = make_corpus(tmp_path, documents=3, words=30)
    length = open_corpus(corpus).validation.n_tokens - 1
    assert (open_corpus(corpus).train.n_tokens - length) // length == 3
    spec = tiny_spec(
        corpus,
        steps=20,
        model={"context_length": length},
        checkpoint={"every_steps": 7},
        evaluation={"every_steps": 1000},
    )
    reference = trained(tmp_path / "reference", spec)
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)
    for step in (14, 20):
        shutil.rmtree(folder / "checkpoints" / f"step-{step:08d}")
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [7]
    assert_same_training(folder, reference)


# --- a full disk ----------------------------------------------------------------------------------


def fill_disk(monkeypatch, full_steps):
    save = background.save_checkpoint

    def maybe_full(folder, snapshot):
        if snapshot.state.step in full_steps:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(folder, snapshot)

    monkeypatch.setattr(background, "save_checkpoint", maybe_full)


def test_a_full_disk_does_not_end_the_training(corpus, tmp_path, monkeypatch):
    fill_disk(monkeypatch, {10, 20})
    folder = trained(tmp_path / "run", tiny_spec(corpus))
    assert [note.step for note in notes(folder, "Checkpoint not saved")] == [10, 20]
    assert saved_steps(folder) == [30, 40]


def test_a_disk_that_is_full_at_the_end_is_an_error_and_nothing_older_is_lost(
    corpus, tmp_path, monkeypatch
):
    fill_disk(monkeypatch, {40})
    folder = tmp_path / "run"
    assert run_job(folder, tiny_spec(corpus)) == ExitCode.DISK_FULL
    assert "disk is full" in ended(folder).what
    assert checkpoint_steps(folder) == [10, 20, 30]
    monkeypatch.undo()
    assert run_job(folder) == ExitCode.OK
    assert checkpoint_steps(folder)[-1] == 40
