"""A thread in each process of a run that sees to it that none outlives the others."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

import psutil
from torch.distributed.distributed_c10d import Store

LOOK_S = 0.5
LEAVE_S = 10.0
"""How long a process may take to see for itself that the run is over."""
SAVE_S = 600.0
"""How long a process whose launcher is gone may take to save and end."""
OVER = "over"
"""Key in the store: rank 0 has said how the run ended."""
FAILED = "failed"
"""Key in the store: why a rank other than 0 cannot go on, an encoded `Ended`."""
STOP = "stop"
"""Key in the store: the launcher was asked to stop."""
LOST = 75
"""Exit code of a process that lost the others; whoever started it says why."""
_log = logging.getLogger(__name__)


class Watch:
    """Looks after the launcher and the other processes twice a second.

    A process whose launcher is gone is asked to stop, in order. One that hangs in an exchange with
    a process that has left is ended: nothing else could get it out of there.

    Args:
        store: Where the processes of the run leave word.
        key: What to look for in the store.
        exit_code: Of a process that has to be ended because of it.
        ask_to_stop: Called when the launcher is gone.
    """

    def __init__(
        self, store: Store, key: str, exit_code: int, ask_to_stop: Callable[[], None]
    ) -> None:
        self._store, self._key, self._exit_code = store, key, exit_code
        self._ask_to_stop = ask_to_stop
        self._launcher = psutil.Process(os.getppid())
        self._store_answers = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            if not self._has_launcher():
                _log.warning("the launcher is gone: stopping")
                self._ask_to_stop()
                self._leave_after(SAVE_S)
            elif self._is_over():
                self._leave_after(LEAVE_S)

    def _has_launcher(self) -> bool:
        # A dead one that nobody has looked after yet still runs by its number, but has no children.
        return os.getppid() == self._launcher.pid and self._launcher.is_running()

    def _is_over(self) -> bool:
        if self._store_answers:
            try:
                return bool(self._store.check([self._key]))
            except RuntimeError:  # the main machine is gone, and with it the first process
                self._store_answers = False
        return False

    def _leave_after(self, seconds: float) -> None:
        """End this process unless it ends by itself in time."""
        if not self._ended.wait(seconds):
            _log.warning("this process hangs in an exchange with one that has left: ending it")
            logging.shutdown()
            os._exit(self._exit_code)


def leave_word(store: Store, key: str, value: bytes) -> None:
    """Leave word for the others, where the store is still there to take it."""
    try:
        store.set(key, value.decode())
    except RuntimeError as error:
        _log.warning("the others could not be told: %s", error)
