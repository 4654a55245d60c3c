"""Documents of the training part to look at, token by token."""

from __future__ import annotations

import base64
import hashlib

import numpy as np

from trainer_core.data.corpus import Corpus
from trainer_core.data.statistics.lengths import document_lengths
from trainer_core.data.statistics.report import SampleDocument

SAMPLES = 24
SAMPLE_TOKENS_MAX = 800
_TYPICAL_TOKENS = (48, SAMPLE_TOKENS_MAX)


def sample_documents(corpus: Corpus) -> list[SampleDocument]:
    """Training documents picked by the corpus's seed, those of a handy length first."""
    lengths = document_lengths(corpus.train)
    low, high = _TYPICAL_TOKENS
    handy = np.flatnonzero((lengths >= low) & (lengths <= high))
    pool = handy if len(handy) >= SAMPLES else np.flatnonzero(lengths > 0)
    if len(pool) == 0:
        return []
    digest = hashlib.blake2b(str(corpus.manifest.seed).encode(), digest_size=8).digest()
    picked = np.random.default_rng(int.from_bytes(digest, "big")).choice(
        pool, size=min(SAMPLES, len(pool)), replace=False
    )
    return [_sample(corpus, int(number)) for number in sorted(picked.tolist())]


def _sample(corpus: Corpus, number: int) -> SampleDocument:
    info = corpus.train.document(number)
    shown = min(info.n_tokens - 1, SAMPLE_TOKENS_MAX)
    ids = corpus.train.read(info.start + 1, info.start + 1 + shown).tolist()
    pieces = [corpus.tokenizer.token_bytes(token) for token in ids]
    return SampleDocument(
        document=number,
        title=info.title,
        path=info.path,
        source=info.source,
        tokens=info.n_tokens - 1,
        bytes=info.n_bytes,
        data=base64.b64encode(b"".join(pieces)).decode("ascii"),
        lengths=tuple(len(piece) for piece in pieces),
    )
