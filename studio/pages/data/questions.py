"""Puts questions to an index in the background and hands the answers to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.data import answers
from studio.runs.model import JobModel
from trainer_core.errors import KnownError
from trainer_core.records import END_STATES
from trainer_core.spec import verb_of

Answer = TypeVar("Answer", bound=msgspec.Struct)


@dataclass(eq=False)
class _Asked:
    """A question on its way."""

    verb: str
    answered: Callable[[dict[str, Any]], object]
    failed: Callable[[Exception], object]
    folder: Path | None = None
    dropped: bool = False


class Questions(QObject):
    """One question of each verb at a time: a new one takes the place of the one before.

    Args:
        context: The studio.
        owner: The page; nothing is called after it is gone.
    """

    def __init__(self, context: Context, owner: QWidget) -> None:
        super().__init__(owner)
        self._context = context
        self._asked: dict[str, _Asked] = {}
        self._by_folder: dict[str, _Asked] = {}
        self._swept = False
        context.watcher.job_updated.connect(self._on_job_updated)

    def ask(
        self,
        spec: answers.Question,
        kind: type[Answer],
        answered: Callable[[Answer], object],
        failed: Callable[[Exception], object],
    ) -> None:
        """Put a question.

        Args:
            spec: What to ask.
            kind: What the answer is.
            answered: Gets the answer.
            failed: Gets a `KnownError`, or a bug.
        """
        self.drop(verb_of(spec))

        def take(result: dict[str, Any]) -> None:
            try:
                answer = answers.read_answer(result, kind)
            except KnownError as error:
                failed(error)
            else:
                answered(answer)

        asked = _Asked(verb_of(spec), take, failed)
        self._asked[asked.verb] = asked
        self._context.tasks.run_op(
            lambda: self._start(spec),
            lambda folder: self._follow(asked, folder),
            lambda error: self._finish(asked, lambda: asked.failed(error)),
            owner=self,
            lane="work",
        )

    def drop(self, verb: str) -> None:
        """Nobody waits for this question's answer any more."""
        asked = self._asked.pop(verb, None)
        if asked is None:
            return
        asked.dropped = True
        if asked.folder is not None:
            self._context.tasks.follow(
                self._context.supervisor.stop(asked.folder), failure=lambda _error: None, owner=self
            )

    def is_open(self, verb: str) -> bool:
        """Whether an answer is waited for."""
        return verb in self._asked

    def _start(self, spec: answers.Question) -> Path:
        """Runs in a thread."""
        if not self._swept:
            self._swept = True
            answers.forget_all(self._context.home)
        return answers.ask(self._context.supervisor, self._context.home, spec)

    def _follow(self, asked: _Asked, folder: Path) -> None:
        asked.folder = folder
        self._by_folder[str(folder)] = asked
        self._context.watcher.watch(folder, self)
        self._context.watcher.look_now(folder)
        if asked.dropped:
            future = self._context.supervisor.stop(folder)
            self._context.tasks.follow(future, failure=lambda _error: None, owner=self)

    def _on_job_updated(self, key: str) -> None:
        asked = self._by_folder.get(key)
        if asked is None or asked.folder is None:
            return
        model = self._context.watcher.model(asked.folder)
        if model is None or model.alive or not model.caught_up:
            return
        if model.state in END_STATES or model.state == "killed":
            result, error = model.status.result, why_it_ended(model)
            if error is None:
                self._finish(asked, lambda: asked.answered(result))
            else:
                self._finish(asked, lambda: asked.failed(error))

    def _finish(self, asked: _Asked, tell: Callable[[], object]) -> None:
        folder = asked.folder
        if folder is not None:
            del self._by_folder[str(folder)]
            self._context.watcher.unwatch(folder, self)
            self._context.tasks.run_op(lambda: answers.forget(folder), lane="work")
        if not asked.dropped:
            del self._asked[asked.verb]
            tell()


def why_it_ended(model: JobModel) -> KnownError | None:
    """Why a question has no answer, or None where it has one."""
    if model.state == "finished":
        return None
    if model.error is not None:
        return KnownError(model.error.what, safe=model.error.safe, do=model.error.do)
    return KnownError(
        "The question was ended before it was answered.",
        safe="The index was only read.",
        do="Ask again.",
    )
