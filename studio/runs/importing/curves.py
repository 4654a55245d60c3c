"""What a log of another program tells, before anything is kept: points by series and step."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import DataError

Series = Literal[
    "loss",
    "val_loss",
    "val_bits",
    "lr",
    "grad_norm",
    "tokens_per_s",
    "tokens_seen",
    "elapsed_s",
]
"""Losses are in nats per token, `val_bits` in bits per byte, learning rates and the rest as in the
step log; `elapsed_s` counts from the start of the training."""

POINTS_MAX: Final = 6_000_000
"""Points that are held in memory, over all series: about 100 MB."""
STEPS_MAX: Final = 4_000_000
"""Steps that a reference may have: its dense file of steps has 208 MB then."""
_LARGEST: Final = 3e38
"""Beyond it a 32-bit float is infinite."""

Steps = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """One series: steps that rise, (n,), and a value for each, (n,)."""

    steps: Steps
    values: Doubles

    def __len__(self) -> int:
        return len(self.steps)


NO_POINTS: Final = Points(np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True)
class Curves:
    """A log as it was read.

    Attributes:
        program: Whose format it is, in words.
        series: Points by series; what the log does not tell is absent.
        parameters: Of the model, where the log says so.
        tokens_per_step: Likewise.
        lines: Lines, rows or records that were read.
        skipped: Those that told nothing; blank ones do not count.
        notes: What a person should know of how it was read.
    """

    program: str
    series: dict[Series, Points] = field(default_factory=dict)
    parameters: int | None = None
    tokens_per_step: int | None = None
    lines: int = 0
    skipped: int = 0
    notes: tuple[str, ...] = ()

    def points(self, name: Series) -> Points:
        """A series; without points where the log does not tell it."""
        return self.series.get(name, NO_POINTS)

    @property
    def last_step(self) -> int:
        """The highest step that anything was logged for."""
        return max((int(each.steps[-1]) for each in self.series.values() if len(each)), default=0)

    @property
    def has_losses(self) -> bool:
        """Whether there is anything to draw."""
        return any(len(self.points(name)) for name in ("loss", "val_loss", "val_bits"))


class Collector:
    """Takes points in the order in which a log tells them.

    Attributes:
        parameters: Of the model, once known.
        tokens_per_step: Likewise.
        notes: See `Curves`.
    """

    def __init__(self) -> None:
        self.parameters: int | None = None
        self.tokens_per_step: int | None = None
        self.notes: list[str] = []
        self._steps: dict[Series, array[int]] = {}
        self._values: dict[Series, array[float]] = {}
        self._count = 0
        self._odd = 0

    def add(self, name: Series, step: int, value: float | None) -> None:
        """Add a point; a value that is no number is counted and left out.

        Raises:
            DataError: There are more points than can be held, or the step is absurd.
        """
        if value is None:
            return
        if not math.isfinite(value) or abs(value) > _LARGEST:
            self._odd += 1
            return
        if not 0 <= step < 2**62:
            self._odd += 1
            return
        self._count += 1
        if self._count > POINTS_MAX:
            raise DataError(
                f"This log has more than {POINTS_MAX:,} values.",
                safe="Nothing was kept of it.",
                do="Log every tenth step, or cut the file into parts.",
            )
        self._steps.setdefault(name, array("q")).append(step)
        self._values.setdefault(name, array("d")).append(value)

    def __len__(self) -> int:
        return self._count

    def last(self, name: Series) -> float:
        """The newest value of a series; NaN without one."""
        values = self._values.get(name)
        return values[-1] if values else math.nan

    def curves(
        self, program: str, *, in_order: bool, lines: int = 0, skipped: int = 0, one_based: bool
    ) -> Curves:
        """All points as curves.

        Args:
            program: See `Curves`.
            in_order: The log was written as time went by: a step that comes again after later ones
                means that the training was resumed there, and voids them. Otherwise rows may stand
                in any order.
            lines: See `Curves`.
            skipped: See `Curves`.
            one_based: The first step is step 1. Otherwise a training loss at step 0 tells that
                steps are counted from 0, and moves all of them by one.

        Raises:
            DataError: It counts more steps than a reference may have.
        """
        found: dict[Series, Points] = {}
        for name, steps in self._steps.items():
            made = np.frombuffer(steps, dtype=np.int64).copy()
            values = np.frombuffer(self._values[name], dtype=np.float64).copy()
            found[name] = _resumed(made, values) if in_order else _sorted(made, values)
        if not one_based:
            found = _counted_from_one(found)
        found = {name: points for name, points in found.items() if len(points)}
        notes = list(self.notes)
        if self._odd:
            notes.append(f"{self._odd:,} values are not finite numbers and were left out.")
        curves = Curves(
            program,
            found,
            self.parameters,
            self.tokens_per_step,
            lines,
            skipped,
            tuple(notes),
        )
        return curves


def check_steps(curves: Curves) -> None:
    """Make sure that there is something to keep, and that it fits.

    Raises:
        DataError: There are no losses, or too many steps.
    """
    if not curves.has_losses:
        raise DataError(
            "There is no loss in this file that Hearth could read.",
            safe="Nothing was kept of it.",
            do="Choose a training log, or name the column of the loss.",
        )
    if curves.last_step > STEPS_MAX:
        raise DataError(
            f"Its last step is {curves.last_step:,}; a reference may have {STEPS_MAX:,}.",
            safe="Nothing was kept of it.",
            do="If that column counts tokens, say so; Hearth then works out the steps.",
        )


def _resumed(steps: Steps, values: Doubles) -> Points:
    """Points that no later point with the same or an earlier step made void."""
    if not len(steps):
        return NO_POINTS
    lowest_after = np.minimum.accumulate(steps[::-1])[::-1]
    keep = np.append(steps[:-1] < lowest_after[1:], True)
    return Points(steps[keep], values[keep])


def _sorted(steps: Steps, values: Doubles) -> Points:
    """Points by step; of several with the same step the last one."""
    order = np.argsort(steps, kind="stable")
    steps, values = steps[order], values[order]
    last = np.append(steps[1:] != steps[:-1], True) if len(steps) else np.empty(0, bool)
    return Points(steps[last], values[last])


_OF_A_STEP: Final[tuple[Series, ...]] = ("loss", "lr", "grad_norm", "tokens_per_s")


def _counted_from_one(found: dict[Series, Points]) -> dict[Series, Points]:
    """Steps counted from 1, where a log counts the first one as 0.

    A validation at 0 is no sign of that: it was made before the first step.
    """
    losses = found.get("loss", NO_POINTS)
    if not len(losses) or losses.steps[0] != 0:
        return found
    return {
        name: Points(points.steps + 1, points.values) if name in _OF_A_STEP else points
        for name, points in found.items()
    }
