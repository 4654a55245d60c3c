"""What the compare page shows, worked out from rows and run folders. Knows nothing of Qt."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
import numpy as np

from studio.charts.lines import Doubles, XMode
from studio.runs.importing.reference import Reference
from studio.storage.rows import RunFacts, RunRow
from trainer_core.presets import flops_per_token
from trainer_core.records import MATCH_BUCKETS, MatchBucket, Validated, bucket_label
from trainer_core.spec import TrainSpec

RUNS_MAX: Final = 6
Metric = Literal["validation", "training"]


class CorpusMark(msgspec.Struct, frozen=True):
    """What tells corpora apart: the head of a corpus's manifest; empty is not known."""

    tokenizer_fingerprint: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Training:
    """The training loss, by the steps that have one: positions and losses, (n,) each."""

    steps: Doubles
    tokens: Doubles
    elapsed_s: Doubles
    losses: Doubles

    def __len__(self) -> int:
        return len(self.steps)


NO_TRAINING: Final = Training(np.empty(0), np.empty(0), np.empty(0), np.empty(0))


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
        reference: Where its curves come from, when another program made them.
        training: Its training loss.
        members: The runs that it is the mean of; empty for a run.
    """

    row: RunRow
    slot: int
    facts: RunFacts
    spec: TrainSpec | None = None
    validations: tuple[Validated, ...] = ()
    elapsed_s: tuple[float, ...] = ()
    corpus: CorpusMark = field(default_factory=CorpusMark)
    problem: str = ""
    reference: Reference | None = None
    training: Training = field(default=NO_TRAINING, compare=False)
    members: tuple["Compared", ...] = ()

    @property
    def last(self) -> Validated | None:
        """The newest validation."""
        return self.validations[-1] if self.validations else None

    @property
    def match_backed(self) -> bool:
        """Whether the model uses an index."""
        return self.spec is not None and self.spec.model.match_input

    @property
    def flops_per_token(self) -> float | None:
        """Arithmetic that training needs for one token; None where that is not known.

        With attention for runs of one's own; 6 N for curves of other programs.
        """
        if self.spec is not None:
            return flops_per_token(self.spec.model)
        return None if self.reference is None else self.reference.flops_per_token

    @property
    def bits_per_nat(self) -> float:
        """Turns a loss per token into bits per byte; NaN where that is not known."""
        known = [v for v in self.validations if v.loss > 0 and math.isfinite(v.bits_per_byte)]
        return known[-1].bits_per_byte / known[-1].loss if known else math.nan

    def has(self, mode: XMode) -> bool:
        """Whether it is known where its figures lie on an axis."""
        if mode == "time":
            return self.reference is None or self.reference.has_time
        if mode == "steps":
            return True
        last = self.validations[-1].tokens_seen if self.validations else 0
        tokens = max(last, float(self.training.tokens[-1]) if len(self.training) else 0)
        return tokens > 0 and (mode == "tokens" or self.flops_per_token is not None)

    def positions(self, mode: XMode, metric: Metric = "validation") -> Doubles:
        """Where its figures lie on an axis, (n,)."""
        of_training = metric == "training"
        if mode == "time":
            times = self.training.elapsed_s if of_training else self.elapsed_s
            return np.array(times, dtype=np.float64)
        if mode == "steps":
            steps = [v.step for v in self.validations]
            return self.training.steps if of_training else np.array(steps, dtype=np.float64)
        seen = [v.tokens_seen for v in self.validations]
        tokens = self.training.tokens if of_training else np.array(seen, dtype=np.float64)
        return tokens * (self.flops_per_token or 0.0) if mode == "flop" else tokens

    def values(self, bits: bool, metric: Metric = "validation") -> Doubles:
        """Losses in nats per token, or bits per byte, (n,)."""
        if metric == "training":
            return self.training.losses * (self.bits_per_nat if bits else 1.0)
        found = [v.bits_per_byte if bits else v.loss for v in self.validations]
        return np.array(found, dtype=np.float64)

    def value_at(self, mode: XMode, position: float, bits: bool) -> float:
        """Value between validations, by interpolation; NaN outside of them."""
        x = self.positions(mode)
        if not len(x) or not self.has(mode) or not x[0] <= position <= x[-1]:
            return math.nan
        return float(np.interp(position, x, self.values(bits)))


def free_slot(row: RunRow, taken: Sequence[int]) -> int:
    """The run's own series slot, or the first free one when an earlier run has it."""
    if row.color_slot not in taken:
        return row.color_slot
    return next((slot for slot in range(RUNS_MAX) if slot not in taken), row.color_slot)


# --- can they be compared ------------------------------------------------------------------------


def same_tokenizer(runs: Sequence[Compared]) -> bool:
    """Whether losses per token mean the same in all of them, as far as is known."""
    known = {run.corpus.tokenizer_fingerprint for run in runs} - {""}
    return len(known) <= 1


def same_text(runs: Sequence[Compared]) -> bool:
    """Whether all of them were validated on the same documents."""
    return len({run.corpus.fingerprint for run in runs}) <= 1


def comparability(runs: Sequence[Compared]) -> str:
    """A sentence or two on what may be compared."""
    if len(runs) < 2:
        return "Add a second run to see what differs."
    words = {2: "Both", 3: "All three", 4: "All four", 5: "All five", 6: "All six"}
    every = f"{words.get(len(runs), 'All')} runs"
    if not same_tokenizer(runs):
        silent = [run.row.name for run in runs if math.isnan(run.bits_per_nat)]
        without = f" There is none of {', '.join(silent)}." if silent else ""
        return (
            "The runs use different tokenizers, so their losses per token mean different things:"
            f" bits per byte is shown.{without}"
        )
    unknown = [run.row.name for run in runs if not run.corpus.tokenizer_fingerprint]
    if unknown:
        return (
            f"The tokenizer of {', '.join(unknown)} is not known: losses per token compare only if"
            " it is the same."
        )
    logs = [run.row.name for run in runs if run.reference is not None]
    if logs:
        come = "comes from a log" if len(logs) == 1 else "come from logs"
        return (
            f"{', '.join(logs)} {come}: the documents of {'its' if len(logs) == 1 else 'their'}"
            " validation are not known to be the same."
        )
    if not same_text(runs):
        return f"{every} use the same tokenizer, but were validated on different documents."
    return (
        f"{every} use the same tokenizer and the same validation documents, so their losses can be"
        " compared. Where tokenizers differ, only bits per byte is shown."
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Names without what all of them begin or end with, cut at hyphens, spaces and underscores.

    How many seeds a name stands for (`× 3`) stays as it is.
    """
    if len(names) < 2:
        return list(names)
    bare = [name.partition(" × ") for name in names]
    split = [name.replace("_", "-").replace(" ", "-").split("-") for name, _, _ in bare]
    while all(len(parts) > 1 for parts in split) and len({parts[0] for parts in split}) == 1:
        split = [parts[1:] for parts in split]
    while all(len(parts) > 1 for parts in split) and len({parts[-1] for parts in split}) == 1:
        split = [parts[:-1] for parts in split]
    short = ["-".join(parts) + times + n for parts, (_, times, n) in zip(split, bare, strict=True)]
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
        if run.reference is not None:
            return Gains(
                reason=f"{run.row.name} comes from a log, which does not group its losses by match"
                " length."
            )
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

    def rank(run: Compared) -> tuple[bool, bool, float]:
        loss = run.last.loss if run.last is not None else math.inf
        return not run.match_backed, run.reference is not None, loss

    return min(others, key=rank, default=None)
