"""A file or folder that somebody wants to import: what it is, and its curves as they are asked for.

The steps: `look` reads it once; the person sees what was found and may say more; `curves` gives the
result, which `keep.write_reference` writes.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from studio.runs.importing.curves import Curves, Series
from studio.runs.importing.events import (
    NAME_PART,
    EventLog,
    curves_of,
    event_files,
    guess_tags,
    is_event_file,
    read_events,
)
from studio.runs.importing.reference import Reference
from studio.runs.importing.table import TableLayout, first_rows, guess_layout, read_table
from studio.runs.importing.text import looks_like_log, read_log
from trainer_core.errors import DataError, KnownError, from_os_error

Kind = Literal["log", "table", "events"]
TABLE_ENDINGS: Final = (".csv", ".tsv")
LOG_ENDINGS: Final = (".log", ".txt", ".out", ".jsonl", ".gz", *TABLE_ENDINGS)
_SHOWN_ROWS: Final = 6


@dataclass(frozen=True)
class Source:
    """What was found.

    Attributes:
        path: The file or folder.
        kind: How it is read.
        curves: As guessed; None where the person has to choose columns first.
        layout: Of a table.
        rows: First rows of a table.
        log: Scalars of event files.
        tags: The chosen tag of each series, of event files.
        problem: Why there are no curves yet.
    """

    path: Path
    kind: Kind
    curves: Curves | None = None
    layout: TableLayout | None = None
    rows: list[list[str]] = field(default_factory=list)
    log: EventLog | None = None
    tags: dict[Series, str] = field(default_factory=dict)
    problem: str = ""


def is_log(path: Path) -> bool:
    """Whether a dropped file or folder holds the curves of a training; it looks inside.

    A text or a table may be data to learn from as well: one that tells losses by step is a log.
    """
    if path.is_dir():
        return any(True for _ in path.glob(f"*{NAME_PART}*"))
    if NAME_PART in path.name or is_event_file(path):
        return True
    if path.suffix.lower() not in LOG_ENDINGS:
        return False
    if looks_like_log(path):
        return True
    try:
        layout = guess_layout(path)
    except KnownError:
        return False
    has_loss = layout.columns.keys() & {"loss", "val_loss", "val_bits"}
    return layout.has_names and bool(has_loss) and len(layout.columns) > 1


def look(path: Path) -> Source:
    """Read a log, a table or event files.

    Raises:
        DataError: It is none of them.
        KnownError: It cannot be read.
    """
    if path.is_dir() or NAME_PART in path.name or is_event_file(path):
        log = read_events(path)
        return with_tags(Source(path, "events", log=log), guess_tags(log))
    if not path.exists():
        raise DataError(
            f"{path.name} does not exist.", safe="Nothing was changed.", do="Choose another file."
        )
    ending = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    if ending.lower() in TABLE_ENDINGS:
        return with_layout(Source(path, "table"), guess_layout(path))
    try:
        return Source(path, "log", read_log(path))
    except DataError as error:
        try:  # a table may have any name
            layout = guess_layout(path)
        except KnownError:
            raise error from None
        known = layout.columns.keys() & {"loss", "val_loss", "val_bits"}
        if len(layout.names) < 2 or not layout.has_names or not known:
            raise
        return with_layout(Source(path, "table"), layout)


def with_layout(source: Source, layout: TableLayout, tokens_per_step: int | None = None) -> Source:
    """The same table, read in another way; what is wrong stands in `problem`.

    Raises:
        KnownError: The file cannot be read any more.
    """
    rows = first_rows(source.path, layout, _SHOWN_ROWS)
    try:
        curves = read_table(source.path, layout, tokens_per_step)
    except DataError as error:
        return replace(source, layout=layout, rows=rows, curves=None, problem=str(error))
    return replace(source, layout=layout, rows=rows, curves=curves, problem="")


def with_tags(
    source: Source, tags: dict[Series, str], tokens_per_step: int | None = None
) -> Source:
    """The same event files, with other tags; what is wrong stands in `problem`."""
    if source.log is None:
        return source
    try:
        curves = curves_of(source.log, tags, tokens_per_step)
    except DataError as error:
        return replace(source, tags=dict(tags), curves=None, problem=str(error))
    return replace(source, tags=dict(tags), curves=curves, problem="")


def reference_for(source: Source) -> Reference:
    """Where a source comes from, with its hash; a person may add to it.

    Raises:
        KnownError: It cannot be read.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        for file in event_files(source.path):
            with file.open("rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
                    size += len(block)
    except OSError as error:
        raise from_os_error(error, f"reading {source.path.name}") from error
    curves = source.curves
    return Reference(
        program=curves.program if curves is not None else "Table",
        file=source.path.name,
        sha256=digest.hexdigest(),
        size_bytes=size,
        imported_s=time.time(),
        parameters=curves.parameters if curves is not None else None,
        tokens_per_step=curves.tokens_per_step if curves is not None else None,
    )
