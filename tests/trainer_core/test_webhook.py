"""Messages to an address of the user's: what they say, and that no job waits for them."""

import http.server
import json
import socket
import threading
import time

import pytest

from trainer_core.conduct import telling
from trainer_core.conduct.telling import Teller, tell_end
from trainer_core.errors import SpecError
from trainer_core.manners import Manners, write_manners
from trainer_core.records import Ended, Noted, Result, StateChanged, Validated
from trainer_core.webhook import Message, WebhookError, check_address, post

SECRET = "/services/T0/secret-token"


class Service:
    """A service that keeps what it is sent and answers as it is told."""

    def __init__(self):
        self.got, self.answers, self.delay_s = [], [], 0.0
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                service.got.append((self.path, json.loads(self.rfile.read(length))))
                time.sleep(service.delay_s)
                self.send_response(service.answers.pop(0) if service.answers else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}{SECRET}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    made = Service()
    yield made
    made.close()


def teller(service, **manners):
    asked = Manners(webhook=service.address, title="index-163m", **manners)
    return Teller(lambda: asked, "folder")


def wait_for(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def validated(step, loss, *, best=True):
    return Validated(
        step=step, tokens_seen=step, loss=loss, bits_per_byte=1.0, tokens=10, best=best
    )


def test_a_message_has_what_each_service_looks_for(service):
    post(service.address, Message("finished", "finished", "Loss 3.1.", "index-163m", 7, 12.5))
    path, payload = service.got[0]
    assert path == SECRET
    assert payload == {
        "event": "finished",
        "title": "index-163m: finished",
        "text": "index-163m: finished\nLoss 3.1.",
        "content": "index-163m: finished\nLoss 3.1.",
        "message": "Loss 3.1.",
        "run": "index-163m",
        "step": 7,
        "time_s": 12.5,
    }


def test_a_long_message_is_cut_to_what_services_take(service):
    post(service.address, Message("guardian", "x", "é" * 5000))
    assert len(service.got[0][1]["content"]) <= 2000


@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "http://",
        "https:///path",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://exa mple.org/",
        "http://example.org/\nHost: other",
        "http://[::1/",
        "javascript:alert(1)",
    ],
)
def test_only_web_addresses_are_taken(address):
    with pytest.raises(SpecError) as caught:
        check_address(address)
    assert caught.value.field == "webhook"


@pytest.mark.parametrize(
    ("answer", "passing"), [(404, False), (403, False), (500, True), (429, True)]
)
def test_a_refusal_names_the_answer_and_not_the_address(service, answer, passing):
    service.answers = [answer]
    with pytest.raises(WebhookError) as caught:
        post(service.address, Message("test", "test"))
    assert str(answer) in caught.value.what
    assert caught.value.passing == passing
    assert "secret" not in str(caught.value)


def test_nobody_there_and_nobody_answering_are_told_apart_from_a_refusal():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(WebhookError, match="not delivered") as caught:
            post(f"http://127.0.0.1:{port}{SECRET}", Message("test", "test"))
        assert caught.value.passing
        free.listen()
        with pytest.raises(WebhookError, match="does not answer") as caught:
            post(f"http://127.0.0.1:{port}{SECRET}", Message("test", "test"), timeout_s=0.1)
        assert "secret" not in str(caught.value)


def test_a_training_is_told_of_from_its_records(service):
    tell = teller(service)
    tell.observe(StateChanged(state="running"))
    tell.observe(validated(100, 3.5))
    tell.observe(validated(200, 3.7, best=False))
    tell.observe(Noted(level="info", title="Training on CPU"))
    tell.observe(Noted(level="error", title="Step skipped", text="Left alone.", step=210))
    tell.observe(Result(values={"best_val_loss": 3.5, "best_step": 100, "elapsed_s": 7260.0}))
    tell.observe(Ended(state="finished", exit_code=0))
    tell.close()
    said = [(payload["event"], payload["text"], payload["step"]) for _, payload in service.got]
    assert said == [
        (
            "best",
            "index-163m: a new best\nThe validation loss is 3.5000 at step 100.",
            100,
        ),
        ("guardian", "index-163m: Step skipped\nLeft alone.", 210),
        (
            "finished",
            "index-163m: finished\nIts best validation loss is 3.5000 at step 100."
            " It trained for 2 h 1 min.",
            None,
        ),
    ]


def test_only_the_occasions_that_are_asked_for(service):
    tell = teller(service, occasions=("failed",))
    tell.observe(validated(100, 3.5))
    tell.observe(Ended(state="finished", exit_code=0))
    tell.observe(Ended(state="failed", exit_code=3, what="The disk is full.", do="Free some."))
    tell.close()
    assert [payload["event"] for _, payload in service.got] == ["failed"]
    assert service.got[0][1]["text"] == "index-163m: failed\nThe disk is full. Free some."


def test_a_pause_of_its_own_is_told_once(service):
    tell = teller(service)
    tell.observe(Noted(level="error", title="Training diverges", text="The loss rose. Resume it."))
    tell.observe(Ended(state="paused", exit_code=3, what="The loss rose."))
    tell.observe(Ended(state="paused", exit_code=5, what="The disk is full."))
    tell.observe(Ended(state="paused", exit_code=0))
    tell.close()
    assert [payload["title"] for _, payload in service.got] == [
        "index-163m: Training diverges",
        "index-163m: paused itself",
    ]


def test_what_comes_again_and_again_is_told_once(service):
    tell = teller(service)
    for step in range(500):
        tell.observe(Noted(level="error", title="Step skipped", step=step))
        tell.observe(validated(step, 3.0 - step / 1000))
    tell.close()
    assert len(service.got) == 2


def test_a_service_that_is_down_for_a_moment_is_tried_again(service, monkeypatch):
    monkeypatch.setattr(telling, "WAITS_S", (0.01, 0.01))
    service.answers = [503, 500]
    tell = teller(service)
    tell.observe(validated(1, 3.0))
    wait_for(lambda: len(service.got) == 3)
    tell.close()
    assert len(service.got) == 3


def test_a_service_that_hangs_holds_nobody_up(service, monkeypatch, caplog):
    monkeypatch.setattr(telling, "LINGER_S", 0.2)
    service.delay_s = 20.0
    tell = teller(service)
    for title in "abc":
        tell.observe(Noted(level="error", title=title))
    tell.observe(Ended(state="finished", exit_code=0))
    tell.close()
    assert "teller" in {thread.name for thread in threading.enumerate()}  # not waited for
    service.delay_s = 0.0
    assert "secret" not in caplog.text


def test_without_an_address_nothing_is_begun():
    tell = Teller(Manners, "folder")
    before = threading.active_count()
    tell.observe(Ended(state="finished", exit_code=0))
    assert threading.active_count() == before
    tell.close()


def test_an_address_that_is_none_is_logged_without_itself(caplog):
    tell = Teller(lambda: Manners(webhook="gopher://secret"), "folder")
    tell.observe(Ended(state="finished", exit_code=0))
    tell.close()
    assert "not a web address" in caplog.text
    assert "secret" not in caplog.text


def test_the_end_of_a_run_whose_process_died_is_told(service, tmp_path):
    write_manners(tmp_path, Manners(webhook=service.address))
    tell_end(tmp_path, Ended(state="failed", exit_code=3, what="Process 2 of 2 died."))
    [(_, payload)] = service.got
    assert (payload["run"], payload["message"]) == (tmp_path.name, "Process 2 of 2 died.")
