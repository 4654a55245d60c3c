"""Where a job listens and who owns its folder: the private socket folder and `owner.json`."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import socket
import stat
import struct
import tempfile
from pathlib import Path

import msgspec
import psutil

from trainer_core.errors import KnownError
from trainer_core.files import write_whole_file

OWNER_FILE = "owner.json"
USES_UNIX_SOCKETS = hasattr(socket, "AF_UNIX") and os.name == "posix"
_CREATE_TIME_SLACK_S = 2.0  # psutil derives it from the boot time, which clock steps move


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The process that works in a job folder and where it listens."""

    pid: int
    create_time: float
    host: str
    address: str
    """`unix:<path>` or `tcp:127.0.0.1:<port>`."""
    token: str = ""
    """Secret of this run, on loopback only; the file is readable by its user alone."""

    @property
    def alive(self) -> bool:
        """Whether that very process still runs; processes of other computers count as running."""
        if self.host != socket.gethostname():
            return True
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.create_time) < _CREATE_TIME_SLACK_S
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return False  # ours would not deny us


def this_process(address: str, token: str) -> Owner:
    """The owner record of the running process."""
    return Owner(
        pid=os.getpid(),
        create_time=psutil.Process().create_time(),
        host=socket.gethostname(),
        address=address,
        token=token,
    )


def write_owner(folder: Path, owner: Owner) -> None:
    """Replace the folder's owner record in one step, readable by this user alone."""
    data = json.dumps(msgspec.to_builtins(owner)).encode()
    write_whole_file(folder / OWNER_FILE, data, mode=0o600)


def read_owner(folder: Path) -> Owner | None:
    """Who works or last worked in the folder, or None where nobody did."""
    try:
        return msgspec.json.decode((folder / OWNER_FILE).read_bytes(), type=Owner)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _unsafe(path: Path) -> KnownError:
    return KnownError(
        f"{path} is open to other users of this computer.",
        safe="Nothing was started.",
        do="Remove it, or set XDG_RUNTIME_DIR to a private folder.",
    )


def private_folder(path: Path) -> Path:
    """Create a folder that only this user can enter, or make sure that it is one.

    Raises:
        KnownError: Somebody else owns or can enter it.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700, parents=False)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _unsafe(path)
    if os.name == "posix" and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise _unsafe(path)
    return path


def socket_path(folder: Path) -> Path:
    """The socket of a job folder; short, since such paths may have some 100 bytes only.

    Raises:
        KnownError: The runtime folder is not private.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and Path(runtime).is_dir() else Path(tempfile.gettempdir())
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    root = private_folder(base / f"hearth-{os.getuid()}")
    return private_folder(root / digest) / "socket"


def peer_is_this_user(connection: socket.socket) -> bool:
    """Whether the peer of a Unix socket runs as this user, where the system can tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the private folder keeps others out
    credentials = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    uid: int = struct.unpack("3i", credentials)[1]
    return uid == os.getuid()


def new_token() -> str:
    """A secret for one run."""
    return secrets.token_hex(32)


def prove(token: str, side: str, nonce: bytes) -> bytes:
    """The answer to a nonce; `side` is who answers, so that answers cannot be sent back."""
    return hmac.new(token.encode(), side.encode() + nonce, hashlib.sha256).digest()
