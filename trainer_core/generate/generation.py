"""Continuing a prompt: read it into the cache, then write token by token.

Letters: T time, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_core.data.matches import MatchTensors
from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.generate.sampler import Sampler
from trainer_core.generate.stopping import StopFilter
from trainer_core.generate.token import GeneratedToken, MatchKind
from trainer_core.generate.told import match_tensors
from trainer_core.index import Match, MatchIndex
from trainer_core.model.cache import KVCache
from trainer_core.model.transformer import Transformer
from trainer_core.presets import parameter_count
from trainer_core.protocol import Generate

EndReason = Literal["max_tokens", "stop", "separator", "cancelled"]

_WINDOW_SHARE = 0.75
"""Share of the context that is kept when it is full, so that a quarter can be written."""
_CHUNK_FLOP = 4e9
"""Work between two looks at `cancelled` while a prompt is read; some 40 ms of one core."""
_KINDS: dict[str, MatchKind] = {"none": "none", "context": "prompt", "index": "index"}


class TextModel(Protocol):
    """What text is generated from; a `Loaded` run is one, and so is `Parts`."""

    @property
    def model(self) -> Transformer:
        """In evaluation mode."""

    @property
    def tokenizer(self) -> TextTokenizer:
        """Of the model's vocabulary."""

    @property
    def index(self) -> MatchIndex | None:
        """Over tokens of the same tokenizer."""


@dataclass(frozen=True)
class Parts:
    """A model in memory with what it needs to write, such as one that is being trained."""

    model: Transformer
    tokenizer: TextTokenizer
    index: MatchIndex | None = None


def _never() -> bool:
    return False


class Generation:
    """One continuation of one prompt; iterate over it to have it written.

    The text opens with the separator, as documents do in training. Its matches are found whenever
    there is an index, so that they can be shown; the model is told of them when it reads matches
    and the request does not switch that off. When the context is full, the model goes on with the
    last three quarters of it.

    Attributes:
        ask: The request.
        tokens: The separator, the prompt and what has been written so far.
        prompt_tokens: How many of them are the prompt's, the separator among them.
        dropped: Prompt tokens in front that did not fit into the context.
        reason: Why it ended; empty while it goes on.
    """

    def __init__(
        self, parts: TextModel, ask: Generate, cancelled: Callable[[], bool] = _never
    ) -> None:
        """Tokenise the prompt and find its matches.

        Args:
            parts: The model and what belongs to it.
            ask: Prompt and sampling settings.
            cancelled: Asked between small pieces of work; True ends the generation.
        """
        self.ask = ask
        self._parts = parts
        self._model = parts.model
        self._cancelled = cancelled
        self._sampler = Sampler(ask)
        prompt = parts.tokenizer.encode(ask.prompt).tolist()
        self.tokens: list[int] = [parts.tokenizer.separator, *prompt]
        self.prompt_tokens = len(self.tokens)
        self.dropped = 0
        self.reason: EndReason | Literal[""] = ""
        self._seen = np.zeros(self._model.config.vocab_size, dtype=np.bool_)
        self._seen[self.tokens] = True
        self._stream = parts.index.stream() if parts.index is not None else None
        self._found: list[Match] = []
        if self._stream is not None:
            self._found = list(self._stream.read(self.tokens))
        weight = self._model.embed.weight
        self._cache = KVCache(self._model.config, device=weight.device, dtype=weight.dtype)
        self._logits: NDArray[np.float32] | None = None

    def __iter__(self) -> Iterator[GeneratedToken]:
        """Write until `reason` is known. A generation can be iterated over once."""
        self.read_prompt()
        stops = StopFilter(self.ask.stop)
        while not self.reason:
            token = self._write()
            if token is not None:
                yield from stops.push(token)
                if stops.stopped:
                    self.reason = "stop"
        if not stops.stopped:
            yield from stops.flush()

    @property
    def written(self) -> int:
        """Tokens written so far."""
        return len(self.tokens) - self.prompt_tokens

    def read_prompt(self) -> None:
        """Read the prompt into the model; done by iterating too, if not before."""
        if self._logits is None and not self.reason:
            self.dropped = max(0, len(self.tokens) - self._room(len(self.tokens)))
            self._read(self.dropped)

    def _room(self, wanted: int) -> int:
        """How many of `wanted` tokens the window takes when it is filled anew."""
        context = self._model.config.context_length
        return wanted if wanted <= context else max(1, int(context * _WINDOW_SHARE))

    def _advance(self, token: int) -> None:
        """Find the longest match of the text after one token more."""
        if self._stream is not None:
            self._found.append(self._stream.advance(token))

    def _write(self) -> GeneratedToken | None:
        """Choose the next token and read it; None at the end."""
        if self._stop_wanted():
            return None
        assert self._logits is not None  # read_prompt was not cancelled
        choice = self._sampler.choose(self._logits, self._seen)
        if choice.token == self._parts.tokenizer.separator:
            self.reason = "separator"
            return None
        match = self._found[-1] if self._found else None
        matched = match is not None and match.length > 0
        token = GeneratedToken(
            index=self.written,
            token=choice.token,
            data=self._parts.tokenizer.token_bytes(choice.token),
            match_length=match.length if match is not None and matched else 0,
            match_kind=_KINDS[match.kind] if match is not None and matched else "none",
            match_position=match.position if match is not None and matched else -1,
            followed=match is not None and matched and int(match.next) == choice.token,
            probability=choice.probability,
            entropy=choice.entropy,
            top=choice.top,
        )
        self.tokens.append(choice.token)
        self._seen[choice.token] = True
        self._advance(choice.token)
        if self.written >= self.ask.max_tokens:
            self.reason = "max_tokens"
        else:
            self._read_last()
        return token

    def _stop_wanted(self) -> bool:
        if not self.reason and self._cancelled():
            self.reason = "cancelled"
        return bool(self.reason)

    def _read_last(self) -> None:
        """Read the newest token; where the context is full, the last part of the text again."""
        if self._cache.length < self._cache.capacity:
            self._step(len(self.tokens) - 1, len(self.tokens))
        else:
            self._read(len(self.tokens) - self._room(len(self.tokens)))

    def _read(self, start: int) -> None:
        """Fill the cache with the text from a token on, looking up now and then."""
        self._cache.clear()
        per_token = 2 * parameter_count(self._model.config)
        chunk = min(max(int(_CHUNK_FLOP / per_token), 16), 1024)
        for at in range(start, len(self.tokens), chunk):
            if self._stop_wanted():
                return
            self._step(at, min(at + chunk, len(self.tokens)))

    @torch.inference_mode()
    def _step(self, start: int, end: int) -> None:
        """Read some tokens of the text; the logits after the last one are kept, (V,)."""
        tokens = self._row(self.tokens[start:end])
        matches = self._matches(start, end)
        hidden = self._model.hidden(tokens, matches, self._cache)
        if end < len(self.tokens):
            return
        logits = self._model.output(hidden[:, -1:], None if matches is None else matches.last())
        self._logits = logits[0, 0].float().cpu().numpy()

    def _matches(self, start: int, end: int) -> MatchTensors | None:
        """What the model is told of matches, (1, T) each, or nothing."""
        if self._stream is None or self._model.match is None or not self.ask.use_index:
            return None
        length_max = self._model.config.match_length_max
        return match_tensors(self._found[start:end], length_max, self._model.embed.weight.device)

    def _row(self, values: list[int]) -> Tensor:
        return torch.tensor([values], dtype=torch.int64, device=self._model.embed.weight.device)


def generate(parts: TextModel, ask: Generate, cancelled: Callable[[], bool] = _never) -> Generation:
    """Continue a prompt, token by token.

    Args:
        parts: A `Loaded` run, or `Parts` of a model in memory.
        ask: Prompt and sampling settings; its `request` does not matter here.
        cancelled: Asked often; True ends the text with the reason `cancelled`.

    Raises:
        KnownError: While iterating: the model diverged and gives no numbers.
    """
    return Generation(parts, ask, cancelled)


def text_of(tokens: list[GeneratedToken]) -> str:
    """The text of some tokens; broken characters become U+FFFD."""
    return b"".join(token.data for token in tokens).decode("utf-8", "replace")
