"""A growing text of tokens: its characters, its heat steps and its verbatim runs. Free of Qt."""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

VERBATIM_LENGTH = 32
"""A run of at least this many matched tokens counts as copied word for word."""

HEAT_STARTS = (4, 8, 16, 32)
"""Match lengths at which the next heat step begins."""

_BREAKING = {"\r": "␍", "\u2028": "↵", "\u2029": "↵", "\x85": "↵"}
_CONTROLS = {chr(code): chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_VISIBLE = str.maketrans(_CONTROLS | _BREAKING | {"\x7f": "␡"})


def heat_step(match_length: int) -> int:
    """The heat step, 0 to 4, of a match of this many tokens."""
    return bisect_right(HEAT_STARTS, match_length)


def visible_text(text: str) -> str:
    """Text with control characters replaced by their pictures; newlines and tabs stay."""
    return text if text.isprintable() else text.translate(_VISIBLE)


def token_label(data: bytes) -> str:
    """One token's text on one line: a space is `·`, a newline `↵`, a tab `→`."""
    text = visible_text(data.decode("utf-8", errors="replace"))
    return text.replace(" ", "·").replace("\n", "↵").replace("\t", "→")


@dataclass(frozen=True, slots=True)
class TextToken:
    """A token to show.

    Attributes:
        data: Its bytes; a character may be split over several tokens.
        match_length: Length, in tokens, of the match that ends just before this token.
        followed: Whether this token is the one that followed the match; only then it is backed
            by the match, and coloured.
        group: What it is coloured by under `Colouring.GROUPS`: 0 has no colour, and neighbours of
            one number share a ground.
        within: Whether the match ends with this token, not just before it.
    """

    data: bytes
    match_length: int = 0
    followed: bool = True
    group: int = 0
    within: bool = False

    @property
    def backed_length(self) -> int:
        """Tokens of the match that this token goes on with."""
        return self.match_length if self.followed else 0

    @property
    def matched_before(self) -> int:
        """Tokens of the match that stand before this one."""
        return self.match_length - self.within if self.match_length else 0


class Colouring(Enum):
    """What the background of a token says."""

    NONE = "none"
    HEAT = "heat"
    """The match length, in five steps."""
    BOUNDARIES = "boundaries"
    """Where tokens begin, by two alternating colours."""
    GROUPS = "groups"
    """What belongs together, by a few colours in turn."""


GROUP_COLOURS = 4
"""Colours that groups take turns in."""


class TokenRun:
    """Tokens in their order, decoded as they come."""

    def __init__(
        self, colouring: Colouring = Colouring.HEAT, highlight_from: int = HEAT_STARTS[0]
    ) -> None:
        self.colouring = colouring
        self.highlight_from = highlight_from
        self.tokens: list[TextToken] = []
        self.texts: list[str] = []
        """What each token shows; the token with the last byte of a character has all of it."""
        self._verbatim: list[bool] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def text(self) -> str:
        """Everything, as plain text."""
        return self.text_of(0, len(self.tokens) - 1)

    def text_of(self, first: int, last: int) -> str:
        """The plain text of the tokens `first` to `last`, both included."""
        data = b"".join(token.data for token in self.tokens[first : last + 1])
        return data.decode("utf-8", errors="replace")

    def append(self, tokens: Iterable[TextToken]) -> None:
        """Add tokens at the end."""
        for token in tokens:
            self.tokens.append(token)
            self.texts.append(visible_text(self._decoder.decode(token.data)))
            long = token.match_length >= VERBATIM_LENGTH
            self._verbatim.append(long and token.followed)
            if long:
                self._mark_verbatim(len(self.tokens) - 1)

    def finish(self) -> bool:
        """Show a character that never came to its end as U+FFFD; False if there is none."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        if rest and self.texts:
            self.texts[-1] += rest
        return bool(rest)

    def is_verbatim(self, token: int) -> bool:
        """Whether the token is part of a run that stands word for word in the training text."""
        return self._verbatim[token]

    def step_of(self, token: int) -> int:
        """The colour step of a token: 0 is none; boundary colours alternate between 1 and 2."""
        if self.colouring is Colouring.GROUPS:
            group = self.tokens[token].group
            return 1 + (group - 1) % GROUP_COLOURS if group else 0
        if self.colouring is Colouring.HEAT:
            length = self.tokens[token].backed_length
            return heat_step(length) if length >= self.highlight_from else 0
        return 1 + token % 2 if self.colouring is Colouring.BOUNDARIES else 0

    def goes_on(self, token: int) -> bool:
        """Whether this token shares the background of the one before it."""
        if token == 0 or self.colouring is Colouring.BOUNDARIES:
            return False
        if self.colouring is Colouring.GROUPS:
            return self.tokens[token].group == self.tokens[token - 1].group
        if self.step_of(token) != self.step_of(token - 1):
            return False
        before, here = self.tokens[token - 1].match_length, self.tokens[token].match_length
        return here == before + 1 or (here == before and here >= VERBATIM_LENGTH)

    def _mark_verbatim(self, token: int) -> None:
        """Mark the tokens that the match before `token` covers."""
        start = max(token - self.tokens[token].matched_before, 0)
        while token > start and not self._verbatim[token - 1]:
            token -= 1
            self._verbatim[token] = True
