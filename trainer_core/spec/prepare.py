"""What to read, to try out and to prepare: the specs of `preview`, `tokenizers` and `prepare`."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trainer_core.spec.cleaning import CleaningConfig
from trainer_core.spec.section import Section, Seed
from trainer_core.spec.sources import OwnRules, RuleLines, Source, TaskName
from trainer_core.spec.tokenizers import BpeTokenizer, ByteTokenizer, Tokenizer

_USUAL_TOKENIZER = BpeTokenizer()


def all_sources(source: Source | UnsetType, sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Every source, in order, whether it is named alone or in a list."""
    return sources if isinstance(source, UnsetType) else (source,)


def source_names(sources: tuple[Source, ...]) -> tuple[str, ...]:
    """What each source is called in reports."""
    return tuple(source.name or f"source {number}" for number, source in enumerate(sources, 1))


def check_sources(source: Source | UnsetType, sources: tuple[Source, ...]) -> None:
    """Make sure that there are sources, and that reports can tell them apart.

    Raises:
        ValueError: There is no source, or two have one name; the message names the field.
    """
    if (source is UNSET) == (not sources):
        raise ValueError("sources needs at least one source, or `source` the only one")
    names = source_names(all_sources(source, sources))
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"sources has two of the name {name!r}")


class PrepareSpec(Section, frozen=True, kw_only=True, tag="prepare", tag_field="verb"):
    """Read text, split it by document, tokenise it, and write a corpus."""

    source: Source | UnsetType = UNSET
    """The one source; several are `sources`."""
    sources: tuple[Source, ...] = ()
    """Sources that are read one after another. One that is added at the end leaves the training
    text before it as it was."""
    cleaning: CleaningConfig = CleaningConfig()
    tokenizer: Tokenizer = _USUAL_TOKENIZER
    """Left out, it is `bpe`, and `bytes` for lines made by rules: these are about letters."""
    name: str = "corpus"
    validation_fraction: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.05
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: There is no source, or two have one name; the message names the field.
        """
        check_sources(self.source, self.sources)
        if self.tokenizer is _USUAL_TOKENIZER and (self.rule_task or self.own_rules):
            msgspec.structs.force_setattr(self, "tokenizer", ByteTokenizer())

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """Every source, in order, however many there are."""
        return all_sources(self.source, self.sources)

    @property
    def rule_task(self) -> TaskName | Literal[""]:
        """The rule task that makes all of this text, if one does."""
        sources = self.all_sources
        return sources[0].task if len(sources) == 1 and isinstance(sources[0], RuleLines) else ""

    @property
    def own_rules(self) -> str:
        """The rules of one's own that make all of this text, if they do."""
        sources = self.all_sources
        return sources[0].rules if len(sources) == 1 and isinstance(sources[0], OwnRules) else ""

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called in reports."""
        return source_names(self.all_sources)


class PreviewSpec(Section, frozen=True, kw_only=True, tag="preview", tag_field="verb"):
    """Read the beginning of sources and show what `prepare` would make of it."""

    source: Source | UnsetType = UNSET
    sources: tuple[Source, ...] = ()
    cleaning: CleaningConfig = CleaningConfig()
    max_bytes: Annotated[int, Meta(ge=0)] = 8_000_000
    """Of each source read this much text; 0 reads all."""
    documents: Annotated[int, Meta(ge=1, le=200)] = 12
    """Of each source show so many of the first documents."""
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: There is no source, or two have one name; the message names the field.
        """
        check_sources(self.source, self.sources)

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """Every source, in order, however many there are."""
        return all_sources(self.source, self.sources)

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called in reports."""
        return source_names(self.all_sources)


class TokenizersSpec(Section, frozen=True, kw_only=True, tag="tokenizers", tag_field="verb"):
    """Train and compare tokenizers on the same text: the tokenizer lab."""

    corpus: str = ""
    """A prepared corpus whose training text is used; without one, `sources` are read."""
    source: Source | UnsetType = UNSET
    sources: tuple[Source, ...] = ()
    cleaning: CleaningConfig = CleaningConfig()
    candidates: Annotated[tuple[Tokenizer, ...], Meta(min_length=1, max_length=8)]
    sample_bytes: Annotated[int, Meta(ge=1)] = 20_000_000
    """How much text they are compared on, in bytes; held out from what own ones learn from."""
    text: Annotated[str, Meta(max_length=100_000)] = ""
    """A text to see in tokens; empty takes the beginning of some documents."""
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: There is no text, or it is named twice.
        """
        if self.corpus and (self.source is not UNSET or self.sources):
            raise ValueError("corpus and sources both name a text: leave one out")
        if not self.corpus:
            check_sources(self.source, self.sources)

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """Every source, in order; none with a corpus."""
        return () if self.corpus else all_sources(self.source, self.sources)

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called in reports."""
        return source_names(self.all_sources)


class DumpSpec(Section, frozen=True, kw_only=True, tag="dump", tag_field="verb"):
    """Write the documents of a corpus out for other programs."""

    corpus: str
    output: Annotated[str, Meta(min_length=1)]
    """The folder to write; it must not exist, or be empty."""
    format: Literal["jsonl", "parquet", "bin"] = "jsonl"
    """Text with titles, one document a line or row; or token ids as nanoGPT reads them."""
