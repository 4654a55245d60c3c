"""Which checkpoints stay, that weights alone can be kept, and that the room is known before."""

import pytest
from test_train_checkpoint import TINY, save
from train_for_tests import journal, make_corpus, notes, tiny_spec, trained

from trainer_core.checkpoint_plan import KEEP_MARK
from trainer_core.errors import CheckpointError
from trainer_core.records import CheckpointRemoved, CheckpointSaved, CheckpointThinned
from trainer_core.spec import CheckpointConfig
from trainer_core.status import read_status
from trainer_core.train import disk
from trainer_core.train.checkpoints import checkpoint, saving
from trainer_core.train.checkpoints.checkpoint import open_checkpoint, read_checkpoint
from trainer_core.train.checkpoints.folders import (
    FOLDER,
    checkpoint_steps,
    folder_name,
    remove_checkpoint,
)
from trainer_core.train.checkpoints.manifest import OPTIMIZER, WEIGHTS
from trainer_core.train.checkpoints.retention import (
    CheckpointSize,
    checkpoint_size,
    good_step,
    retire_checkpoints,
    thin_checkpoints,
    way_back,
)
from trainer_core.train.checkpoints.saving import clear_drafts, keep_weights_only
from trainer_core.train.guard import Calm


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-retention"))


def resumable_steps(run):
    return [s for s in checkpoint_steps(run) if read_checkpoint(run, s).manifest.resumable]


# --- which stay -----------------------------------------------------------------------------------


def test_the_newest_and_the_best_are_kept(tmp_path):
    save(tmp_path, 10, 20, 30, 40, 50, s10=4.0, s20=1.0, s30=2.0, s40=3.0)
    assert retire_checkpoints(tmp_path, CheckpointConfig(keep=2)) == [10, 30]
    assert checkpoint_steps(tmp_path) == [20, 40, 50]
    assert retire_checkpoints(tmp_path, CheckpointConfig(keep=2)) == []
    remove_checkpoint(tmp_path, 40)
    assert checkpoint_steps(tmp_path) == [20, 50]


def test_the_way_back_is_kept_and_stays_resumable(tmp_path):
    save(tmp_path, 10, 20, 30, 40, 50, 60)
    calm = Calm(certain=25, likely=35)  # on the rise since step 35
    back = way_back(tmp_path, calm)
    assert back == {20, 30}
    assert retire_checkpoints(tmp_path, CheckpointConfig(keep=1), back) == [10, 40, 50]
    assert list(thin_checkpoints(tmp_path, 1, back)) == []
    assert resumable_steps(tmp_path) == [20, 30, 60]
    assert good_step(tmp_path, 25) == 20


def test_a_calm_training_always_has_a_way_back(tmp_path):
    """Saved every five steps, one kept: what becomes known to be good must still be there."""
    for step in range(5, 205, 5):
        save(tmp_path, step)
        back = way_back(tmp_path, Calm(max(0, step - 10), step))
        retire_checkpoints(tmp_path, CheckpointConfig(keep=1), back)
        thin_checkpoints(tmp_path, 1, back)
        assert len(checkpoint_steps(tmp_path)) <= 3
        assert step < 15 or good_step(tmp_path, step - 10) == step - 10


def test_several_of_the_best_can_be_kept(tmp_path):
    save(tmp_path, 10, 20, 30, 40, 50, s10=2.0, s20=1.0, s30=4.0, s40=3.0, s50=5.0)
    assert retire_checkpoints(tmp_path, CheckpointConfig(keep=1, keep_best=3)) == [30]
    assert checkpoint_steps(tmp_path) == [10, 20, 40, 50]


def test_those_of_each_so_many_steps_stay_for_good(tmp_path):
    save(tmp_path, 10, 15, 20, 25, 30, 35)
    assert retire_checkpoints(tmp_path, CheckpointConfig(keep=1, keep_every=20)) == [10, 15, 25, 30]
    assert checkpoint_steps(tmp_path) == [20, 35]


def test_a_checkpoint_that_a_person_has_marked_stays_as_it_is(tmp_path):
    save(tmp_path, 10, 20, 30)
    (tmp_path / FOLDER / folder_name(10) / KEEP_MARK).touch()
    config = CheckpointConfig(keep=1)
    assert retire_checkpoints(tmp_path, config) == [20]
    assert thin_checkpoints(tmp_path, 1) == {}
    save(tmp_path, 10)  # written once more, by a training that went on from it
    assert retire_checkpoints(tmp_path, config) == []
    assert resumable_steps(tmp_path) == [10, 30]


def test_the_last_checkpoint_stays_however_bad_it_is(tmp_path):
    save(tmp_path, 10, 20, 30, s10=1.0, s20=1.5, s30=9.0)
    retire_checkpoints(tmp_path, CheckpointConfig(keep=1, keep_best=1))
    assert checkpoint_steps(tmp_path) == [10, 30]
    assert resumable_steps(tmp_path) == [10, 30]


# --- weights alone --------------------------------------------------------------------------------


def test_only_the_newest_can_be_gone_on_from(tmp_path):
    save(tmp_path, 10, 20, 30, 40, s10=1.0)
    whole = read_checkpoint(tmp_path, 10)
    sizes = thin_checkpoints(tmp_path, resumable=2)
    assert list(sizes) == [10, 20] and resumable_steps(tmp_path) == [30, 40]
    thinned = read_checkpoint(tmp_path, 10)
    assert thinned.size_bytes == sizes[10] < whole.size_bytes
    assert not (thinned.folder / OPTIMIZER).exists()
    assert open_checkpoint(tmp_path, "best").load_model() is not None
    assert thinned.manifest.val_loss == 1.0 and thinned.load_state() == whole.load_state()
    with pytest.raises(CheckpointError, match="weights only"):
        thinned.load_optimizer()
    assert thin_checkpoints(tmp_path, resumable=2) == {}
    assert thin_checkpoints(tmp_path, resumable=0) == {}
    assert thin_checkpoints(tmp_path, resumable=9) == {}


@pytest.mark.parametrize(("place", "resumable"), [("write_whole_file", True), ("unlink", False)])
def test_a_crash_in_the_middle_leaves_a_whole_one(tmp_path, monkeypatch, place, resumable):
    save(tmp_path, 10)
    found = read_checkpoint(tmp_path, 10)

    def killed(*_arguments, **_options):
        raise KeyboardInterrupt

    where = saving if place == "write_whole_file" else saving.Path
    monkeypatch.setattr(where, place, killed)
    with pytest.raises(KeyboardInterrupt):
        keep_weights_only(found)
    monkeypatch.undo()
    assert read_checkpoint(tmp_path, 10).manifest.resumable is resumable
    (found.folder / ".manifest.json.123").write_bytes(b"half")
    clear_drafts(tmp_path)
    assert (found.folder / OPTIMIZER).exists() is resumable
    assert len(list(found.folder.iterdir())) == (4 if resumable else 3)
    assert read_checkpoint(tmp_path, 10).load_model() is not None


def test_a_reader_does_not_mind_that_it_happens_while_it_reads(tmp_path, monkeypatch):
    save(tmp_path, 10)
    fact = checkpoint.file_fact

    def slow(path):
        if path.name == WEIGHTS:
            keep_weights_only(read_checkpoint(tmp_path, 10, verify=False))
        return fact(path)

    monkeypatch.setattr(checkpoint, "file_fact", slow)
    found = open_checkpoint(tmp_path, "10")
    assert not found.manifest.resumable and found.load_model() is not None


def test_a_run_tells_which_can_be_gone_on_from(corpus, tmp_path):
    spec = tiny_spec(corpus, checkpoint={"keep": 3, "resumable": 1})
    folder = trained(tmp_path / "run", spec)
    kept = read_status(folder).checkpoints
    assert [saved.step for saved in kept] == checkpoint_steps(folder) == [20, 30, 40]
    # 30 is the way back of a training that is at 40.
    assert [saved.resumable for saved in kept] == [False, True, True]
    for saved in kept:
        found = read_checkpoint(folder, saved.step)
        assert (found.size_bytes, found.manifest.resumable) == (saved.size_bytes, saved.resumable)
    thinned = [record.step for record in journal(folder, CheckpointThinned)]
    assert thinned == [10, 20] and journal(folder, CheckpointRemoved)[0].step == 10


# --- the room that they take ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"model": {"tie_embeddings": False, "n_embd": 64}},
        {"model": {"family": "gpt2", "n_embd": 64, "n_layer": 2}},
        {"optimizer": {"kind": "muon"}, "model": {"n_embd": 64}},
        {"optimizer": {"kind": "adafactor"}, "model": {"n_embd": 64}},
        {"precision": "fp16", "model": {"n_embd": 64}},
    ],
)
def test_the_size_is_known_before(corpus, tmp_path, sections):
    spec = tiny_spec(corpus, steps=10, checkpoint={"every_steps": 5, "resumable": 1}, **sections)
    size = checkpoint_size(spec)
    folder = trained(tmp_path / "run", spec)
    whole = read_checkpoint(folder, 10)
    assert size.resumable == pytest.approx(whole.size_bytes, rel=0.03)
    assert size.weights_only == pytest.approx(keep_weights_only(whole).size_bytes, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "whole", "thin"),
    [
        ({"keep": 4}, 4 + 1 + 1, 0),
        ({"keep": 1}, 3 + 1 + 1, 0),  # two to go back to, and a best one at the same time
        ({"keep": 4, "resumable": 2}, 3 + 1, 2 + 1),
        ({"keep": 4, "resumable": 1}, 3 + 1, 3 + 1),
        ({"keep": 1, "resumable": 1, "every_steps": 5}, 4 + 1, 1),
    ],
)
def test_the_room_for_all_of_them(settings, whole, thin):
    spec = tiny_spec("c", checkpoint=settings)
    size = CheckpointSize(weights_only=1, resumable=1000)
    assert size.most_on_disk(spec) == 1000 * whole + thin


def test_a_disk_without_that_room_is_told_before(corpus, tmp_path, monkeypatch):
    needed = checkpoint_size(tiny_spec(corpus)).most_on_disk(tiny_spec(corpus))
    for name, free in (("narrow", needed - 1), ("wide", needed + 100_000)):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path, usage=usage: usage)
        folder = trained(tmp_path / name, tiny_spec(corpus, steps=5))
        assert len(notes(folder, "The disk may fill up")) == (name == "narrow")


def test_the_run_never_takes_more_room_than_was_said(corpus, tmp_path, monkeypatch):
    spec = tiny_spec(
        corpus,
        steps=60,
        checkpoint={"every_steps": 5, "keep": 2, "resumable": 1},
        evaluation={"every_steps": 7},
    )
    most = checkpoint_size(spec).most_on_disk(spec)
    folder = tmp_path / "run"
    taken = []
    put = saving.put_in_place

    def measured(draft, target):
        files = (folder / "checkpoints").rglob("*")
        taken.append(sum(path.stat().st_size for path in files if path.is_file()))
        put(draft, target)

    monkeypatch.setattr(saving, "put_in_place", measured)
    trained(folder, spec)
    assert len(taken) == len(journal(folder, CheckpointSaved))
    assert max(taken) <= 1.02 * most


def test_the_config_is_the_shape(tmp_path):
    save(tmp_path, 10)
    assert read_checkpoint(tmp_path, 10).config == TINY
