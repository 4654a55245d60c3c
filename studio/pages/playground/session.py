"""A line to a generation server: what is asked goes out, what it writes comes in as signals."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from studio.runs.launch import log_tail, read_launch
from trainer_core.errors import KnownError
from trainer_core.protocol import (
    Cancel,
    Client,
    FindSources,
    Generate,
    GenerationEnded,
    Message,
    PromptRead,
    Refused,
    SourcesFound,
    Stop,
    TokenWritten,
    read_owner,
)
from trainer_core.protocol.client import ConnectionLostError
from trainer_core.status import read_status

_RETRY_S = 0.05
_RECEIVE_S = 0.5
_CONNECT_S = 2.0
_JOIN_S = 0.5


class ServerEndedError(KnownError):
    """The process that serves the model has ended; `details` is the end of its log."""

    def __init__(self, what: str, safe: str, do: str, details: str = "") -> None:
        super().__init__(what, safe=safe, do=do)
        self.details = details


class GenerateSession(QObject):
    """One connection at a time; belongs to the UI thread, works in threads of its own.

    Signals:
        connected (): The server listens; it may still be loading the model.
        prompt_read (object): `PromptRead`.
        token_written (object): `TokenWritten`.
        ended (object): `GenerationEnded`.
        sources_found (object): `SourcesFound`.
        refused (object): `Refused`.
        lost (object): A `KnownError`: the server has ended, or cannot be reached.
    """

    connected = Signal()
    prompt_read = Signal(object)
    token_written = Signal(object)
    ended = Signal(object)
    sources_found = Signal(object)
    refused = Signal(object)
    lost = Signal(object)
    _came = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._line: _Line | None = None
        self._number = 0
        self._came.connect(self._on_came, Qt.ConnectionType.QueuedConnection)

    @property
    def folder(self) -> Path | None:
        """Job folder of the server, while there is a connection or one is being made."""
        return self._line.folder if self._line is not None else None

    def open(self, folder: Path) -> None:
        """Connect to the server of this job folder, waiting for it to listen."""
        self.close()
        self._number += 1
        number = self._number
        self._line = _Line(folder, lambda message: self._came.emit(number, message))

    def close(self, *, stop_server: bool = False) -> None:
        """Hang up; may be called twice.

        Args:
            stop_server: Ask the server to end first.
        """
        line, self._line = self._line, None
        if line is not None:
            line.close(Stop() if stop_server else None)

    def send(self, message: Generate | Cancel | FindSources) -> None:
        """Send a request; it waits until there is a connection."""
        if self._line is not None:
            self._line.outbox.put(message)

    def _on_came(self, number: int, message: object) -> None:
        if number != self._number or self._line is None:
            return
        match message:
            case None:
                self.connected.emit()
            case TokenWritten():
                self.token_written.emit(message)
            case PromptRead():
                self.prompt_read.emit(message)
            case GenerationEnded():
                self.ended.emit(message)
            case SourcesFound():
                self.sources_found.emit(message)
            case Refused():
                self.refused.emit(message)
            case KnownError():
                self.close()
                self.lost.emit(message)


class _Line:
    """The two threads of a connection: one receives, one sends what lies in `outbox`."""

    def __init__(
        self, folder: Path, deliver: Callable[[Message | KnownError | None], None]
    ) -> None:
        self.folder = folder
        self.outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._deliver = deliver
        self._client = Client(folder)
        self._closing = threading.Event()
        self._receiver = threading.Thread(target=self._receive, name="playground-in", daemon=True)
        self._sender = threading.Thread(target=self._send, name="playground-out", daemon=True)
        self._receiver.start()

    def close(self, last: Message | None) -> None:
        """End both threads; a last message is still sent where that takes no time."""
        self._closing.set()
        if last is not None and self._client.welcome is not None:
            with contextlib.suppress(KnownError):
                self._client.send(last)
        self.outbox.put(None)
        self._client.close()
        for thread in (self._receiver, self._sender):
            if thread.is_alive():
                thread.join(_JOIN_S)  # both are daemons: one that hangs is left to itself

    def _receive(self) -> None:
        try:
            if not self._connect():
                return
            self._sender.start()
            self._deliver(None)
            while not self._closing.is_set():
                message = self._client.receive(_RECEIVE_S)
                if message is not None and not self._closing.is_set():
                    self._deliver(message)
        except KnownError as error:
            if not self._closing.is_set():
                self._deliver(why_it_ended(self.folder) or error)

    def _connect(self) -> bool:
        """Wait until the server listens; False when that is wanted no more.

        Raises:
            KnownError: Its process has ended, or something else listens there.
        """
        while not self._closing.is_set():
            try:
                self._client.connect(_CONNECT_S)
            except ConnectionLostError:
                if not _is_starting(self.folder):
                    raise
                time.sleep(_RETRY_S)
            else:
                return True
        return False

    def _send(self) -> None:
        while (message := self.outbox.get()) is not None:
            try:
                self._client.send(message)
            except KnownError:
                return  # the receiver hears of it too, and says so


def _is_starting(folder: Path) -> bool:
    """Whether a process was started for the folder that may yet listen."""
    launch, owner = read_launch(folder), read_owner(folder)
    return (launch is not None and launch.alive) or (owner is not None and owner.alive)


def why_it_ended(folder: Path) -> KnownError | None:
    """What the journal of an ended server says; None where it says nothing of use."""
    try:
        status = read_status(folder)
    except KnownError as error:
        return error
    ended = status.ended
    if ended is not None and ended.what:
        return ServerEndedError(ended.what, ended.safe, ended.do, ended.details)
    if ended is not None:
        return ServerEndedError(
            "The model was unloaded, because nobody had asked it for a while.",
            "Your text stays as it is.",
            "Generate again; the model is loaded anew.",
        )
    return ServerEndedError(
        "The model's process ended without a word, perhaps out of memory.",
        "The checkpoint and your text are unharmed.",
        "Try again; close other programs if memory was full.",
        log_tail(folder),
    )
