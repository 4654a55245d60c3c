"""Unigram and bigram entropy of the training part, in nats per token. V vocabulary.

Pairs of tokens are counted in passes, each for a range of first tokens whose pairs fit in memory:
what follows one token does not depend on what follows another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import CorpusSplit, Tokens
from trainer_core.data.statistics.blocks import counted_blocks
from trainer_core.data.statistics.report import TextEntropy

ENTROPY_TOKENS = 2**26
"""At most about so many tokens are counted."""
PASS_PAIRS = 2**22
"""Pairs that are held at a time; each takes about 30 bytes."""

Tick = Callable[[float], None]


def text_entropy(
    split: CorpusSplit,
    vocab_size: int,
    tick: Tick = lambda share: None,
    limit: int = ENTROPY_TOKENS,
    pass_pairs: int = PASS_PAIRS,
) -> TextEntropy:
    """Entropy of the next token, alone and given the one before.

    H(next | before) = (Σ_a c(a) ln c(a) − Σ_ab c(a, b) ln c(a, b)) / Σ_a c(a), where c(a) counts
    the pairs that begin with a.

    Args:
        split: Whose tokens, all of them or evenly spaced blocks.
        vocab_size: V.
        tick: Told the share that is done, 0 to 1; may raise to give up.
        limit: At most about so many tokens are counted.
        pass_pairs: Pairs that are held at a time.
    """

    def blocks() -> Iterator[Tokens]:
        return counted_blocks(split, limit)

    tokens, before = _counts(blocks(), vocab_size)
    pairs = int(before.sum())
    joint = 0.0
    passes = _passes(before, pass_pairs)
    for number, (low, high) in enumerate(passes):
        tick(number / len(passes))
        joint += _joint_sum(blocks(), low, high, int(before[low:high].sum()), vocab_size)
    tick(1.0)
    counted = int(tokens.sum())
    return TextEntropy(
        unigram=float(np.log(counted) - _sum_c_log_c(tokens) / counted),
        # Sums of equal counts may differ in their last bits, and an entropy is never negative.
        bigram=max((_sum_c_log_c(before) - joint) / pairs, 0.0) if pairs else 0.0,
        tokens=counted,
        of_tokens=split.n_tokens,
    )


def _sum_c_log_c(counts: NDArray[np.int64]) -> float:
    counts = counts[counts > 1]
    return float((counts * np.log(counts)).sum())


def _counts(
    blocks: Iterator[Tokens], vocab_size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each token occurs, and how often as the first one of a pair, (V,) each."""
    tokens, before = np.zeros((2, vocab_size), np.int64)
    for number, block in enumerate(blocks):
        # The token before a block is counted with the block that it belongs to.
        tokens += np.bincount(block[1:] if number else block, minlength=vocab_size)
        before += np.bincount(block[:-1], minlength=vocab_size)
    return tokens, before


def _passes(before: NDArray[np.int64], pass_pairs: int) -> list[tuple[int, int]]:
    """Ranges of first tokens with at most `pass_pairs` pairs, or of one single token."""
    ends = np.cumsum(before)
    passes, low, done = [], 0, 0
    while low < len(before):
        high = max(int(np.searchsorted(ends, done + pass_pairs, side="right")), low + 1)
        passes.append((low, high))
        low, done = high, int(ends[high - 1])
    return passes


def _joint_sum(
    blocks: Iterator[Tokens], low: int, high: int, n_pairs: int, vocab_size: int
) -> float:
    """Σ c(a, b) ln c(a, b) over the pairs with a first token from `low` to `high` (excluded)."""
    if high - low == 1:
        after = np.zeros(vocab_size, np.int64)
        for block in blocks:
            after += np.bincount(block[1:][block[:-1] == low], minlength=vocab_size)
        return _sum_c_log_c(after)
    pairs = np.empty(n_pairs, np.uint64)
    n = 0
    for block in blocks:
        # Unsigned differences wrap around, so that one comparison finds the whole range.
        first = np.flatnonzero(block[:-1] - block.dtype.type(low) < high - low)
        found = block[first].astype(np.uint64) * np.uint64(vocab_size) + block[first + 1]
        pairs[n : n + len(found)] = found
        n += len(found)
    pairs.sort()
    ends = np.flatnonzero(pairs[1:] != pairs[:-1]) + 1
    return _sum_c_log_c(np.diff(ends, prepend=0, append=n))
