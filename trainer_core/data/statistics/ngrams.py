"""The most frequent runs of one to five tokens. S tokens looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import Corpus
from trainer_core.data.statistics.blocks import counted_blocks
from trainer_core.data.statistics.report import NGram, NGrams

NGRAM_TOKENS = 2**22
"""At most about so many tokens are looked at; each takes about 30 bytes."""
LONGEST_NGRAM = 5
SHOWN_NGRAMS = 25
_BLOCK_TOKENS = 2**14
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def top_ngrams(corpus: Corpus, limit: int = NGRAM_TOKENS) -> tuple[tuple[NGrams, ...], int]:
    """The most frequent runs of tokens inside the training documents, and how many were looked at.

    Runs are told apart by a polynomial hash of 64 bits; among some million runs, two equal ones
    would be a chance of one in a million.

    Args:
        corpus: Whose training part, all of it or evenly spaced blocks.
        limit: At most about so many tokens.
    """
    parts = []
    for block in counted_blocks(corpus.train, limit, _BLOCK_TOKENS):
        parts += [block, [corpus.separator]]  # no run leads from one block into another
    tokens = np.concatenate(parts).astype(np.uint64)  # (S,)
    inside = tokens != corpus.separator
    hashes, whole = np.zeros_like(tokens), np.ones(len(tokens), np.bool_)
    found = []
    for n in range(1, LONGEST_NGRAM + 1):
        places = len(tokens) - n + 1
        if places < 1:
            break
        hashes = hashes[:places] * _FACTOR + tokens[n - 1 :] + np.uint64(1)
        whole = whole[:places] & inside[n - 1 :]
        found.append(_top(corpus, tokens, hashes, whole, n))
    return tuple(found), int(inside.sum())


def _top(
    corpus: Corpus,
    tokens: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    whole: NDArray[np.bool_],
    n: int,
) -> NGrams:
    runs = np.sort(hashes[whole])
    if not len(runs):
        return NGrams(n=n, total=0, different=0, top=())
    starts = np.flatnonzero(np.concatenate([[True], runs[1:] != runs[:-1]]))
    counts = np.diff(starts, append=len(runs))
    best = np.argsort(-counts, kind="stable")[:SHOWN_NGRAMS]
    top = []
    for run, count in zip(runs[starts[best]], counts[best].tolist(), strict=True):
        place = int(np.argmax((hashes == run) & whole))
        ids = tuple(tokens[place : place + n].tolist())
        top.append(NGram(ids=ids, text=corpus.tokenizer.decode(ids), count=count))
    return NGrams(n=n, total=len(runs), different=len(starts), top=tuple(top))
