"""Which part of a large text is counted: all of it, or evenly spaced blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer_core.data.corpus import CorpusSplit, Tokens

BLOCK_TOKENS = 2**18


def counted_blocks(
    split: CorpusSplit, limit: int, block_tokens: int = BLOCK_TOKENS
) -> Iterator[Tokens]:
    """The tokens of a split block by block, evenly spaced where it has more than `limit`.

    Each block begins with the token before its own, but for one at the very beginning: a token and
    the one before it are then always in one block, and each pair is in one block alone.

    Args:
        split: Whose tokens.
        limit: At most about so many, in tokens.
        block_tokens: Tokens of a block.
    """
    n_blocks = -(-split.n_tokens // block_tokens)
    wanted = min(n_blocks, max(limit // block_tokens, 1))
    for number in np.unique(np.linspace(0, n_blocks - 1, wanted).round().astype(np.int64)).tolist():
        start = number * block_tokens
        yield split.read(max(start - 1, 0), min(start + block_tokens, split.n_tokens))
