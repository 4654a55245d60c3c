"""The answer to `lookup`: the end of a text in the training text, what followed it, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked
from trainer_core.answers.phrase import EDGE_TOKENS, find_phrase
from trainer_core.answers.places import place_of
from trainer_core.data.tokenizers import without_surrogates

COUNTED_MAX = 1 << 20
"""Continuations and documents are counted among so many of the most recent occurrences."""


@dataclass(frozen=True)
class _Found:
    """A run of training tokens that says what the end of the text says.

    Attributes:
        length: Whole tokens in it.
        ends: Its last positions, most recent first.
        count: How often it stands there; more than `ends` where these are cut off.
        rest: Bytes of the text behind the run, with which the following token begins.
        n_bytes: Bytes of the text that are matched, the rest among them.
    """

    length: int = 0
    ends: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    count: int = 0
    rest: bytes = b""
    n_bytes: int = 0


def look_up(asked: Asked, text: str, *, top: int = 10, sources: int = 5) -> dict[str, Any]:
    """Find the longest end of a text that also stands in the training text.

    A text need not end where a token ends. When its last letters are the beginning of longer
    tokens ("the quick bro" of " brown"), the tokens before them are sought where such a longer
    token follows, and what is left of that token ("wn") is the continuation; the same at the
    beginning, where a space may be missing. Whatever covers most of the text is taken, and its
    own tokens where that is equal.

    Args:
        asked: The index and its corpus.
        text: At least one character.
        top: How many continuations to give at most.
        sources: How many places to give at most.

    Returns:
        `text`; `tokens`, of the text; `match`: `tokens` (0 when nothing is found), `text`, `count`,
        `documents`, `ends_inside_token`; `phrase`, the whole text wherever it stands: `count` and
        `documents` (null when it is too short to be counted), and `same_tokens`, how often in just
        its own tokens; `continuations`: `token`, `text`, `count`, `share`; `sources`: places as of
        `place_of`, most recent first; `note`, a sentence or nothing.
    """
    text = without_surrogates(text)
    written = text.encode()
    found = max(_candidates(asked, text, len(written)), key=lambda f: (f.n_bytes, not f.rest))
    phrase = find_phrase(asked, text)
    data = written[len(written) - found.n_bytes :]
    documents = np.searchsorted(asked.index.document_start, found.ends, side="right")
    return {
        "text": text,
        "tokens": int(asked.tokenizer.encode(text).size),
        "match": {
            "tokens": found.length + bool(found.rest),
            "text": data.decode("utf-8", "replace").lstrip("�"),
            "count": found.count,
            "documents": int(np.unique(documents).size),
            "ends_inside_token": bool(found.rest),
        },
        "phrase": {
            "count": phrase.count,
            "documents": phrase.documents,
            "same_tokens": phrase.same_tokens,
        },
        "continuations": _continuations(asked, found, top),
        "sources": [_source(asked, found, int(end)) for end in found.ends[:sources]],
        "note": _note(found),
    }


def _note(found: _Found) -> str:
    if not found.count:
        return "Nothing in the training text ends like this."
    if found.count > found.ends.size:
        return f"Continuations and documents are those of the latest {found.ends.size:,} places."
    return ""


def _candidates(asked: Asked, text: str, n_bytes: int) -> Iterator[_Found]:
    """What is found for the text as it is, with a space before it, and without its last tokens."""
    yield _Found()
    for variant in (text, " " + text):
        tokens = asked.tokenizer.encode(variant)
        best = _whole(asked, tokens, n_bytes)
        yield best
        for dropped in range(1, min(EDGE_TOKENS, tokens.size) + 1):
            better = _inside_token(asked, tokens, dropped, n_bytes, best.n_bytes)
            if better is not None:
                yield (best := better)


def _whole(asked: Asked, tokens: NDArray[np.uint32], n_bytes: int) -> _Found:
    """The longest match of the tokens as they are."""
    match = asked.index.lookup(tokens)
    if not match.length:
        return _Found()
    return _Found(
        length=match.length,
        ends=asked.index.occurrences(tokens, COUNTED_MAX),
        count=match.count,
        n_bytes=min(n_bytes, _size(asked, tokens[tokens.size - match.length :])),
    )


def _inside_token(
    asked: Asked, tokens: NDArray[np.uint32], dropped: int, n_bytes: int, least_bytes: int
) -> _Found | None:
    """The longest match of the tokens but the last, with a token behind it that goes on with these.

    Args:
        asked: The index and its corpus.
        tokens: Of the text.
        dropped: How many of the last ones are the beginning of another token.
        n_bytes: Of the text.
        least_bytes: Matches that cover no more of the text than this are no use.
    """
    kept, rest = tokens[: tokens.size - dropped], tokens[tokens.size - dropped :]
    data = b"".join(asked.vocabulary[token] for token in rest.tolist())
    goes_on = np.array(
        [len(token) > len(data) and token.startswith(data) for token in asked.vocabulary]
    )
    if not goes_on.any() or not kept.size:
        return None
    for length in range(asked.index.lookup(kept).length, 0, -1):
        covered = min(n_bytes, _size(asked, kept[kept.size - length :]) + len(data))
        if covered <= least_bytes:
            return None
        ends = asked.index.run(kept[kept.size - length :])[1].astype(np.int64)
        ends = ends[goes_on[asked.index.tokens[ends + 1]]]
        if ends.size:
            return _Found(length, np.sort(ends)[::-1], int(ends.size), data, covered)
    return None


def _size(asked: Asked, tokens: NDArray[np.uint32]) -> int:
    return sum(len(asked.vocabulary[token]) for token in tokens.tolist())


def _continuations(asked: Asked, found: _Found, top: int) -> list[dict[str, Any]]:
    """What followed most often; among equals the smaller token."""
    tokens, counts = np.unique(asked.index.tokens[found.ends + 1], return_counts=True)
    best = np.lexsort((tokens, -counts))[:top]
    return [
        {
            "token": token,
            "text": asked.vocabulary[token][len(found.rest) :].decode("utf-8", "replace"),
            "count": count,
            "share": count / found.ends.size,
        }
        for token, count in zip(tokens[best].tolist(), counts[best].tolist(), strict=True)
    ]


def _source(asked: Asked, found: _Found, end: int) -> dict[str, Any]:
    """A place; what the text has of the following token belongs to the match."""
    place = place_of(asked, end + 1 - found.length, found.length)
    rest = found.rest.decode("utf-8", "replace")
    if rest and place["following"].startswith(rest):
        place["matched"] += rest
        place["following"] = place["following"].removeprefix(rest)
    return place
