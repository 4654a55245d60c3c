"""What a training's user may want to be told, each thing once. Free of Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from studio.runs.model import JobModel
from studio.runs.wording import duration_text
from trainer_core.manners import Occasion

QUIET_S = 600.0
"""Of new bests, and of events with the same title, one is told in so many seconds."""


@dataclass(frozen=True)
class News:
    """One message.

    Args:
        kind: The occasion.
        title: What happened, without the run's name.
        text: More of it; may be empty.
        time_s: When it happened, seconds since the epoch.
    """

    kind: Occasion
    title: str
    text: str
    time_s: float


class NewsDesk:
    """Tells each news of one training once.

    Args:
        since_s: What happened before is history, seconds since the epoch.
    """

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._was_alive = False
        self._told_s: dict[str, float] = {}

    def read(self, model: JobModel) -> list[News]:
        """What is new since the last call, the oldest first; nothing while it still reads up."""
        if model.behind or not model.caught_up:
            return []
        fresh = [news for news in _recorded(model) if news.time_s > self._since_s]
        if self._was_alive and not model.alive and (sudden := _sudden_end(model)):
            fresh.append(sudden)
        self._was_alive = model.alive
        fresh.sort(key=lambda news: news.time_s)
        if fresh:
            self._since_s = max(self._since_s, fresh[-1].time_s)
        return [news for news in fresh if self._is_due(news)]

    def _is_due(self, news: News) -> bool:
        if news.kind in ("finished", "failed"):
            return True
        key = "best" if news.kind == "best" else f"{news.kind} {news.title}"
        if news.time_s - self._told_s.get(key, -math.inf) < QUIET_S:
            return False
        self._told_s[key] = news.time_s
        return True


def _recorded(model: JobModel) -> list[News]:
    """Everything that the journal tells."""
    found = [
        News("guardian", note.title, note.text, note.time_s)
        for note in model.status.notes
        if note.level in ("warning", "error")
    ]
    found += [
        News(
            "best",
            "a new best",
            f"The validation loss is {one.loss:.4f} at step {one.step:,}.",
            one.time_s,
        )
        for one in model.validations
        if one.best
    ]
    ended = model.status.ended
    if ended is None:
        return found
    text = _sentences(ended.what, ended.safe, ended.do)
    if ended.state == "finished":
        found.append(News("finished", "finished", _outcome(model), ended.time_s))
    elif ended.state == "failed":
        found.append(News("failed", "failed", text, ended.time_s))
    elif ended.what:  # a pause that a person asked for is no news
        found.append(News("guardian", "paused itself", text, ended.time_s))
    return found


def _sudden_end(model: JobModel) -> News | None:
    """The end of a process that left no record of it."""
    if model.state == "killed":
        text = "Its process ended without a word. Resume goes on from its last checkpoint."
        return News("failed", "was killed", text, model.status.last_s)
    if model.state == "failed" and model.status.ended is None and model.error is not None:
        text = _sentences(model.error.what, model.error.do)
        return News("failed", "failed", text, model.status.last_s)
    return None


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _outcome(model: JobModel) -> str:
    best = model.best
    loss = f"Its best validation loss is {best.loss:.4f} at step {best.step:,}." if best else ""
    return _sentences(loss, f"It trained for {duration_text(model.elapsed_s())}.")
