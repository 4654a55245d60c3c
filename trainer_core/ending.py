"""How a job ends: in order, when it is asked to, or by what went wrong."""

from __future__ import annotations

import traceback
from typing import Literal

import msgspec

from trainer_core.errors import ExitCode, KnownError, from_os_error
from trainer_core.records import Ended


class JobStopped(Exception):  # noqa: N818 - not an error: the work is saved
    """Raised by a verb that was asked to pause or stop and has saved its work.

    Args:
        state: How the job stands now.
        step: The training step that it would go on from.
        problem: Why it paused of its own accord; then somebody should look at it.
    """

    def __init__(
        self,
        state: Literal["paused", "stopped"],
        step: int | None = None,
        problem: KnownError | None = None,
    ) -> None:
        super().__init__(state)
        self.state = state
        self.step = step
        self.problem = problem


def ended_by(error: BaseException) -> Ended:
    """The last record of a job that this exception ended."""
    if isinstance(error, JobStopped):
        ended = Ended(state=error.state, exit_code=ExitCode.OK, step=error.step)
        why = error.problem
        if why is None:
            return ended
        return msgspec.structs.replace(
            ended,
            exit_code=why.exit_code,
            what=why.what,
            safe=why.safe,
            do=why.do,
            field=why.field,
        )
    if isinstance(error, OSError):
        error = from_os_error(error, "working on the job")
    if isinstance(error, MemoryError):
        error = KnownError(
            "The computer's memory is full.",
            safe="Everything saved before is whole.",
            do="Close other programs, or choose a smaller model or batch.",
        )
    if isinstance(error, KnownError):
        return Ended(
            state="failed",
            exit_code=error.exit_code,
            what=error.what,
            safe=error.safe,
            do=error.do,
            field=error.field,
        )
    return Ended(
        state="failed",
        exit_code=ExitCode.BUG,
        what=f"Hearth made a mistake: {type(error).__name__}: {error}",
        safe="Everything saved before is whole.",
        do="Resume the job; if it happens again, report it with the log of this folder.",
        details="".join(traceback.format_exception(error))[-20_000:],
    )
