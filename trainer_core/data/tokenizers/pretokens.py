"""How text falls into pieces before merges, and where it may be cut without changing any token.

GPT-2's pre-tokeniser lets a piece begin with the one space before a word, number or sign, and takes
a run of white space up to its last character as one piece. So a text falls into the same pieces
when it is cut before the last character of a run of white space. GPT-4's takes line ends together
with what stands before them, so there a run with line ends is cut behind the last of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

PatternName = Literal["gpt2", "gpt4", "digits", "o200k"]

LastCut = Callable[[str, int, int], int]
"""The last safe place to cut `text[start + 1:end]`, or -1: see `last_cut`."""

PIECE_CHARACTERS = 1 << 18
"""Texts longer than this are encoded piece by piece: the regular expression gives up on runs of
white space of about a million characters, and pieces can be shared out to threads."""

HELD_CHARACTERS = 1 << 24
"""A text without a safe cut is held back up to this length, then cut anywhere, so that memory
stays flat."""

_WORD_CASES = (r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}")
_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_WORD_CASES[0]}]*[{_WORD_CASES[1]}]+{_ENDINGS}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_WORD_CASES[0]}]+[{_WORD_CASES[1]}]*{_ENDINGS}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

PATTERNS: dict[PatternName, str] = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "digits": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++|\p{N}| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "o200k": _O200K,
}
"""The splits as tiktoken writes them: `gpt2` for GPT-2's and the 50k encodings, `gpt4` for
cl100k_base, `o200k` for o200k_base; `digits` is GPT-2's with each digit alone."""

# Unicode's White_Space. Python's \s has four control characters more, which are signs here.
_LINE = "\\r\\n"
_OTHER_SPACE = "\\t\\x0b\\x0c \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_SPACE = _LINE + _OTHER_SPACE
_SPACES = "".join(chr(code) for code in range(0x3001) if re.match(f"[{_SPACE}]", chr(code)))
_CHUNK_CHARACTERS = 4096
_RUN = re.compile(f"[{_SPACE}]++")


def _run_start(text: str, end: int, low: int = 0) -> int:
    """Where the white space begins that reaches up to `end`; `end` where there is none.

    Args:
        text: Any text.
        end: Looked at is what stands before it.
        low: What stands before this is not looked at.
    """
    while end > low:
        begin = max(low, end - _CHUNK_CHARACTERS)
        kept = len(text[begin:end].rstrip(_SPACES))
        if kept:
            return begin + kept
        end = begin
    return min(end, low)


def _before_last(text: str, begin: int, end: int) -> int:
    """Where GPT-2's split lets a run of white space be cut."""
    return end - 1


def _behind_lines(text: str, begin: int, end: int) -> int:
    """Where GPT-4's splits let a run of white space be cut, or -1."""
    line_end = max(text.rfind("\n", begin, end), text.rfind("\r", begin, end))
    if line_end < 0:
        return end - 1
    # o200k takes slashes behind line ends along with them.
    return -1 if text[line_end + 1] == "/" else line_end + 1


_CUTS: dict[PatternName, Callable[[str, int, int], int]] = {
    "gpt2": _before_last,
    "digits": _before_last,
    "gpt4": _behind_lines,
    "o200k": _behind_lines,
}


def library_pattern(name: PatternName) -> str:
    """The same split for the regular expressions of `tokenizers`, which write some signs else.

    There `$` is the end of any line, and `{1,3}+` is no possessive repeat.
    """
    pattern = PATTERNS[name].replace("$", r"\z")
    return re.sub(r"([+*?]|\{[\d,]+\})\+", r"\1", pattern)


def last_cut(text: str, start: int, end: int, pattern: PatternName = "gpt2") -> int:
    """The last safe place to cut in `text[start + 1:end]`, or -1.

    Args:
        text: Any text.
        start: The cut lies behind this index, so that what is cut off is not empty.
        end: The cut lies before this index.
        pattern: Which pre-tokeniser splits the text.
    """
    step = 4096
    stop = min(end, len(text))
    # White space that reaches the end may go on behind it, and may be endless.
    stop = min(stop, _run_start(text, min(stop + 1, len(text)), start))
    while stop > start + 1:
        begin = max(start + 1, stop - step)
        cuts = [cut for cut in _cuts(text, begin, stop, pattern) if start < cut < stop]
        if cuts:
            return cuts[-1]
        stop, step = begin, step * 4
    return -1


def _cuts(text: str, begin: int, stop: int, pattern: PatternName) -> Iterator[int]:
    """Cuts of the runs of white space in `text[begin:stop]` and of the one that it begins in."""
    for run in _RUN.finditer(text, _run_start(text, begin), min(stop + 1, len(text))):
        if run.end() < min(stop + 1, len(text)):
            yield _CUTS[pattern](text, run.start(), run.end())


def pieces(text: str, limit: int = PIECE_CHARACTERS, cut_of: LastCut = last_cut) -> Iterator[str]:
    """Cut a long text into pieces whose tokens, joined, are the tokens of the whole.

    Args:
        text: Any text.
        limit: Characters in a piece; one without a safe cut is longer.
        cut_of: Where the tokenizer lets it be cut.
    """
    start = 0
    while len(text) - start > limit:
        reach = start + limit
        cut = cut_of(text, start, reach)
        while cut < 0 and reach < len(text):
            cut = cut_of(text, reach - 1, reach + limit)
            reach += limit
        if cut < 0:
            break
        yield text[start:cut]
        start = cut
    yield text[start:]


def recut(parts: Iterable[str], cut_of: LastCut) -> Iterator[str]:
    """The parts of a text anew, cut where a tokenizer lets them be cut.

    A part is joined with the next only where its end is not a safe place; what stays is never more
    than `HELD_CHARACTERS` and a part.

    Args:
        parts: A text in any parts.
        cut_of: The tokenizer's `last_cut`.
    """
    held = ""
    searched = 0
    for part in parts:
        if not held:
            held = part
            continue
        # The end of what is held is looked at with what follows, since cuts depend on it.
        old, held = len(held), held + part
        cut = cut_of(held, max(searched - 2, 0), old + 1)
        searched = old
        if cut < 0 and old > HELD_CHARACTERS:
            cut = old
        if cut > 0:
            yield held[:cut]
            held, searched = held[cut:], 0
    if held:
        yield held
