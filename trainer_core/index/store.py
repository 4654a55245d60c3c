"""The index on disk: its files, their manifest, and writing them whole or not at all.

An index folder needs nothing outside of it; it holds a copy of the training tokens.

| file | what |
| --- | --- |
| manifest.json | version, settings, fingerprints, size and hash of every other file |
| tokens.bin | (n,) training tokens, uint16 or uint32 |
| buckets.bin | (V + 1,) int64, the rank at which each token's positions begin, of n - 1 |
| documents.bin | (D,) int64, where each training document begins |
| train-*.bin, validation-*.bin | the fields of `MatchFeatures` |

The n - 1 positions that a token follows are sorted by the contexts that end there, read backwards.
They are kept in *key ranges*: a range has all positions of some consecutive tokens of the
vocabulary, so that a query touches the files of one range, 000, 001 and so on. m entries in it:

| file | what |
| --- | --- |
| sorted-000.bin | (m,) uint32, the positions |
| keys-000.bin, shared-000.bin, latest-000.bin, far-000.bin | the fields of `Tables` |

Numbers are little-endian. n training tokens, V vocabulary, D documents.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer_core.errors import IndexFileError
from trainer_core.files import (
    write_whole_file,
)
from trainer_core.index_plan import INDEX_VERSION as INDEX_VERSION
from trainer_core.spec import MATCH_LENGTH_MAX

MANIFEST_NAME = "manifest.json"
INDEX_FOLDER = "index"
"""Name of the index folder within a job folder."""

TOKENS_FILE = "tokens.bin"
BUCKETS_FILE = "buckets.bin"
DOCUMENTS_FILE = "documents.bin"
PARTS = ("train", "validation")
FEATURE_FIELDS = ("length", "next", "second", "marks")
RangeKind = Literal["sorted", "keys", "shared", "latest", "far"]
RANGE_KINDS: tuple[RangeKind, ...] = ("sorted", "keys", "shared", "latest", "far")
RANGE_ENTRIES = 1 << 28
"""About as many entries are kept in one key range; one token's positions are never divided."""

_CHUNK_BYTES = 1 << 22


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the index. `name` is relative to the index folder."""

    name: str
    size_bytes: int
    sha256: str


class KeyRange(msgspec.Struct, frozen=True, kw_only=True):
    """The sorted positions of the tokens from `first_token` to before `stop_token`."""

    first_token: int
    stop_token: int
    first_rank: int
    """Rank of its first entry among all."""
    entries: int


class IndexManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an index was built from and what its files must look like."""

    version: int
    corpus_fingerprint: str
    tokenizer_fingerprint: str
    vocab_size: int
    separator: int
    dtype: Literal["uint16", "uint32"]
    """Of tokens."""
    max_length: int
    n_tokens: int
    n_documents: int
    n_validation_tokens: int
    ranges: tuple[KeyRange, ...]
    """In the order of their tokens; together they are the whole vocabulary."""
    files: tuple[FileEntry, ...]
    fingerprint: str = ""

    def computed_fingerprint(self) -> str:
        """Equal for indexes with equal settings and content, and for no others."""
        fields = msgspec.structs.replace(self, fingerprint="")
        return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


class _Version(msgspec.Struct):
    """The only field that every version of the manifest has."""

    version: int


def feature_file(part: str, field: str) -> str:
    """Name of a file of features.

    Args:
        part: One of `PARTS`.
        field: One of `FEATURE_FIELDS`.
    """
    return f"{part}-{field}.bin"


def range_file(kind: RangeKind, number: int) -> str:
    """Name of a file of a key range.

    Args:
        kind: One of `RANGE_KINDS`.
        number: Of the range, from 0 on.
    """
    return f"{kind}-{number:03}.bin"


def cut_ranges(bounds: NDArray[np.int64], range_entries: int) -> tuple[KeyRange, ...]:
    """Divide the vocabulary into key ranges.

    Args:
        bounds: (V + 1,) the rank at which each token's positions begin.
        range_entries: Entries that a range may have at most, unless one token alone has more.
    """
    vocab_size = bounds.size - 1
    ranges = []
    first = 0
    while first < vocab_size:
        first_rank = int(bounds[first])
        reach = int(np.searchsorted(bounds, first_rank + range_entries, side="right")) - 1
        stop = min(max(reach, first + 1), vocab_size)
        ranges.append(
            KeyRange(
                first_token=first,
                stop_token=stop,
                first_rank=first_rank,
                entries=int(bounds[stop]) - first_rank,
            )
        )
        first = stop
    return tuple(ranges)


def damaged(path: Path, why: str) -> IndexFileError:
    """The error for a file of an index that is not as it was written."""
    return IndexFileError(
        f"The index file {path} cannot be used: {why}.",
        safe="Your text and your models do not depend on it; nothing was changed.",
        do="Build the index again from its corpus, or restore the file from a copy.",
    )


# --- writing -----------------------------------------------------------------------------------


_OUR_NAMES = re.compile(
    r"manifest\.json|(tokens|buckets|documents)\.bin|sorted\.bin"  # sorted.bin: format 1
    rf"|({'|'.join(RANGE_KINDS)})-\d{{3,}}\.bin"
    rf"|({'|'.join(PARTS)})-({'|'.join(FEATURE_FIELDS)})\.bin"
)


def _is_ours(name: str) -> bool:
    """Whether an index, of this format or an older one, has a file of this name."""
    return _OUR_NAMES.fullmatch(name) is not None


def refuse_other_folder(folder: Path) -> None:
    """An index may only be replaced by an index: whatever else is there stays.

    Raises:
        IndexFileError: The path is a file, or the folder holds something that no index has.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or not all(_is_ours(path.name) for path in folder.iterdir()):
        raise IndexFileError(
            f"{folder} holds something else than an index.",
            safe="Nothing in it was changed.",
            do="Choose a new folder for the index.",
        )


def write_manifest(draft: Path, manifest: IndexManifest) -> IndexManifest:
    """Write the manifest with its fingerprint; the last file of an index.

    Raises:
        OSError: The disk is full or gone.
    """
    sealed = msgspec.structs.replace(manifest, fingerprint=manifest.computed_fingerprint())
    text = msgspec.json.format(msgspec.json.encode(sealed), indent=2)
    write_whole_file(draft / MANIFEST_NAME, text + b"\n")
    return sealed


# --- reading -----------------------------------------------------------------------------------


def read_manifest(folder: Path) -> IndexManifest:
    """Read the manifest of an index folder and check its version and fingerprint.

    Raises:
        IndexFileError: It is absent, damaged, or of another version; the message names the file.
    """
    path = folder / MANIFEST_NAME
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise IndexFileError(
            f"There is no index in {folder}: {MANIFEST_NAME} is missing.",
            safe="Nothing was changed.",
            do="Choose a folder that an index build has finished, or build the index.",
        ) from None
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None
    try:
        version = msgspec.json.decode(raw, type=_Version).version
        if version > INDEX_VERSION:
            raise IndexFileError(
                f"The index {path} was written by a newer version of Hearth (format {version}).",
                safe="Nothing was changed.",
                do="Update Hearth, or build the index again with this version.",
            )
        if version < INDEX_VERSION:
            raise IndexFileError(
                f"The index {path} was written by an older version of Hearth (format {version}).",
                safe="Nothing was changed.",
                do="Build the index again from its corpus.",
            )
        manifest = msgspec.json.decode(raw, type=IndexManifest)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None
    if manifest.fingerprint != manifest.computed_fingerprint():
        raise damaged(path, "its fingerprint does not fit what it says")
    if not (_counts_fit(manifest) and _ranges_fit(manifest)):
        raise damaged(path, "it contradicts itself")
    return manifest


def _counts_fit(manifest: IndexManifest) -> bool:
    """Whether an index can have such sizes and files; lookups rely on it."""
    return (
        1 <= manifest.max_length <= MATCH_LENGTH_MAX
        and 0 <= manifest.separator < manifest.vocab_size
        and 1 <= manifest.n_documents <= manifest.n_tokens
        and manifest.n_validation_tokens >= 0
        and all(_is_ours(entry.name) for entry in manifest.files)
    )


def _ranges_fit(manifest: IndexManifest) -> bool:
    """Whether the key ranges follow each other and are the whole vocabulary and all entries."""
    token, rank = 0, 0
    for key_range in manifest.ranges:
        if (key_range.first_token, key_range.first_rank) != (token, rank):
            return False
        if key_range.stop_token <= token or key_range.entries < 0:
            return False
        token, rank = key_range.stop_token, rank + key_range.entries
    return (token, rank) == (manifest.vocab_size, manifest.n_tokens - 1)


def check_files(
    folder: Path,
    manifest: IndexManifest,
    *,
    verify: bool,
    advance: Callable[[int, int], None] | None = None,
) -> None:
    """Hold the files against the manifest: sizes always, content where `verify` is set.

    Args:
        folder: The index folder.
        manifest: Its manifest.
        verify: Whether to read everything.
        advance: Called behind each piece that is read, with the bytes done and all of them.

    Raises:
        IndexFileError: A file is absent, cut off or changed; the message names it.
    """
    total = sum(entry.size_bytes for entry in manifest.files)
    done = 0

    def count(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        if advance is not None:
            advance(done, total)

    for entry in manifest.files:
        path = folder / entry.name
        try:
            size_bytes = path.stat().st_size
            if size_bytes != entry.size_bytes:
                raise damaged(path, f"it has {size_bytes:,} bytes instead of {entry.size_bytes:,}")
            if verify and _file_sha256(path, count) != entry.sha256:
                raise damaged(path, "its content has changed")
        except FileNotFoundError:
            raise damaged(path, "it is missing") from None
        except OSError as error:
            raise damaged(path, error.strerror or str(error)) from None


def _file_sha256(path: Path, count: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
            count(len(piece))
    return digest.hexdigest()


def map_array(folder: Path, manifest: IndexManifest, name: str, dtype: str) -> NDArray[Any]:
    """Map one of the index's files, read-only.

    Raises:
        IndexFileError: The file cannot be mapped, or the manifest does not list it.
    """
    path = folder / name
    sizes = {entry.name: entry.size_bytes for entry in manifest.files}
    if name not in sizes:
        raise damaged(folder / MANIFEST_NAME, f"it does not list {name}")
    if sizes[name] == 0:  # an empty file cannot be mapped
        values: NDArray[Any] = np.zeros(0, dtype=dtype)
        values.flags.writeable = False
        return values
    try:
        return np.asarray(np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r"))
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from None
