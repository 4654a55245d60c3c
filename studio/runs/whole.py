"""Reads a job folder from its beginning to its end, without following it."""

from __future__ import annotations

from pathlib import Path

from studio.runs.model import JobModel
from studio.runs.tail import JobTail


def read_whole(folder: Path) -> JobModel:
    """Everything that a job folder tells by now. Takes a while for a long run."""
    model, tail = JobModel(folder), JobTail(folder)
    more = True
    while more:
        update = tail.poll()
        model.apply(update)
        more = update.more
    return model
