"""The job's end of the socket: one thread, never blocking the job on a slow or silent peer."""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import queue
import secrets
import selectors
import socket
import threading
import time
from pathlib import Path

from trainer_core.errors import KnownError, ProtocolError
from trainer_core.protocol import address
from trainer_core.protocol.frames import FrameReader, encode_frame
from trainer_core.protocol.messages import (
    PROTOCOL_VERSION,
    Challenge,
    Changed,
    Message,
    Proof,
    Refused,
    Welcome,
)

PEERS_MAX = 32
OUTBOX_BYTES_MAX = 4 << 20
INBOX_MAX = 1024
PROOF_TIMEOUT_S = 5.0
_CHUNK = 1 << 16
_log = logging.getLogger(__name__)


class Peer:
    """A connected client; belongs to the server's thread but for its outbox."""

    def __init__(self, connection: socket.socket, challenge: bytes) -> None:
        self.connection = connection
        self.reader = FrameReader()
        self.challenge = challenge
        """Nonce that the peer must answer; empty once it is trusted."""
        self.deadline_s = time.monotonic() + PROOF_TIMEOUT_S
        self.outbox = bytearray()
        self.hint: Changed | None = None
        """The newest hint that waits for an empty outbox; older ones are dropped."""
        self.closing = False

    @property
    def trusted(self) -> bool:
        """Whether its messages are taken."""
        return not self.challenge


class Server:
    """Listens in a thread of its own; the job takes messages when it likes.

    `send` and `hint` return at once: what a peer does not read is bounded, hints are merged, and a
    peer that lets its outbox fill up is told nothing more until it reads.
    """

    def __init__(self, folder: Path, verb: str, *, loopback: bool | None = None) -> None:
        """Bind and write `owner.json`; the caller holds the folder's lock.

        Args:
            folder: The job folder.
            verb: What the job does, for the welcome.
            loopback: Use TCP with a token even where Unix sockets exist; None picks by system.

        Raises:
            KnownError: The socket's folder is not private.
            OSError: The socket cannot be bound.
        """
        self._folder = folder
        self._verb = verb
        self._inbox: queue.Queue[tuple[Peer, Message]] = queue.Queue(INBOX_MAX)
        self._peers: dict[int, Peer] = {}
        self._guard = threading.Lock()
        self._ended = False
        self._path: Path | None = None
        self._token = ""
        use_loopback = not address.USES_UNIX_SOCKETS if loopback is None else loopback
        self._listener = self._listen_tcp() if use_loopback else self._listen_unix()
        self._listener.setblocking(False)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        address.write_owner(folder, address.this_process(self._address(), self._token))
        self._thread = threading.Thread(target=self._run, name="job-server", daemon=True)
        self._thread.start()

    def _listen_unix(self) -> socket.socket:
        self._path = address.socket_path(self._folder)
        self._path.unlink(missing_ok=True)  # the lock says that nobody else listens here
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        self._path.chmod(0o600)
        listener.listen(PEERS_MAX)
        return listener

    def _listen_tcp(self) -> socket.socket:
        self._token = address.new_token()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        listener.listen(PEERS_MAX)
        return listener

    def _address(self) -> str:
        if self._path is not None:
            return f"unix:{self._path}"
        host, port = self._listener.getsockname()
        return f"tcp:{host}:{port}"

    # --- called by the job ---------------------------------------------------------------------

    def receive(self) -> list[tuple[Peer, Message]]:
        """Messages that have come in; never waits."""
        found: list[tuple[Peer, Message]] = []
        while True:
            try:
                found.append(self._inbox.get_nowait())
            except queue.Empty:
                return found

    def wait(self, timeout_s: float) -> tuple[Peer, Message] | None:
        """The next message, or None after the time is up."""
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def send(self, peer: Peer, message: Message) -> bool:
        """Queue a message.

        Returns:
            False when the peer is gone or so slow that its outbox is full; nothing was queued.
        """
        frame = encode_frame(message)
        with self._guard:
            if peer.closing or len(peer.outbox) + len(frame) > OUTBOX_BYTES_MAX:
                return False
            peer.outbox += frame
        self._wake()
        return True

    def is_connected(self, peer: Peer) -> bool:
        """Whether the peer is still there."""
        return not peer.closing

    def hint(self, changed: Changed) -> None:
        """Tell every peer that the files have grown; a slow peer gets only the newest."""
        with self._guard:
            for peer in self._peers.values():
                peer.hint = changed
        self._wake()

    def close(self) -> None:
        """Flush, drop every peer, end the thread and the ownership; may be called twice."""
        if self._ended:
            return
        self._ended = True
        self._wake()
        self._thread.join(timeout=2.0)
        (self._folder / address.OWNER_FILE).unlink(missing_ok=True)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._path.parent.rmdir()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"w")

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended:
            for key, events in self._selector.select(self._patience_s()):
                self._handle(key, events)
            self._drop_unproven()
            self._flush_all()
        self._flush_all()
        for peer in list(self._peers.values()):
            self._drop(peer)
        self._selector.close()
        for end in (self._listener, self._wake_in, self._wake_out):
            end.close()

    def _patience_s(self) -> float | None:
        waiting = [p.deadline_s for p in self._peers.values() if not p.trusted]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _handle(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._wake_in:
            with contextlib.suppress(BlockingIOError):
                self._wake_in.recv(_CHUNK)
        elif events & selectors.EVENT_READ:
            self._read(key.data)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            _log.warning("a client could not connect: %s", error)
            return
        unix = self._path is not None
        if len(self._peers) >= PEERS_MAX or (unix and not address.peer_is_this_user(connection)):
            connection.close()
            return
        connection.setblocking(False)
        peer = Peer(connection, b"" if unix else secrets.token_bytes(32))
        with self._guard:
            self._peers[connection.fileno()] = peer
            first: Message = self._welcome() if unix else Challenge(nonce=peer.challenge)
            peer.outbox += encode_frame(first)
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def _welcome(self, nonce: bytes = b"") -> Welcome:
        answer = address.prove(self._token, "job", nonce) if nonce else b""
        return Welcome(version=PROTOCOL_VERSION, verb=self._verb, pid=os.getpid(), answer=answer)

    def _read(self, peer: Peer) -> None:
        try:
            data = peer.connection.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        try:
            for message in peer.reader.feed(data):
                self._take(peer, message)
        except ProtocolError as error:
            _log.warning("a client was dropped: %s", error.what)
            self._farewell(peer, error)

    def _take(self, peer: Peer, message: Message) -> None:
        if not peer.trusted:
            self._check_proof(peer, message)
            return
        try:
            self._inbox.put_nowait((peer, message))
        except queue.Full:
            raise ProtocolError(
                "Too many messages at once.",
                safe="The job goes on.",
                do="Send fewer commands.",
            ) from None

    def _check_proof(self, peer: Peer, message: Message) -> None:
        expected = address.prove(self._token, "client", peer.challenge)
        if not isinstance(message, Proof) or not hmac.compare_digest(message.answer, expected):
            raise ProtocolError(
                "The client does not know this run's token.",
                safe="The job goes on.",
                do="Connect as the user who started it.",
            )
        peer.challenge = b""
        with self._guard:
            peer.outbox += encode_frame(self._welcome(message.nonce))

    def _farewell(self, peer: Peer, error: KnownError) -> None:
        refused = Refused(command="", what=error.what, safe=error.safe, do=error.do)
        with self._guard:
            peer.outbox += encode_frame(refused)
        self._flush(peer)
        self._drop(peer)

    def _drop_unproven(self) -> None:
        now = time.monotonic()
        for peer in list(self._peers.values()):
            if not peer.trusted and now > peer.deadline_s:
                self._drop(peer)

    def _flush_all(self) -> None:
        for peer in list(self._peers.values()):
            self._flush(peer)

    def _flush(self, peer: Peer) -> None:
        with self._guard:
            try:
                while peer.outbox or self._take_hint(peer):
                    del peer.outbox[: peer.connection.send(bytes(peer.outbox[:_CHUNK]))]
            except BlockingIOError:
                pass
            except OSError:
                peer.outbox.clear()  # the read side sees the end and drops the peer
        if not peer.closing:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outbox else 0)
            self._selector.modify(peer.connection, wanted, peer)

    def _take_hint(self, peer: Peer) -> bool:
        """Move the newest hint into the empty outbox; False where none waits."""
        if peer.hint is None or not peer.trusted:
            return False
        peer.outbox += encode_frame(peer.hint)
        peer.hint = None
        return True

    def _drop(self, peer: Peer) -> None:
        if peer.closing:
            return
        with self._guard:
            peer.closing = True
            self._peers.pop(peer.connection.fileno(), None)
        self._selector.unregister(peer.connection)
        peer.connection.close()
