"""Changes to the plan of a training: as a message to one at work, as a command for one at rest."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import trainer_core
from trainer_core.errors import KnownError, from_os_error
from trainer_core.protocol import ChangePlan
from trainer_core.training_plan import LR_MOST, note_of

_PATIENCE_S = 120.0
"""A command reads a journal and renames some folders; on a busy disk that may take a while."""


def change_plan(lr: float | None, steps: int | None, why: str) -> ChangePlan:
    """The message for a training at work.

    Raises:
        KnownError: No training could take these values.
    """
    if lr is not None and not 0.0 < lr <= LR_MOST:
        raise KnownError(
            f"A learning rate of {lr:g} cannot be trained with.",
            safe="The plan is as it was.",
            do=f"Give one above 0 and up to {LR_MOST:g}.",
            field="lr",
        )
    if steps is not None and steps < 1:
        raise KnownError(
            f"A training cannot end at step {steps:,}.",
            safe="The plan is as it was.",
            do="Give a later end.",
            field="steps",
        )
    return ChangePlan(lr=lr, steps=steps, why=note_of(why))


def change_arguments(lr: float | None, steps: int | None, why: str) -> list[str]:
    """The command for a training at rest, without its folder."""
    options = ["change"]
    if lr is not None:
        options.append(f"--lr={lr!r}")
    if steps is not None:
        options.append(f"--steps={steps}")
    if why:
        options.append(f"--why={note_of(why)}")
    return options


def rewind_arguments(step: int, skip: tuple[int, int] | None) -> list[str]:
    """The command that takes a training back, without its folder."""
    options = ["rewind", f"--to={step}"]
    if skip is not None:
        options.append(f"--skip={skip[0]}-{skip[1]}")
    return options


def run_command(command: Sequence[str]) -> None:
    """Run a command of the trainer to its end.

    Raises:
        KnownError: It was refused, took too long or could not be started.
    """
    environment = dict(os.environ)
    source = str(Path(trainer_core.__file__).parents[1])
    others = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([source, others] if others else [source])
    try:
        done = subprocess.run(
            list(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise KnownError(
            "The change took too long and was broken off.",
            safe="The run's checkpoints are whole.",
            do="Try again when the computer is less busy.",
        ) from None
    except OSError as error:
        raise from_os_error(error, "starting a command") from error
    if done.returncode:
        raise _told(done.stderr)


def _told(text: str) -> KnownError:
    """The error that a command printed: what happened, what is safe, what to do, a line each."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or "Traceback" in text:
        what = lines[-1] if lines else "It said nothing."
        return KnownError(f"The change failed: {what}", safe="The run's checkpoints are whole.")
    what, safe, do = [*lines, "", ""][:3]
    return KnownError(what, safe=safe, do=do)
