"""How much of a text a tokenizer gives back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import islice

import msgspec

from trainer_core.data.tokenizers.tokenizer import TextTokenizer

STRETCH_CHARACTERS = 300
STRETCHES = 100
"""So much text is tried: comparing what differs takes the square of a stretch."""
_OF_ONE_PART = 20
_EXAMPLES = 5


class RoundTrip(msgspec.Struct, frozen=True):
    """What came back of some text.

    Attributes:
        stretches: How many stretches were tried.
        exact: How many of them came back as they were.
        lost_share: Share of the characters that did not come back.
        examples: Stretches before and after, of those that did not.
    """

    stretches: int
    exact: int
    lost_share: float
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """What was lost, as a sentence for people; empty where nothing was."""
        if self.exact == self.stretches:
            return ""
        return (
            f"Of {self.stretches:,} stretches of the text {self.exact:,} come back from their"
            f" tokens as they were; {self.lost_share:.1%} of the characters are lost."
        )


def round_trip(tokenizer: TextTokenizer, parts: Iterable[str]) -> RoundTrip:
    """Encode and decode stretches of a text and compare.

    Args:
        tokenizer: Any.
        parts: Of the text, without surrogates; no more are taken than are needed.
    """
    stretches = list(islice(_stretches(parts), STRETCHES))
    characters = lost = exact = 0
    examples: list[tuple[str, str]] = []
    for before, ids in zip(stretches, tokenizer.encode_batch(stretches), strict=True):
        after = tokenizer.decode(ids)
        characters += len(before)
        if after == before:
            exact += 1
            continue
        matcher = SequenceMatcher(None, before, after, autojunk=False)
        lost += len(before) - sum(block.size for block in matcher.get_matching_blocks())
        if len(examples) < _EXAMPLES:
            examples.append((before, after))
    return RoundTrip(len(stretches), exact, lost / max(characters, 1), tuple(examples))


def _stretches(parts: Iterable[str]) -> Iterator[str]:
    """A few stretches of each part, evenly spaced."""
    for part in parts:
        step = max(STRETCH_CHARACTERS, len(part) // _OF_ONE_PART)
        for at in range(0, len(part), step):
            yield part[at : at + STRETCH_CHARACTERS]
