"""The answer to `lookup`: the end of a text in the training text, what followed it, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked
from trainer_core.answers.places import place_of
from trainer_core.answers.spelled import NOWHERE, PLACES_MAX, Spelled, find_phrase, spelled_after
from trainer_core.data.tokenizers.kinds import without_surrogates

EDGE_TOKENS = 4
"""So many tokens at the text's end may be cut otherwise in the training text."""
COUNTED_MAX = 1 << 20
"""Continuations and documents are counted among so many of the most recent occurrences."""


@dataclass(frozen=True)
class _Found:
    """Places in the training text where the end of the text stands.

    Attributes:
        places: The most recent first.
        count: How many there are; more than `places` where these are cut off.
        n_bytes: Bytes of the text that are matched.
    """

    places: Spelled
    count: int
    n_bytes: int


def look_up(asked: Asked, text: str, *, top: int = 10, sources: int = 5) -> dict[str, Any]:
    """Find the longest end of a text that also stands in the training text.

    Where the whole text stands there, that is found by its letters, however they were cut into
    tokens. So a text need not end where a token ends: what is left of the last token there ("wn" of
    " brown" after "the quick bro") is the continuation. Of a text that does not stand there as a
    whole, its longest end is found by its tokens, but for the last `EDGE_TOKENS`, which may be cut
    otherwise, and for a missing space at its beginning.

    Args:
        asked: The index and its corpus.
        text: At least one character.
        top: How many continuations to give at most.
        sources: How many places to give at most.

    Returns:
        `text`; `tokens`, of the text; `match`: `tokens` (0 when nothing is found), `text`, `count`,
        `documents`, `ends_inside_token`; `phrase`, the whole text wherever it stands, however it
        is cut into tokens there: `count` and `documents`, null when it is too short to be counted;
        `continuations`: `token`, `text`, `count`, `share`; `sources`: places as of
        `place_of`, most recent first; `note`, a sentence or nothing.
    """
    text = without_surrogates(text)
    data = text.encode()
    phrase = find_phrase(asked, data)
    if phrase is not None and phrase.begins.size:
        found = _Found(phrase.latest_first(), phrase.begins.size, len(data))
    else:
        found = _longest_end(asked, text)
    places = found.places
    matched = data[len(data) - found.n_bytes :].decode("utf-8", "replace").lstrip("�")
    tokens = (
        int(places.ends[0] - places.begins[0]) + 1 + bool(places.inside[0]) if found.count else 0
    )
    return {
        "text": text,
        "tokens": int(asked.tokenizer.encode(text).size),
        "match": {
            "tokens": tokens,
            "text": matched,
            "count": found.count,
            "documents": _documents(asked, places),
            "ends_inside_token": bool(places.inside.any()),
        },
        "phrase": {
            "count": None if phrase is None else phrase.begins.size,
            "documents": None if phrase is None else _documents(asked, phrase),
        },
        "continuations": _continuations(asked, places, top),
        "sources": [
            _source(asked, places, number, matched) for number in range(found.count)[:sources]
        ],
        "note": _note(found, counted=phrase is not None),
    }


def _documents(asked: Asked, places: Spelled) -> int:
    """In how many documents these places are."""
    starts = asked.index.document_start
    return int(np.unique(np.searchsorted(starts, places.begins, side="right")).size)


def _note(found: _Found, *, counted: bool) -> str:
    if not counted:
        return "The text is too short to be counted: it stands almost everywhere."
    if not found.count:
        return "Nothing in the training text ends like this."
    if found.count > found.places.ends.size:
        return f"Continuations and documents are those of the latest {COUNTED_MAX:,} places."
    return ""


def _longest_end(asked: Asked, text: str) -> _Found:
    """What covers most of the text, and of equals what stands in most places."""
    found = [_Found(NOWHERE, 0, 0)]
    for variant in (text, " " + text):
        tokens = asked.tokenizer.encode(variant)
        found.append(_in_own_tokens(asked, tokens, len(text.encode())))
        for dropped in range(1, min(EDGE_TOKENS, tokens.size - 1) + 1):
            least = max(one.n_bytes for one in found)
            other = _in_other_tokens(asked, tokens, dropped, len(text.encode()), least)
            found += [other] if other else []
    return max(found, key=lambda one: (one.n_bytes, one.count))


def _in_own_tokens(asked: Asked, tokens: NDArray[np.uint32], n_bytes: int) -> _Found:
    """The longest match of the tokens as they are."""
    match = asked.index.lookup(tokens)
    ends = asked.index.occurrences(tokens, COUNTED_MAX)
    places = Spelled(ends - match.length + 1, ends, np.zeros_like(ends))
    covered = min(n_bytes, _size(asked, tokens[tokens.size - match.length :]))
    return _Found(places, int(match.count), covered)


def _in_other_tokens(
    asked: Asked, tokens: NDArray[np.uint32], dropped: int, n_bytes: int, least_bytes: int
) -> _Found | None:
    """The longest match of the first tokens with the bytes of the others behind it, however cut.

    Args:
        asked: The index and its corpus.
        tokens: Of the text.
        dropped: How many of the last ones may be cut otherwise.
        n_bytes: Of the text.
        least_bytes: Matches that cover less of the text than this are no use.
    """
    kept, rest = tokens[: tokens.size - dropped], tokens[tokens.size - dropped :]
    data = b"".join(asked.vocabulary[token] for token in rest.tolist())
    for length in range(asked.index.lookup(kept).length, 0, -1):
        covered = min(n_bytes, _size(asked, kept[kept.size - length :]) + len(data))
        if covered < least_bytes:
            return None
        run = asked.index.run(kept[kept.size - length :])[1]
        if run.size > PLACES_MAX:
            return None
        ends = run.astype(np.int64)
        places = spelled_after(asked, ends - length + 1, ends, data)
        if places.ends.size:
            return _Found(places.latest_first(), places.ends.size, covered)
    return None


def _size(asked: Asked, tokens: NDArray[np.uint32]) -> int:
    return int(asked.byte_lengths[tokens].sum())


def _continuations(asked: Asked, places: Spelled, top: int) -> list[dict[str, Any]]:
    """What followed most often, by its text; of equal texts' tokens the most frequent one."""
    known = places.ends + 1 < asked.index.n_tokens
    following = asked.index.tokens[places.ends[known] + 1].astype(np.int64)
    keys, counts = np.unique(
        places.inside[known] * len(asked.vocabulary) + following, return_counts=True
    )
    tokens: dict[str, int] = {}
    times: Counter[str] = Counter()
    for at in np.argsort(-counts, kind="stable").tolist():
        inside, token = divmod(int(keys[at]), len(asked.vocabulary))
        text = asked.vocabulary[token][inside:].decode("utf-8", "replace")
        tokens.setdefault(text, token)
        times[text] += int(counts[at])
    return [
        {"token": tokens[text], "text": text, "count": count, "share": count / following.size}
        for text, count in times.most_common(top)
    ]


def _source(asked: Asked, places: Spelled, number: int, text: str) -> dict[str, Any]:
    """A place; what was matched is the text alone, not the tokens that hold its ends."""
    begin, end = int(places.begins[number]), int(places.ends[number])
    place = place_of(asked, begin, end + 1 - begin)
    following = asked.index.tokens[end + 1 : end + 2].tolist()
    pieces = [asked.vocabulary[token][: int(places.inside[number])] for token in following]
    rest = b"".join(pieces).decode("utf-8", "replace")
    if rest and place["following"].startswith(rest):
        place["matched"] += rest
        place["following"] = place["following"].removeprefix(rest)
    if place["matched"].endswith(text):
        place["before"] += place["matched"].removesuffix(text)
        place["matched"] = text
    return place
