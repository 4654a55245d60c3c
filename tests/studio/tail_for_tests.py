"""Following a job folder to its end, and what a model shows of it."""

from __future__ import annotations

from studio.runs.model import JobModel
from studio.runs.tail import JobTail


def follow(tail: JobTail, model: JobModel, polls: int = 1) -> JobModel:
    """Poll until there is nothing more to read, at least this often."""
    for _ in range(polls):
        update = tail.poll()
        model.apply(update)
        while update.more:
            update = tail.poll()
            model.apply(update)
    return model


def watch(folder) -> JobModel:
    return follow(JobTail(folder), JobModel(folder))


def told(model: JobModel) -> tuple:
    """Everything that a model shows of the files."""
    return (
        model.status.validations,
        model.status.checkpoints,
        model.status.samples,
        [(event.kind, event.title, event.step) for event in model.events],
        {name: model.steps.column(name).tolist() for name in ("step", "loss", "tokens_seen")},
        model.system.column("time_s").tolist(),
    )
