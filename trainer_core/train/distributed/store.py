"""The place where the processes of a run meet and leave word: a small key-value store over TCP."""

from __future__ import annotations

import datetime
import socket
import time

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch does not list it
from torch.distributed.distributed_c10d import Store

from trainer_core.errors import KnownError

CONNECT_S = 60.0
"""How long a process may take to reach it, and to be answered."""
_RETRY_S = 0.2
_TIMEOUT = datetime.timedelta(seconds=CONNECT_S)


def host_store(host: str, port: int) -> tuple[Store, int]:
    """Open the store in this process; it lasts as long as the object.

    Args:
        host: The address to listen at, and at no other.
        port: 0 takes any that is free.

    Returns:
        The store and its port.

    Raises:
        OSError: The address is not one of this computer, or the port is in use.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.create_server((host, port), family=family, backlog=1024)
    own = int(listener.getsockname()[1])
    store: Store = TCPStore(
        host, own, None, True, _TIMEOUT, wait_for_workers=False, master_listen_fd=listener.detach()
    )
    return store, own


def connect(host: str, port: int, patience_s: float = CONNECT_S) -> Store:
    """The store of a run, from another process.

    Raises:
        KnownError: It cannot be reached.
    """
    deadline = time.monotonic() + patience_s
    while (problem := _problem_at(host, port)) and time.monotonic() < deadline:
        time.sleep(_RETRY_S)
    if problem:
        raise KnownError(
            f"The main machine does not answer at {host}, port {port}: {problem}.",
            safe="Nothing was started here.",
            do="Start the run on the main machine first; check its address and its firewall.",
            field="distributed.address",
        )
    store: Store = TCPStore(host, port, None, False, _TIMEOUT, wait_for_workers=False)
    return store


def _problem_at(host: str, port: int) -> str:
    """Why nobody answers there; empty when somebody does."""
    try:
        socket.create_connection((host, port), timeout=5.0).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
