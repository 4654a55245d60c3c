"""Rows that come over the network, fetched in the background, with patience where it breaks."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from trainer_core.data.sources.files import Tick

PATIENCE_S = 600.0
"""A connection that has been gone for so long is not waited for any more."""
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
"""Between two tries; each wait is twice as long as the one before."""

_LONG_S = 60.0
"""Work that lasts so long is no mere failure to connect, which its own tries take half of."""
_POLL_S, _QUIET_S = 0.1, 2.0
"""Rows are waited for without a word for a while."""
_END_S = 5.0
"""How long the end of what is being fetched is waited for when nobody wants it any more."""
_BATCHES_AHEAD = 2
_BATCH_ROWS = 256
_BATCH_CHARACTERS = 1 << 20
_OF_THE_NETWORK = frozenset(
    {"ConnectionError", "TimeoutError", "RequestError", "TransportError", "ClientError"}
)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
"""What servers answer that are to be asked again later."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows, one after another.

    Attributes:
        rows: As the library gives them.
        state: Where it goes on behind them.
    """

    rows: list[Any]
    state: Any


def is_of_the_network(error: BaseException | None) -> bool:
    """Whether trying again later may help: the connection broke, or the server is busy."""
    seen = 0
    while error is not None and seen < 10:
        names = {kind.__name__ for kind in type(error).__mro__}
        if "OfflineModeIsEnabled" in names:
            return False
        status = getattr(getattr(error, "response", None), "status_code", None)
        if names & _OF_THE_NETWORK or status in _BUSY:
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def with_patience(work: Callable[[], Any], stop: threading.Event, patience_s: float) -> Any:  # noqa: ANN401 - whatever `work` gives
    """What `work` gives, tried again while the network is to blame.

    Args:
        work: What is to be done; begins anew each time.
        stop: Ends the waiting.
        patience_s: How long to try after it has failed for the first time.

    Raises:
        Exception: What `work` raised, when it is something else, or patience is at its end.
    """
    failed_s, wait_s = 0.0, FIRST_WAIT_S
    while True:
        begun_s = time.monotonic()
        try:
            return work()
        except Exception as error:
            now_s = time.monotonic()
            if not failed_s or now_s - begun_s > _LONG_S:  # it has got somewhere
                failed_s, wait_s = now_s, FIRST_WAIT_S
            late = now_s + wait_s - failed_s > patience_s
            if late or not is_of_the_network(error) or stop.wait(wait_s):
                raise
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def batches(table: Any, state: Any, tick: Tick) -> Iterator[Batch]:  # noqa: ANN401 - an IterableDataset
    """The rows of a streamed table from a state on, while the job can still be stopped.

    Args:
        table: An `IterableDataset`.
        state: Of an earlier batch; None begins at the beginning.
        tick: Called several times a second when nothing has come for a while; may raise to
            give up.

    Raises:
        Exception: What the library raised, when it is not the network, or that is gone too long.
    """
    fetching = _Fetching(table, state)
    fetching.start()
    try:
        while (batch := fetching.next(tick)) is not None:
            yield batch
    finally:
        fetching.stop.set()
        # A thread that Arrow works in when the process ends takes it down.
        fetching.join(_END_S)


class _Fetching(threading.Thread):
    """Reads ahead, a few batches at most."""

    def __init__(self, table: Any, state: Any) -> None:  # noqa: ANN401 - as `batches`
        super().__init__(name="fetch-rows", daemon=True)
        self.stop = threading.Event()
        self._table, self._state = table, state
        self._found: queue.Queue[Batch | Exception | None] = queue.Queue(_BATCHES_AHEAD)

    def next(self, tick: Tick) -> Batch | None:
        """The next batch; None behind the last."""
        begun_s = time.monotonic()
        while True:
            try:
                found = self._found.get(timeout=_POLL_S)
            except queue.Empty:
                if time.monotonic() - begun_s >= _QUIET_S:
                    tick()
                continue
            if isinstance(found, Exception):
                raise found
            return found

    def run(self) -> None:
        try:
            rows = _Rows(self._table, self._state)
            while batch := with_patience(rows.batch, self.stop, PATIENCE_S):
                if not self._hand_over(batch):
                    return
            self._hand_over(None)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self._hand_over(error)

    def _hand_over(self, found: Batch | Exception | None) -> bool:
        """Whether it was taken, which it is unless nobody wants any more."""
        while not self.stop.is_set():
            try:
                self._found.put(found, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False


class _Rows:
    """Batches of a table, begun again behind the last whole one after an error."""

    def __init__(self, table: Any, state: Any) -> None:  # noqa: ANN401 - as `batches`
        self._table, self._state = table, state
        self._rows: Iterator[Any] | None = None

    def batch(self) -> Batch | None:
        """The next batch; None behind the last.

        Raises:
            Exception: What the library raised; the next call reads these rows once more.
        """
        if self._rows is None:
            if self._state is not None:
                self._table.load_state_dict(self._state)
            self._rows = iter(self._table)
        rows: list[Any] = []
        held = 0
        try:
            while len(rows) < _BATCH_ROWS and held < _BATCH_CHARACTERS:
                row = next(self._rows)
                rows.append(row)
                held += _characters(row)
        except StopIteration:
            pass
        except Exception:
            self._rows = None
            raise
        if not rows:
            return None
        self._state = self._table.state_dict()
        return Batch(rows, self._state)


def _characters(row: Any) -> int:  # noqa: ANN401 - whatever a dataset gives
    values = row.values() if isinstance(row, dict) else (row,)
    return sum(len(value) for value in values if isinstance(value, str | bytes))
