"""Keeps the computer from going to sleep while a job works."""

from __future__ import annotations

import logging
import threading

_LEAVE_S = 2.0
"""How long to wait for the system when the job ends; it forgets dead processes by itself."""
_log = logging.getLogger(__name__)


class KeptAwake:
    """Asks the system to stay awake, in a thread: a session bus may be slow or not there at all.

    The screen may go dark all the same.
    """

    def __init__(self) -> None:
        self._ended: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._has_failed = False

    def hold(self) -> None:
        """Keep it awake from now on; where that cannot be done, the log says so once."""
        if self._thread is not None or self._has_failed:
            return
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._ended,), name="keep-awake", daemon=True
        )
        self._thread.start()

    def release(self) -> None:
        """Let it sleep again."""
        if self._thread is None or self._ended is None:
            return
        self._ended.set()
        self._thread.join(_LEAVE_S)
        self._thread = None

    def _run(self, ended: threading.Event) -> None:
        try:
            from wakepy import keep

            with keep.running(on_fail="pass") as mode:
                if not mode.active:
                    self._say_failed("no method works here")
                    return
                _log.info("the computer is kept awake by %s", mode.method)
                ended.wait()
        except Exception as error:  # noqa: BLE001 - sleep is not worth a training
            self._say_failed(f"{type(error).__name__}: {error}")

    def _say_failed(self, why: str) -> None:
        self._has_failed = True
        _log.info("the computer may go to sleep: %s", why)
