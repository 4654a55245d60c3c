"""How text becomes tokens: the kinds of tokenizers in a spec."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import Section

_SEPARATOR = "<|endoftext|>"

Pretokenizer = Literal["gpt2", "gpt4", "digits"]


class ByteTokenizer(Section, frozen=True, kw_only=True, tag="bytes", tag_field="kind"):
    """One token per byte and one separator: 257 tokens."""


class BpeTokenizer(Section, frozen=True, kw_only=True, tag="bpe", tag_field="kind"):
    """Byte-level byte-pair encoding, learned from the training part of this corpus."""

    vocab_size: Annotated[int, Meta(ge=258, le=200_000)] = 4096
    """Tokens in all, the separator and `special_tokens` among them."""
    sample_bytes: Annotated[int, Meta(ge=1)] = 10_000_000
    """How much of the training text the merges are learned from, in bytes."""
    pretokenizer: Pretokenizer = "gpt2"
    """How text is cut before merges are learned: as GPT-2 does, as GPT-4 does (at most three
    digits in a piece, letters with the sign before them), or as GPT-2 with each digit alone."""
    special_tokens: tuple[str, ...] = ()
    """Names of further tokens that no text encodes to, such as `<|user|>`, for a later use."""

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: A special token is no name, is named twice, or there is no room for them.
        """
        for name in self.special_tokens:
            if not name.strip():
                raise ValueError("special_tokens has a name without letters")
            if self.special_tokens.count(name) > 1 or name == _SEPARATOR:
                raise ValueError(
                    f"special_tokens names {name} twice; the separator is {_SEPARATOR}"
                )
        if self.vocab_size < 257 + len(self.special_tokens):
            raise ValueError(
                f"vocab_size has no room for 256 bytes, the separator and"
                f" {len(self.special_tokens)} special_tokens"
            )


class Gpt2Tokenizer(Section, frozen=True, kw_only=True, tag="gpt2", tag_field="kind"):
    """GPT-2's 50,257 tokens, through tiktoken."""

    vocabulary_folder: str = ""
    """Folder with `vocab.bpe` and `encoder.json`; empty lets tiktoken fetch or find them."""


class TiktokenTokenizer(Section, frozen=True, kw_only=True, tag="tiktoken", tag_field="kind"):
    """One of tiktoken's other encodings."""

    encoding: Literal["r50k_base", "p50k_base", "cl100k_base", "o200k_base"]
    ranks_file: str = ""
    """Its `.tiktoken` file; empty lets tiktoken fetch or find it."""


class TokenizerFile(Section, frozen=True, kw_only=True, tag="tokenizer_json", tag_field="kind"):
    """A `tokenizer.json` of the library `tokenizers`, as Hugging Face models have it."""

    path: Annotated[str, Meta(min_length=1)]
    """The file, or the folder that holds it."""
    separator: str = ""
    """Which of its tokens opens documents; empty finds it among the special ones, or adds one."""


class SavedTokenizer(Section, frozen=True, kw_only=True, tag="saved", tag_field="kind"):
    """A tokenizer that an earlier job left in a folder, such as the tokenizer lab."""

    folder: Annotated[str, Meta(min_length=1)]


class CorpusTokenizer(Section, frozen=True, kw_only=True, tag="corpus", tag_field="kind"):
    """The tokenizer of another corpus, so that both have the same tokens.

    A corpus that grows needs it: an own tokenizer learned anew would be another one.
    """

    corpus: str
    """The corpus folder, or the job folder that holds it."""


Tokenizer = (
    ByteTokenizer
    | BpeTokenizer
    | Gpt2Tokenizer
    | TiktokenTokenizer
    | TokenizerFile
    | SavedTokenizer
    | CorpusTokenizer
)
