"""The generation server as the playground meets it: a process of its own, asked over its socket."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from tiny_run import POEM, indexed_run

from trainer_core import spec as specs
from trainer_core.errors import ExitCode
from trainer_core.generate.attribution import Attribution
from trainer_core.generate.generation import Parts, generate
from trainer_core.index import open_index
from trainer_core.job import freeze_spec, run_job
from trainer_core.protocol import (
    Accepted,
    Cancel,
    Client,
    FindSources,
    Generate,
    GenerationEnded,
    Pause,
    PromptRead,
    Refused,
    SourcesFound,
    TokenWritten,
)
from trainer_core.protocol.client import ConnectionLostError
from trainer_core.status import read_status

PATIENCE_S = 60.0


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


class Served:
    """A generation job in a process, and a connection to it."""

    def __init__(self, run, folder):
        self.folder = folder
        freeze_spec(folder, specs.GenerateSpec(run=str(run.folder), device="cpu"))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trainer_core", "run", str(folder)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def ready(self):
        wait_until(lambda: read_status(self.folder).state == "running")
        return self

    def connect(self):
        client = Client(self.folder)
        client.connect()
        return client

    def end(self):
        self.process.kill()
        self.process.wait()


def in_a_thread(run, folder, **settings):
    spec = specs.GenerateSpec(run=str(run.folder), device="cpu", **settings)
    thread = threading.Thread(target=run_job, args=(folder, spec))
    thread.start()
    return thread


def receive(client, *kinds, timeout_s=PATIENCE_S):
    """The next message of one of these kinds; others but hints and receipts are kept out."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        message = client.receive(deadline - time.monotonic())
        if isinstance(message, kinds):
            return message
        assert not isinstance(message, Refused), message
    raise AssertionError(f"none of {kinds} came")


def whole_answer(client, ask):
    client.send(ask)
    read = receive(client, PromptRead)
    tokens = []
    while isinstance(message := receive(client, TokenWritten, GenerationEnded), TokenWritten):
        tokens.append(message)
    return read, tokens, message


@pytest.fixture(scope="module")
def run():
    return indexed_run()


@pytest.fixture(scope="module")
def served(run):
    job = Served(run, run.folder.with_name("serve"))
    yield job.ready()
    job.end()


@pytest.fixture
def client(served):
    client = served.connect()
    yield client
    client.close()


def test_the_stream_is_what_generating_here_gives(run, client):
    ask = Generate(request=1, prompt="They took", seed=4, max_tokens=25, temperature=1.1)
    read, tokens, ended = whole_answer(client, ask)
    index = open_index(run.folder.with_name("index"))
    expected = generate(Parts(run.model, run.corpus.tokenizer, index), ask)
    own = list(expected)
    assert (read.tokens, read.dropped, read.note) == (expected.prompt_tokens, 0, "")
    attribution = Attribution(run.corpus, index)
    assert [(t.index, t.token, t.data, t.match_length, t.followed) for t in tokens] == [
        (t.index, t.token, t.data, t.match_length, t.followed) for t in own
    ]
    assert [t.document for t in tokens] == [attribution.title_of(t) for t in own]
    assert [t.probability for t in tokens] == pytest.approx([t.probability for t in own])
    assert all(len(t.top) == 8 for t in tokens)
    assert (ended.reason, ended.tokens) == (expected.reason, len(own))


def test_sources_of_a_written_token_are_places_of_the_context_before_it(run, client):
    ask = Generate(request=2, prompt="The owl looked up", temperature=0.0, max_tokens=12)
    _, tokens, _ = whole_answer(client, ask)
    matched = next(t for t in tokens if t.match_kind == "index" and t.followed)
    client.send(FindSources(request=2, token_index=matched.index, limit=3))
    found = receive(client, SourcesFound)
    assert found.match_length == matched.match_length
    assert 0 < len(found.places) <= 3
    place = found.places[0]
    assert place.title == matched.document
    assert place.following == matched.data.decode()
    before = "The owl looked up" + b"".join(t.data for t in tokens[: matched.index]).decode()
    assert before.endswith(place.matched)


def test_sources_of_a_text_that_is_not_known_are_none_with_the_reason(client):
    client.send(FindSources(request=99, token_index=0))
    found = receive(client, SourcesFound)
    assert (found.places, found.match_length) == ((), 0)
    assert "no longer remembered" in found.note


def test_cancelling_takes_effect_within_50_ms(client):
    client.send(Generate(request=3, prompt=POEM, max_tokens=100_000, temperature=3.0, top_k=0))
    receive(client, TokenWritten)
    began = time.monotonic()
    client.send(Cancel(request=3))
    ended = receive(client, GenerationEnded)
    seconds = time.monotonic() - began
    if ended.reason == "cancelled":  # else it ended by itself while the message was on its way
        assert seconds < 0.5  # 50 ms on an idle machine; tests run on busy ones


def test_requests_wait_for_their_turn_and_can_be_cancelled_there(client):
    client.send(Generate(request=4, prompt="The", max_tokens=60, temperature=0.0))
    client.send(Generate(request=5, prompt="The", max_tokens=60, temperature=0.0))
    client.send(Generate(request=6, prompt="O", max_tokens=3, temperature=0.0))
    client.send(Cancel(request=5))
    ended = {}
    while len(ended) < 3:
        message = receive(client, GenerationEnded)
        ended[message.request] = message
    assert list(ended) in ([5, 4, 6], [4, 5, 6])
    assert ended[5].reason == "cancelled"
    assert ended[6].reason != "cancelled"


def test_a_request_number_in_use_and_a_crowd_are_refused(client):
    for number in (7, 7):
        client.send(Generate(request=number, prompt="The", max_tokens=400, temperature=2.0))
    message = client.receive(PATIENCE_S)
    while not isinstance(message, Refused):
        message = client.receive(PATIENCE_S)
    assert "Request 7 is being answered already" in message.what
    client.send(Cancel(request=7))
    receive(client, GenerationEnded)


def test_a_client_that_leaves_does_not_hold_up_the_next_one(served):
    rude = served.connect()
    rude.send(Generate(request=1, prompt=POEM, max_tokens=100_000, temperature=3.0, top_k=0))
    receive(rude, TokenWritten)
    rude.close()
    polite = served.connect()
    _, tokens, _ = whole_answer(polite, Generate(request=1, prompt="The", max_tokens=3))
    assert tokens
    polite.close()


def test_a_checkpoint_that_is_deleted_stays_in_memory(run, served, client):
    folder = run.folder / "checkpoints"
    aside = run.folder / "aside"
    folder.rename(aside)
    try:
        _, tokens, _ = whole_answer(client, Generate(request=8, prompt="The", max_tokens=3))
        assert tokens
    finally:
        aside.rename(folder)


def test_without_its_index_the_model_answers_and_says_what_is_absent(run):
    index = run.folder.with_name("index")
    aside = index.with_name("hidden")
    index.rename(aside)
    folder = run.folder.with_name("absent")
    job = in_a_thread(run, folder)
    try:
        wait_until(lambda: read_status(folder).state == "running")
        client = Client(folder)
        client.connect()
        read, tokens, _ = whole_answer(client, Generate(request=1, prompt="The", max_tokens=5))
        assert tokens
        assert {t.match_kind for t in tokens} == {"none"}
        assert "answers without its index" in read.note
        client.send(FindSources(request=1, token_index=0))
        assert "no index" in receive(client, SourcesFound).note
        client.send(Pause())
        receive(client, Accepted)
        with pytest.raises(ConnectionLostError):
            while True:
                client.receive(PATIENCE_S)
    finally:
        aside.rename(index)
    job.join(PATIENCE_S)
    status = read_status(folder)
    assert status.state == "paused"
    assert "Not everything is there" in [note.title for note in status.notes]


def test_it_ends_by_itself_when_nobody_asks(run):
    folder = run.folder.with_name("idle")
    in_a_thread(run, folder, idle_minutes=0.002).join(PATIENCE_S)
    status = read_status(folder)
    assert status.state == "finished"
    assert status.result == {"step": 30, "requests": 0, "tokens": 0}


def test_a_folder_that_is_no_training_run_is_named(run):
    folder = run.folder.with_name("wrong")
    spec = specs.GenerateSpec(run=str(run.folder.with_name("idle")), device="cpu")
    assert run_job(folder, spec) == ExitCode.KNOWN_ERROR
    assert "is no training run" in read_status(folder).ended.what


def test_sigterm_ends_the_server_in_order(served):
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=PATIENCE_S) == 0
    assert read_status(served.folder).state == "stopped"
