"""Runs that older versions began are gone on with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from train_for_tests import ended, resumed_steps, rows

from trainer_core.errors import ExitCode
from trainer_core.job import run_job
from trainer_core.train.checkpoints.checkpoint import read_checkpoint
from trainer_core.train.checkpoints.manifest import VERSION

VERSION_1 = Path(__file__).parent / "version_1_run"
"""A run of 30 steps at its step 20 and its corpus, as the first version of checkpoints left it."""
LAST_LOSSES = [3.8795, 3.9084, 3.8962, 3.868, 3.9033]


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


def test_a_run_of_version_1_goes_on_as_it_would_have(old_run):
    assert run_job(old_run) == ExitCode.OK, ended(old_run)
    assert resumed_steps(old_run) == [20]
    np.testing.assert_allclose(rows(old_run)["loss"][-5:], LAST_LOSSES, rtol=1e-4)
    assert read_checkpoint(old_run, 30).manifest.version == VERSION
