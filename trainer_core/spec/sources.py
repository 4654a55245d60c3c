"""Where text comes from: the kinds of sources in a spec."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import codecs
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.rule_language import RuleError, parse
from trainer_core.spec.section import Section

NO_ENCODINGS = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
"""Codecs of Python that no text is written in; some take time that grows with the square."""


def is_text_encoding(name: str) -> bool:
    """Whether Python can read text of this encoding, piece by piece."""
    try:
        found = codecs.lookup(name)
        is_text = isinstance("".encode(name), bytes)
    except (LookupError, ValueError, TypeError):
        return False
    return is_text and found.incrementaldecoder is not None and found.name not in NO_ENCODINGS


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
    encoding: str = ""
    """Of the text, such as `cp1252`; empty is UTF-8, and `auto` finds it file by file."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""

    def __post_init__(self) -> None:
        """Make sure that the encoding is one of text.

        Raises:
            ValueError: It is none; the message names the field.
        """
        if self.encoding not in ("", "auto") and not is_text_encoding(self.encoding):
            raise ValueError(
                f"encoding {self.encoding[:40]!r} is none that is known, such as `cp1252`"
            )


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


TaskName = Literal["simple_dummy", "addition", "simple_dummy2", "copying", "progressions"]


class RuleLines(Section, frozen=True, kw_only=True, tag="rule_task", tag_field="kind"):
    """Lines that are made by known rules, drawn with `seed`, so that learning can be scored.

    `simple_dummy`: words whose consonants and vowels take turns. `addition`: sums up to 200.
    `simple_dummy2`: letters, a digit that says what to do with them, and the result. `copying`:
    letters, and the same forwards, backwards or sorted. `progressions`: five numbers, each made
    from the two before it.
    """

    task: TaskName
    lines: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """How many; 0 takes as many as the task has."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class OwnRules(Section, frozen=True, kw_only=True, tag="own_rules", tag_field="kind"):
    """Lines that are made by one's own rules, drawn with `seed`."""

    rules: str
    """In the language of `trainer_core.rule_language`."""
    lines: Annotated[int, Meta(ge=1, le=10_000_000)] = 20_000
    """How many."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""

    def __post_init__(self) -> None:
        """Make sure that the rules make lines.

        Raises:
            ValueError: They do not; the message names the place.
        """
        try:
            parse(self.rules)
        except RuleError as error:
            raise ValueError(f"rules {error}") from None


Source = PythonLibrary | TextFiles | TokenFiles | HubDataset | SavedDataset | RuleLines | OwnRules
