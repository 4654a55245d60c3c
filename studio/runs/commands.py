"""Sends a command to a job and waits for its answer, which may take as long as a training step."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from trainer_core.errors import KnownError, ProtocolError
from trainer_core.protocol import Accepted, Client, Message, Refused
from trainer_core.protocol.client import ConnectionLostError
from trainer_core.protocol.messages import name_of

_CONNECT_S = 1.0
_SLICE_S = 0.25


class NoAnswerError(KnownError):
    """The job listens, or should, but has not answered yet; it may still carry the command out."""


def send_patiently(
    folder: Path, message: Message, patience_s: float, closing: threading.Event
) -> None:
    """Send a command and wait until the job says that it will carry it out.

    Args:
        folder: The job folder.
        message: The command.
        patience_s: How long to wait for the answer.
        closing: Ends the wait when it is set.

    Raises:
        ConnectionLostError: No job runs in this folder.
        NoAnswerError: It did not answer in time.
        KnownError: The job refused.
    """
    deadline = time.monotonic() + patience_s
    client = Client(folder)
    try:
        _connect(client, deadline, closing)
        client.send(message)
        while time.monotonic() < deadline and not closing.is_set():
            answer = client.receive(_SLICE_S)
            if isinstance(answer, Accepted) and answer.command == name_of(message):
                return
            if isinstance(answer, Refused):
                raise KnownError(answer.what, safe=answer.safe, do=answer.do)
    finally:
        client.close()
    raise _no_answer()


def _connect(client: Client, deadline: float, closing: threading.Event) -> None:
    """Connect in short attempts, so that a frozen job cannot hold us."""
    while True:
        try:
            client.connect(_CONNECT_S)
        except ConnectionLostError:
            raise
        except ProtocolError:  # it took the connection, but has not greeted
            if time.monotonic() > deadline or closing.is_set():
                raise _no_answer() from None
        else:
            return


def _no_answer() -> NoAnswerError:
    return NoAnswerError(
        "The job has not answered yet.",
        safe="It goes on; if the command reached it, it will carry it out.",
        do="Wait for the end of its current step, or stop it.",
    )
