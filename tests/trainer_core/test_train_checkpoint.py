"""A checkpoint is whole or absent, and says so when it is neither."""

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap

import msgspec
import pytest
import torch

from trainer_core.errors import CheckpointError
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoints import saving
from trainer_core.train.checkpoints.checkpoint import TrainState, open_checkpoint, weights_of
from trainer_core.train.checkpoints.folders import best_step, checkpoint_steps
from trainer_core.train.checkpoints.manifest import Fingerprints, NewerCheckpointError
from trainer_core.train.checkpoints.saving import (
    clear_drafts,
    save_checkpoint,
)
from trainer_core.train.checkpoints.snapshot import Snapshot

TINY = ModelConfig(vocab_size=31, context_length=8, n_layer=1, n_head=2, n_embd=8)


def snapshot(step, *, val_loss=None, config=TINY):
    model = Transformer(config, torch.Generator().manual_seed(step))
    weights = weights_of(model)
    moments = {f"exp_avg/{name}": weight * 2 for name, weight in weights.items()}
    return Snapshot(
        config=config,
        fingerprints=Fingerprints(corpus="c", tokenizer="t"),
        state=TrainState(step=step, tokens_seen=step * 16, recent_norms=[0.1, 1 / 3]),
        weights=weights,
        optimizer=moments | {"random/cpu": torch.get_rng_state()},
        val_loss=val_loss,
    )


def save(run, *steps, **val_losses):
    for step in steps:
        save_checkpoint(run, snapshot(step, val_loss=val_losses.get(f"s{step}")))


def flip(path, at=-3):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["tied", "untied", "match"])
def test_what_is_saved_comes_back_bit_for_bit(tmp_path, kind):
    config = msgspec.structs.replace(
        TINY, tie_embeddings=kind != "untied", match_input=kind == "match"
    )
    saved = snapshot(40, config=config, val_loss=1.25)
    save_checkpoint(tmp_path, saved)
    opened = open_checkpoint(tmp_path, "last")
    model = opened.load_model()
    assert (opened.step, opened.config, opened.manifest.val_loss) == (40, config, 1.25)
    assert opened.load_state() == saved.state
    assert not model.training
    assert all(torch.equal(w, saved.weights[name]) for name, w in weights_of(model).items())
    moments = opened.load_optimizer()
    assert all(torch.equal(moments[name], tensor) for name, tensor in saved.optimizer.items())
    assert not [p for p in (tmp_path / "checkpoints").iterdir() if p.name.startswith(".")]


def test_best_is_the_lowest_measured_loss_and_last_the_newest(tmp_path):
    save(tmp_path, 10, 20, 30, 40, s10=3.0, s20=2.0, s30=2.5)
    assert open_checkpoint(tmp_path, "best").step == 20
    assert open_checkpoint(tmp_path, "last").step == 40
    assert open_checkpoint(tmp_path, "30").step == 30


def test_without_any_loss_best_is_the_newest(tmp_path):
    save(tmp_path, 10, 20)
    assert best_step(tmp_path) is None
    assert open_checkpoint(tmp_path, "best").step == 20


@pytest.mark.parametrize("which", ["50", "first", "-1", ""])
def test_what_does_not_exist_is_a_clear_error(tmp_path, which):
    save(tmp_path, 10)
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path, which)
    with pytest.raises(CheckpointError, match="does not exist"):
        open_checkpoint(tmp_path / "nowhere", "best")
    (tmp_path / "begun").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        open_checkpoint(tmp_path / "begun", "best")


def _remove_weights(folder):
    (folder / "model.safetensors").unlink()


def _truncate_optimizer(folder):
    os.truncate(folder / "optimizer.safetensors", 100)


def _flip_weights(folder):
    flip(folder / "model.safetensors")


def _flip_state(folder):
    flip(folder / "state.json", 12)


def _change_manifest(folder):
    path = folder / "manifest.json"
    data = json.loads(path.read_bytes())
    data["config"]["rope_theta"] = 500.0
    path.write_text(json.dumps(data))


def _truncate_manifest(folder):
    os.truncate(folder / "manifest.json", 40)


DAMAGES = [
    _remove_weights,
    _truncate_optimizer,
    _flip_weights,
    _flip_state,
    _change_manifest,
    _truncate_manifest,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.strip("_"))
def test_a_damaged_checkpoint_is_passed_over_and_reported(tmp_path, damage):
    save(tmp_path, 10, 20, s20=1.0)
    damage(tmp_path / "checkpoints" / "step-00000020")
    problems = []
    assert open_checkpoint(tmp_path, "last", on_damage=problems.append).step == 10
    assert open_checkpoint(tmp_path, "best").step == 10
    assert len(problems) == 1 and "step-00000020" in problems[0].what
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(tmp_path, "20")


def test_a_newer_version_is_refused_and_left_alone(tmp_path):
    save(tmp_path, 10, 20)
    path = tmp_path / "checkpoints" / "step-00000020" / "manifest.json"
    data = json.loads(path.read_bytes()) | {"version": 99, "unheard_of": True}
    path.write_text(json.dumps(data))
    with pytest.raises(NewerCheckpointError, match="newer version"):
        open_checkpoint(tmp_path)
    assert checkpoint_steps(tmp_path) == [10, 20]


def test_a_pickle_in_place_of_the_weights_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    save(tmp_path, 10)
    folder = tmp_path / "checkpoints" / "step-00000010"
    torch.save({"x": Bomb()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path, "10")
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path, "10", verify=False)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "manifest.json"])
def test_a_full_disk_leaves_no_trace_and_the_older_ones_whole(tmp_path, monkeypatch, file):
    save(tmp_path, 10)
    write = saving.write_pieces

    def full(path, pieces):
        if path.name == file:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, pieces)

    monkeypatch.setattr(saving, "write_pieces", full)
    monkeypatch.setattr(saving, "write_tensors", lambda path, t: full(path, saving_pieces(t)))
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 20)
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000010"]
    assert open_checkpoint(tmp_path, "last").step == 10


def saving_pieces(tensors):
    from trainer_core.train.checkpoints.tensor_file import _pieces

    return _pieces(tensors, {})


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_limit_of_the_system_in_mid_write_leaves_no_trace(tmp_path):
    save(tmp_path, 10)
    code = f"""
        import resource, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from pathlib import Path
        from test_train_checkpoint import save
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        try:
            save(Path({str(tmp_path)!r}), 20)
        except OSError as error:
            print("known", error.errno)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"known {errno.EFBIG}\n"
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000010"]


def test_saving_a_step_again_replaces_it_and_survives_a_crash_in_between(tmp_path):
    save(tmp_path, 10)
    save(tmp_path, 10, s10=2.0)
    assert open_checkpoint(tmp_path).manifest.val_loss == 2.0
    folder = tmp_path / "checkpoints"
    target = folder / "step-00000010"
    target.rename(folder / ".step-00000010.replaced")  # killed between the two renames
    shutil.copytree(folder / ".step-00000010.replaced", folder / ".step-00000020.writing")
    shutil.copytree(folder / ".step-00000010.replaced", folder / ".step-00000005.removing")
    clear_drafts(tmp_path)
    assert [p.name for p in folder.iterdir()] == ["step-00000010"]
    assert open_checkpoint(tmp_path).step == 10
