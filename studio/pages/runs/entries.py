"""A run as the list shows it, finds it and sorts it. Knows nothing of Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from studio.pages.home.facts import BUSY, RESUMABLE, bar_role, figure, state_look
from studio.storage.rows import ProjectRow, RunRow
from studio.widgets import figures
from studio.widgets.cells import Cell, Column, Row
from studio.widgets.pill import PILLS, look_for

GONE: Final = PILLS["gone"]
AT_WORK: Final = BUSY - {"starting"}
"""States of a run whose process has begun: one that waits in the queue is in none of them."""
REFERENCE: Final = PILLS["reference"]


@dataclass(frozen=True)
class Entry:
    """A run with what the list knows of it besides."""

    run: RunRow
    project: str = ""
    dataset: str = ""
    group: str = ""
    parent: str = ""
    """Name of the run whose weights it began with."""
    notes: str = ""
    missing: bool = False
    """Whether its folder was removed by hand."""
    queued: bool = False
    """Whether it waits in the queue."""

    @property
    def words(self) -> str:
        """Everything that a search looks through, in lower case."""
        parts = (self.run.name, self.project, self.dataset, self.group, *self.run.tags, self.notes)
        return "\n".join(parts).casefold()


@dataclass(frozen=True)
class Catalogue:
    """All runs as the library has them, read in one go, with the projects to choose from."""

    entries: tuple[Entry, ...] = ()
    projects: tuple[ProjectRow, ...] = ()

    @property
    def tags(self) -> list[str]:
        """Every tag in use, by name."""
        found = {tag.casefold(): tag for entry in self.entries for tag in entry.run.tags}
        return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class RunFilter:
    """Which runs are wanted. None and empty texts want all."""

    words: str = ""
    project_id: int | None = None
    state: str = "all"
    """`all`, `work`, `rest`, `done`, or `away` for those that were put away."""
    tag: str = ""
    starred: bool = False

    def fits(self, entry: Entry) -> bool:
        """Whether a run is wanted."""
        run = entry.run
        if run.archived != (self.state == "away"):
            return False
        if self.project_id is not None and run.project_id != self.project_id:
            return False
        if self.starred and not run.starred:
            return False
        if self.tag and self.tag.casefold() not in (tag.casefold() for tag in run.tags):
            return False
        wanted = _STATES.get(self.state)
        if wanted is not None and run.facts.state not in wanted:
            return False
        if not self.words.strip():
            return True
        everything = entry.words
        return all(word in everything for word in self.words.casefold().split())


_STATES: Final = {
    "work": frozenset(BUSY),
    "rest": frozenset(RESUMABLE),
    "done": frozenset({"finished"}),
}

COLUMNS: Final = (
    Column("star", "", 34, tooltip="Stars"),
    Column("run", "Run", 156, 8, "strong"),
    Column("tags", "Tags", 108, 1),
    Column("project", "Project", 104, 2, "muted"),
    Column("state", "State", 113),
    Column("progress", "Progress", 148, style="mono"),
    Column("val_loss", "Val loss", 78, style="mono", right=True, tooltip="Loss on held-out text"),
    Column("best_loss", "Best loss", 80, style="mono", right=True, tooltip="Lowest held-out loss"),
    Column(
        "bits",
        "Bits/byte",
        80,
        style="mono_muted",
        right=True,
        tooltip="Held-out loss for each byte of text: comparable between tokenizers",
    ),
    Column("tokens", "Tokens", 70, style="mono", right=True, tooltip="Tokens trained on so far"),
    Column("steps", "Steps", 84, style="mono", right=True, tooltip="Steps done so far"),
    Column("speed", "Tokens/s", 78, style="mono", right=True),
    Column("time", "Time", 108, style="mono", right=True, tooltip="Time that it was at work"),
    Column("started", "Started", 152, style="mono_muted", right=True),
    Column("ended", "Ended", 152, style="mono_muted", right=True),
    Column("dataset", "Dataset", 110, 1, "muted"),
    Column("group", "Group", 110, 1, "muted", tooltip="Seeds or a sweep that it belongs to"),
    Column("parent", "Comes from", 120, 1, tooltip="The run whose weights it began with"),
    Column("notes", "Notes", 140, 2, "muted"),
)
BY_KEY: Final = {column.key: column for column in COLUMNS}
DEFAULT: Final = (
    "star",
    "run",
    "tags",
    "project",
    "state",
    "progress",
    "val_loss",
    "bits",
    "tokens",
    "speed",
    "time",
    "started",
)
_DROPPED_FIRST: Final = ("speed", "bits", "tags", "tokens", "time")
"""Of the columns that nobody chose, those that a narrow window does without."""
ALWAYS: Final = frozenset({"run"})


def fitting(keys: tuple[str, ...], width_px: int) -> list[Column]:
    """The columns to show in a table of a width; what a user chose is shown whole."""
    shown = [BY_KEY[key] for key in keys if key in BY_KEY]
    if keys != DEFAULT:
        return shown
    for key in _DROPPED_FIRST:
        if sum(column.width for column in shown) <= width_px:
            break
        shown = [column for column in shown if column.key != key]
    return shown


class EntryCells(Mapping[str, Cell | str]):
    """The cells of a run, made when they are asked for: most rows of a long list are never seen."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def __getitem__(self, key: str) -> Cell | str:
        return _CELLS[key](self.entry)

    def __iter__(self) -> Iterator[str]:
        return iter(_CELLS)

    def __len__(self) -> int:
        return len(_CELLS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EntryCells) and self.entry == other.entry

    __hash__ = None  # type: ignore[assignment]  # as of every mapping that can be compared


def entry_row(entry: Entry) -> Row:
    """The run as a row of the table."""
    return Row(entry.run.id, EntryCells(entry))


def with_run(entry: Entry, run: RunRow, *, queued: bool = False) -> Entry:
    """The entry with newer figures; itself when there are none."""
    if run is entry.run and queued == entry.queued:
        return entry
    return replace(entry, run=run, queued=queued)


# --- cells ---------------------------------------------------------------------------------------


def _star(entry: Entry) -> Cell:
    if entry.run.starred:
        return Cell(
            "starred", sort=0, button="star-filled", role="warn", tooltip="Take the star off"
        )
    return Cell("no star", sort=1, button="star", tooltip="Star")


def _state(entry: Entry) -> Cell:
    facts = entry.run.facts
    if entry.missing:
        return Cell(pill=GONE, tooltip=f"{entry.run.folder} is not there any more.")
    if entry.run.kind == "reference":
        return Cell(pill=REFERENCE, tooltip="Curves from the log of another program")
    if entry.queued and facts.state not in AT_WORK:
        return Cell(pill=look_for("queued"), tooltip="It waits in the queue")
    return Cell(pill=state_look(facts), tooltip=facts.problem)


def _progress(entry: Entry) -> Cell:
    facts = entry.run.facts
    share = facts.share_done
    if not facts.total_steps or entry.run.kind == "reference":
        return Cell(figures.MISSING, sort=math.nan)
    return Cell(
        figures.percent(share),
        sort=share,
        share=share,
        bar_role=bar_role(facts.state),
        tooltip=f"step {facts.step:,} of {facts.total_steps:,}",
    )


def _moment(time_s: float | None) -> Cell:
    return Cell(figures.started(time_s), sort=math.nan if time_s is None else time_s)


def _first_line(text: str) -> Cell:
    return Cell(text.partition("\n")[0], tooltip=text)


_CELLS: Final[dict[str, Callable[[Entry], Cell | str]]] = {
    "star": _star,
    "run": lambda e: e.run.name,
    "tags": lambda e: Cell(chips=e.run.tags, sort=", ".join(e.run.tags).casefold()),
    "project": lambda e: e.project,
    "state": _state,
    "progress": _progress,
    "val_loss": lambda e: figure(figures.loss(e.run.facts.val_loss), e.run.facts.val_loss, 6),
    "best_loss": lambda e: figure(figures.loss(e.run.facts.best_loss), e.run.facts.best_loss, 6),
    "bits": lambda e: figure(figures.loss(e.run.facts.bits_per_byte), e.run.facts.bits_per_byte, 6),
    "tokens": lambda e: figure(
        figures.count(e.run.facts.tokens_seen), e.run.facts.tokens_seen or None, 0
    ),
    "steps": lambda e: figure(figures.whole(e.run.facts.step), e.run.facts.step, 0),
    "speed": lambda e: figure(figures.count(e.run.facts.tokens_per_s), e.run.facts.tokens_per_s, 0),
    "time": lambda e: figure(
        figures.duration(e.run.facts.elapsed_s), e.run.facts.elapsed_s or None, 1
    ),
    "started": lambda e: _moment(e.run.facts.started_s or e.run.created_s),
    "ended": lambda e: _moment(e.run.facts.ended_s),
    "dataset": lambda e: e.dataset,
    "group": lambda e: Cell(e.group, link=bool(e.group), tooltip="Open the group"),
    "parent": lambda e: Cell(e.parent, link=bool(e.parent), tooltip="Open the run"),
    "notes": lambda e: _first_line(e.notes),
}
