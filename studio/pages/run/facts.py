"""What the head and the tiles of a run say. Knows nothing of Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from studio.charts.marks import average_speed
from studio.pages.home.facts import BUSY, RESUMABLE
from studio.runs.importing.reference import VERB as REFERENCE_VERB
from studio.runs.model import JobModel
from studio.widgets import figures
from studio.widgets.figures import MISSING
from trainer_core.records import Validated
from trainer_core.rule_tasks import Ruled, task_of
from trainer_core.spec import OptimizerConfig, TrainSpec

DEFAULT_SMOOTHING = 200


@dataclass(frozen=True)
class HeadFacts:
    """The line below the progress bar. Empty texts are not shown."""

    share: float
    step: str
    total: str
    percent: str
    tokens: str
    total_tokens: str
    elapsed: str
    remaining: str
    finishes: str
    finishes_word: str = "Finishes"


@dataclass(frozen=True)
class TileFacts:
    """What a tile shows; `context` pairs a text with whether it is a figure."""

    label: str
    value: str
    unit: str = ""
    context: tuple[tuple[str, bool], ...] = ()
    colour: str = ""
    share: float | None = None
    tooltip: str = ""


def rule_score(model: JobModel) -> tuple[Validated, Ruled] | None:
    """The last validation that scored a rule task, and which; None for other text."""
    last = next((each for each in reversed(model.validations) if each.groups), None)
    task = None if last is None else task_of(score.group for score in last.groups) or model.ruled
    return None if last is None or task is None else (last, task)


def why_not_continued(model: JobModel) -> str:
    """Why no other run can go on from this one now; an empty string where one can."""
    if is_at_work(model):
        return "Stop it first, or let it come to its end."
    return "" if model.checkpoints else "There is no checkpoint to go on from."


def is_reference(model: JobModel) -> bool:
    """Whether these are curves of another program."""
    return model.verb == REFERENCE_VERB


def is_at_work(model: JobModel) -> bool:
    """Whether a process trains right now."""
    return model.state in BUSY


def default_smoothing(total_steps: int) -> int:
    """Steps that the training loss is averaged over at first: less for short runs."""
    return max(1, min(DEFAULT_SMOOTHING, total_steps // 50))


def smoothing_choices(total_steps: int) -> list[int]:
    """What the smoothing slider can be set to, from no smoothing to a twentieth of the run."""
    most = max(total_steps // 20, 10)
    steps = [factor * 10**power for power in range(7) for factor in (1, 2, 5) if factor * 10**power]
    return [step for step in steps if step <= most]


def head_facts(model: JobModel, now_s: float) -> HeadFacts:
    """The facts of a run's head.

    Args:
        model: The run.
        now_s: The clock, seconds since the epoch.
    """
    working = is_at_work(model)
    pace = model.pace if working or model.state in RESUMABLE else None
    remaining = pace.remaining_s if pace is not None else None
    finishes, word = "", "Finishes"
    if working and pace is not None and model.status.held is None:  # a wait has no known end
        finishes = figures.weekday_clock(pace.finish_s(now_s))
    elif model.state == "finished":
        finishes = figures.weekday_clock(model.status.last_s or None)
        word = "Imported" if is_reference(model) else "Finished"
    return HeadFacts(
        share=model.share_done,
        step=figures.whole(model.step),
        total=figures.whole(model.total_steps) if model.total_steps else "",
        percent=figures.percent(model.share_done) if model.total_steps else "",
        tokens=figures.count(model.tokens_seen),
        total_tokens=figures.count(model.total_tokens) if model.total_tokens else "",
        elapsed=figures.duration(model.elapsed_s(now_s)),
        remaining="" if model.state == "finished" else figures.duration(remaining),
        finishes=finishes,
        finishes_word=word,
    )


def tiles(model: JobModel, smoothing: int) -> list[TileFacts]:
    """The six tiles of a run, from left to right.

    Args:
        model: The run.
        smoothing: Steps that the training loss is averaged over.
    """
    match_backed = isinstance(model.spec, TrainSpec) and model.spec.model.match_input
    made = [
        _train_loss(model, smoothing),
        _validation_loss(model),
        _speed(model),
        _memory(model),
        _hit_rate(model, smoothing) if match_backed else _accuracy(model) or _best(model),
        _learning_rate(model),
    ]
    if is_reference(model):  # what is missing will not come any more
        absent = (("not in the log", False),)
        made = [replace(tile, context=absent) if tile.value == MISSING else tile for tile in made]
    return made


def lr_text(value: float) -> str:
    """A learning rate, such as `2.76e-4`."""
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits}e{int(power)}"


def trend(values: np.ndarray[tuple[int], np.dtype[np.floating]], window: int) -> str:
    """Whether a noisy series falls, rises or is level, from its last two windows.

    Args:
        values: (n,), the newest last; those that are not finite are ignored.
        window: Values in each window.
    """
    window = max(window, 10)
    late, early = values[-window:], values[-2 * window : -window]
    late, early = late[np.isfinite(late)], early[np.isfinite(early)]
    if len(late) < 5 or len(early) < 5:
        return ""
    change = float(late.mean() - early.mean())
    noise = math.sqrt(float(late.var()) / len(late) + float(early.var()) / len(early))
    if abs(change) <= 3 * noise:
        return "level"
    return "falling" if change < 0 else "rising"


def _mean_of_last(values: np.ndarray[tuple[int], np.dtype[np.floating]], window: int) -> float:
    last = values[-max(window, 1) :]
    last = last[np.isfinite(last)]
    return float(last.mean()) if len(last) else math.nan


def _none_yet(label: str, why: str, *, colour: str = "", tooltip: str = "") -> TileFacts:
    return TileFacts(label, MISSING, context=((why, False),), colour=colour, tooltip=tooltip)


def _train_loss(model: JobModel, smoothing: int) -> TileFacts:
    tooltip = f"Mean of the last {smoothing:,} steps, in nats per token."
    if not model.step:
        return _none_yet("Train loss", "no step yet", colour="s1", tooltip=tooltip)
    column = model.steps.column("loss")
    if is_reference(model):
        column = column[np.isfinite(column)]  # not every step was logged
        if not len(column):
            return _none_yet("Train loss", "not in the log", colour="s1", tooltip=tooltip)
    way = trend(column, smoothing)
    context = (("raw ", False), (figures.loss(float(column[-1])), True))
    return TileFacts(
        "Train loss",
        figures.loss(_mean_of_last(column, smoothing)),
        context=(*context, (f", {way}" if way else "", False)),
        colour="s1",
        tooltip=tooltip,
    )


def _validation_loss(model: JobModel) -> TileFacts:
    tooltip = "On held-out text, in nats per token."
    if not model.validations:
        every = (
            model.spec.evaluation.every_steps if isinstance(model.spec, TrainSpec) else model.step
        )
        why = f"first at step {every:,}"
        return _none_yet("Validation loss", why, colour="s2", tooltip=tooltip)
    last = model.validations[-1]
    context = ((figures.loss(last.bits_per_byte), True), (" bits per byte", False))
    if last.without_index is not None:
        context = (("alone ", False), (figures.loss(last.without_index.loss), True))
    return TileFacts(
        "Validation loss",
        figures.loss(last.loss),
        context=context,
        colour="s2",
        tooltip=f"{tooltip} {_measured_words(last)}",
    )


def _measured_words(last: Validated) -> str:
    words = f"Measured at step {last.step:,} on {last.tokens:,} tokens."
    if last.without_index is not None:
        loss, bits = last.without_index.loss, figures.loss(last.bits_per_byte)
        words += f" {bits} bits per byte; without the index the loss is {figures.loss(loss)}."
    for each in last.sets:
        words += f"\n{each.name}: {figures.loss(each.measured.loss)}"
        if each.without_index is not None:
            words += f", without the index {figures.loss(each.without_index.loss)}"
    return words


def _speed(model: JobModel) -> TileFacts:
    tooltip = "While training, without validation and checkpoints."
    column = model.steps.column("tokens_per_s")
    now = _mean_of_last(column, 10)
    if not math.isfinite(now):
        return _none_yet("Tokens per second", "not measured yet", tooltip=tooltip)
    context = (("average ", False), (figures.whole(average_speed(model)), True))
    return TileFacts("Tokens per second", figures.whole(now), context=context, tooltip=tooltip)


def _memory(model: JobModel) -> TileFacts:
    used, total = model.system.last("gpu_used_gib"), model.system.last("gpu_total_gib")
    if math.isfinite(used):
        unit = _of_gib(total)
        share = used / total if total > 0 else None
        return TileFacts("VRAM", figures.gib(used), unit, share=share, tooltip="Of the GPU.")
    used, total = model.system.last("process_gib"), model.system.last("ram_total_gib")
    tooltip = "Memory of the training process. There is no GPU that Hearth can use."
    if not math.isfinite(used):
        return _none_yet("Memory", "not measured yet", tooltip=tooltip)
    digits = 2 if used < 10 else 1
    unit = _of_gib(total)
    share = used / total if total > 0 else None
    return TileFacts("Memory", figures.gib(used, digits), unit, share=share, tooltip=tooltip)


def _of_gib(total: float) -> str:
    thin = figures.NARROW
    return f"{thin}/{thin}{total:.0f}{thin}GiB" if math.isfinite(total) else f"{thin}GiB"


def _hit_rate(model: JobModel, smoothing: int) -> TileFacts:
    tooltip = "How often the token after the longest match is right; its mean length in tokens."
    hits = _mean_of_last(model.steps.column("hit_rate"), smoothing)
    if not math.isfinite(hits):
        return _none_yet("Index hit rate", "no step yet", tooltip=tooltip)
    length = _mean_of_last(model.steps.column("mean_match"), smoothing)
    context = (("mean match ", False), (f"{length:.1f}", True))
    return TileFacts(
        "Index hit rate",
        f"{hits * 100:.1f}",
        f"{figures.NARROW}%",
        context if math.isfinite(length) else (),
        tooltip=tooltip,
    )


def _accuracy(model: JobModel) -> TileFacts | None:
    scored = rule_score(model)
    if scored is None:
        return None
    worst = min(scored[0].groups, key=lambda score: score.accuracy)
    name = worst.group.partition(":")[0].partition(",")[0]  # a tile has no room for all of it
    return TileFacts(
        "Worst accuracy",
        f"{worst.accuracy * 100:.1f}",
        f"{figures.NARROW}%",
        ((name, False),),
        tooltip=f"Of the groups of {scored[1].title}, on fresh lines: {worst.group}.",
    )


def _best(model: JobModel) -> TileFacts:
    tooltip = "The lowest validation loss of this run."
    best = model.best
    if best is None:
        return _none_yet("Best loss", "no validation yet", tooltip=tooltip)
    context = (("at step ", False), (f"{best.step:,}", True))
    return TileFacts("Best loss", figures.loss(best.loss), context=context, tooltip=tooltip)


def _learning_rate(model: JobModel) -> TileFacts:
    tooltip = "After the warm-up as the schedule says."
    if not isinstance(model.spec, TrainSpec) or not model.step:
        return _none_yet("Learning rate", "no step yet", tooltip=tooltip)
    optimizer = model.spec.optimizer
    phase = _phase(optimizer, model.step, model.total_steps)
    plan = model.plan
    peak = optimizer.lr if plan is None else plan.peak_lr(model.step)
    context = ((f"{phase}, peak ", False), (figures.short_lr(peak), True))
    value = lr_text(model.steps.last("lr"))
    return TileFacts("Learning rate", value, context=context, tooltip=_course(optimizer))


_SCHEDULES = {
    "cosine": ("cosine", "then half a cosine down to the floor"),
    "wsd": ("steady", "then its peak, and a decay at the end"),
    "linear": ("linear", "then a straight line down to the floor"),
    "constant": ("constant", "then its peak to the end"),
}
"""Each schedule in a word, and what it does after the warm-up."""


def _phase(optimizer: OptimizerConfig, step: int, steps: int) -> str:
    if step <= optimizer.warmup_steps:
        return "warm-up"
    if optimizer.schedule == "wsd" and step > steps - optimizer.decay_steps(steps):
        return "decay"
    return _SCHEDULES[optimizer.schedule][0]


def _course(optimizer: OptimizerConfig) -> str:
    words = f"Warm-up, {_SCHEDULES[optimizer.schedule][1]}."
    if optimizer.kind == "muon":
        peak = figures.short_lr(optimizer.muon_lr)
        words += f" Muon changes the matrices, with a peak of {peak}; this is AdamW's."
    return words
