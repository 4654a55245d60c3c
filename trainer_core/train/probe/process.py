"""A process of trials from the outside: started, asked, watched, ended when it takes too much."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Literal, Self

import msgspec
import psutil

from trainer_core.errors import KnownError, SpecError
from trainer_core.probe_table import Variant
from trainer_core.spec import ProbeSpec
from trainer_core.train.probe.messages import (
    Answer,
    Finish,
    Open,
    Opened,
    Refused,
    Request,
    Try,
)

_POLL_S = 0.02
_RESERVE_SHARE = 0.5
"""Of the memory that is left free, so much must stay; below it a trial is ended."""
_OPEN_S = 120.0
"""Importing torch from a cold disk takes a while."""

Check = Callable[[], None]
"""Called many times a second while a trial goes on; may raise to end it."""


class TrialDied(Exception):  # noqa: N818 - a trial that dies is a result
    """The process ended without an answer, or was ended.

    Attributes:
        failure: As in `ProbeRow`.
        why: The same in words.
    """

    def __init__(self, failure: Literal["memory", "time", "error"], why: str) -> None:
        super().__init__(why)
        self.failure = failure
        self.why = why


class TrialProcess:
    """One process with one variant; a context manager that leaves nothing behind.

    Args:
        spec: What is probed.
        variant: How to train.
        log: File that its output is appended to.
        reserve_bytes: Main memory that trials leave free.
        check: See `Check`.

    Raises:
        KnownError: The settings cannot work.
        TrialDied: It did not start.
    """

    def __init__(
        self, spec: ProbeSpec, variant: Variant, log: Path, reserve_bytes: int, check: Check
    ) -> None:
        self.variant = variant
        self._check, self._reserve_bytes = check, reserve_bytes
        self._limit_bytes = 0
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer_core.train.probe.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # a Ctrl-C is for the probe, which then ends this process
            )
        self._answers: queue.Queue[Answer | None] = queue.Queue()
        threading.Thread(target=self._read, name="trial-answers", daemon=True).start()
        try:
            self.opened = self._open(Open(spec=spec, variant=variant))
        except BaseException:
            self.close()
            raise
        if self.opened.device == "cpu":
            self._limit_bytes = self.opened.memory_limit_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, request: Open) -> Opened:
        answer = self._exchange(request, _OPEN_S)
        if isinstance(answer, Refused):
            kind = SpecError if answer.field else KnownError
            raise kind(answer.what, safe=answer.safe, do=answer.do, field=answer.field)
        if not isinstance(answer, Opened):
            raise TypeError(f"{type(answer).__name__} is no answer to the first request")
        return answer

    def ask(self, request: Try | Finish, within_s: float) -> Answer:
        """Have something measured.

        Raises:
            TrialDied: Memory or time ended, or the process broke down; it is gone then.
        """
        return self._exchange(request, within_s)

    def _exchange(self, request: Request, within_s: float) -> Answer:
        deadline_s = monotonic() + within_s
        self._send(request)
        while True:
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=_POLL_S)
                if answer is None:
                    raise self._death()
                return answer
            try:
                self._check()
                self._watch(deadline_s)
            except BaseException:
                self.close()
                raise

    def _send(self, request: Request) -> None:
        pipe = self._process.stdin
        if pipe is None:
            raise TypeError("the process has no standard input")
        with contextlib.suppress(OSError):  # it died: the answer will say so
            pipe.write(msgspec.json.encode(request) + b"\n")
            pipe.flush()

    def _read(self) -> None:
        decoder = msgspec.json.Decoder(Answer)
        pipe = self._process.stdout
        if pipe is not None:
            with contextlib.suppress(ValueError, msgspec.DecodeError):  # closed, or cut off
                for line in pipe:
                    self._answers.put(decoder.decode(line))
        self._answers.put(None)

    def _watch(self, deadline_s: float) -> None:
        """End what takes too much.

        Raises:
            TrialDied: It did.
        """
        if monotonic() > deadline_s:
            raise TrialDied("time", "It took longer than the time that was left.")
        if psutil.virtual_memory().available < self._reserve_bytes * _RESERVE_SHARE:
            raise TrialDied("memory", "The computer's memory was almost full.")
        if self._limit_bytes:
            with contextlib.suppress(psutil.Error):
                held = psutil.Process(self._process.pid).memory_info().rss
                if held > self._limit_bytes:
                    raise TrialDied("memory", "It took more memory than it may.")

    def _death(self) -> TrialDied:
        """What its end without an answer means."""
        code = self._process.wait()
        if code in (-9, -6, 137, 134):  # the system ends what takes all memory; C++ gives up
            return TrialDied("memory", "The system ended it, most likely for want of memory.")
        return TrialDied("error", f"Its process ended with code {code}; the log says more.")

    def close(self) -> None:
        """End the process and whatever it started."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
