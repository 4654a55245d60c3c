"""A run with checkpoints on disk but no weights, and a server that answers for it by script."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from studio.pages.playground.servers import CheckpointChoice, pick, read_choices, server_folder
from studio.storage.library import Library, RunRow
from trainer_core import protocol
from trainer_core.journal import JournalWriter
from trainer_core.protocol import (
    Accepted,
    Cancel,
    Candidate,
    FindSources,
    Generate,
    GenerationEnded,
    Message,
    PromptRead,
    Server,
    SourcePlace,
    SourcesFound,
    Stop,
    TokenWritten,
    address,
)
from trainer_core.records import CheckpointSaved, Ended, JobStarted
from trainer_core.spec import ModelConfig, TrainSpec, to_toml
from trainer_core.status import JOURNAL_FILE, SPEC_FILE

WORDS = [" They", " shiver", " their", " flight", " muscles", " to", " produce", " heat", "."]


def add_run(library: Library, *, steps: Sequence[int] = (100, 200), name: str = "bees") -> RunRow:
    """A finished run whose checkpoints are empty folders; the first one is the best."""
    project = next(iter(library.projects()), None) or library.add_project("Insects")
    run = library.add_run(project.id, name)
    corpus = library.home / "data" / "bees" / "corpus"
    index = library.home / "indexes" / "bees" / "index"
    index.mkdir(parents=True, exist_ok=True)
    spec = TrainSpec(corpus=str(corpus), index=str(index), model=ModelConfig(match_input=True))
    (run.folder / SPEC_FILE).write_text(to_toml(spec), encoding="utf-8")
    with JournalWriter(run.folder / JOURNAL_FILE) as journal:
        journal.append(JobStarted(verb="train", pid=1, host="here", version="0"))
        for step in steps:
            folder = f"checkpoints/step-{step:08}"
            (run.folder / folder).mkdir(parents=True)
            journal.append(
                CheckpointSaved(step=step, folder=folder, size_bytes=1, val_loss=1.0 + step / 1000)
            )
        journal.append(Ended(state="finished", exit_code=0))
    return run


def token(request: int, index: int, match_length: int = 0, **changes: object) -> TokenWritten:
    """One written token; without a match unless a length is given."""
    values: dict[str, object] = {
        "data": WORDS[index % len(WORDS)].encode(),
        "match_length": match_length,
        "match_kind": "index" if match_length else "none",
        "followed": match_length > 0,
        "probability": 0.5,
        "top": (Candidate(data=b" heat", probability=0.6), Candidate(data=b" a", probability=0.1)),
        "document": "apiary.txt" if match_length else "",
    }
    return TokenWritten(request=request, index=index, token=index, **(values | changes))  # type: ignore[arg-type]


def place(path: str = "apiary.txt", **changes: object) -> SourcePlace:
    """A place in a document."""
    values: dict[str, object] = {
        "document": 3,
        "title": "apiary.txt",
        "path": path,
        "position": 12,
        "document_tokens": 99,
        "before": "do the bees do?",
        "matched": " They shiver their",
        "following": " flight",
        "after": " muscles to produce heat.",
    }
    return SourcePlace(**(values | changes))  # type: ignore[arg-type]


class ScriptedServer:
    """Answers like the verb `generate`: each request has its reply made by a function.

    Args:
        home: The studio's home.
        choice: The checkpoint it stands for.
        tokens: How many tokens it writes for a request; it stops early when cancelled.
    """

    def __init__(self, home: Path, choice: CheckpointChoice, tokens: int = 9) -> None:
        self.folder = server_folder(home, choice)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tokens = tokens
        self.asked: list[Message] = []
        self.hold = threading.Event()
        """While it is clear, requests wait before their last token."""
        self.hold.set()
        self.note = ""
        self.places: tuple[SourcePlace, ...] = (place(),)
        self._server = Server(self.folder, "generate")
        self._process = self._stand_in()
        self._closing = threading.Event()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _stand_in(self) -> subprocess.Popen[bytes]:
        """A process that owns the folder in place of this one, so that it may be killed."""
        process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        owner = address.read_owner(self.folder)
        assert owner is not None
        created = psutil.Process(process.pid).create_time()
        address.write_owner(
            self.folder, msgspec.structs.replace(owner, pid=process.pid, create_time=created)
        )
        return process

    def die(self) -> None:
        """End without a word, as a process that was killed does."""
        self._process.kill()
        self._process.wait()
        self._server.close()

    def close(self) -> None:
        """End everything; may follow `die`."""
        self._closing.set()
        self.hold.set()
        self._thread.join(5)
        self.die()

    def _run(self) -> None:
        while not self._closing.is_set():
            came = self._server.wait(0.02)
            if came is not None:
                self._take(*came)

    def _take(self, peer: protocol.Peer, message: Message) -> None:
        self.asked.append(message)
        if isinstance(message, Generate):
            self._cancelled.clear()
            self._write(peer, message)
        elif isinstance(message, FindSources):
            self._server.send(
                peer,
                SourcesFound(
                    request=message.request,
                    token_index=message.token_index,
                    match_length=3,
                    occurrences=6,
                    documents=5,
                    places=self.places[: message.limit],
                ),
            )
        elif isinstance(message, Stop):
            self._server.send(peer, Accepted(command="stop"))
            self._process.kill()

    def _write(self, peer: protocol.Peer, ask: Generate) -> None:
        send: Callable[[Message], bool] = lambda message: self._server.send(peer, message)  # noqa: E731
        send(PromptRead(request=ask.request, tokens=4, note=self.note))
        count = min(self.tokens, ask.max_tokens)
        for index in range(count):
            if index == count - 1:
                self._hold_last(peer)
            if self._cancelled.is_set() or self._closing.is_set():
                break
            send(token(ask.request, index, index if ask.use_index else 0))
        cancelled = self._cancelled.is_set()
        reason = "cancelled" if cancelled else "max_tokens"
        written = count - 1 if cancelled else count
        send(GenerationEnded(request=ask.request, reason=reason, tokens=written, seconds=0.5))

    def _hold_last(self, peer: protocol.Peer) -> None:
        while not self.hold.wait(0.01):
            for _, message in self._server.receive():
                self.asked.append(message)
                if isinstance(message, Cancel):
                    self._cancelled.set()
                    return


def choice_of(library: Library, run: RunRow, step: int | None = None) -> CheckpointChoice:
    """The checkpoint of a run that would be picked."""
    found = pick(read_choices(library), run.id, step)
    if found is None:
        raise LookupError("the run has no checkpoint")
    return found
