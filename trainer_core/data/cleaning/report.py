"""What the cleaning steps did: counts and a few examples of each."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Literal, get_args

import msgspec

from trainer_core.data.manifest import CleaningExample, StepReport
from trainer_core.data.sources.skipped import Reason, Skipped

StepName = Literal["repair_unicode", "normalise", "whitespace", "length", "hook", "exclude"]
"""The steps, in the order in which a document goes through them."""
STEPS: tuple[StepName, ...] = get_args(StepName)
EXAMPLES_KEPT = 3

LEAVES_OUT: dict[StepName, tuple[Reason, ...]] = {
    "length": ("too_short", "too_large"),
    "hook": ("hook",),
    "exclude": ("excluded",),
}
"""The reasons for which a step leaves documents out."""


class StepCounts(msgspec.Struct, kw_only=True):
    """One step's counts while documents are read; they can be written down."""

    changed: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    examples: list[CleaningExample] = []


CleaningState = dict[str, StepCounts]
"""The counts of every step, as they can be written down."""


class CleaningCounts:
    """Counts what the steps do at the first reading of a source.

    Args:
        steps: Those that are switched on.
    """

    def __init__(self, steps: tuple[StepName, ...] = ()) -> None:
        self.counting = False
        """Whether documents are read for the first time; later readings count nothing."""
        self._steps = {step: StepCounts() for step in steps}

    def passed(
        self, step: StepName, before: int, after: int, change: CleaningExample | None
    ) -> None:
        """Count a document that has gone through a step.

        Args:
            step: Which one.
            before: Bytes of the text that it was given.
            after: Bytes of what it gave.
            change: The first place that it changed, if any.
        """
        if not self.counting:
            return
        counts = self._steps[step]
        counts.bytes_before += before
        counts.bytes_after += after
        if change is not None:
            counts.changed += 1
            self._keep(counts, change)

    def left_out(self, step: StepName, example: CleaningExample) -> None:
        """Show a document that a step leaves out; how many these are, the source counts."""
        if self.counting:
            self._keep(self._steps[step], example)

    @staticmethod
    def _keep(counts: StepCounts, example: CleaningExample) -> None:
        if len(counts.examples) < EXAMPLES_KEPT:
            counts.examples.append(example)

    def state(self) -> CleaningState:
        """Everything that was counted."""
        copy: CleaningState = msgspec.convert(msgspec.to_builtins(self._steps), CleaningState)
        return copy

    def restore(self, state: CleaningState) -> None:
        """Count on from what `state` gave."""
        self._steps = {step: state.get(step, StepCounts()) for step in self._steps}

    def report(self, skipped: Skipped) -> tuple[StepReport, ...]:
        """What each step did.

        Args:
            skipped: What was left out of the source.
        """
        return tuple(
            StepReport(
                step=step,
                left_out=sum(skipped.counts[reason] for reason in LEAVES_OUT.get(step, ())),
                changed=counts.changed,
                bytes_before=counts.bytes_before,
                bytes_after=counts.bytes_after,
                examples=tuple(counts.examples),
            )
            for step, counts in self._steps.items()
        )
