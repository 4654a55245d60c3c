"""Answers in the terminal: readable, or as the JSON document that a job's result is, too."""

from __future__ import annotations

import json
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from trainer_core.answers import pages
from trainer_core.answers.verb import Question, answer
from trainer_core.errors import ExitCode
from trainer_core.spec import AskedIndex, verb_of

PATIENCE_S = 1.0
"""What takes longer shows how far it is."""


def tell(spec: AskedIndex, *, as_json: bool) -> ExitCode:
    """Answer a question on the standard output; progress goes to the standard error.

    Raises:
        KnownError: The index, the corpus or a text cannot be read, or they do not fit together.
    """
    if not isinstance(spec, Question):
        raise TypeError(f"{type(spec).__name__} is no question")
    with _Waiting() as waiting:
        values = answer(spec, waiting.report)
    if as_json:
        print(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        pages.PAGES[verb_of(spec)](Console(highlight=False), values)
    return ExitCode.OK


class _Waiting:
    """Bars on the standard error for what takes more than a moment."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._begun_s = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._phase = ""

    def __enter__(self) -> _Waiting:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def report(self, phase: str, done: float, total: float, unit: str) -> None:
        """Show how far a phase is; on what is no terminal, its name alone."""
        if time.monotonic() - self._begun_s < PATIENCE_S:
            return
        if phase != self._phase:
            self._phase = phase
            if not self._console.is_terminal:
                self._console.print(phase, highlight=False)
            self._task = self._bars.add_task(phase, total=total)
        if self._console.is_terminal:
            self._bars.start()
            self._bars.update(self._task, completed=done, total=total)
