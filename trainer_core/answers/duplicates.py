"""The answer to `duplicates`: the figures of an index's training text, with titles and texts."""

from __future__ import annotations

from typing import Any

from trainer_core.answers.asked import Asked, Report
from trainer_core.answers.places import place_of, text_of
from trainer_core.index.duplicates import DocumentGroup, duplicates_of
from trainer_core.index.passages import Passage

PLACES_SHOWN = 5
TEXT_CHARACTERS_MAX = 4000
_TEXT_TOKENS_MAX = 4000  # each has a character at least, or is left out of the text


def duplicates_in(asked: Asked, *, top: int = 10, report: Report) -> dict[str, Any]:
    """Say what the training text holds more than once.

    Args:
        asked: The index and its corpus.
        top: How many groups and passages to give at most.
        report: Told how far it is.

    Returns:
        The figures of `index.duplicates.Duplicates` by name; `removed_when_prepared`, the equal
        documents that `prepare` left out; `groups` of equal documents: `copies`, `tokens` and the
        first `documents`, each with the hash of its `text`; `passages`: `text`, `clipped`,
        `tokens`, `count` (without overlap), `documents`, `same_document` (occurrences after another
        one in their document), `share` (of all tokens, that the repeats take) and `places`, the
        latest first.
    """
    phase = "reading the matches"
    duplicates = duplicates_of(
        asked.index, top, advance=lambda done, total: report(phase, done, total, "tokens")
    )
    skipped = asked.corpus.manifest.source.skipped
    return {
        **duplicates.summary(),
        "removed_when_prepared": sum(g.count for g in skipped if g.reason == "duplicate"),
        "groups": [_group(asked, group) for group in duplicates.groups],
        "passages": [_passage(asked, passage) for passage in duplicates.passages],
    }


def _group(asked: Asked, group: DocumentGroup) -> dict[str, Any]:
    shown = group.documents[:PLACES_SHOWN]
    infos = [(number, asked.corpus.train.document(number)) for number in shown]
    return {
        "copies": len(group.documents),
        "tokens": group.tokens,
        "documents": [
            {"document": number, "title": info.title, "path": info.path, "text": info.text}
            for number, info in infos
        ],
    }


def _passage(asked: Asked, passage: Passage) -> dict[str, Any]:
    begin = int(passage.positions[0])
    text = text_of(asked, begin, begin + min(passage.tokens, _TEXT_TOKENS_MAX))
    latest = passage.positions[::-1][:PLACES_SHOWN].tolist()
    return {
        "text": text[:TEXT_CHARACTERS_MAX],
        "clipped": passage.tokens > _TEXT_TOKENS_MAX or len(text) > TEXT_CHARACTERS_MAX,
        "tokens": passage.tokens,
        "count": passage.count,
        "documents": passage.documents,
        "same_document": passage.count - passage.documents,
        "share": passage.repeated_tokens / asked.index.n_tokens,
        "places": [place_of(asked, at, passage.tokens) for at in latest],
    }
