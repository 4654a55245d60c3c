"""What the tokenizer lab found out, as it is written down."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import msgspec

REPORT_NAME = "tokenizers.json"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token of a vocabulary.

    Attributes:
        id: Its number.
        data: Its bytes; none for special tokens.
        count: How often the measured text has it.
    """

    id: int
    data: bytes
    count: int


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How well a script is written.

    Attributes:
        name: Such as `Latin` or `Cyrillic`.
        bytes: Of the tokens that begin with a letter of it.
        tokens: How many these are.
    """

    name: str
    bytes: int
    tokens: int


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A token of a sample text: its number and its bytes."""

    id: int
    data: bytes


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a text in tokens."""

    title: str
    pieces: tuple[Piece, ...]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One of the tokenizers.

    Attributes:
        name: Such as `own, 4,096`.
        kind: As in its settings.
        folder: Where it is saved, in the job folder; for the tokenizer `saved`.
        vocabulary: File with all of its tokens, in the job folder: a list of `Token`.
        vocab_size: Number of ids.
        tokens: Of the measured text.
        bytes_per_token: Bytes of the text per token.
        tokens_per_word: Tokens per word; words are what white space separates.
        unused: Tokens that the text never has; special ones are not counted.
        unused_examples: Some of them, evenly spaced.
        longest: Those with the most bytes.
        scripts: Those of the text, the most frequent first; `other` for digits, signs and space.
        learn_s: How long it took to learn; None where nothing was learned.
        encode_s: How long it took to encode the text, on all cores.
        lossy_share: Share of the characters that do not come back from tokens.
        samples: Beginnings of texts, in its tokens.
        error: Why it could not be tried; nothing else is known then.
    """

    name: str
    kind: str
    folder: str = ""
    vocabulary: str = ""
    vocab_size: int = 0
    tokens: int = 0
    bytes_per_token: float = 0.0
    tokens_per_word: float = 0.0
    unused: int = 0
    unused_examples: tuple[Token, ...] = ()
    longest: tuple[Token, ...] = ()
    scripts: tuple[Script, ...] = ()
    learn_s: float | None = None
    encode_s: float = 0.0
    lossy_share: float = 0.0
    samples: tuple[Sample, ...] = ()
    error: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Tokenizers compared on one text.

    Attributes:
        documents: That the measured text comes from.
        bytes: Of the measured text.
        words: Of the measured text.
        learn_bytes: Of other text, which own tokenizers learned from.
        candidates: In the order of the settings.
    """

    documents: int
    bytes: int
    words: int
    learn_bytes: int
    candidates: tuple[Candidate, ...]
