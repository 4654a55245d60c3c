"""The figures of each step: handed over in groups, and cut where a training goes on."""

import math

import numpy as np
import torch

from trainer_core.metrics import STEP_DTYPE, StepLog, read_rows
from trainer_core.train.meter import CAPACITY, StepMeter, cut_log


def add(meter, step, loss=2.0, norm=0.5):
    meter.add(
        step, torch.tensor(loss), torch.tensor(norm), lr=0.1 * step, hit=math.nan, match=math.nan
    )


def test_the_meter_hands_over_every_step(tmp_path):
    log = StepLog(tmp_path / "steps.bin")
    meter = StepMeter(log, torch.device("cpu"), 64, elapsed_s=100.0)
    meter.start()
    for step in range(1, 8):
        add(meter, step, loss=step / 2)
        if step in (3, 4):
            meter.hand_over()
    assert len(read_rows(tmp_path / "steps.bin")) == 4
    meter.hand_over()
    rows = read_rows(tmp_path / "steps.bin")
    assert rows["step"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert rows["loss"].tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    assert rows["tokens_seen"].tolist() == [64 * step for step in range(1, 8)]
    assert rows["elapsed_s"][0] > 100 and (np.diff(rows["elapsed_s"]) > 0).all()
    assert meter.elapsed_s == rows["elapsed_s"][-1]
    assert len(meter.hand_over()) == 0


def test_the_meter_is_due_when_its_buffer_is_full_or_time_has_passed(tmp_path, monkeypatch):
    from trainer_core.train import meter as module

    meter = StepMeter(StepLog(tmp_path / "steps.bin"), torch.device("cpu"), 1, 0.0)
    assert not meter.due
    for step in range(1, CAPACITY + 1):
        add(meter, step)
    assert meter.due
    meter.hand_over()
    add(meter, CAPACITY + 1)
    assert not meter.due
    monkeypatch.setattr(module, "HANDOVER_S", 0.0)
    assert meter.due


def test_a_log_is_cut_at_the_step_and_lost_rows_stand_as_nan(tmp_path):
    log = StepLog(tmp_path / "steps.bin")
    rows = np.zeros(5, STEP_DTYPE)
    rows["step"] = np.arange(5) + 1
    log.append(rows)
    cut_log(log, 3, 64)
    assert read_rows(log.path)["step"].tolist() == [1, 2, 3]
    cut_log(log, 6, 64)
    padded = read_rows(log.path)
    assert padded["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert padded["tokens_seen"][3:].tolist() == [256, 320, 384]
    assert np.isnan(padded["loss"][3:]).all() and not np.isnan(padded["loss"][:3]).any()
