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
from studio.runs import verdict
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


def by_seed(run: Compared, *, bits: bool) -> dict[int, float]:
    """The members' figures at the newest validation that all of them have, by their seed.

    Runs that share a seed, such as one that was repeated, count as runs of their own.
    """
    if run.last is None:
        return {}
    found = {}
    for place, member in enumerate(run.members or (run,)):
        at = next(v for v in reversed(member.validations) if v.step == run.last.step)
        seed = place if member.spec is None else member.spec.seed
        seed = -1 - place if seed in found else seed
        found[seed] = at.bits_per_byte if bits else at.loss
    return found


def deviation(run: Compared, *, bits: bool) -> float | None:
    """Standard deviation of the members' newest values; None for a run by itself."""
    found = verdict.spread(list(by_seed(run, bits=bits).values()))
    return None if found is None else found.sd


def difference(
    run: Compared, base: Compared, *, bits: bool, comparisons: int
) -> verdict.Difference | None:
    """How a run differs from the base, where either of them is several seeds; else None.

    Args:
        run: The run.
        base: What it is held against.
        bits: Bits per byte in place of losses.
        comparisons: How many runs are held against this base.
    """
    if not (run.members or base.members):
        return None
    return verdict.compare(by_seed(run, bits=bits), by_seed(base, bits=bits), comparisons)


def verdict_words(found: verdict.Difference) -> tuple[str, str]:
    """A verdict in one word, and in a sentence or two."""
    words = {
        "real": ("real", "Real: noise between seeds alone would hardly show as much."),
        "noise": ("noise", "Noise: seeds alone make as large a difference."),
        "too_few": ("too few", "Too few runs to tell it from the noise between seeds."),
    }
    word, sentence = words[found.verdict]
    if found.p is not None:
        sentence += f" p = {found.p:.2g}, {'the same seeds' if found.paired else 'Welch'}."
    if found.low is not None and found.high is not None:
        sentence += f" 95 % interval: {found.low:+.3f} to {found.high:+.3f}."
    return word, sentence


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
    start = names[0][:same]
    if any(name[same : same + 1].isdigit() for name in names):  # 1337 and 1338 share no number
        start = start.rstrip("0123456789")
    start = re.sub(r"[\s\-_·,(]+(seed|s)?[\s\-_]*$", "", start, flags=re.IGNORECASE)
    return start or names[0]
