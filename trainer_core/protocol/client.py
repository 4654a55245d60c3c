"""A client's end of the socket: blocking with time limits, so for a worker thread or a terminal."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from trainer_core.errors import KnownError, ProtocolError
from trainer_core.protocol import address
from trainer_core.protocol.frames import FrameReader, encode_frame
from trainer_core.protocol.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Challenge,
    Message,
    Proof,
    Refused,
    Welcome,
    name_of,
)

CONNECT_TIMEOUT_S = 5.0
_CHUNK = 1 << 16


class ConnectionLostError(KnownError):
    """The job does not listen or has ended."""


def _lost(folder: Path) -> ConnectionLostError:
    return ConnectionLostError(
        f"Nothing answers for the job in {folder}.",
        safe="Everything it saved is whole.",
        do="Start or resume the job.",
    )


class Client:
    """A connection to a job. One thread may send while another receives."""

    def __init__(self, folder: Path) -> None:
        """Remember whose job; `connect` does the work."""
        self._folder = folder
        self._socket: socket.socket | None = None
        self._reader = FrameReader()
        self._ready: deque[Message] = deque()
        self.welcome: Welcome | None = None

    def connect(self, timeout_s: float = CONNECT_TIMEOUT_S) -> Welcome:
        """Connect and prove who we are.

        Raises:
            ConnectionLostError: No job listens here.
            ProtocolError: What listens is not the job, or of another version.
        """
        owner = address.read_owner(self._folder)
        if owner is None or not owner.alive:
            raise _lost(self._folder)
        try:
            self._socket = _open(owner.address, timeout_s)
        except (OSError, ValueError):
            raise _lost(self._folder) from None
        try:
            self.welcome = self._greet(owner.token, timeout_s)
        except BaseException:
            self.close()
            raise
        return self.welcome

    def _greet(self, token: str, timeout_s: float) -> Welcome:
        message = self.receive(timeout_s)
        nonce = b""
        if isinstance(message, Challenge):
            nonce = secrets.token_bytes(32)
            answer = address.prove(token, "client", message.nonce)
            self.send(Proof(answer=answer, nonce=nonce))
            message = self.receive(timeout_s)
        if not isinstance(message, Welcome):
            raise _not_the_job()
        if token and not hmac.compare_digest(message.answer, address.prove(token, "job", nonce)):
            raise _not_the_job()
        if message.version != PROTOCOL_VERSION:
            raise ProtocolError(
                f"The job speaks version {message.version} of the protocol, this program"
                f" {PROTOCOL_VERSION}.",
                safe="The job goes on.",
                do="Update Hearth, or wait until the job has ended.",
            )
        return message

    def send(self, message: Message) -> None:
        """Send one message.

        Raises:
            ConnectionLostError: The job has ended.
        """
        if self._socket is None:
            raise _lost(self._folder)
        try:
            self._socket.sendall(encode_frame(message))
        except OSError:
            raise _lost(self._folder) from None

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time.

        Raises:
            ConnectionLostError: The job has ended.
            ProtocolError: It sent something that is no message.
        """
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            if self._socket is None:
                raise _lost(self._folder)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                self._socket.settimeout(left)
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                return None
            except OSError:
                raise _lost(self._folder) from None
            if not data:
                raise _lost(self._folder)
            self._ready.extend(self._reader.feed(data))
        return self._ready.popleft()

    def close(self) -> None:
        """Disconnect; may be called twice and from another thread to end a `receive`."""
        if self._socket is not None:
            connection, self._socket = self._socket, None
            with contextlib.suppress(OSError):  # the job may have been faster
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(where: str, timeout_s: float) -> socket.socket:
    kind, _, rest = where.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(rest)
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = rest.rpartition(":")
    return socket.create_connection((host, int(port)), timeout_s)


def _not_the_job() -> ProtocolError:
    return ProtocolError(
        "Something else listens where the job should.",
        safe="Nothing was sent to it.",
        do="Start the job again.",
    )


def send_command(folder: Path, message: Message, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Send a command to a job and wait until it says that it will carry it out.

    Raises:
        ConnectionLostError: No job runs in this folder.
        KnownError: The job refused, or did not answer in time.
    """
    deadline = time.monotonic() + timeout_s
    with Client(folder) as client:
        client.send(message)
        while (left := deadline - time.monotonic()) > 0:
            answer = client.receive(left)
            if isinstance(answer, Accepted) and answer.command == name_of(message):
                return
            if isinstance(answer, Refused):
                raise KnownError(answer.what, safe=answer.safe, do=answer.do)
    raise KnownError(
        "The job did not answer.",
        safe="It goes on as before.",
        do="Try again; if it stays silent, stop it from the Run page.",
    )
