"""Where a text may be cut without changing any of its tokens.

GPT-2's pre-tokeniser, which every byte-pair tokenizer here uses, lets a piece begin with the one
space before a word, number or sign, and takes a run of white space up to its last character as one
piece. So a text falls into the same pieces when it is cut before the last character of a run of
white space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
"""GPT-2's split, as tiktoken writes it; the same pieces as `ByteLevel` of `tokenizers`."""

PIECE_CHARACTERS = 1 << 18
"""Texts longer than this are encoded piece by piece: the regular expression gives up on runs of
white space of about a million characters, and pieces can be shared out to threads."""

# Unicode's White_Space. Python's \s has four control characters more, which are signs here.
_SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_CUT = re.compile(f"[{_SPACE}](?=[^{_SPACE}])")


def last_cut(text: str, start: int, end: int) -> int:
    """The last safe place to cut in `text[start + 1:end]`, or -1.

    Args:
        text: Any text.
        start: The cut lies behind this index, so that what is cut off is not empty.
        end: The cut lies before this index.
    """
    step = 4096
    stop = min(end, len(text))
    while stop > start + 1:
        begin = max(start + 1, stop - step)
        cuts = [match.start() for match in _CUT.finditer(text, begin, min(stop + 1, len(text)))]
        if cuts:
            return cuts[-1]
        stop, step = begin, step * 4
    return -1


def pieces(text: str, limit: int = PIECE_CHARACTERS) -> Iterator[str]:
    """Cut a long text into pieces whose tokens, joined, are the tokens of the whole.

    Args:
        text: Any text.
        limit: Characters in a piece; one without a safe cut is longer.
    """
    start = 0
    while len(text) - start > limit:
        cut = last_cut(text, start, start + limit)
        if cut < 0:
            found = _CUT.search(text, start + limit)
            if found is None:
                break
            cut = found.start()
        yield text[start:cut]
        start = cut
    yield text[start:]
