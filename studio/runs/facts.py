"""The figures of a job that the library keeps, so that lists need not open its folder."""

from __future__ import annotations

import math

import numpy as np

from studio.runs.model import JobModel
from studio.runs.series import FloatColumn
from studio.storage.rows import RunFacts

SPARKLINE_POINTS = 64


def facts_of(model: JobModel) -> RunFacts:
    """What to remember of a run."""
    last = model.validations[-1] if model.validations else None
    status = model.status
    return RunFacts(
        state=model.state,
        step=model.step,
        total_steps=model.total_steps,
        tokens_seen=model.tokens_seen,
        total_tokens=model.total_tokens,
        elapsed_s=model.elapsed_s(),
        tokens_per_s=_finite(model.steps.last("tokens_per_s")),
        val_loss=None if last is None else _finite(last.loss),
        best_loss=None if model.best is None else _finite(model.best.loss),
        bits_per_byte=None if last is None else _finite(last.bits_per_byte),
        started_s=status.born_s or None,
        ended_s=None if model.alive else status.last_s or None,
        problem=model.error.what if model.error else "",
        sparkline=sparkline(model.steps.column("loss")),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def sparkline(values: FloatColumn) -> tuple[float, ...]:
    """Means of at most 64 equal stretches of a series.

    Args:
        values: (n,), one value per step; a stretch without a finite one is left out.
    """
    if not len(values):
        return ()
    stretches = np.array_split(np.asarray(values, np.float64), min(SPARKLINE_POINTS, len(values)))
    finite = (stretch[np.isfinite(stretch)] for stretch in stretches)
    return tuple(float(stretch.mean()) for stretch in finite if len(stretch))
