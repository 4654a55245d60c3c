"""Runs that older versions began are read, and what cannot go on exactly says so."""

import shutil
from pathlib import Path

import msgspec
import pytest
from train_for_tests import ended, make_corpus, rows, tiny_spec, trained

from trainer_core.data.batches.text import text_of
from trainer_core.data.corpus import open_corpus
from trainer_core.errors import ExitCode
from trainer_core.job import run_job
from trainer_core.spec import DataConfig, Mix, load
from trainer_core.train.checkpoints.checkpoint import read_checkpoint
from trainer_core.train.checkpoints.saving import move_loader

VERSION_1 = Path(__file__).parent / "version_1_run"
"""A run of 30 steps at its step 20 and its corpus, as the first version of checkpoints left it."""


@pytest.fixture
def old_run(tmp_path):
    shutil.copytree(VERSION_1, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "run"
    text = (folder / "spec.toml").read_text().replace("CORPUS", (tmp_path / "corpus").as_posix())
    (folder / "spec.toml").write_text(text)
    return folder


def test_a_checkpoint_of_version_1_is_whole(old_run):
    checkpoint = read_checkpoint(old_run, 20)
    assert checkpoint.manifest.version == 1 and checkpoint.manifest.resumable
    assert checkpoint.manifest.loader is None
    assert checkpoint.load_state().step == 20
    assert sum(p.numel() for p in checkpoint.load_model().parameters()) == 3_104


def test_a_run_of_version_1_is_refused_for_its_order_and_left_alone(old_run):
    assert run_job(old_run) == ExitCode.KNOWN_ERROR
    end = ended(old_run)
    assert "another order" in end.what and "continue_from" in end.do
    assert read_checkpoint(old_run, 20).manifest.version == 1


def test_a_checkpoint_of_the_first_order_is_refused_too(tmp_path):
    corpus = make_corpus(tmp_path)
    run = trained(tmp_path / "run", tiny_spec(corpus, steps=10))
    checkpoint = read_checkpoint(run, 10)
    move_loader(checkpoint, msgspec.structs.replace(checkpoint.manifest.loader, order=1))
    assert run_job(run) == ExitCode.KNOWN_ERROR
    assert "another order" in ended(run).what


def test_the_weights_of_version_1_can_be_trained_further_on_weighted_sources(old_run, tmp_path):
    old = load(old_run / "spec.toml")
    name = text_of(open_corpus(old.corpus)).sources[0].name
    wanted = msgspec.structs.replace(old, continue_from=str(old_run))
    assert run_job(tmp_path / "refused", wanted) == ExitCode.KNOWN_ERROR
    end = ended(tmp_path / "refused")
    assert "earlier version" in end.what and end.field == "continue_from" and name in end.do
    wanted = msgspec.structs.replace(wanted, data=DataConfig(mixing=(Mix(weights={name: 1.0}),)))
    assert run_job(tmp_path / "new", wanted) == ExitCode.OK, ended(tmp_path / "new")
    assert rows(tmp_path / "new")["loss"][0] < 4.5  # ln 257 is 5.55
