"""Writes a run as an event file that TensorBoard shows: its figures by step, and its samples."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from studio.runs.importing.records import HEAD, TAIL, event_class, masked_sums
from studio.runs.model import JobModel
from trainer_core.errors import from_os_error

TAGS: Final = {
    "loss": "train/loss",
    "lr": "train/lr",
    "grad_norm": "train/grad_norm",
    "tokens_per_s": "perf/tokens_per_s",
    "hit_rate": "index/hit_rate",
    "mean_match": "index/mean_match",
}
"""The tag of each column of the step log."""
_STRING: Final = 7
"""TensorFlow's number for a tensor of texts."""
_BATCH: Final = 4_096


def file_name(model: JobModel) -> str:
    """What TensorBoard expects such a file to be called."""
    return f"events.out.tfevents.{int(model.status.born_s)}.hearth.{model.folder.name}"


def write_events(folder: Path, model: JobModel) -> Path:
    """Write a run into a folder; TensorBoard shows the folder as one run.

    Args:
        folder: It is made if absent; a file of the same run in it is replaced.
        model: The run as it is now.

    Returns:
        The file.

    Raises:
        KnownError: It cannot be written; what was there before is as it was.
    """
    path = folder / file_name(model)
    draft = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            _write_records(file, _events(model))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise from_os_error(error, f"writing {path.name}") from error
    return path


def _events(model: JobModel) -> Iterator[Any]:
    """Every event of a run, as protobuf messages: its version, steps, validations, samples."""
    event = event_class()
    born_s = model.status.born_s
    yield event(wall_time=born_s, version="brain.Event:2")
    yield from _step_events(model)
    elapsed = model.steps.column("elapsed_s")

    def wall_s(step: int) -> float:
        row = min(step, len(elapsed))
        return born_s + (float(elapsed[row - 1]) if row > 0 else 0.0)

    for each in model.validations:
        made = event(wall_time=wall_s(each.step), step=each.step)
        _add(made, "val/loss", each.loss)
        _add(made, "val/bits_per_byte", each.bits_per_byte)
        if each.without_index is not None:
            _add(made, "val/loss_without_index", each.without_index.loss)
        for bucket in each.buckets:
            _add(made, f"val_by_match/{bucket.low}-{bucket.high}", bucket.loss)
        yield made
    for sample in model.samples:
        made = event(wall_time=wall_s(sample.step), step=sample.step)
        value = made.summary.value.add(tag=f"samples/{_short(sample.prompt)}")
        value.metadata.plugin.name = "text"
        value.tensor.dtype = _STRING
        value.tensor.shape.dim.add(size=1)
        value.tensor.strings.append(f"{sample.prompt}{sample.text}".encode())
        yield made


def _step_events(model: JobModel) -> Iterator[Any]:
    event, born_s = event_class(), model.status.born_s
    steps, elapsed = model.steps.column("step"), model.steps.column("elapsed_s")
    columns = {
        tag: column
        for name, tag in TAGS.items()
        if bool(np.isfinite(column := model.steps.column(name)).any())
    }
    for row in range(len(steps)):
        made = event(wall_time=born_s + float(elapsed[row]), step=int(steps[row]))
        for tag, column in columns.items():
            _add(made, tag, float(column[row]))
        if made.summary.value:
            yield made


def _add(event: Any, tag: str, value: float) -> None:  # noqa: ANN401 - a protobuf message
    if not math.isnan(value):
        event.summary.value.add(tag=tag, simple=value)


def _short(prompt: str) -> str:
    return " ".join(prompt.split())[:40] or "no prompt"


def _write_records(file: IO[bytes], events: Iterable[Any]) -> None:
    batch: list[bytes] = []

    def write() -> None:
        if not batch:
            return
        heads = [len(payload).to_bytes(8, "little") for payload in batch]
        of_heads, of_payloads = masked_sums(heads).tolist(), masked_sums(batch).tolist()
        for payload, head, tail in zip(batch, of_heads, of_payloads, strict=True):
            file.write(HEAD.pack(len(payload), head) + payload + TAIL.pack(tail))
        batch.clear()

    for event in events:
        batch.append(event.SerializeToString())
        if len(batch) == _BATCH:
            write()
    write()
