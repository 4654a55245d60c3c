"""Places in documents, as plain values: title, line, and the text around."""

from __future__ import annotations

from typing import Any

import msgspec

from trainer_core.answers.asked import Asked

SHOWN_TOKENS = 72
"""Of a long match, so much is shown in a place."""


def place_of(asked: Asked, begin: int, length: int) -> dict[str, Any]:
    """Where a run of training tokens stands.

    Args:
        asked: The index and its corpus.
        begin: Position of its first token in the training text.
        length: Its tokens; of more than `SHOWN_TOKENS`, the first ones are shown.

    Returns:
        `document`, `title`, `path`, `document_tokens`, and `text`, the hash of the document's text;
        `position`, that of the last token shown within its document, and `line`, where the run
        begins, from 1; and `before`, `matched`, `following` (one token) and `after`, which make up
        one snippet.
    """
    place = asked.attribution.place(
        begin + min(length, SHOWN_TOKENS) - 1, min(length, SHOWN_TOKENS)
    )
    start = int(asked.index.document_start[place.document])
    lines = int(asked.line_ends[asked.index.tokens[start:begin]].sum())
    values: dict[str, Any] = msgspec.to_builtins(place)
    return {**values, "line": lines + 1}


def text_of(asked: Asked, begin: int, stop: int) -> str:
    """Text of training tokens; broken characters at its ends are left out."""
    tokens = asked.index.tokens[begin:stop].tolist()
    data = b"".join([asked.vocabulary[token] for token in tokens])
    return data.decode("utf-8", "replace").strip("�")
