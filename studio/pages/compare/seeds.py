"""Runs that differ in their seed alone, as one: their mean, and how far they lie apart.

Knows nothing of Qt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from studio.charts.lines import Doubles
from studio.pages.compare.facts import NO_TRAINING, Compared
from trainer_core.records import MatchBucket, Validated
from trainer_core.spec import TrainSpec


def joined(runs: Sequence[Compared]) -> list[Compared]:
    """The runs, those of a group that differ in their seed alone made into one each.

    The first of them gives its place, its colour and its id.
    """
    sets: dict[object, list[Compared]] = {}
    for run in runs:
        sets.setdefault(_likeness(run), []).append(run)
    return [each[0] if len(each) == 1 else mean_of(each) for each in sets.values()]


def can_join(runs: Sequence[Compared]) -> bool:
    """Whether any of them differ in their seed alone."""
    return len({_likeness(run) for run in runs}) < len(runs)


def mean_of(runs: Sequence[Compared]) -> Compared:
    """The mean of runs, at the validations that all of them have made."""
    first = runs[0]
    common = set.intersection(*({v.step for v in run.validations} for run in runs))
    by_step = [{v.step: v for v in run.validations} for run in runs]
    elapsed = [
        dict(zip(by, run.elapsed_s, strict=True)) for by, run in zip(by_step, runs, strict=True)
    ]
    steps = sorted(common)
    facts = [run.facts for run in runs]
    return replace(
        first,
        row=replace(first.row, name=f"{_common_name(runs)} × {len(runs)}"),
        facts=replace(
            first.facts,
            tokens_per_s=_mean([f.tokens_per_s for f in facts if f.tokens_per_s is not None]),
            elapsed_s=_mean([f.elapsed_s for f in facts]) or 0.0,
        ),
        validations=tuple(_mean_validation([by[step] for by in by_step]) for step in steps),
        elapsed_s=tuple(_mean([each[step] for each in elapsed]) or 0.0 for step in steps),
        training=NO_TRAINING,
        members=tuple(runs),
    )


def spread(run: Compared, *, bits: bool) -> tuple[Doubles, Doubles]:
    """Lowest and highest value of its members at each of its validations, (n,) each."""
    wanted = [v.step for v in run.validations]
    rows = []
    for member in run.members:
        values = dict(zip([v.step for v in member.validations], member.values(bits), strict=True))
        rows.append([values[step] for step in wanted])
    table = np.array(rows, dtype=np.float64)
    return table.min(axis=0), table.max(axis=0)


def last_values(run: Compared, *, bits: bool) -> list[float]:
    """The members' values at the newest validation that all of them have; its own for a run."""
    if run.last is None:
        return []
    found = []
    for member in run.members or (run,):
        at = next(v for v in reversed(member.validations) if v.step == run.last.step)
        found.append(at.bits_per_byte if bits else at.loss)
    return found


def deviation(run: Compared, *, bits: bool) -> float | None:
    """Standard deviation of the members' newest values; None for a run by itself."""
    values = last_values(run, bits=bits)
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _likeness(run: Compared) -> object:
    """Equal for runs of a group that differ in their seed alone."""
    if run.row.group_id is None or not isinstance(run.spec, TrainSpec):
        return run.row.id
    settings = msgspec.to_builtins(msgspec.structs.replace(run.spec, seed=0))
    return run.row.group_id, msgspec.json.encode(settings)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _mean_validation(found: Sequence[Validated]) -> Validated:
    buckets = []
    for bucket in found[0].buckets:
        same = [b for v in found for b in v.buckets if (b.low, b.high) == (bucket.low, bucket.high)]
        if len(same) == len(found) and all(b.tokens for b in same):
            buckets.append(_mean_bucket(same))
    return msgspec.structs.replace(
        found[0],
        loss=float(np.mean([v.loss for v in found])),
        bits_per_byte=float(np.mean([v.bits_per_byte for v in found])),
        buckets=tuple(buckets),
        best=False,
        without_index=None,
    )


def _mean_bucket(same: Sequence[MatchBucket]) -> MatchBucket:
    return msgspec.structs.replace(same[0], loss=float(np.mean([b.loss for b in same])))


def _common_name(runs: Sequence[Compared]) -> str:
    names = [run.row.name for run in runs]
    same = 0
    while same < min(map(len, names)) and len({name[same] for name in names}) == 1:
        same += 1
    start = re.sub(r"[\s\-_·,(]+(seed|s)?[\s\-_]*$", "", names[0][:same], flags=re.IGNORECASE)
    return start or names[0]
