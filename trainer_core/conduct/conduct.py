"""The thread beside a job that minds its manners."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from trainer_core.conduct.awake import KeptAwake
from trainer_core.conduct.judging import Judge, Reason
from trainer_core.conduct.sensors import Senses, Sensors
from trainer_core.conduct.telling import Teller
from trainer_core.conduct.throttling import GpuHeat, Note, ProcessorHeat, ThrottleWatch
from trainer_core.manners import MANNERS_FILE, Conditions, read_manners
from trainer_core.records import Record

LOOK_S = 1.0
"""How often to see whether the manners have changed."""
CHECK_S = 5.0
"""How often to look at the computer."""
_log = logging.getLogger(__name__)


class Conduct:
    """How one job behaves, from its start to its end; use it as a context manager.

    Args:
        folder: The job folder.
        holds: Whether its verb holds by itself when conditions are met.
        awake: Whether its verb is work that the computer should stay awake for.
        senses: What conditions are judged by; the real ones are made in the thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        holds: bool,
        awake: bool,
        senses: Callable[[], Senses] | None = None,
    ) -> None:
        self._folder, self._holds, self._awake = folder, holds, awake
        self._make_senses = senses or Sensors
        self._manners = read_manners(folder)
        self._stamp = _stamp(folder)
        self._reason: Reason | None = None
        self._resting = False
        self._kept_awake = KeptAwake()
        self._teller = Teller(lambda: self._manners, folder.name)
        self._throttle: ThrottleWatch | None = None
        self._note: Note | None = None
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="conduct", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- called by the job ----------------------------------------------------------------------

    def start(self, note: Note) -> None:
        """Begin to look; where there are conditions, the first look is waited for.

        Args:
            note: Tells the user something; called from the thread.
        """
        self._note = note
        self._thread.start()
        if self._holds and self._manners.conditions != Conditions():
            self._looked.wait(CHECK_S)

    @property
    def reason(self) -> Reason | None:
        """Why the job should hold now, or None; costs nothing."""
        return self._reason

    def rest(self, resting: bool) -> None:
        """Say whether the job waits: the computer may sleep then."""
        if resting != self._resting:
            self._resting = resting
            self._woken.set()

    def observe(self, record: Record) -> None:
        """Look at a record of the job, for whoever wants to be told; returns at once."""
        self._teller.observe(record)

    def end(self) -> None:
        """End the thread and let the computer sleep, before the job says how it ended."""
        self._ended.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(CHECK_S)

    def close(self) -> None:
        """Give the last messages a few seconds to get out; nobody needs the folder any more."""
        self.end()
        self._teller.close()

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        look = self._look_out()
        failed = False
        while not self._ended.is_set():
            try:
                next(look)
            except Exception as error:  # noqa: BLE001 - a sensor is not worth a job
                if not failed:
                    _log.warning("the computer cannot be looked at: %r", error)
                failed, self._reason, look = True, None, self._look_out()
            self._looked.set()
            self._woken.wait(LOOK_S)
            self._woken.clear()
        self._kept_awake.release()

    def _look_out(self) -> Iterator[None]:
        """Look once for each time that it is asked on."""
        judge: Judge | None = None
        checked_s = 0.0
        while True:
            changed = self._read_manners()
            self._mind_sleep()
            if self._holds:
                now = time.monotonic()
                if judge is None or changed or now - checked_s >= CHECK_S:
                    judge, checked_s = judge or self._open(), now
                    self._reason = judge.reason(self._manners.conditions)
                    if self._throttle is not None and not self._resting:
                        self._throttle.look()
            yield

    def _open(self) -> Judge:
        senses = self._make_senses()
        if self._note is not None:
            heat = ProcessorHeat() if senses.gpu is None else GpuHeat(senses.gpu)
            self._throttle = ThrottleWatch(heat, self._note)
        return Judge(senses)

    def _mind_sleep(self) -> None:
        if self._awake and self._manners.keep_awake and not self._resting:
            self._kept_awake.hold()
        else:
            self._kept_awake.release()

    def _read_manners(self) -> bool:
        stamp = _stamp(self._folder)
        if stamp == self._stamp:
            return False
        self._stamp, self._manners = stamp, read_manners(self._folder)
        return True


def _stamp(folder: Path) -> tuple[int, int, int]:
    """What changes with a file that is replaced."""
    try:
        found = (folder / MANNERS_FILE).stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
