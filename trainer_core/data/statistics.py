"""What a corpus looks like, worked out once: document lengths and sample documents.

`statistics.json` lies beside the corpus's manifest, as plain values that the studio and the model
card read without this package. D documents.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import base64
import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import Corpus, CorpusSplit
from trainer_core.errors import from_os_error
from trainer_core.files import write_whole_file

STATISTICS_NAME = "statistics.json"
STATISTICS_VERSION = 1
BARS_PER_OCTAVE = 3
SAMPLES = 24
SAMPLE_TOKENS_MAX = 800
_CONTEXTS = tuple(2**power for power in range(5, 18))
_TYPICAL_TOKENS = (48, SAMPLE_TOKENS_MAX)


class LengthBar(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of at least `low` and fewer than `high` tokens."""

    low: float
    high: float
    documents: int


class Crop(msgspec.Struct, frozen=True, kw_only=True):
    """What cutting each document to `context` tokens would cost. Shares are 0 to 1."""

    context: int
    longer: float
    """Share of documents that are longer."""
    lost: float
    """Share of all tokens that would be cut off."""


class SampleDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a training document, token by token."""

    document: int
    title: str
    path: str
    tokens: int
    """In the whole document, without its separator."""
    bytes: int
    """In the whole document."""
    data: str
    """Bytes of the tokens shown, in base64."""
    lengths: tuple[int, ...]
    """Bytes of each token shown."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over all documents, both sides of the split. Lengths are in tokens."""

    version: int = STATISTICS_VERSION
    documents: int
    mean_tokens: float
    median_tokens: float
    longest_tokens: int
    lengths: tuple[LengthBar, ...]
    crops: tuple[Crop, ...]
    samples: tuple[SampleDocument, ...]


def corpus_statistics(corpus: Corpus) -> Statistics:
    """Work out the statistics of a corpus; reads the sample documents' tokens only.

    Raises:
        DataError: A file of the corpus is damaged.
    """
    lengths = np.concatenate([_lengths(corpus.train), _lengths(corpus.validation)])
    return Statistics(
        documents=len(lengths),
        mean_tokens=float(lengths.mean()),
        median_tokens=float(np.median(lengths)),
        longest_tokens=int(lengths.max()),
        lengths=length_bars(lengths),
        crops=tuple(_crop(lengths, context) for context in _CONTEXTS),
        samples=tuple(_samples(corpus)),
    )


def write_statistics(corpus: Corpus) -> Statistics:
    """Work out the statistics and write them beside the manifest, whole or not at all.

    Raises:
        DataError: A file of the corpus is damaged.
        KnownError: They cannot be written.
    """
    found = corpus_statistics(corpus)
    try:
        write_whole_file(corpus.folder / STATISTICS_NAME, msgspec.json.encode(found))
    except OSError as error:
        raise from_os_error(error, "writing the statistics of the corpus") from None
    return found


def read_statistics(folder: Path) -> Statistics | None:
    """The statistics of a corpus folder; None where there are none that can be used."""
    try:
        return msgspec.json.decode((folder / STATISTICS_NAME).read_bytes(), type=Statistics)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def length_bars(lengths: NDArray[np.int64]) -> tuple[LengthBar, ...]:
    """Count documents by length, on a log scale of three bars to an octave.

    Args:
        lengths: Tokens of each document, (D,); documents without any count as one token.
    """
    steps = np.floor(np.log2(np.maximum(lengths, 1)) * BARS_PER_OCTAVE + 1e-9).astype(np.int64)
    first = int(steps.min())
    counts = np.bincount(steps - first)
    return tuple(
        LengthBar(
            low=2 ** ((first + i) / BARS_PER_OCTAVE),
            high=2 ** ((first + i + 1) / BARS_PER_OCTAVE),
            documents=int(documents),
        )
        for i, documents in enumerate(counts)
    )


def _lengths(split: CorpusSplit) -> NDArray[np.int64]:
    """Tokens of each document, (D,), without its separator."""
    return np.diff(split.document_start, append=split.n_tokens) - 1


def _crop(lengths: NDArray[np.int64], context: int) -> Crop:
    total = max(int(lengths.sum()), 1)
    return Crop(
        context=context,
        longer=float((lengths > context).mean()),
        lost=float(np.maximum(lengths - context, 0).sum() / total),
    )


def _samples(corpus: Corpus) -> list[SampleDocument]:
    """Training documents picked by the corpus's seed, those of a handy length first."""
    split = corpus.train
    lengths = _lengths(split)
    low, high = _TYPICAL_TOKENS
    handy = np.flatnonzero((lengths >= low) & (lengths <= high))
    pool = handy if len(handy) >= SAMPLES else np.flatnonzero(lengths > 0)
    if len(pool) == 0:
        return []
    digest = hashlib.blake2b(str(corpus.manifest.seed).encode(), digest_size=8).digest()
    picked = np.random.default_rng(int.from_bytes(digest, "big")).choice(
        pool, size=min(SAMPLES, len(pool)), replace=False
    )
    return [_sample(corpus, split, int(number)) for number in sorted(picked.tolist())]


def _sample(corpus: Corpus, split: CorpusSplit, number: int) -> SampleDocument:
    info = split.document(number)
    shown = min(info.n_tokens - 1, SAMPLE_TOKENS_MAX)
    ids = split.read(info.start + 1, info.start + 1 + shown).tolist()
    pieces = [corpus.tokenizer.token_bytes(token) for token in ids]
    return SampleDocument(
        document=number,
        title=info.title,
        path=info.path,
        tokens=info.n_tokens - 1,
        bytes=info.n_bytes,
        data=base64.b64encode(b"".join(pieces)).decode("ascii"),
        lengths=tuple(len(piece) for piece in pieces),
    )
