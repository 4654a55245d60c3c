"""The socket: commands arrive, hints never block, strangers and garbage are turned away."""

import contextlib
import json
import socket
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core import protocol
from trainer_core.errors import KnownError, ProtocolError
from trainer_core.protocol import address
from trainer_core.protocol.client import ConnectionLostError
from trainer_core.protocol.messages import Challenge, Proof

HINT = protocol.Changed(journal_bytes=1, step_rows=2, system_rows=3)


@pytest.fixture(params=[False, True], ids=["unix", "loopback"])
def server(request, tmp_path):
    if not request.param and not address.USES_UNIX_SOCKETS:
        pytest.skip("this system has no Unix sockets")
    server = protocol.Server(tmp_path, "train", loopback=request.param)
    yield server
    server.close()


def raw_connection(folder):
    owner = protocol.read_owner(folder)
    kind, _, rest = owner.address.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(rest)
    else:
        host, _, port = rest.rpartition(":")
        connection = socket.create_connection((host, int(port)))
    connection.settimeout(5)
    return connection


def read_to_end(connection):
    """Read until the job hangs up; unread bytes of ours make that a reset."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1 << 16):
            pass
    connection.close()


def wait_until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_a_command_arrives_and_is_answered(server, tmp_path):
    with protocol.Client(tmp_path) as client:
        assert client.welcome.verb == "train"
        client.send(protocol.Pause())
        peer, message = server.wait(5)
        assert message == protocol.Pause()
        assert server.send(peer, protocol.Accepted(command="pause"))
        assert client.receive(5) == protocol.Accepted(command="pause")


def test_a_hint_reaches_every_client(server, tmp_path):
    with protocol.Client(tmp_path) as one, protocol.Client(tmp_path) as two:
        server.hint(HINT)
        assert one.receive(5) == HINT
        assert two.receive(5) == HINT


def test_a_frozen_client_never_blocks_the_job(server, tmp_path):
    with protocol.Client(tmp_path), protocol.Client(tmp_path) as healthy:
        started = time.monotonic()
        for n in range(50_000):
            server.hint(protocol.Changed(journal_bytes=n, step_rows=n, system_rows=n))
        assert time.monotonic() - started < 5
        last = HINT
        while last.journal_bytes != n:
            last = healthy.receive(5)


def test_an_outbox_is_bounded(server, tmp_path):
    with protocol.Client(tmp_path) as client:
        client.send(protocol.Stop())
        peer, _ = server.wait(5)
        big = protocol.Refused(command="x", what="y" * 500_000)
        sent = sum(server.send(peer, big) for _ in range(50))
        assert sent < 50


def test_garbage_drops_the_peer_and_nobody_else(server, tmp_path):
    with protocol.Client(tmp_path) as good:
        for garbage in (b"\xff" * 64, struct.pack("<I", 5) + b"hello", b"GET / HTTP/1.1\r\n\r\n"):
            bad = raw_connection(tmp_path)
            bad.sendall(garbage)
            read_to_end(bad)
        good.send(protocol.Stop())
        assert server.wait(5)[1] == protocol.Stop()


def test_a_flood_is_cut_off(server, tmp_path):
    with protocol.Client(tmp_path) as client:
        with pytest.raises(KnownError):
            for _ in range(100_000):
                client.send(protocol.CheckpointNow())
        wait_until(lambda: len(server.receive()) == 0)


def test_a_half_sent_frame_and_a_silent_peer_cost_nothing(server, tmp_path):
    half = raw_connection(tmp_path)
    half.sendall(b"\x10\x00")
    with protocol.Client(tmp_path) as client:
        server.hint(HINT)
        assert client.receive(5) == HINT
    half.close()


def test_only_the_run_s_token_opens_the_loopback_port(tmp_path):
    server = protocol.Server(tmp_path, "train", loopback=True)
    stranger = raw_connection(tmp_path)
    reader = protocol.FrameReader()
    (challenge,) = reader.feed(stranger.recv(1 << 16))
    assert isinstance(challenge, Challenge)
    stranger.sendall(protocol.encode_frame(Proof(answer=b"guess", nonce=b"n")))
    stranger.sendall(protocol.encode_frame(protocol.Stop()))
    read_to_end(stranger)
    assert server.receive() == []
    server.close()


def test_a_false_job_on_the_port_is_found_out(tmp_path):
    server = protocol.Server(tmp_path, "train", loopback=True)
    owner = protocol.read_owner(tmp_path)
    (tmp_path / "owner.json").write_text(
        json.dumps(
            {
                "pid": owner.pid,
                "create_time": owner.create_time,
                "host": owner.host,
                "address": owner.address,
                "token": "another",
            }
        )
    )
    with pytest.raises(ProtocolError):
        protocol.Client(tmp_path).connect()
    server.close()


def test_a_stale_socket_is_replaced(tmp_path):
    first = protocol.Server(tmp_path, "train")
    second = protocol.Server(tmp_path, "train")
    with protocol.Client(tmp_path) as client:
        client.send(protocol.Stop())
        assert second.wait(5)[1] == protocol.Stop()
    second.close()
    first.close()


def test_without_a_job_the_client_says_so(tmp_path):
    with pytest.raises(ConnectionLostError):
        protocol.Client(tmp_path).connect()
    server = protocol.Server(tmp_path, "train")
    client = protocol.Client(tmp_path)
    client.connect()
    server.close()
    with pytest.raises(ConnectionLostError):
        while client.receive(5) is not None:
            pass
    client.close()


def test_the_owner_file_and_the_socket_are_private(tmp_path):
    server = protocol.Server(tmp_path, "train")
    assert (tmp_path / "owner.json").stat().st_mode & 0o077 == 0
    kind, _, path = protocol.read_owner(tmp_path).address.partition(":")
    if kind == "unix":
        folder = address.Path(path).parent
        assert folder.stat().st_mode & 0o077 == 0
    server.close()


def test_a_folder_that_others_can_enter_is_refused(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    with pytest.raises(KnownError, match="open to other users"):
        address.private_folder(shared)


def test_a_dead_owner_is_not_alive(tmp_path):
    owner = address.this_process("unix:x", "")
    assert owner.alive
    import msgspec

    assert not msgspec.structs.replace(owner, create_time=owner.create_time - 100).alive
    assert not msgspec.structs.replace(owner, pid=2**22 + 1).alive


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=50))
def test_frames_come_back_from_chunks_of_any_size(sizes):
    messages = [
        protocol.Generate(request=3, prompt="Grüße\n\0" * 3, stop=("a", "b")),
        HINT,
        protocol.TokenWritten(request=1, index=2, token=3, data=b"\xff\x00"),
    ]
    stream = b"".join(protocol.encode_frame(m) for m in messages)
    reader = protocol.FrameReader()
    found = []
    at = 0
    for size in [*sizes, len(stream)]:
        found += reader.feed(stream[at : at + size])
        at += size
    assert found == messages


def test_a_message_larger_than_a_frame_is_not_sent():
    with pytest.raises(ProtocolError):
        protocol.encode_frame(protocol.Generate(request=1, prompt="x" * (1 << 20)))
