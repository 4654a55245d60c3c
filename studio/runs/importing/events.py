"""Reads scalars from TensorBoard's event files: several of them, cut-off ends, tags by name."""

from __future__ import annotations

import itertools
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from studio.runs.importing.curves import (
    POINTS_MAX,
    Collector,
    Curves,
    Series,
    check_steps,
)
from studio.runs.importing.lines import SERIES_NAMES
from studio.runs.importing.records import (
    HEAD,
    RECORD_BYTES_MAX,
    SCALAR_BYTES_MAX,
    TAIL,
    event_class,
    masked_sum,
    masked_sums,
)
from trainer_core.errors import DataError, from_os_error

NAME_PART: Final = "tfevents"
"""Every event file has this in its name."""
FILES_MAX: Final = 500
TAGS_MAX: Final = 5_000
_BATCH: Final = 4_096
_FLOAT, _DOUBLE = 1, 2
"""TensorFlow's numbers for the types of tensors."""


@dataclass
class Tag:
    """The scalars of one tag, in the order in which they were written."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    wall_s: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.steps)


@dataclass
class EventLog:
    """All scalars of a folder or file; `notes` say what could not be read."""

    tags: dict[str, Tag] = field(default_factory=dict)
    records: int = 0
    damaged: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """Over all tags."""
        return sum(len(tag) for tag in self.tags.values())


def is_event_file(path: Path) -> bool:
    """Whether a file begins with a record of TensorFlow's."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD.size)
    except OSError:
        return False
    return len(head) == HEAD.size and _length(head) is not None


def event_files(path: Path) -> list[Path]:
    """The event files of a folder and the folders below it, oldest name first; or the file itself.

    Raises:
        DataError: There are none, or absurdly many.
    """
    if not path.is_dir():
        return [path]
    found = sorted(itertools.islice(path.rglob(f"*{NAME_PART}*"), FILES_MAX + 1))
    found = [each for each in found if each.is_file() and not each.name.startswith(".")]
    if not found:
        raise DataError(
            f"There are no event files of TensorBoard in {path.name}.",
            safe="Nothing was kept of it.",
            do="Choose the folder that TensorBoard shows as one run.",
        )
    if len(found) > FILES_MAX:
        raise DataError(
            f"There are more than {FILES_MAX} event files in {path.name}.",
            safe="Nothing was kept of it.",
            do="Choose the folder of one run.",
        )
    return found


def read_events(path: Path) -> EventLog:
    """Read every scalar of an event file, or of those in a folder.

    Raises:
        DataError: There are none, or more than can be held.
        KnownError: It cannot be read.
    """
    log = EventLog()
    for file in event_files(path):
        below = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
        prefix = "" if below == "." else f"{below}/"
        try:
            with file.open("rb") as opened:
                _read_file(opened, prefix, file.name, log)
        except OSError as error:
            raise from_os_error(error, f"reading {file.name}") from error
    if log.damaged:
        log.notes.append(f"{log.damaged:,} records are damaged and were left out.")
    if not log.tags:
        raise DataError(
            f"There are no scalars in {path.name}.",
            safe="Nothing was kept of it.",
            do="Choose the event files of a training that logged its loss.",
        )
    return log


def guess_tags(log: EventLog) -> dict[Series, str]:
    """Which tag is which series, by their names; the longest one where several fit."""
    found: dict[Series, str] = {}
    by_length = sorted(log.tags, key=lambda name: -len(log.tags[name]))
    for name in by_length:
        series = SERIES_NAMES.get(_bare(name))
        if series is not None:
            found.setdefault(series, name)
    for name in by_length:
        if "loss" in name.lower() and name not in found.values():
            held_out = any(word in name.lower() for word in ("val", "eval", "test", "dev"))
            found.setdefault("val_loss" if held_out else "loss", name)
    return found


def curves_of(log: EventLog, tags: dict[Series, str], tokens_per_step: int | None = None) -> Curves:
    """Chosen tags as curves; time is that of the records of the loss.

    Raises:
        DataError: There is no loss among them.
    """
    into = Collector()
    into.tokens_per_step = tokens_per_step
    into.notes = list(log.notes)
    for series, name in tags.items():
        tag = log.tags[name]
        for step, value in zip(tag.steps, tag.values, strict=True):
            into.add(series, step, value)
    timed = tags.get("loss") or tags.get("val_loss") or tags.get("val_bits")
    if timed is not None and "elapsed_s" not in tags:
        for step, elapsed_s in _elapsed(log.tags[timed]):
            into.add("elapsed_s", step, elapsed_s)
    curves = into.curves(
        "TensorBoard",
        in_order=True,
        lines=log.records,
        skipped=log.damaged,
        one_based=False,
    )
    check_steps(curves)
    return curves


_PAUSE_S: Final = 3600.0


def _elapsed(tag: Tag) -> Iterator[tuple[int, float]]:
    """Steps with seconds of training since the first; what lies longer apart was a pause."""
    elapsed = 0.0
    usual = float(np.median(np.diff(np.frombuffer(tag.wall_s)))) if len(tag) > 2 else 0.0
    before: float | None = None
    for step, wall_s in zip(tag.steps, tag.wall_s, strict=True):
        if before is not None:
            gap = max(wall_s - before, 0.0)
            elapsed += usual if gap > max(_PAUSE_S, 20 * usual) else gap
        before = wall_s
        yield step, elapsed


# --- reading records -----------------------------------------------------------------------------


def _length(head: bytes) -> int | None:
    """The length that a record's head tells; None where its checksum is wrong."""
    length, checksum = HEAD.unpack(head)
    if length > RECORD_BYTES_MAX or masked_sum(head[:8]) != checksum:
        return None
    return int(length)


def _read_file(file: IO[bytes], prefix: str, name: str, log: EventLog) -> None:
    batch: list[bytes] = []
    checksums: list[int] = []
    while True:
        at = file.tell()
        head = file.read(HEAD.size)
        length = _length(head) if len(head) == HEAD.size else None
        if length is None:
            if head:
                log.notes.append(f"{name} is damaged or cut off at byte {at:,}.")
            break
        if length > SCALAR_BYTES_MAX:
            file.seek(length + TAIL.size, 1)
            log.records += 1
            continue
        payload, tail = file.read(length), file.read(TAIL.size)
        if len(payload) < length or len(tail) < TAIL.size:
            log.notes.append(f"{name} is cut off at byte {at:,}.")
            break
        batch.append(payload)
        checksums.append(TAIL.unpack(tail)[0])
        if len(batch) == _BATCH:
            _take_batch(batch, checksums, prefix, log)
            batch, checksums = [], []
    _take_batch(batch, checksums, prefix, log)


def _take_batch(batch: list[bytes], checksums: list[int], prefix: str, log: EventLog) -> None:
    if not batch:
        return
    right = masked_sums(batch) == np.array(checksums, np.uint32)
    for payload, is_right in zip(batch, right.tolist(), strict=True):
        log.records += 1
        if not is_right or not _take_event(payload, prefix, log):
            log.damaged += 1
    if log.points > POINTS_MAX:
        raise DataError(
            f"There are more than {POINTS_MAX:,} scalars.",
            safe="Nothing was kept of them.",
            do="Choose fewer event files.",
        )


def _take_event(payload: bytes, prefix: str, log: EventLog) -> bool:
    try:
        event = event_class().FromString(payload)
    except DecodeError:
        return False
    for value in event.summary.value:
        number = _scalar(value)
        if number is None:
            continue
        name = f"{prefix}{value.tag}"
        tag = log.tags.get(name)
        if tag is None:
            if len(log.tags) >= TAGS_MAX:
                continue
            tag = log.tags[name] = Tag()
        tag.steps.append(event.step)
        tag.values.append(number)
        tag.wall_s.append(event.wall_time)
    return True


def _scalar(value: Any) -> float | None:  # noqa: ANN401 - a protobuf message
    """The number of a summary, in the old form or as a tensor of one number; None for others."""
    kind = value.WhichOneof("value")
    if kind == "simple":
        return float(value.simple)
    if kind != "tensor":
        return None
    tensor = value.tensor
    if any(dim.size != 1 for dim in tensor.shape.dim):
        return None
    numbers = tensor.floats if tensor.dtype == _FLOAT else tensor.doubles
    if len(numbers) == 1:
        return float(numbers[0])
    form = {_FLOAT: "<f", _DOUBLE: "<d"}.get(tensor.dtype)
    if form is None or len(tensor.content) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, tensor.content)[0])


def _bare(name: str) -> str:
    """A tag as `SERIES_NAMES` writes it, such as `train/loss` for `Train/Loss`."""
    known = name.lower().replace(" ", "_").replace("-", "_")
    return known if known in SERIES_NAMES else known.rpartition("/")[2]
