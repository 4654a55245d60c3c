"""What is said of an index in each state: sentences for the card and the table. Free of Qt."""

from __future__ import annotations

from studio.pages.data.index_state import IndexNow
from studio.widgets.figures import percent, plural, rough_duration, size
from trainer_core.errors import KnownError

WHAT_FOR = (
    "Not built yet. The index finds what followed the longest earlier match of every token, and"
    " where it stands."
)
_STARTING = {"starting": "starting", "compiling": "preparing its machine code, only the first time"}


def outdated_words(index: IndexNow) -> str:
    """Why an index does not fit its text any more."""
    outdated = index.outdated
    if outdated is None:
        return ""
    match outdated.reason:
        case "grown":
            documents = plural(outdated.documents, "document")
            return f"The text has grown by {documents} since the index was built."
        case "changed":
            return "The text is another one than the index was built from."
        case "older":
            return "An older Hearth built this index; its format has changed since."
        case "missing":
            return "The index was built, but its folder is gone."


def phase_words(index: IndexNow) -> str:
    """What a build does at this moment, such as `Sorting the training text`."""
    progress = index.status.progress
    # What an earlier session reported is not what this one does.
    stale = progress is not None and progress.time_s < index.status.started_s
    if progress is None or stale or not progress.phase:
        words = _STARTING.get(index.status.state, "starting")
    else:
        words = progress.phase
    return f"{words[:1].upper()}{words[1:]}"


def left_words(index: IndexNow) -> str:
    """How far a build has come, such as `64 %, 4 min left`; empty before it can be told."""
    if not index.share:
        return ""
    text = percent(index.share, 0)
    if index.seconds_left is not None:
        text = f"{text}, {rough_duration(index.seconds_left)} left"
    return text


def stopped_words(index: IndexNow) -> str:
    """Where a build that was ended stands, and what is left of it."""
    how = "was ended without a word" if index.status.state == "killed" else "was stopped"
    at = f" at {percent(index.share, 0)}" if 0 < index.share < 1 else ""
    if not index.goes_on:
        return f"The build {how}{at}. It is a short one and begins anew."
    return f"The build {how}{at}. What is done is kept; it goes on from there."


def go_on_words(index: IndexNow) -> str:
    """What starting a build that was stopped is called."""
    return "Continue build" if index.goes_on else "Build again"


def room_words(index: IndexNow) -> str:
    """What to know of the disk before the build, or an empty string."""
    plan = index.plan
    if plan is None or plan.fits or plan.free_bytes is None:
        return ""
    missing = size(plan.size_bytes - plan.free_bytes)
    return (
        f"The disk has {size(plan.free_bytes)} free, {missing} too little. Free some space first;"
        " a build that meets a full disk ends and leaves nothing half-written."
    )


def failure(index: IndexNow) -> KnownError:
    """Why a build failed, as an error to show."""
    problem = index.problem
    if problem is None:
        return KnownError(
            "The build did not finish.",
            safe="The text and what was built before are untouched.",
            do="Try again.",
        )
    return KnownError(problem.what, safe=problem.safe, do=problem.do)
