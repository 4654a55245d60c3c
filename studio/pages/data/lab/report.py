"""What a comparison of tokenizers found, read as plain data. Free of Qt.

The studio does not import the code that writes these files.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import base64
from pathlib import Path

import msgspec

from studio.pages.data.corpus import load_json
from studio.widgets.token_run import token_label
from trainer_core.errors import KnownError

REPORT_FILE = "tokenizers.json"
FOUND_MOST = 300
"""Tokens that a search shows at most."""


class TokenFacts(msgspec.Struct, frozen=True):
    """A token of a vocabulary: its bytes in base64, and how often the text has it."""

    id: int
    data: str = ""
    count: int = 0

    @property
    def bytes(self) -> bytes:
        """What it stands for."""
        return base64.b64decode(self.data)

    @property
    def label(self) -> str:
        """It on one line, blanks made visible."""
        return token_label(self.bytes)


class ScriptFacts(msgspec.Struct, frozen=True):
    """Text of one script: its bytes, and the tokens that it takes."""

    name: str
    bytes: int = 0
    tokens: int = 0

    @property
    def bytes_per_token(self) -> float:
        """NaN without any token."""
        return self.bytes / self.tokens if self.tokens else float("nan")


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A token of a sample text."""

    id: int
    data: str


class SampleFacts(msgspec.Struct, frozen=True):
    """The beginning of a text in one tokenizer's tokens."""

    title: str = ""
    pieces: tuple[Piece, ...] = ()

    def bytes_of_pieces(self) -> tuple[bytes, ...]:
        """What each token stands for."""
        return tuple(base64.b64decode(piece.data) for piece in self.pieces)


class CandidateFacts(msgspec.Struct, frozen=True):
    """One tokenizer, measured on the text that all are compared on."""

    name: str
    folder: str = ""
    vocabulary: str = ""
    vocab_size: int = 0
    tokens: int = 0
    bytes_per_token: float = 0.0
    tokens_per_word: float = 0.0
    unused: int = 0
    unused_examples: tuple[TokenFacts, ...] = ()
    longest: tuple[TokenFacts, ...] = ()
    scripts: tuple[ScriptFacts, ...] = ()
    learn_s: float | None = None
    encode_s: float = 0.0
    lossy_share: float = 0.0
    samples: tuple[SampleFacts, ...] = ()
    error: str = ""
    """Why it could not be tried, or an empty string."""


class LabReport(msgspec.Struct, frozen=True):
    """Tokenizers compared on the same text."""

    documents: int = 0
    bytes: int = 0
    words: int = 0
    learn_bytes: int = 0
    candidates: tuple[CandidateFacts, ...] = ()


def read_report(folder: Path) -> LabReport:
    """The report of a finished comparison; blocks on the disk.

    Raises:
        KnownError: It cannot be read.
    """
    found = load_json(folder / REPORT_FILE, LabReport)
    if found is None or not found.candidates:
        raise KnownError(
            f"The comparison in {folder} cannot be read.",
            safe="The text was only read.",
            do="Compare again.",
        )
    return found


def read_vocabulary(path: Path) -> tuple[TokenFacts, ...]:
    """The whole vocabulary of a candidate; blocks on the disk.

    Raises:
        KnownError: It cannot be read.
    """
    found = load_json(path, tuple[TokenFacts, ...])
    if found is None:
        raise KnownError("The vocabulary cannot be read.", do="Compare again.")
    return found


def search(vocabulary: tuple[TokenFacts, ...], wanted: str) -> list[TokenFacts]:
    """Tokens that hold a text, the most frequent first; a whole number is taken for an id, too.

    Args:
        vocabulary: All tokens.
        wanted: What to look for; blanks may be written as labels show them.
    """
    plain = wanted.replace("·", " ").replace("↵", "\n").replace("→", "\t").casefold()
    number = int(wanted) if wanted.strip().isdecimal() else -1
    found = [
        token
        for token in vocabulary
        if token.id == number or plain in token.bytes.decode("utf-8", "replace").casefold()
    ]
    found.sort(key=lambda token: (token.id != number, -token.count, token.id))
    return found
