"""Which failures are the network's, and how long it is waited for."""

import importlib
import threading

import pyarrow as pa
import pytest
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

from trainer_core.data.sources import fetching

client = importlib.import_module(HTTPError.__module__.partition(".")[0])
"""The HTTP client of the Hub's client, which changes with its version."""


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (ConnectionResetError(104, "reset"), True),
        (TimeoutError("slow"), True),
        (client.ConnectError("no route"), True),
        (client.RemoteProtocolError("cut"), True),
        (client.ReadTimeout("slow"), True),
        (OfflineModeIsEnabled("offline"), False),
        (FileNotFoundError(2, "no such file"), False),
        (OSError(28, "no space"), False),
        (ValueError("Bad split: x"), False),
        (pa.ArrowInvalid("no Parquet"), False),
    ],
)
def test_what_the_network_is_to_blame_for(error, is_it):
    assert fetching.is_of_the_network(error) is is_it
    outer = RuntimeError("while reading")
    outer.__cause__ = error
    assert fetching.is_of_the_network(outer) is is_it


@pytest.mark.parametrize(
    ("status", "is_it"), [(503, True), (429, True), (404, False), (401, False)]
)
def test_servers_that_are_busy_are_asked_again(status, is_it):
    request = client.Request("GET", "http://127.0.0.1/")
    response = client.Response(status, request=request)
    assert fetching.is_of_the_network(HfHubHTTPError("no", response=response)) is is_it


def test_work_is_tried_again_until_patience_ends(monkeypatch):
    monkeypatch.setattr(fetching, "FIRST_WAIT_S", 0.01)
    tries = []

    def work():
        tries.append(1)
        if len(tries) < 5:
            raise ConnectionError("gone")
        return "there"

    assert fetching.with_patience(work, threading.Event(), 10.0) == "there"
    tries.clear()
    with pytest.raises(ConnectionError):
        fetching.with_patience(work, threading.Event(), 0.04)
    assert 1 < len(tries) < 5
    stopped = threading.Event()
    stopped.set()
    tries.clear()
    with pytest.raises(ConnectionError):
        fetching.with_patience(work, stopped, 10.0)
    assert len(tries) == 1
