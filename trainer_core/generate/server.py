"""The verb `generate`: serves one checkpoint over the job's socket until it is idle or stopped."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from trainer_core.errors import KnownError
from trainer_core.generate.attribution import Attribution
from trainer_core.generate.generation import EndReason, Generation, generate
from trainer_core.generate.loaded import Loaded, load_run
from trainer_core.generate.token import GeneratedToken
from trainer_core.job import Job
from trainer_core.protocol import (
    Cancel,
    Candidate,
    FindSources,
    Generate,
    GenerationEnded,
    Message,
    Peer,
    PromptRead,
    Refused,
    SourcesFound,
    TokenWritten,
)
from trainer_core.spec import GenerateSpec

WAITING_MAX = 16
"""Requests that may wait for their turn."""
REMEMBERED_MAX = 32
"""Finished texts whose sources can still be asked for."""
SLOW_PEER_PATIENCE_S = 5.0
_LOOK_PERIOD_S = 0.05  # how soon a signal is noticed while nothing is asked
_RETRY_PERIOD_S = 0.01

Key = tuple[Peer, int]


def run(job: Job, spec: GenerateSpec) -> dict[str, Any]:
    """Serve as the spec asks.

    Returns:
        `step` of the checkpoint, and how many `requests` were answered with how many `tokens`.

    Raises:
        KnownError: The run, its checkpoint or its corpus cannot be read.
        JobStopped: The job was asked to stop.
    """
    loaded = load_run(Path(spec.run), spec.checkpoint, device=spec.device)
    for note in loaded.notes:
        job.note("warning", "Not everything is there", note)
    job.note(
        "info",
        "Ready",
        f"Step {loaded.checkpoint.step:,} of {loaded.run.name} on {loaded.device.type}.",
        step=loaded.checkpoint.step,
    )
    service = Service(job, loaded)
    job.state("running")
    service.serve(spec.idle_minutes * 60.0)
    return {
        "step": loaded.checkpoint.step,
        "requests": service.requests,
        "tokens": service.tokens,
    }


class _PeerGoneError(Exception):
    """The one who asked has left, or does not read what it asked for."""


@dataclass(frozen=True)
class _Waiting:
    peer: Peer
    ask: Generate

    @property
    def key(self) -> Key:
        return self.peer, self.ask.request


@dataclass(frozen=True)
class _Text:
    """A text that sources can be asked for; `tokens` grows while it is written."""

    tokens: list[int]
    prompt_tokens: int


class Service:
    """Answers one request after the other, and questions about sources in between.

    Args:
        job: Whose socket it serves.
        loaded: The run.
    """

    def __init__(self, job: Job, loaded: Loaded) -> None:
        self.requests = 0
        self.tokens = 0
        self._job = job
        self._loaded = loaded
        self._attribution = Attribution(loaded.corpus, loaded.index)
        self._waiting: deque[_Waiting] = deque()
        self._texts: dict[Key, _Text] = {}
        """The remembered texts, oldest first."""
        self._running: Key | None = None
        self._cancelled: set[Key] = set()

    def serve(self, idle_s: float) -> None:
        """Answer until nobody has asked for anything for so long.

        Raises:
            JobStopped: The job was asked to stop.
        """
        last_s = time.monotonic()
        while time.monotonic() - last_s < idle_s:
            self._job.check_stop()
            for peer, message in self._job.wait_for_commands(min(_LOOK_PERIOD_S, idle_s)):
                self._take(peer, message)
                last_s = time.monotonic()
            while self._waiting:
                self._answer(self._waiting.popleft())
                last_s = time.monotonic()

    # --- what comes in --------------------------------------------------------------------------

    def _take(self, peer: Peer, message: Message) -> None:
        match message:
            case Generate():
                self._enqueue(peer, message)
            case Cancel():
                self._cancel((peer, message.request))
            case FindSources():
                self._job.server.send(peer, self._sources(peer, message))
            case _:
                raise TypeError(f"the job let {message} through")

    def _enqueue(self, peer: Peer, ask: Generate) -> None:
        new = _Waiting(peer, ask)
        taken = new.key in (self._running, *(waiting.key for waiting in self._waiting))
        if taken or len(self._waiting) >= WAITING_MAX:
            refused = Refused(
                command="generate",
                what=(
                    f"Request {ask.request} is being answered already."
                    if taken
                    else f"{WAITING_MAX} requests are waiting already."
                ),
                safe="They go on.",
                do="Wait, or cancel one of them.",
            )
            self._job.server.send(peer, refused)
            return
        self._waiting.append(new)

    def _cancel(self, key: Key) -> None:
        """End a request: at once where it waits, at the next look where it runs."""
        if key == self._running:
            self._cancelled.add(key)
            return
        for waiting in [w for w in self._waiting if w.key == key]:
            self._waiting.remove(waiting)
            ended = GenerationEnded(request=key[1], reason="cancelled", tokens=0, seconds=0.0)
            self._job.server.send(waiting.peer, ended)

    def _sources(self, peer: Peer, ask: FindSources) -> SourcesFound:
        text = self._texts.get((peer, ask.request))
        at = text.prompt_tokens + ask.token_index if text is not None else 0
        if text is None or at >= len(text.tokens):
            return SourcesFound(
                request=ask.request,
                token_index=ask.token_index,
                match_length=0,
                occurrences=0,
                documents=0,
                note="This text is no longer remembered. Generate it again.",
            )
        found = self._attribution.sources(text.tokens[:at], ask.limit)
        return SourcesFound(
            request=ask.request,
            token_index=ask.token_index,
            match_length=found.match_length,
            occurrences=found.occurrences,
            documents=found.documents,
            places=found.places,
            note=found.note,
        )

    # --- what goes out --------------------------------------------------------------------------

    def _answer(self, waiting: _Waiting) -> None:
        """Write one text for one peer; whatever ends it is told, if anybody listens."""
        self._running = waiting.key
        self.requests += 1
        began_s, before = time.monotonic(), self.tokens
        reason: EndReason | Literal["failed"] = "failed"
        note = ""
        try:
            reason = self._write(waiting)
        except _PeerGoneError:
            reason = "cancelled"
        except KnownError as error:
            note = f"{error.what} {error.do}"
        except torch.cuda.OutOfMemoryError:
            note = "The GPU's memory is full. Serve the model from the CPU."
        finally:
            self._running = None
            self._cancelled.discard(waiting.key)
        ended = GenerationEnded(
            request=waiting.ask.request,
            reason=reason,
            tokens=self.tokens - before,
            seconds=time.monotonic() - began_s,
            note=note,
        )
        self._job.server.send(waiting.peer, ended)

    def _write(self, waiting: _Waiting) -> EndReason:
        """Stream one text; why it ended."""
        generation = generate(self._loaded, waiting.ask, lambda: self._is_unwanted(waiting.key))
        self._remember(waiting.key, generation)
        generation.read_prompt()
        read = PromptRead(
            request=waiting.ask.request,
            tokens=generation.prompt_tokens,
            dropped=generation.dropped,
            note=self._absent(waiting.ask),
        )
        self._send(waiting, read)
        for token in generation:
            self._send(waiting, self._message(waiting.ask, token))
            self.tokens += 1
        assert generation.reason  # it ended, or it would not have stopped giving tokens
        return generation.reason

    def _remember(self, key: Key, generation: Generation) -> None:
        self._texts.pop(key, None)
        self._texts[key] = _Text(generation.tokens, generation.prompt_tokens)
        while len(self._texts) > REMEMBERED_MAX:
            del self._texts[next(iter(self._texts))]

    def _absent(self, ask: Generate) -> str:
        """What the answer has to do without."""
        notes = list(self._loaded.notes)
        if ask.use_index and not self._loaded.spec.index:
            notes.append("The model was trained without an index.")
        return " ".join(notes)

    def _message(self, ask: Generate, token: GeneratedToken) -> TokenWritten:
        token_bytes = self._loaded.tokenizer.token_bytes
        return TokenWritten(
            request=ask.request,
            index=token.index,
            token=token.token,
            data=token.data,
            match_length=token.match_length,
            match_kind=token.match_kind,
            followed=token.followed,
            probability=token.probability,
            entropy=token.entropy,
            top=tuple(Candidate(data=token_bytes(t), probability=p) for t, p in token.top),
            document=self._attribution.title_of(token),
        )

    def _send(self, waiting: _Waiting, message: Message) -> None:
        """Send, with patience for a peer that reads slowly but not for one that has stopped.

        Raises:
            _PeerGoneError: The peer has left, or has read nothing for too long.
        """
        deadline_s = time.monotonic() + SLOW_PEER_PATIENCE_S
        while not self._job.server.send(waiting.peer, message):
            if self._is_unwanted(waiting.key) or time.monotonic() > deadline_s:
                raise _PeerGoneError
            time.sleep(_RETRY_PERIOD_S)

    def _is_unwanted(self, key: Key) -> bool:
        """Whether a text need not be finished; also takes what has come in meanwhile."""
        for peer, message in self._job.commands():
            self._take(peer, message)
        gone = not self._job.server.is_connected(key[0])
        return gone or key in self._cancelled or self._job.wanted != ""
