"""What is marked in a run's charts: validations, checkpoints, spikes, slow spells."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from studio.charts.content import Flag, Limit, Note, Points
from studio.charts.lines import Line
from studio.runs.model import JobModel
from studio.widgets import figures
from trainer_core.records import CheckpointSaved, Noted, PlanChanged, Validated
from trainer_core.rule_tasks import task_of
from trainer_core.spec import JobSpec, TrainSpec

BYTE_VOCAB: Final = 257
"""Of the tokenizer whose tokens are characters, where text is ASCII."""
_SLOW: Final = 0.85
"""A warning is written into the speed chart where it went slower than this share of the average."""
_WRITTEN_MAX: Final = 30
_FLAGS_MAX: Final = 60
_GPU_LIMITS: Final = {
    "gpu_temp_c": ("slows at", "slows at"),
    "gpu_power_w": ("power limit", "limit"),
}
"""By column the name in the record of the hardware, and the words beside the chart."""
_FLAGGED: Final = {"resumed": "resumed", "held": "waited"}
"""Kinds of events that are flagged in the loss chart, and how."""


def key(model: JobModel) -> tuple[object, ...]:
    """Differs from an earlier one when there is something else to mark."""
    saved = model.checkpoints
    return (
        len(model.validations),
        model.validations[-1:],
        len(saved),
        saved[-1:],
        saved[:1],
        sum(each.resumable for each in saved),
        len(model.status.notes),
        len(model.events),
        model.status.changes,
        model.status.rewound,
        model.status.entropy,
        model.ruled is None,
        model.spec is None,
    )


def average_speed(model: JobModel) -> float:
    """Tokens per second of active training over the whole run; NaN before the second step."""
    tokens, time_s = model.steps.column("tokens_seen"), model.steps.column("elapsed_s")
    if len(tokens) < 2 or not time_s[-1] > time_s[0]:
        return math.nan
    return float((tokens[-1] - tokens[0]) / (time_s[-1] - time_s[0]))


def plateaus(model: JobModel) -> list[Limit]:
    """The losses at which learning a rule task comes to rest; none for other text, or tokens."""
    groups = [score.group for last in model.validations[-1:] for score in last.groups]
    task = task_of(groups) or model.ruled
    per_character = isinstance(model.spec, TrainSpec) and model.spec.model.vocab_size == BYTE_VOCAB
    if task is None or not per_character:
        return []
    *higher, floor = task.plateaus()  # the curve comes down to the floor: its label stands below
    return [
        *(Limit(level.nats, level.name, "muted", "right") for level in higher),
        Limit(floor.nats, floor.name, "muted", "below"),
    ]


def entropies(model: JobModel) -> list[Limit]:
    """Losses of counting alone: how often tokens occur, and how often after the one before."""
    found = model.status.entropy
    if found is None:
        return []
    about = "about " if found.tokens < found.of_tokens else ""
    return [
        Limit(found.unigram, f"unigram entropy {about}{found.unigram:.2f}", "muted"),
        Limit(found.bigram, f"bigram entropy {about}{found.bigram:.2f}", "muted"),
    ]


def clip_norm(spec: JobSpec | None) -> float:
    """The norm above which gradients are scaled down; 0 when they never are."""
    return spec.optimizer.clip_norm if isinstance(spec, TrainSpec) else 0.0


def norm_text(norm: float) -> str:
    """A limit of gradient norms, such as `1.0` or `0.25`."""
    text = f"{norm:.3g}"
    return text if "." in text or "e" in text else f"{text}.0"


def set_validations(
    points: Points, validations: Sequence[Validated], best: Validated | None
) -> None:
    """Put validations into a chart, with a ring around the best."""
    points.steps = [each.step for each in validations]
    points.values = [each.loss for each in validations]
    points.best = next((i for i, each in enumerate(validations) if each is best), None)
    points.best_label = f"best {figures.loss(best.loss)}" if best is not None else ""


def set_checkpoints(points: Points, weights_only: Points, saved: Sequence[CheckpointSaved]) -> None:
    """Put the checkpoints on disk into a chart; the newest one is solid.

    Args:
        points: Takes those that a training can go on from.
        weights_only: Takes the others.
        saved: By step.
    """
    for taker, resumable in ((points, True), (weights_only, False)):
        mine = [each for each in saved if each.resumable == resumable]
        taker.steps = [each.step for each in mine]
        taker.filled = [each is saved[-1] for each in mine]


def flags(model: JobModel) -> list[Flag]:
    """What was done to a run, at its steps: changes of its plan, rewinds, resumes, holds."""
    found = [Flag(change.step, change_word(change)) for change in model.status.changes]
    found += [Flag(each.step, "rewound") for each in model.status.rewound]
    taken = {flag.step for flag in found}
    for event in model.events:
        if event.kind in _FLAGGED and event.step and event.step not in taken:
            found.append(Flag(event.step, _FLAGGED[event.kind], "muted"))
            taken.add(event.step)
    return found[-_FLAGS_MAX:]


def change_word(change: PlanChanged) -> str:
    """A change of the plan in a word or two, such as `lr 2.0e-4`."""
    words = []
    if change.lr is not None:
        words.append(f"lr {figures.short_lr(change.lr)}")
    if change.steps is not None:
        words.append(f"end {change.steps:,}")
    if change.skip:
        words.append(f"skip {change.skip:,}")
    return ", ".join(words)


def gpu_limits(model: JobModel) -> dict[str, tuple[float, str]]:
    """Limits of the GPU that a run's record names: by column the value, and the words for it."""
    known = model.status.provenance
    found = {}
    for column, (name, words) in _GPU_LIMITS.items():
        told = known.hardware.get(name, "") if known is not None else ""
        figure = re.match(r"\d+(\.\d+)?", told)
        if figure is not None:
            value = float(figure.group())
            found[column] = (value, f"{words} {value:,.0f}")
    return found


def spike_notes(notes: Sequence[Noted], norms: Line, clip: float) -> list[Note]:
    """Gradient spikes that the trainer reported; the highest one is written out.

    Args:
        notes: What the trainer noted.
        norms: Gradient norms.
        clip: The norm above which gradients are scaled down; 0 when they never are.
    """
    found = []
    for note in notes:
        if note.step is None or not note.title.startswith("Gradient spike"):
            continue
        norm = norms.value_at(note.step)
        if math.isfinite(norm):
            found.append(Note(note.step, norm, "", boxed=True))
    found = sorted(found, key=lambda each: each.value)[-_WRITTEN_MAX:]
    if found:
        norm = found[-1].value
        clipped = f", clipped to {norm_text(clip)}" if clip and norm > clip else ""
        found[-1].text = f"Spike {norm:.3g}{clipped}"
    return found


def slow_notes(notes: Sequence[Noted], speed: Line, average: float) -> list[Note]:
    """Warnings at steps that were slow.

    Args:
        notes: What the trainer noted.
        speed: Tokens per second.
        average: Their mean.
    """
    found = []
    for note in notes:
        if note.step is None or note.level != "warning":
            continue
        pace = speed.value_at(note.step)
        if pace < _SLOW * average:
            found.append(Note(note.step, pace, note.title))
    return found[-_WRITTEN_MAX:]
