"""What the compare page shows, worked out from rows and run folders. Knows nothing of Qt."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from studio.charts.lines import Doubles, XMode
from studio.runs.facts import facts_of
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from studio.storage.rows import RunFacts, RunRow
from trainer_core.records import MATCH_BUCKETS, MatchBucket, Validated, bucket_label
from trainer_core.spec import TrainSpec

RUNS_MAX: Final = 6
_MANIFEST: Final = "manifest.json"


class CorpusMark(msgspec.Struct, frozen=True):
    """What tells corpora apart: the head of a corpus's manifest."""

    tokenizer_fingerprint: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Compared:
    """A run as the compare page knows it.

    Attributes:
        row: The run.
        slot: Its series slot here; its own one unless an earlier run has it.
        facts: Its latest figures.
        spec: Its settings; None while unreadable.
        validations: By step.
        elapsed_s: Active training seconds at each validation.
        corpus: What it was trained on.
        problem: Why it cannot be shown; empty when it can.
    """

    row: RunRow
    slot: int
    facts: RunFacts
    spec: TrainSpec | None = None
    validations: tuple[Validated, ...] = ()
    elapsed_s: tuple[float, ...] = ()
    corpus: CorpusMark = field(default_factory=CorpusMark)
    problem: str = ""

    @property
    def last(self) -> Validated | None:
        """The newest validation."""
        return self.validations[-1] if self.validations else None

    @property
    def match_backed(self) -> bool:
        """Whether the model uses an index."""
        return self.spec is not None and self.spec.model.match_input

    def positions(self, mode: XMode) -> Doubles:
        """Where the validations lie on an axis, (n,)."""
        if mode == "time":
            return np.array(self.elapsed_s, dtype=np.float64)
        if mode == "tokens":
            return np.array([v.tokens_seen for v in self.validations], dtype=np.float64)
        return np.array([v.step for v in self.validations], dtype=np.float64)

    def values(self, bits: bool) -> Doubles:
        """Validation losses, or bits per byte, (n,)."""
        found = [v.bits_per_byte if bits else v.loss for v in self.validations]
        return np.array(found, dtype=np.float64)

    def value_at(self, mode: XMode, position: float, bits: bool) -> float:
        """Value between validations, by interpolation; NaN outside of them."""
        x = self.positions(mode)
        if not len(x) or not x[0] <= position <= x[-1]:
            return math.nan
        return float(np.interp(position, x, self.values(bits)))


# --- loading -----------------------------------------------------------------------------------


def load_run(row: RunRow, slot: int) -> Compared:
    """Read a run's folder. Takes a while for a long run: call it in a thread."""
    model = JobModel(row.folder)
    tail = JobTail(row.folder)
    while True:
        update = tail.poll()
        model.apply(update)
        if not update.more:
            break
    if not isinstance(model.spec, TrainSpec):
        problem = model.error.what if model.error is not None else "Its settings cannot be read."
        return Compared(row, slot, row.facts, problem=problem)
    return of_model(row, slot, model, _corpus_mark(Path(model.spec.corpus)))


def of_model(row: RunRow, slot: int, model: JobModel, corpus: CorpusMark) -> Compared:
    """A run whose job is followed, as it is now."""
    elapsed = model.steps.column("elapsed_s")
    steps = [min(each.step, len(elapsed)) for each in model.validations]
    return Compared(
        row=row,
        slot=slot,
        facts=facts_of(model),
        spec=model.spec if isinstance(model.spec, TrainSpec) else None,
        validations=model.validations,
        elapsed_s=tuple(float(elapsed[step - 1]) if step else 0.0 for step in steps),
        corpus=corpus,
    )


def _corpus_mark(folder: Path) -> CorpusMark:
    """The corpus's marks; its path stands in where it is gone."""
    try:
        mark = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=CorpusMark)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        mark = CorpusMark()
    path = str(folder)
    return CorpusMark(mark.tokenizer_fingerprint or path, mark.fingerprint or path)


def free_slot(row: RunRow, taken: Sequence[int]) -> int:
    """The run's own series slot, or the first free one when an earlier run has it."""
    if row.color_slot not in taken:
        return row.color_slot
    return next((slot for slot in range(RUNS_MAX) if slot not in taken), row.color_slot)


# --- can they be compared ------------------------------------------------------------------------


def same_tokenizer(runs: Sequence[Compared]) -> bool:
    """Whether losses per token mean the same in all of them."""
    return len({run.corpus.tokenizer_fingerprint for run in runs}) <= 1


def same_text(runs: Sequence[Compared]) -> bool:
    """Whether all of them were validated on the same documents."""
    return len({run.corpus.fingerprint for run in runs}) <= 1


def comparability(runs: Sequence[Compared]) -> str:
    """A sentence on what may be compared."""
    if len(runs) < 2:
        return "Add a second run to see what differs."
    words = {2: "Both", 3: "All three", 4: "All four", 5: "All five", 6: "All six"}
    every = f"{words[len(runs)]} runs"
    if not same_tokenizer(runs):
        return (
            "The runs use different tokenizers, so their losses per token mean different things:"
            " bits per byte is shown."
        )
    if not same_text(runs):
        return f"{every} use the same tokenizer, but were validated on different documents."
    return (
        f"{every} use the same tokenizer and the same validation documents, so their losses can be"
        " compared. Where tokenizers differ, only bits per byte is shown."
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Names without what all of them begin or end with, cut at hyphens, spaces and underscores."""
    split = [name.replace("_", "-").replace(" ", "-").split("-") for name in names]
    if len(names) < 2:
        return list(names)
    while all(len(parts) > 1 for parts in split) and len({parts[0] for parts in split}) == 1:
        split = [parts[1:] for parts in split]
    while all(len(parts) > 1 for parts in split) and len({parts[-1] for parts in split}) == 1:
        split = [parts[:-1] for parts in split]
    short = ["-".join(parts) for parts in split]
    return short if len(set(short)) == len(set(names)) else list(names)


# --- what the index buys --------------------------------------------------------------------------


@dataclass(frozen=True)
class Gain:
    """Two losses over the same held-out tokens.

    Attributes:
        label: Their match length.
        base: Loss of the base run, in nats per token.
        other: Loss of the other one.
        share: Share of all held-out tokens, 0 to 1.
    """

    label: str
    base: float
    other: float
    share: float

    @property
    def change(self) -> float:
        """Difference of the other run to the base; negative is better."""
        return self.other - self.base


@dataclass(frozen=True)
class Gains:
    """What changes by match length; `reason` says why there is nothing to show."""

    rows: tuple[Gain, ...] = ()
    total: Gain | None = None
    reason: str = ""


def gains(base: Compared | None, other: Compared | None) -> Gains:
    """The losses of two runs by match length, from their last validations."""
    if base is None or other is None:
        return Gains(reason="Add a second run to see what the index buys.")
    for run in (base, other):
        if run.last is None:
            return Gains(reason=f"{run.row.name} has not been validated yet.")
        if not any(bucket.tokens for bucket in run.last.buckets):
            return Gains(
                reason=f"{run.row.name} was validated without an index, so its tokens are not"
                " grouped by match length."
            )
    if not same_tokenizer((base, other)):
        return Gains(reason="The two runs use different tokenizers: their tokens differ.")
    first, second = _by_range(base), _by_range(other)
    tokens = sum(bucket.tokens for bucket in second.values())
    rows = tuple(
        Gain(bucket_label(*span), first[span].loss, second[span].loss, second[span].tokens / tokens)
        for span in MATCH_BUCKETS
        if span in first and span in second
    )
    last_base, last_other = base.last, other.last
    if last_base is None or last_other is None:
        return Gains(reason="Add a second run to see what the index buys.")
    return Gains(rows, Gain("All", last_base.loss, last_other.loss, 1.0))


def _by_range(run: Compared) -> dict[tuple[int, int], MatchBucket]:
    buckets = run.last.buckets if run.last is not None else ()
    return {(each.low, each.high): each for each in buckets if each.tokens}


def other_for(
    runs: Sequence[Compared], base: Compared | None, wanted: int | None
) -> Compared | None:
    """The run to hold against the base: the one asked for, else the best index-backed one."""
    others = [run for run in runs if base is None or run.row.id != base.row.id]
    asked = next((run for run in others if run.row.id == wanted), None)
    if asked is not None:
        return asked

    def rank(run: Compared) -> tuple[bool, float]:
        return not run.match_backed, run.last.loss if run.last is not None else math.inf

    return min(others, key=rank, default=None)
