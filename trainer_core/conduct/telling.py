"""Tells the user's address what happened, from a thread, so that no job ever waits for it."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trainer_core.errors import KnownError
from trainer_core.manners import Manners, read_manners
from trainer_core.records import Ended, Noted, Record, Result, Validated
from trainer_core.webhook import Message, WebhookError, post

LINGER_S = 5.0
"""How long a job that has ended waits for its last messages."""
WAITS_S = (1.0, 5.0, 30.0)
"""Before each further try."""
QUIET_S = 600.0
"""Of events of the same title, and of new bests, one is told in so many seconds."""
_KEPT = 32
_log = logging.getLogger(__name__)


class Teller:
    """Looks at the records of a job and passes on what its manners ask for.

    Args:
        manners: Asked for each time, since they may change.
        name: What the job is called where its manners give no title.
    """

    def __init__(self, manners: Callable[[], Manners], name: str) -> None:
        self._manners, self._name = manners, name
        self._queue: queue.Queue[tuple[str, Message] | None] = queue.Queue(_KEPT)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_s: dict[str, float] = {}
        self._said = ""
        self._result: Result | None = None
        self._guard = threading.Lock()

    def observe(self, record: Record) -> None:
        """Look at a record; returns at once."""
        if isinstance(record, Result):
            self._result = record
            return
        message = self._message(record)
        manners = self._manners() if message is not None else None
        if message is None or manners is None or not manners.webhook:
            return
        if message.event not in manners.occasions or self._is_repeated(message):
            return
        self._said = message.text
        try:
            self._queue.put_nowait((manners.webhook, message))
        except queue.Full:
            _log.warning("too many messages wait: one was dropped")
            return
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Give the last messages a few seconds to get out."""
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        thread.join(LINGER_S)

    # --- what is said ---------------------------------------------------------------------------

    def _message(self, record: Record) -> Message | None:
        run = self._manners().title or self._name
        match record:
            case Ended(state="finished"):
                return Message("finished", "finished", _outcome(self._result), run)
            case Ended(state="failed"):
                return Message("failed", "failed", _advice(record), run, record.step)
            case Ended(state="paused") if record.what and record.what not in self._said:
                return Message("guardian", "paused itself", _advice(record), run, record.step)
            case Noted(level="warning" | "error"):
                return Message("guardian", record.title, record.text, run, record.step)
            case Validated(best=True):
                text = f"The validation loss is {record.loss:.4f} at step {record.step:,}."
                return Message("best", "a new best", text, run, record.step)
        return None

    def _is_repeated(self, message: Message) -> bool:
        """Whether the like was just told; how a job ended always is."""
        if message.event in ("finished", "failed"):
            return False
        now, key = time.monotonic(), f"{message.event} {message.title}"
        if now - self._last_s.get(key, -math.inf) < QUIET_S:
            return True
        self._last_s[key] = now
        return False

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._deliver(*item)

    def _deliver(self, address: str, message: Message) -> None:
        for wait_s in (*WAITS_S, None):
            try:
                post(address, message)
            except WebhookError as error:
                if not error.passing or wait_s is None:
                    _log.warning("%s", error.what)
                    return
                self._closing.wait(wait_s) if not self._closing.is_set() else time.sleep(0.5)
            except KnownError as error:
                _log.warning("%s", error.what)
                return
            else:
                return


def tell_end(folder: Path, ended: Ended) -> None:
    """Tell how a job ended whose own process could not; takes some seconds at most."""
    manners = read_manners(folder)
    teller = Teller(lambda: manners, folder.name)
    teller.observe(ended)
    teller.close()


def _advice(ended: Ended) -> str:
    return " ".join(part for part in (ended.what, ended.safe, ended.do) if part)


def _outcome(result: Result | None) -> str:
    """What a finished training found out."""
    values = result.values if result is not None else {}
    loss, step, elapsed_s = (values.get(k) for k in ("best_val_loss", "best_step", "elapsed_s"))
    parts = []
    if isinstance(loss, float) and math.isfinite(loss):
        at = f" at step {step:,}" if isinstance(step, int) else ""
        parts.append(f"Its best validation loss is {loss:.4f}{at}.")
    if isinstance(elapsed_s, int | float) and elapsed_s > 0:
        parts.append(f"It trained for {_duration(float(elapsed_s))}.")
    return " ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
