"""What the playground says about a token, in sentences. Free of Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from studio.widgets.figures import NARROW, plural, whole
from studio.widgets.label import Part
from studio.widgets.token_run import token_label
from trainer_core.protocol import GenerationEnded, SourcesFound, TokenWritten

_FOLLOWERS_SHOWN = 3


def matched_words(token: TokenWritten) -> str:
    """`matched 17 tokens`, or that there is no match."""
    if token.match_length == 0:
        return "no match"
    return f"matched {plural(token.match_length, 'token')}"


def kind_words(token: TokenWritten) -> str:
    """Where the token stands to its match."""
    if token.match_kind == "none" or token.match_length == 0:
        return "Nothing like the text before it occurs earlier: this is the model's own."
    if token.match_kind == "prompt":
        if token.followed:
            return "Goes on as earlier in this text."
        return "The text before it stands earlier here too, but went on otherwise there."
    where = f" in {token.document}" if token.document else " in the training text"
    if token.followed:
        return f"Goes on as{where}."
    return f"The text before it stands{where} too, but goes on otherwise there."


def occurrence_parts(found: SourcesFound) -> list[Part]:
    """`6 occurrences in 5 documents. What followed: stored 4, have 1.`"""
    if not found.occurrences:
        return [Part(found.note)] if found.note else []
    parts = [
        Part(f"{plural(found.occurrences, 'occurrence')} in {plural(found.documents, 'document')}.")
    ]
    followers = Counter(place.following for place in found.places)
    if followers:
        newest = found.occurrences > len(found.places)
        parts.append(Part(" What followed the newest: " if newest else " What followed: "))
        for number, (text, times) in enumerate(followers.most_common(_FOLLOWERS_SHOWN)):
            comma = ", " if number else ""
            label = token_label(text.encode()).lstrip("·") or "·"
            parts += [Part(comma), Part(label, "mono_small", "text"), Part(f" {times}")]
        parts.append(Part("."))
    return parts


def places_words(found: SourcesFound) -> str:
    """`17 matched tokens, 6 places, 5 documents`."""
    return (
        f"{plural(found.match_length, 'matched token')}, {plural(found.occurrences, 'place')},"
        f" {plural(found.documents, 'document')}"
    )


def ended_words(ended: GenerationEnded) -> str:
    """Why the text ended."""
    return {
        "max_tokens": "Stopped at max tokens",
        "stop": "Stopped at a stop text",
        "separator": "The model ended the text",
        "cancelled": "Stopped",
        "failed": "Could not go on",
    }[ended.reason]


def count_parts(tokens: int, seconds: float) -> list[Part]:
    """`300 tokens in 1.4 s`, with figures set apart."""
    return [
        Part(whole(tokens), "mono", "text"),
        Part(f" token{'s' * (tokens != 1)} in "),
        Part(f"{seconds:.1f}{NARROW}s", "mono", "text"),
    ]


def rate_parts(tokens: int, seconds: float) -> list[Part]:
    """`212 tokens/s`; nothing while there is nothing to tell."""
    if tokens < 2 or seconds <= 0:
        return []
    rate = tokens / seconds
    return [
        Part(f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}", "mono", "text"),
        Part(" tokens/s"),
    ]


def text_bytes(tokens: Sequence[TokenWritten]) -> str:
    """The text of written tokens."""
    return b"".join(token.data for token in tokens).decode("utf-8", "replace")
