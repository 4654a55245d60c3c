"""What an index will take, before it is built: bytes on disk and seconds. Plain Python only.

n training tokens, m held-out tokens, D training documents, V vocabulary.
"""

from __future__ import annotations

INDEX_VERSION = 2
"""Of the format of index folders."""

RESUMABLE_TOKENS = 1 << 26
"""Builds of fewer tokens take seconds: they begin anew when they were interrupted."""

SAMPLE = 16
"""Of so many sorted positions one key is kept, and one number with what neighbours share."""

NEAR = 64
"""For so many sorted positions it is kept which is the most recent."""

FAR = 4096
"""The same once more, for long runs."""

_POSITION_BYTES = 4
_NUMBER_BYTES = 8
_SORT_NS = 110.0
"""Nanoseconds per training token, on one thread."""
_MATCH_NS = 600.0
"""Nanoseconds per held-out token, on one thread."""


def token_bytes(vocab_size: int) -> int:
    """Bytes in which a corpus keeps a token."""
    return 2 if vocab_size <= 1 << 16 else 4


def expected_bytes(
    n_tokens: int, n_validation_tokens: int, n_documents: int, vocab_size: int
) -> int:
    """Bytes of an index's files but for its manifest, some kilobytes.

    An index of several key ranges has some bytes more, at most 32 for each.

    Args:
        n_tokens: Of the training part, at least 1.
        n_validation_tokens: Of the held-out part.
        n_documents: Of the training part.
        vocab_size: Different tokens that there may be.
    """
    wide = token_bytes(vocab_size)
    entries = n_tokens - 1
    features = 2 + 2 * wide  # length and marks, next and second
    return (
        n_tokens * wide
        + n_documents * _NUMBER_BYTES
        + (vocab_size + 1) * _NUMBER_BYTES
        + entries * _POSITION_BYTES
        + -(-entries // SAMPLE) * 2 * _NUMBER_BYTES
        + (-(-entries // NEAR) + -(-entries // FAR)) * 2 * _POSITION_BYTES
        + (n_tokens + n_validation_tokens) * features
    )


def expected_seconds(n_tokens: int, n_validation_tokens: int, threads: int) -> float:
    """About how long a build takes on a computer of today, in seconds.

    Args:
        n_tokens: Of the training part.
        n_validation_tokens: Of the held-out part.
        threads: How many do the work, at least 1.
    """
    one_thread_s = (n_tokens * _SORT_NS + n_validation_tokens * _MATCH_NS) / 1e9
    speed_up: float = max(threads, 1) ** 0.8
    return one_thread_s / speed_up
