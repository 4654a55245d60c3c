"""What the tour card says in each state. Knows nothing of Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from studio.device import DeviceFacts
from studio.runs.model import JobModel
from studio.runs.python_library import PythonLibrarySize
from studio.widgets import figures
from trainer_core.presets import PRESETS, parameter_count
from trainer_core.records import ChildStarted
from trainer_core.spec import BpeTokenizer, TourSpec
from trainer_core.status import JobStatus

StepState = Literal["todo", "now", "done"]
Action = Literal["start", "hide", "stop", "watch", "resume", "compare", "playground"]

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_TOUR = TourSpec()
_WEIGHTS: tuple[tuple[str, float], ...] = (
    # part, share of the time it takes on two cores
    ("data", 0.16),
    ("index", 0.10),
    ("plain", 0.33),
    ("with-index", 0.34),
    ("export-plain", 0.03),
    ("export-with-index", 0.04),
)
_SENTENCES: dict[str, str] = {
    "data": "Reading this computer's Python library",
    "index": "Building the index over every token of it",
    "plain": "Training the plain model",
    "with-index": "Training the model with the index",
    "export-plain": "Writing the plain model in Hugging Face format",
    "export-with-index": "Writing the model with the index in Hugging Face format",
}


@dataclass(frozen=True)
class Step:
    """One of the three steps: a title, two lines below it, and whether it is done."""

    title: str
    lines: tuple[str, str]
    state: StepState = "todo"


@dataclass(frozen=True)
class Choice:
    """A button of the card."""

    action: Action
    word: str
    icon: str = ""
    kind: Literal["primary", "secondary", "quiet"] = "secondary"


@dataclass(frozen=True)
class TourView:
    """Everything that the card shows."""

    chip: str
    note: str
    heading: str
    choices: tuple[Choice, ...]
    steps: tuple[Step, Step, Step]
    share: float | None = None
    """Progress from 0 to 1; None shows no line."""
    closable: bool = True
    failed: bool = False
    text: str = ""
    """A sentence below the heading."""


def offer(size: PythonLibrarySize | None, device: DeviceFacts | None) -> TourView:
    """The invitation; figures that are not counted yet are left out."""
    minutes = round(_TOUR.budget_s / 60)
    word = _WORDS[minutes] if minutes < len(_WORDS) else str(minutes)
    return TourView(
        chip="New here?",
        note="nothing to download",
        heading=(
            f"Take the {word}-minute tour: train a small model on"
            " this computer's own Python library"
        ),
        choices=(
            Choice("start", "Start the tour", "play", "primary"),
            Choice("hide", "Not now", "", "quiet"),
        ),
        steps=(
            Step("Read", _read_lines(size)),
            Step("Train", _train_lines(device)),
            Step("Try it", ("Let it write code and see", "where each line came from")),
        ),
    )


def _read_lines(size: PythonLibrarySize | None) -> tuple[str, str]:
    limit = f"{_TOUR.max_bytes / 1e6:.0f}{figures.NARROW}MB"
    if size is None:
        return "counting Python files …", "nothing leaves this computer"
    if size.size_bytes <= _TOUR.max_bytes:
        return f"{size.files:,} Python files,", f"{figures.size(size.size_bytes)} of text"
    return f"{limit} of the text in", f"{size.files:,} Python files"


def _train_lines(device: DeviceFacts | None) -> tuple[str, str]:
    preset = PRESETS["10M" if device is not None and device.gpu else "tour"]
    config = preset.model(BpeTokenizer().vocab_size, match_input=True)
    size = figures.count(parameter_count(config))
    minutes = figures.duration(_TOUR.budget_s)
    where = f"your {device.trains_on}" if device is not None else "this computer"
    return f"Two models of {size},", f"{minutes} on {where}"


# --- while it runs -------------------------------------------------------------------------------


def running(
    model: JobModel | None, child: ChildStarted | None, child_model: JobModel | None
) -> TourView:
    """The tour at work: what it does, how far it is, and what is done."""
    part = child.folder if child is not None else ""
    phase = model.progress if model is not None else None
    heading = _SENTENCES.get(part, "Starting the tour")
    if phase is not None and model is not None and _is_own_phase(phase.done, phase.total):
        heading = phase.phase[:1].upper() + phase.phase[1:]
    return TourView(
        chip="Tour",
        note=_note(model),
        heading=heading,
        choices=_running_choices(part),
        steps=_running_steps(part, child_model),
        share=_share(part, child_model),
        closable=False,
    )


def _is_own_phase(done: float, total: float) -> bool:
    """Whether the tour itself works, between two of its jobs."""
    return done < total


def _note(model: JobModel | None) -> str:
    if model is None or not model.status.started_s:
        return "starting"
    elapsed = model.elapsed_s(time.time())
    return f"{figures.duration(elapsed)}, you may close the window"


def _running_choices(part: str) -> tuple[Choice, ...]:
    stop = Choice("stop", "Stop", "square")
    if part in ("plain", "with-index"):
        return Choice("watch", "Watch it learn", "activity", "primary"), stop
    return (stop,)


def _share(part: str, child_model: JobModel | None) -> float:
    done = 0.0
    for name, weight in _WEIGHTS:
        if name == part:
            within = child_model.share_done if child_model is not None else 0.0
            return done + weight * within
        done += weight
    return 0.0


def _running_steps(part: str, child_model: JobModel | None) -> tuple[Step, Step, Step]:
    names = [name for name, _ in _WEIGHTS]
    at = names.index(part) if part in names else 0
    read: StepState = "now" if at < 2 else "done"
    train: StepState = "todo" if at < 2 else "now" if at < 4 else "done"
    last: StepState = "now" if at >= 4 else "todo"
    return (
        Step("Read", _progress_lines(child_model) if at < 2 else _read_done(), read),
        Step("Train", _training_lines(child_model) if train == "now" else _idle_train(), train),
        Step("Try it", ("Let it write code and see", "where each line came from"), last),
    )


def _read_done() -> tuple[str, str]:
    return "Text, tokens and index", "are ready"


def _idle_train() -> tuple[str, str]:
    return "The same model twice,", "plain and with the index"


def _progress_lines(child_model: JobModel | None) -> tuple[str, str]:
    progress = child_model.progress if child_model is not None else None
    if progress is None:
        return "starting", ""
    counted = f"{figures.count(progress.done)} of {figures.count(progress.total)} {progress.unit}"
    return progress.phase, counted.strip() if progress.total > 1 else ""


def _training_lines(child_model: JobModel | None) -> tuple[str, str]:
    if child_model is None or not child_model.total_steps:
        return "starting", ""
    steps = f"step {child_model.step:,} of {child_model.total_steps:,}"
    last = child_model.steps.last("loss") if child_model.step else float("nan")
    remaining = child_model.pace.remaining_s
    left = f", {figures.duration(remaining)} left" if remaining is not None else ""
    return steps + left, f"loss {figures.loss(last)}" if last == last else "the first step"


# --- afterwards ----------------------------------------------------------------------------------


def interrupted(model: JobModel) -> TourView:
    """The tour ended before its time; it can go on."""
    problem = model.error
    heading = {
        "paused": "The tour is paused",
        "stopped": "The tour was stopped",
        "killed": "The tour was killed",
    }.get(model.state, "The tour could not go on")
    note = "what it has finished is kept"
    if problem is not None and model.state == "failed":
        heading, note = problem.what, problem.do or note
    part = model.children[-1].folder if model.children else ""
    return TourView(
        chip="Tour",
        note=note,
        heading=heading,
        choices=(
            Choice("resume", "Go on", "play", "primary"),
            Choice("hide", "Not now", "", "quiet"),
        ),
        steps=_stopped_steps(part),
        failed=model.state in ("failed", "killed"),
    )


def _stopped_steps(part: str) -> tuple[Step, Step, Step]:
    read, train, last = _running_steps(part, None)
    waiting = ("not finished", "")
    return (
        Step("Read", read.lines if read.state == "done" else waiting, read.state),
        Step("Train", train.lines if train.state != "now" else waiting, train.state),
        last,
    )


def finished(status: JobStatus) -> TourView:
    """What came out."""
    found: dict[str, Any] = status.result
    plain, other = found.get("plain", {}), found.get("with_index", {})
    change = _number(other, "loss") - _number(plain, "loss")
    direction = "lower" if change < 0 else "higher"
    return TourView(
        chip="Tour finished",
        note=f"in {figures.duration(found.get('seconds'))}",
        heading=f"With the index the loss is {figures.loss(abs(change))} {direction}",
        text=str(found.get("verdict", "")).partition(". ")[2],
        choices=(
            Choice("compare", "Compare", "chart-no-axes-column", "primary"),
            Choice("playground", "Try in playground", "message-square-text"),
        ),
        steps=(
            Step("Read", ("Python library and its index", "are in your data"), "done"),
            Step(
                "Train",
                (
                    f"plain {figures.loss(_number(plain, 'loss'))},"
                    f" with index {figures.loss(_number(other, 'loss'))}",
                    f"{found.get('steps', 0):,} steps each",
                ),
                "done",
            ),
            Step("Try it", ("Let it write code and see", "where each line came from"), "now"),
        ),
    )


def _number(values: dict[str, Any], key: str) -> float:
    found = values.get(key)
    return float(found) if isinstance(found, int | float) else float("nan")
