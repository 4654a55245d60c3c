"""What a tokenizer makes of a text: tokens, their counts, scripts, samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.lab.report import Piece, Sample, Script, Token
from trainer_core.data.lab.scripts import ScriptCounts
from trainer_core.data.tokenizers.kinds import TextTokenizer

BATCH_BYTES = 1 << 21
SHOWN = 24
"""Tokens shown as the longest ones, and as examples of unused ones."""

Advance = Callable[[int], None]
"""Told how many bytes are encoded; may raise to give up."""


@dataclass(frozen=True)
class Measured:
    """What was counted.

    Attributes:
        counts: (V,) how often the text has each token.
        scripts: Bytes and tokens of each script.
        seconds: Spent on encoding.
    """

    counts: NDArray[np.int64]
    scripts: tuple[Script, ...]
    seconds: float

    @property
    def tokens(self) -> int:
        """Of the whole text."""
        return int(self.counts.sum())


def measure(tokenizer: TextTokenizer, texts: Iterable[str], advance: Advance) -> Measured:
    """Encode a text and count its tokens."""
    tokenizer.encode("warm")  # what is set up at the first call is no part of the speed
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    scripts = ScriptCounts([tokenizer.token_bytes(n) for n in range(tokenizer.vocab_size)])
    seconds = 0.0
    done = 0
    for batch in _batches(texts):
        begun_s = time.perf_counter()
        encoded = tokenizer.encode_batch(batch)
        seconds += time.perf_counter() - begun_s
        text, ids = "".join(batch), np.concatenate(encoded)
        counts += np.bincount(ids, minlength=len(counts))
        scripts.add(text, ids)
        done += len(text.encode())
        advance(done)
    return Measured(counts, scripts.scripts(), seconds)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def vocabulary(tokenizer: TextTokenizer, counts: NDArray[np.int64]) -> list[Token]:
    """All tokens with their counts."""
    return [
        Token(id=number, data=tokenizer.token_bytes(number), count=count)
        for number, count in enumerate(counts.tolist())
    ]


def unused(tokens: Sequence[Token]) -> tuple[int, tuple[Token, ...]]:
    """How many tokens the text never has, special ones aside, and some of them."""
    found = [token for token in tokens if token.data and not token.count]
    return len(found), tuple(found[:: max(1, -(-len(found) // SHOWN))])


def longest(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens with the most bytes."""
    return tuple(sorted(tokens, key=lambda token: (-len(token.data), token.id))[:SHOWN])


def sample(tokenizer: TextTokenizer, title: str, text: str) -> Sample:
    """A text in tokens."""
    ids = tokenizer.encode(text).tolist()
    return Sample(
        title=title, pieces=tuple(Piece(number, tokenizer.token_bytes(number)) for number in ids)
    )
