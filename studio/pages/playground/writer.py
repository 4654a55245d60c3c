"""From the prompt to the text: starts the server, asks it, and shows what it writes."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from studio.context import Context
from studio.pages.playground.output import OutputCard, ShareBar
from studio.pages.playground.prompt import PromptCard
from studio.pages.playground.sampling import SamplingPanel
from studio.pages.playground.servers import CheckpointChoice, ensure_server, server_folder
from studio.pages.playground.session import GenerateSession
from studio.pages.playground.stats import match_shares
from studio.pages.playground.words import text_bytes
from studio.widgets.figures import plural
from studio.widgets.token_run import TextToken
from trainer_core.errors import KnownError
from trainer_core.protocol import (
    Cancel,
    FindSources,
    Generate,
    GenerationEnded,
    PromptRead,
    Refused,
    SourcesFound,
    TokenWritten,
)

_PROGRESS_MS = 250
_SHARES_S = 1.0


class Writer(QObject):
    """One text at a time, by one checkpoint.

    Signals:
        text_cleared (): Another text begins; token numbers start again.
        sources_found (object): `SourcesFound` for a token of this text.
        sources_failed (str): Why there will be no answer about sources.
    """

    text_cleared = Signal()
    sources_found = Signal(object)
    sources_failed = Signal(str)

    def __init__(
        self,
        context: Context,
        output: OutputCard,
        prompt: PromptCard,
        sampling: SamplingPanel,
        shares: ShareBar,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._output = output
        self._prompt = prompt
        self._sampling = sampling
        self._shares = shares
        self._choice: CheckpointChoice | None = None
        self.tokens: list[TokenWritten] = []
        self._asked = 0
        self._running: Generate | None = None
        self._base_prompt = ""
        self._seconds_before = 0.0
        self._first_s = 0.0
        self._shares_s = 0.0
        self._starting = False
        self._session = GenerateSession(self)
        self._session.prompt_read.connect(self._on_prompt_read)
        self._session.token_written.connect(self._on_token_written)
        self._session.ended.connect(self._on_ended)
        self._session.refused.connect(self._on_refused)
        self._session.lost.connect(self._on_lost)
        self._session.sources_found.connect(self._on_sources_found)
        self._progress = QTimer(self, interval=_PROGRESS_MS)
        self._progress.timeout.connect(self._on_progress)

    # --- what is asked -----------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a text is being written, or about to be."""
        return self._running is not None

    def set_choice(self, choice: CheckpointChoice | None) -> None:
        """Let another checkpoint answer; the server of the one before is stopped."""
        before, self._choice = self._choice, choice
        self.close()
        if before is not None:
            self._context.supervisor.stop(server_folder(self._context.home, before))
        self._clear()
        self._show_state()

    def close(self) -> None:
        """End what runs, and the server."""
        self._running = None
        self._starting = False
        self._progress.stop()
        self._session.close(stop_server=True)

    def generate(self) -> None:
        """Write a new text from the prompt."""
        if self._choice is None or self.busy:
            return
        prompt = self._prompt.text
        request = self._sampling.request(self._asked + 1, prompt)
        if request is None:
            return
        self._base_prompt = prompt
        self._clear()
        self._remember(prompt)
        self._ask(request)

    def go_on(self) -> None:
        """Write on where the text stopped."""
        if self._choice is None or self.busy or not self.tokens:
            return
        request = self._sampling.request(self._asked + 1, self.whole_text())
        if request is not None:
            self._seconds_before = self._elapsed()
            self._ask(request)

    def stop(self) -> None:
        """End the text that is being written."""
        if self._running is None:
            return
        if self._starting or not self.tokens:
            # Nothing is there yet: give up at once, whatever the server still does.
            self._session.send(Cancel(request=self._running.request))
            self._finish()
            self._output.show_empty("Stopped before the first token.", "Generate", "play")
            return
        self._session.send(Cancel(request=self._running.request))

    def find_sources(self, number: int, limit: int) -> bool:
        """Ask where a token came from; False when there is nobody to ask."""
        if not 0 <= number < len(self.tokens) or self._session.folder is None:
            return False
        token = self.tokens[number]
        self._session.send(FindSources(request=token.request, token_index=token.index, limit=limit))
        return True

    def whole_text(self) -> str:
        """The prompt and what was written."""
        return self._base_prompt + text_bytes(self.tokens)

    # --- asking ------------------------------------------------------------------------------

    def _ask(self, request: Generate) -> None:
        self._asked = request.request
        self._running = request
        self._first_s = 0.0
        self._show_state()
        if self._session.folder is not None:
            if not self.tokens:
                self._output.show_loading("Reading the prompt")
            self._session.send(request)
        else:
            self._start_server()

    def _start_server(self) -> None:
        choice = self._choice
        if choice is None:
            return
        self._starting = True
        if not self.tokens:
            self._output.show_loading(f"Loading {choice.run_name}, step {choice.step:,}")
        supervisor, home = self._context.supervisor, self._context.home
        self._context.tasks.run_op(
            lambda: ensure_server(supervisor, home, choice),
            partial(self._on_server_started, choice),
            self._on_lost,
            owner=self,
            lane="work",
        )

    def _on_server_started(self, choice: CheckpointChoice, folder: Path) -> None:
        self._starting = False
        if choice != self._choice:
            return
        self._session.open(folder)
        if self._running is not None:
            self._session.send(self._running)

    def _remember(self, prompt: str) -> None:
        library = self._context.library
        if prompt.strip() and not library.read_only:
            self._context.tasks.run_op(lambda: library.add_prompt(prompt), owner=self)

    # --- what comes in -----------------------------------------------------------------------

    def _is_mine(self, request: int) -> bool:
        return self._running is not None and self._running.request == request

    def _on_prompt_read(self, read: PromptRead) -> None:
        if not self._is_mine(read.request):
            return
        self._first_s = time.monotonic()
        self._progress.start()
        notes = [read.note] if read.note else []
        if read.dropped:
            notes.append(f"The first {plural(read.dropped, 'token')} did not fit the context.")
        self._output.show_note(" ".join(notes))
        self._output.show_text()

    def _on_token_written(self, token: TokenWritten) -> None:
        if not self._is_mine(token.request):
            return
        self.tokens.append(token)
        self._output.text.append([TextToken(token.data, token.match_length, token.followed)])

    def _on_ended(self, ended: GenerationEnded) -> None:
        if not self._is_mine(ended.request):
            return
        seconds = self._seconds_before + ended.seconds
        self._finish()
        self._output.text.finish()
        if ended.reason == "failed" and not self.tokens:
            error = KnownError(ended.note or "The model could not write.", do="Try again.")
            self._output.show_error(error, "Try again")
            return
        self._output.show_text()
        self._output.show_ended(ended, len(self.tokens), seconds)
        self._seconds_before = seconds
        self._shares.show_shares(match_shares(self.tokens))

    def _on_refused(self, refused: Refused) -> None:
        if refused.command == "generate" and self.busy:
            self._fail(KnownError(refused.what, safe=refused.safe, do=refused.do))

    def _on_sources_found(self, found: SourcesFound) -> None:
        self.sources_found.emit(found)

    def _on_lost(self, error: Exception) -> None:
        self._starting = False
        if self.busy:
            self._fail(error)
        else:
            self.sources_failed.emit(str(error))

    def _fail(self, error: Exception) -> None:
        """Say why the text ended; what was written stays."""
        self._finish()
        if not isinstance(error, KnownError):
            self._context.toast(error)
            error = KnownError("The model could not be asked.", do="Try again.")
        if self.tokens:
            self._output.text.finish()
            self._output.show_note(f"{error.what} {error.do}")
            return
        is_there = self._choice is not None and self._choice.folder.is_dir()
        button = "Try again" if is_there else "Use another checkpoint"
        self._output.show_error(error, button, getattr(error, "details", ""))

    # --- what is shown -----------------------------------------------------------------------

    def _clear(self) -> None:
        self.tokens = []
        self._seconds_before = 0.0
        self._output.text.clear()
        self._output.clear_footer()
        self._shares.show_shares(match_shares([]))
        self.text_cleared.emit()

    def _finish(self) -> None:
        self._running = None
        self._progress.stop()
        self._show_state()

    def _show_state(self) -> None:
        self._prompt.show_state(
            busy=self.busy, can_generate=self._choice is not None, again=bool(self.tokens)
        )

    def _elapsed(self) -> float:
        running = time.monotonic() - self._first_s if self.busy and self._first_s else 0.0
        return self._seconds_before + running

    def _on_progress(self) -> None:
        self._output.show_progress(len(self.tokens), self._elapsed())
        now = time.monotonic()
        if now - self._shares_s >= _SHARES_S:
            self._shares_s = now
            self._shares.show_shares(match_shares(self.tokens))
