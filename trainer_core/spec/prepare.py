"""What to read and how to tokenise it: the spec of `prepare`."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from trainer_core.spec.section import Section, Seed


class PythonLibrary(Section, frozen=True, kw_only=True, tag="python_library", tag_field="kind"):
    """The running interpreter's standard library and installed packages."""

    name: str = ""
    """What the source is called in reports; empty gives it a number."""
    max_bytes: Annotated[int, Meta(ge=0, description="Stop after this much text; 0 reads all.")] = 0


class TextFiles(Section, frozen=True, kw_only=True, tag="text_files", tag_field="kind"):
    """Files with text, and folders that are searched for them.

    Plain UTF-8 text of any kind, JSON lines and `.json` arrays, `.csv` and `.tsv`, Parquet, HTML
    and EPUB; each also packed by gzip, bzip2, xz or Zstandard, or in a `.zip` or `.tar`.
    """

    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    suffixes: tuple[str, ...] = ()
    """Only files with these endings, such as `.txt`; empty takes every file with text."""
    field: str = ""
    """The field of a record or the column of a table that holds the text; empty finds it."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class HubDataset(Section, frozen=True, kw_only=True, tag="hub_dataset", tag_field="kind"):
    """A dataset of the Hugging Face Hub, or a folder with data files that is laid out like one."""

    repo: Annotated[str, Meta(min_length=1)]
    """Its name, such as `HuggingFaceFW/fineweb`, or the path of the folder."""
    subset: str = ""
    """Which of its subsets (configurations), such as `sample-10BT`; empty takes the usual one."""
    split: Annotated[str, Meta(min_length=1)] = "train"
    field: str = ""
    """The column that holds the text; empty finds it."""
    revision: str = ""
    """Branch, tag or commit; empty takes the newest."""
    streaming: bool = True
    """Read over the network up to `max_bytes`, and keep the text only until the corpus is written;
    off downloads everything for good, and goes on where an earlier download ended."""
    max_bytes: Annotated[int, Meta(ge=0, description="Stop after this much text; 0 reads all.")] = 0
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class SavedDataset(Section, frozen=True, kw_only=True, tag="saved_dataset", tag_field="kind"):
    """A folder that the library `datasets` wrote with `save_to_disk`."""

    path: Annotated[str, Meta(min_length=1)]
    split: str = ""
    """Which split, where the folder has several; empty takes `train`, or the first."""
    field: str = ""
    """The column that holds the text; empty finds it."""
    max_bytes: Annotated[int, Meta(ge=0, description="Stop after this much text; 0 reads all.")] = 0
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class TokenFiles(Section, frozen=True, kw_only=True, tag="token_files", tag_field="kind"):
    """Files of GPT-2's token ids, two bytes each, as nanoGPT and llm.c write them.

    They are read as the text that they stand for, document by document, so that any tokenizer can
    follow; GPT-2's gives the same ids again.
    """

    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    """The files, and folders that are searched for `.bin` files."""
    vocabulary_folder: str = ""
    """Folder with `vocab.bpe` and `encoder.json`; empty lets tiktoken fetch or find them."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


TaskName = Literal["simple_dummy", "addition", "simple_dummy2"]


class RuleLines(Section, frozen=True, kw_only=True, tag="rule_task", tag_field="kind"):
    """Lines that are made by known rules, drawn with `seed`, so that learning can be scored.

    `simple_dummy`: words whose consonants and vowels take turns. `addition`: sums up to 200.
    `simple_dummy2`: letters, a digit that says what to do with them, and the result.
    """

    task: TaskName
    lines: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """How many; 0 takes as many as the task has."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


Source = PythonLibrary | TextFiles | TokenFiles | HubDataset | SavedDataset | RuleLines


class ByteTokenizer(Section, frozen=True, kw_only=True, tag="bytes", tag_field="kind"):
    """One token per byte and one separator: 257 tokens."""


class BpeTokenizer(Section, frozen=True, kw_only=True, tag="bpe", tag_field="kind"):
    """Byte-level byte-pair encoding, learned from the training part of this corpus."""

    vocab_size: Annotated[int, Meta(ge=258, le=200_000)] = 4096
    sample_bytes: Annotated[int, Meta(ge=1)] = 10_000_000
    """How much of the training text the merges are learned from, in bytes."""


class Gpt2Tokenizer(Section, frozen=True, kw_only=True, tag="gpt2", tag_field="kind"):
    """GPT-2's 50,257 tokens, through tiktoken."""

    vocabulary_folder: str = ""
    """Folder with `vocab.bpe` and `encoder.json`; empty lets tiktoken fetch or find them."""


class CorpusTokenizer(Section, frozen=True, kw_only=True, tag="corpus", tag_field="kind"):
    """The tokenizer of another corpus, so that both have the same tokens.

    A corpus that grows needs it: an own tokenizer learned anew would be another one.
    """

    corpus: str
    """The corpus folder, or the job folder that holds it."""


Tokenizer = ByteTokenizer | BpeTokenizer | Gpt2Tokenizer | CorpusTokenizer
_USUAL_TOKENIZER = BpeTokenizer()


class PrepareSpec(Section, frozen=True, kw_only=True, tag="prepare", tag_field="verb"):
    """Read text, split it by document, tokenise it, and write a corpus."""

    source: Source | UnsetType = UNSET
    """The one source; several are `sources`."""
    sources: tuple[Source, ...] = ()
    """Sources that are read one after another. One that is added at the end leaves the training
    text before it as it was."""
    tokenizer: Tokenizer = _USUAL_TOKENIZER
    """Left out, it is `bpe`, and `bytes` for a rule task: its rules are about letters."""
    name: str = "corpus"
    validation_fraction: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.05
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: There is no source, or two have one name; the message names the field.
        """
        if (self.source is UNSET) == (not self.sources):
            raise ValueError("sources needs at least one source, or `source` the only one")
        names = self.source_names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"sources has two of the name {name!r}")
        if self.tokenizer is _USUAL_TOKENIZER and self.rule_task:
            msgspec.structs.force_setattr(self, "tokenizer", ByteTokenizer())

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """Every source, in order, however many there are."""
        return self.sources if isinstance(self.source, UnsetType) else (self.source,)

    @property
    def rule_task(self) -> TaskName | Literal[""]:
        """The rule task that makes all of this text, if one does."""
        sources = self.all_sources
        return sources[0].task if len(sources) == 1 and isinstance(sources[0], RuleLines) else ""

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called in reports."""
        numbered = enumerate(self.all_sources, 1)
        return tuple(source.name or f"source {number}" for number, source in numbered)
