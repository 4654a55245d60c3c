"""Every step's figures, kept on the device and handed over about once a second."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from trainer_core.metrics import STEP_DTYPE, Rows, StepLog

HANDOVER_S = 0.5
CAPACITY = 512
"""Steps between two handovers at most."""


class StepMeter:
    """Collects one row per step and appends them to the step log in groups.

    Reading a loss from a GPU makes the host wait until the GPU has caught up; once per group that
    costs nothing, once per step it leaves the GPU idle. On a CPU a step's time is exact; on a GPU
    it is the mean over its group.

    Args:
        log: The step log, already cut at the step to go on from.
        device: Where the figures come from.
        tokens_per_step: B · T.
        elapsed_s: Active training time of earlier sessions.
    """

    def __init__(
        self, log: StepLog, device: torch.device, tokens_per_step: int, elapsed_s: float
    ) -> None:
        self.elapsed_s = elapsed_s
        self._log, self._device, self._tokens_per_step = log, device, tokens_per_step
        self._figures = torch.zeros(CAPACITY, 2, device=device)  # loss, grad_norm
        self._rows = np.zeros(CAPACITY, STEP_DTYPE)
        self._durations = np.zeros(CAPACITY)
        self._waiting = 0
        self._began_s = self._handed_over_s = time.perf_counter()

    def start(self) -> None:
        """The next step begins now; whatever went before is not training time."""
        self._began_s = time.perf_counter()

    def add(
        self, step: int, loss: Tensor, grad_norm: Tensor, *, lr: float, hit: float, match: float
    ) -> None:
        """A step is done.

        Args:
            step: Its number.
            loss: Mean over its tokens, a scalar on the device.
            grad_norm: Before clipping, a scalar on the device.
            lr: Its learning rate.
            hit: Its hit rate, NaN without an index.
            match: Its mean match length, NaN without an index.
        """
        at = self._waiting
        self._figures[at, 0] = loss
        self._figures[at, 1] = grad_norm
        row = self._rows[at]
        row["step"], row["tokens_seen"] = step, step * self._tokens_per_step
        row["lr"], row["hit_rate"], row["mean_match"] = lr, hit, match
        now = time.perf_counter()
        self._durations[at] = now - self._began_s
        self._began_s = now
        self._waiting += 1

    @property
    def due(self) -> bool:
        """Whether it is time to hand over."""
        late = time.perf_counter() - self._handed_over_s >= HANDOVER_S
        return self._waiting == CAPACITY or (late and self._waiting > 0)

    def hand_over(self) -> Rows:
        """Append the waiting rows to the log; the rows.

        Raises:
            OSError: The log cannot be written.
        """
        count, self._waiting = self._waiting, 0
        rows, durations = self._rows[:count].copy(), self._durations[:count]
        asked_s = time.perf_counter()
        figures = self._figures[:count].cpu().numpy()  # waits for the device
        self._handed_over_s = time.perf_counter()
        if self._device.type != "cpu" and count:
            durations[:] = (durations.sum() + self._handed_over_s - asked_s) / count
        rows["loss"], rows["grad_norm"] = figures[:, 0], figures[:, 1]
        rows["elapsed_s"] = self.elapsed_s + np.cumsum(durations)
        rows["tokens_per_s"] = self._tokens_per_step / np.maximum(durations, 1e-9)
        if count:
            self.elapsed_s = float(rows["elapsed_s"][-1])
            self._log.append(rows)
        return rows


def cut_log(log: StepLog, step: int, tokens_per_step: int) -> None:
    """Make the log end at a step: later rows are dropped, lost ones stand as NaN.

    Rows are lost when the file was removed, or when the power failed before the system wrote it.

    Raises:
        OSError: The log cannot be written.
    """
    if log.rows < step:
        rows = np.zeros(step - log.rows, STEP_DTYPE)
        for name in ("elapsed_s", "loss", "lr", "grad_norm", "tokens_per_s", "hit_rate"):
            rows[name] = np.nan
        rows["mean_match"] = np.nan
        rows["step"] = np.arange(log.rows, step) + 1
        rows["tokens_seen"] = rows["step"].astype(np.uint64) * np.uint64(tokens_per_step)
        log.append(rows)
    log.truncate(step)
