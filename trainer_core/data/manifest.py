"""The manifest of a corpus: what it holds, where it came from, and the hashes of its files."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from trainer_core.errors import DataError
from trainer_core.records import Level
from trainer_core.spec import TaskName

CORPUS_VERSION = 1
MANIFEST_NAME = "manifest.json"


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the corpus. `name` is relative to the corpus folder."""

    name: str
    size_bytes: int
    sha256: str


class SplitManifest(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split. Bytes are those of the text; each document has one separator more."""

    tokens: int
    documents: int
    bytes: int
    shards: tuple[FileEntry, ...]
    """The token shards, in order."""
    documents_file: FileEntry
    """JSON lines: title, path, bytes and hash of the text of each document."""
    starts_file: FileEntry
    """Where each document starts, in tokens."""
    offsets_file: FileEntry
    """Where each document's line starts in `documents_file`, in bytes."""

    def files(self) -> tuple[FileEntry, ...]:
        """Every file of this side."""
        return (*self.shards, self.documents_file, self.starts_file, self.offsets_file)


class SkippedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Files or documents that were left out for one reason."""

    reason: str
    """Which reason, in one fixed word, such as `not_utf8`."""
    meaning: str
    """The reason for people, such as "not UTF-8 text"."""
    level: Level
    """How much a person should care."""
    count: int
    examples: tuple[str, ...]
    """The first paths."""


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was read and what was left out."""

    description: str
    documents_read: int
    bytes_read: int
    skipped: tuple[SkippedGroup, ...] = ()
    cut_document: str = ""
    """The document whose end became validation text, when whole documents were too few; of several
    sources all such documents."""


class CleaningExample(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a document before and after a step; nothing after it in one that is left out."""

    title: str
    before: str = ""
    after: str = ""


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one cleaning step did to a source.

    Bytes are those of all documents that it saw, as far as they were read; those that it leaves out
    have none after it.
    """

    step: str
    left_out: int = 0
    changed: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    examples: tuple[CleaningExample, ...] = ()


class NearPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two documents that are nearly equal."""

    first: str
    """Path of the earlier one."""
    later: str
    similarity: float
    """Share of their five-word runs that they have in common, estimated."""


class NearReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents are nearly equal to an earlier one."""

    similarity: float
    """From which on documents are nearly equal."""
    removed: bool
    """Whether they were left out."""
    kinds: int
    """Documents that have near duplicates."""
    documents: int
    """Their near duplicates."""
    held_out: int
    """Held-out documents with a near duplicate that is trained on."""
    pairs: tuple[NearPair, ...] = ()
    """One of each of the first kinds."""
    held_out_pairs: tuple[NearPair, ...] = ()
    """Trained and held out, of the first of `held_out`."""


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a source is on one side; each document's separator is one of its tokens."""

    documents: int
    tokens: int
    bytes: int


class NamedSourceReport(SourceReport, frozen=True, kw_only=True):
    """What was read from one of the sources, and where it went."""

    name: str
    cleaning: tuple[StepReport, ...] = ()
    """What each cleaning step did that was switched on."""
    texts: str = ""
    """SHA-256 over the hashes of all its texts, in order; empty in older corpora."""
    train: Amount
    validation: Amount


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Everything about a corpus but its tokens."""

    version: int
    name: str
    tokenizer_kind: Literal["bytes", "bpe", "gpt2", "tiktoken", "tokenizer_json"]
    tokenizer_fingerprint: str
    vocab_size: int
    separator: int
    dtype: Literal["uint16", "uint32"]
    seed: int
    validation_fraction: float
    train: SplitManifest
    validation: SplitManifest
    source: SourceReport
    """All sources together."""
    sources: tuple[NamedSourceReport, ...] = ()
    """Each of them, in the order of the settings, which is that of their documents; none in a
    corpus that was prepared before there could be several."""
    near_duplicates: NearReport | None = None
    """What is nearly equal, where it was looked for."""
    rule_task: TaskName | Literal[""] = ""
    """The rule task that made all of this text, if one did."""
    own_rules: str = ""
    """The rules of one's own that made all of this text, if they did."""
    fingerprint: str = ""

    def computed_fingerprint(self) -> str:
        """Equal for corpora with equal tokens, documents and tokenizer, and for no others."""
        digest = hashlib.sha256()
        for part in (self.tokenizer_fingerprint, self.dtype, str(self.separator)):
            digest.update(part.encode() + b"\0")
        for split in (self.train, self.validation):
            for entry in split.files():
                digest.update(f"{entry.name}\0{entry.size_bytes}\0{entry.sha256}\0".encode())
        return digest.hexdigest()


class _Version(msgspec.Struct):
    """The only field that every version of the manifest has."""

    version: int


def damaged(path: Path, why: str) -> DataError:
    """The error for a file of a corpus that is not as it was written."""
    return DataError(
        f"The corpus file {path} cannot be used: {why}.",
        safe="Nothing was changed.",
        do="Restore the file from a copy, or prepare the data again.",
    )


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a corpus folder.

    Raises:
        DataError: It is absent, damaged, or of a newer version; the message names the file.
    """
    path = folder / MANIFEST_NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        inside = folder / "corpus"
        do = "Choose a folder that a data preparation has finished, or run the preparation."
        if (inside / MANIFEST_NAME).is_file():
            do = f"Choose the folder inside it: {inside}."
        raise DataError(
            f"There is no corpus in {folder}: {MANIFEST_NAME} is missing.",
            safe="Nothing was changed.",
            do=do,
        ) from None
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None
    try:
        version = msgspec.json.decode(raw, type=_Version).version
        if version > CORPUS_VERSION:
            raise DataError(
                f"The corpus in {folder} was written by a newer version of Hearth.",
                safe="Nothing was changed.",
                do="Update Hearth, then try again.",
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None
    if manifest.fingerprint != manifest.computed_fingerprint():
        raise damaged(path, "its fingerprint does not fit the files that it lists")
    return manifest
