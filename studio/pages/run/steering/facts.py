"""What a change of a run's plan means, and what a rewind takes back. Knows nothing of Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.pages.run.facts import is_at_work, lr_text
from studio.runs.model import JobModel
from studio.widgets import figures
from trainer_core.errors import KnownError
from trainer_core.records import CheckpointSaved
from trainer_core.spec import TrainSpec

LR_MOST: Final = 10.0
STEPS_MOST: Final = 2**32 - 1
"""Steps are counted in 32 bits."""
_STEEP: Final = 2.0
"""A peak this many times higher than the present one deserves a word."""


class UnreadableError(ValueError):
    """What was typed cannot be used; its text says why."""


@dataclass(frozen=True)
class Plan:
    """A run's plan as it stands: peak learning rate, length, and tokens in one step."""

    lr: float
    steps: int
    tokens_per_step: int


@dataclass(frozen=True)
class OutlookRow:
    """One thing that a change does: what it is now, and what it becomes."""

    name: str
    now: str
    then: str

    @property
    def changes(self) -> bool:
        """Whether it becomes anything else."""
        return self.now != self.then


def plan_of(model: JobModel) -> Plan | None:
    """The plan in force, changes included; None while the spec is unknown."""
    spec, plan = model.spec, model.plan
    if plan is None or not isinstance(spec, TrainSpec):
        return None
    tokens = spec.budget.batch_size * spec.model.context_length
    return Plan(lr=plan.peak_lr(model.step + 1), steps=plan.steps, tokens_per_step=tokens)


def refusal_of(model: JobModel, lr: float | None, steps: int | None) -> tuple[str, str]:
    """Which field a plan would be refused for, `lr` or `steps`, and why; empty texts for none.

    Args:
        model: The run.
        lr: The new peak, or None.
        steps: The new end, or None.
    """
    if model.plan is None or (lr is None and steps is None):
        return "", ""
    try:
        model.plan.check(model.step, lr, steps)
    except KnownError as error:
        return error.field or "lr", f"{error.what} {error.do}"
    return "", ""


def read_lr(text: str) -> float:
    """A learning rate as people type it: `2e-4`, `0.0002`, `2,0e-4`.

    Raises:
        UnreadableError: It is none.
    """
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError as error:
        raise UnreadableError("Write a number, such as 2e-4 or 0.0002.") from error
    if not math.isfinite(value) or value <= 0:
        raise UnreadableError("It must be above 0.")
    if value > LR_MOST:
        raise UnreadableError(f"It can be {LR_MOST:g} at most.")
    return value


def read_steps(text: str, done: int) -> int:
    """The step at which a run shall end: `600,000`, `600000`, `600k`, `1.2M`.

    Args:
        text: What was typed.
        done: Steps that are done already.

    Raises:
        UnreadableError: It is no number of steps, or lies in the past.
    """
    plain = "".join(text.split()).replace(",", "").replace("_", "").lower()
    factor = {"k": 1e3, "m": 1e6}.get(plain[-1:], 1.0)
    try:
        value = float(plain[:-1] if factor > 1 else plain) * factor
    except ValueError as error:
        raise UnreadableError("Write a number of steps, such as 600,000 or 600k.") from error
    if not math.isfinite(value) or value != round(value):
        raise UnreadableError("Write a whole number of steps.")
    if value <= done:
        raise UnreadableError(f"{done:,} steps are done: the end must lie behind them.")
    if value > STEPS_MOST:
        raise UnreadableError(f"It can be {STEPS_MOST:,} at most.")
    return int(value)


def remaining_s(model: JobModel, steps: int) -> float | None:
    """Seconds of work to another end at the pace so far; None where none is known.

    Args:
        model: The run.
        steps: Where it shall end.
    """
    left, known = model.total_steps - model.step, model.pace.remaining_s
    if known and left > 0:
        return known * (steps - model.step) / left
    active = model.steps.last("elapsed_s")
    if model.step and math.isfinite(active):
        return active / model.step * (steps - model.step)
    return None


def outlook(model: JobModel, lr: float, steps: int, now_s: float) -> list[OutlookRow]:
    """What a plan comes to beside the one in force.

    Args:
        model: The run.
        lr: Peak learning rate.
        steps: The run's length.
        now_s: The clock, seconds since the epoch.
    """
    plan = plan_of(model)
    if plan is None:
        return []
    rows = [
        OutlookRow("Peak learning rate", lr_text(plan.lr), lr_text(lr)),
        OutlookRow("Steps", f"{plan.steps:,}", f"{steps:,}"),
        OutlookRow(
            "Tokens",
            figures.count(plan.steps * plan.tokens_per_step),
            figures.count(steps * plan.tokens_per_step),
        ),
    ]
    before, after = remaining_s(model, plan.steps), remaining_s(model, steps)
    at_end = model.step >= plan.steps
    now = "–" if at_end else figures.rough_duration(before)
    rows.append(OutlookRow("Remaining", now, figures.rough_duration(after)))
    if is_at_work(model) and before is not None and after is not None:
        clock = figures.weekday_clock
        rows.append(OutlookRow("Finishes", clock(now_s + before), clock(now_s + after)))
    return rows


def warning_of(model: JobModel, lr: float, steps: int) -> str:
    """What deserves a second look about a plan; empty for nothing."""
    plan = plan_of(model)
    if plan is None:
        return ""
    if lr > _STEEP * plan.lr:
        times = lr / plan.lr
        return (
            f"A peak {times:.3g} times higher may undo what was learned; save a checkpoint first."
        )
    seen = model.status.seen
    if steps > plan.steps and seen is not None:
        return unseen_words(model, steps, plan.tokens_per_step)
    return ""


def unseen_words(model: JobModel, steps: int, tokens_per_step: int) -> str:
    """Whether the text lasts to an end, or repeats before it."""
    seen = model.status.seen
    if seen is None:
        return ""
    left = sum(max(each.tokens - each.seen, 0) for each in seen.sources)
    left -= max(model.step - seen.step, 0) * tokens_per_step
    wanted = (steps - model.step) * tokens_per_step
    if wanted <= left:
        return f"All of it is text that the run has not seen; {figures.count(left)} tokens are new."
    if left <= 0:
        return "The run has seen all of its text: from here on it repeats."
    at = model.step + left // tokens_per_step
    return f"The text is new up to about step {at:,}; after that it repeats."


def unseen_end(model: JobModel) -> int | None:
    """Where the new text ends, as a step; None where that is unknown or behind the run."""
    plan, seen = plan_of(model), model.status.seen
    if plan is None or seen is None:
        return None
    left = sum(max(each.tokens - each.seen, 0) for each in seen.sources)
    end = seen.step + left // plan.tokens_per_step
    return end if end > max(model.step, plan.steps) else None


# --- the way back --------------------------------------------------------------------------------


def ways_back(model: JobModel) -> list[CheckpointSaved]:
    """Checkpoints that a training can go on from, newest first."""
    return [each for each in reversed(model.checkpoints) if each.resumable]


def checkpoint_before(model: JobModel, step: int) -> CheckpointSaved | None:
    """The last checkpoint before a step that a training can go on from."""
    return next((each for each in ways_back(model) if each.step < step), None)


def taken_back(model: JobModel, step: int) -> str:
    """What a rewind to a checkpoint throws away, in a sentence or two."""
    lost = model.step - step
    if lost <= 0:
        return "The run stands at this checkpoint: nothing is thrown away."
    words = f"Steps {step + 1:,} to {model.step:,} are thrown away"
    elapsed = model.steps.column("elapsed_s")
    if 0 < step <= len(elapsed):
        words += f", {figures.rough_duration(float(elapsed[-1] - elapsed[step - 1]))} of work"
    later = sum(each.step > step for each in model.checkpoints)
    if later:
        words += f", and {figures.plural(later, 'later checkpoint')} with them"
    return f"{words}. Events and notes stay."


def read_batches(text: str, step: int) -> tuple[int, int]:
    """The steps whose batches are left out: `168,412` or `168,400-168,420`.

    Args:
        text: What was typed.
        step: Of the checkpoint that the run goes back to.

    Returns:
        First and last, included.

    Raises:
        UnreadableError: They cannot be read, or lie before the checkpoint.
    """
    plain = "".join(text.split()).replace(",", "").replace("–", "-")
    first, dash, last = plain.partition("-")
    if not first.isdecimal() or not (last.isdecimal() if dash else True):
        raise UnreadableError("Write a step, or two with a dash between them.")
    begin, end = int(first), int(last or first)
    if end < begin:
        raise UnreadableError("The second step lies before the first.")
    if begin <= step:
        raise UnreadableError(f"It must lie behind step {step:,}, where the run goes back to.")
    if end > STEPS_MOST:
        raise UnreadableError(f"It can be {STEPS_MOST:,} at most.")
    return begin, end


def spikes(model: JobModel) -> Sequence[int]:
    """Steps at which the trainer reported a spike, oldest first."""
    found = [note for note in model.status.notes if "spike" in note.title.lower()]
    return [note.step for note in found if note.step is not None]
