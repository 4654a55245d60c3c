"""The table of datasets: what each row says about its text and its index."""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.pages.data.build_plan import BuildPlan
from studio.pages.data.clock import share_done
from studio.pages.data.index_state import NO_INDEX, IndexNow
from studio.pages.data.index_words import go_on_words, outdated_words
from studio.storage.rows import DatasetRow
from studio.widgets.cells import Cell, Column, Row
from studio.widgets.figures import MISSING, count, percent, plural, rough_duration, size, whole
from studio.widgets.pill import PILLS, PillLook
from trainer_core.errors import ExitCode
from trainer_core.status import JobStatus

COLUMNS = (
    Column("name", "Name", 140, 1, "strong"),
    Column("what", "What", 150, 5, "muted"),
    Column("documents", "Documents", 96, style="mono", right=True),
    Column("tokens", "Tokens", 80, style="mono", right=True),
    Column("size", "Size", 88, style="mono", right=True),
    Column("tokenizer", "Tokenizer", 124, style="muted"),
    Column("index", "Memory index", 288, style="muted", sortable=False),
    Column("used", "Used by", 84, style="muted"),
)

IDLE = JobStatus()
_DOCUMENTS_IN_FULL = 100_000_000
_LARGE_BYTES = 1_000_000_000
"""From this size on, the row says what an index will take on the disk."""


@dataclass(frozen=True)
class RowFacts:
    """What a row is made from.

    Attributes:
        dataset: The library's row.
        prepare: The job that reads the text.
        index: Where the index stands.
        used_by: Number of runs.
        seconds_left: Of the reading at work.
        known: Whether the jobs' folders have been read; before that nothing is said of them.
        gone: Whether the folder of the text was taken away by hand.
    """

    dataset: DatasetRow
    prepare: JobStatus = IDLE
    index: IndexNow = NO_INDEX
    used_by: int = 0
    seconds_left: float | None = None
    known: bool = True
    gone: bool = False


def table_row(facts: RowFacts) -> Row:
    """The row of one dataset."""
    dataset = facts.dataset
    lock = "lock" if dataset.private else ""
    what = f"{dataset.what}, never leaves this computer" if dataset.private else dataset.what
    return Row(
        dataset.id,
        {
            "name": Cell(dataset.name, icon=lock, tooltip="Private" if lock else ""),
            "what": Cell(what or MISSING),
            "documents": _figure(dataset.documents, _documents(dataset.documents), "documents"),
            "tokens": _figure(dataset.tokens, count(dataset.tokens), "tokens"),
            "size": _figure(dataset.size_bytes, size(dataset.size_bytes), "bytes"),
            "tokenizer": Cell(dataset.tokenizer),
            "index": state_cell(facts),
            "used": Cell(plural(facts.used_by, "run") if facts.used_by else "none"),
        },
    )


def _documents(value: int | None) -> str:
    """All digits while they have room: figures are never cut."""
    return count(value) if value is not None and value >= _DOCUMENTS_IN_FULL else whole(value)


def _figure(value: int | None, text: str, unit: str) -> Cell:
    exact = "" if value is None else f"{value:,} {unit}"
    return Cell(text, sort=float("nan") if value is None else value, tooltip=exact)


def state_cell(facts: RowFacts) -> Cell:
    """What stands under "Memory index": first of all, whether the text is there."""
    if not facts.known:
        return Cell()
    if facts.gone:
        return Cell(pill=PILLS["gone"], tooltip=str(facts.dataset.folder))
    if facts.prepare.state != "finished":
        return _prepare_cell(facts)
    index = facts.index
    match index.kind:
        case "building":
            return _working_cell(index.status, PILLS["building"], index.seconds_left)
        case "absent":
            return _absent_cell(index.plan)
        case "ready":
            stored = facts.dataset.index_bytes
            return Cell(size(stored) if stored else "", pill=PILLS["ready"], style="mono_muted")
        case "outdated":
            grown = index.outdated is not None and index.outdated.reason == "grown"
            link = "Add the new text" if grown else "Build again"
            return Cell(link, pill=PILLS["outdated"], link=True, tooltip=outdated_words(index))
        case "stopped":
            return _ended_cell(index.status, go_on_words(index))
        case "failed":
            cell = _ended_cell(index.status, "Try again")
            return replace(cell, tooltip=index.problem.what) if index.problem else cell


def _absent_cell(plan: BuildPlan | None) -> Cell:
    if plan is None:
        return Cell("Build", pill=PILLS["not_built"], link=True)
    needs = size(plan.size_bytes)
    if not plan.fits:
        why = f"The disk has {size(plan.free_bytes)} free."
        return Cell(f"needs {needs}", pill=PILLS["not_built"], role="warn", tooltip=why)
    words = f"Build, about {rough_duration(plan.seconds)}"
    if plan.size_bytes >= _LARGE_BYTES:
        words = f"{words}, {needs}"
    return Cell(words, pill=PILLS["not_built"], link=True, tooltip=f"It will take about {needs}.")


def _prepare_cell(facts: RowFacts) -> Cell:
    status = facts.prepare
    if status.state in ("failed", "killed", "stopped", "paused"):
        wrong_setting = status.ended is not None and bool(status.ended.field)
        again = "Go on" if goes_on(status) else "Read again"
        return _ended_cell(status, "Change" if wrong_setting else again)
    left_out = status.progress.left_out if status.progress else 0
    pill = PILLS["reading"]
    if left_out:
        pill = PillLook(f"{plural(left_out, 'file')} skipped", "triangle-alert", "warn")
    cell = _working_cell(status, pill, facts.seconds_left)
    return replace(cell, text=f"importing {cell.text}") if left_out else cell


def goes_on(status: JobStatus) -> bool:
    """Whether reading a text again begins where the attempt before ended."""
    return status.state in ("killed", "stopped", "paused") or (
        status.ended is not None and status.ended.exit_code == ExitCode.DISK_FULL
    )


def _ended_cell(status: JobStatus, link: str) -> Cell:
    why = status.ended.what if status.ended else "Its process ended without a word."
    return Cell(link, pill=PILLS.get(status.state, PILLS["failed"]), link=True, tooltip=why)


def _working_cell(status: JobStatus, pill: PillLook, seconds_left: float | None) -> Cell:
    phase = status.progress.phase if status.progress else ""
    share = share_done(status)
    if share is None:
        words = "getting ready" if status.state == "compiling" else phase or "starting"
        return Cell(words, pill=pill)
    text = percent(share, 0)
    if seconds_left is not None:
        text = f"{text}, {rough_duration(seconds_left)} left"
    return Cell(text, pill=pill, share=share, bar_role="info", tooltip=phase)
