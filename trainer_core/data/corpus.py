"""The corpus on disk, opened for reading: token shards, documents, tokenizer.

A document is stored as its separator followed by its tokens, so `document_start` is the separator's
position. D documents, V vocabulary.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.manifest import FileEntry, Manifest, SplitManifest, damaged, read_manifest
from trainer_core.data.tokenizers.kinds import TextTokenizer, load_tokenizer
from trainer_core.errors import DataError

Tokens = NDArray[np.uint16] | NDArray[np.uint32]
TOKENIZER_FOLDER = "tokenizer"
_HASH_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class DocumentInfo:
    """One document of a split.

    Attributes:
        title: Short name, such as `json/decoder.py`.
        path: Where it was read from, made printable.
        start: Position of its separator, in tokens of the split.
        n_tokens: Tokens, its separator among them.
        n_bytes: Bytes of its text as UTF-8.
        source: Name of its source; empty where there is only one.
        text: Hash of its whole text (BLAKE2b of 128 bits, hexadecimal), before any cut in two;
            empty in older corpora.
    """

    title: str
    path: str
    start: int
    n_tokens: int
    n_bytes: int
    source: str = ""
    text: str = ""


def _map_positions(path: Path) -> NDArray[np.int64]:
    positions: NDArray[np.int64] = np.asarray(np.memmap(path, dtype="<i8", mode="r"))
    return positions


class CorpusSplit:
    """The training or the validation side of a corpus.

    Args:
        folder: The corpus folder.
        manifest: This side's part of the manifest, its files' sizes already checked.
        dtype: `uint16` or `uint32`.
    """

    def __init__(self, folder: Path, manifest: SplitManifest, dtype: str) -> None:
        self.folder = folder
        self.manifest = manifest
        self.dtype = np.dtype(dtype)
        self.n_tokens = manifest.tokens
        self.n_documents = manifest.documents
        self.n_bytes = manifest.bytes

    @cached_property
    def document_start(self) -> NDArray[np.int64]:
        """Position of each document's separator, (D,) int64, rising; the first is 0."""
        return _map_positions(self.folder / self.manifest.starts_file.name)

    @cached_property
    def _line_offsets(self) -> NDArray[np.int64]:
        return _map_positions(self.folder / self.manifest.offsets_file.name)

    @cached_property
    def _shards(self) -> tuple[Tokens, ...]:
        paths = [self.folder / entry.name for entry in self.manifest.shards]
        return tuple(np.asarray(np.memmap(path, dtype=self.dtype, mode="r")) for path in paths)

    @cached_property
    def _shard_start(self) -> NDArray[np.int64]:
        sizes = [entry.size_bytes // self.dtype.itemsize for entry in self.manifest.shards]
        return np.cumsum([0, *sizes], dtype=np.int64)

    def tokens(self) -> Tokens:
        """All tokens, (n_tokens,) uint16 or uint32, read-only.

        One shard is mapped, so nothing is read before it is used; several are copied into memory.
        Use `read` where a part is enough.
        """
        if len(self._shards) == 1:
            return self._shards[0]
        joined = self._joined(self._shards)
        joined.flags.writeable = False
        return joined

    def read(self, start: int, stop: int) -> Tokens:
        """Tokens `start` to `stop` (excluded), (stop - start,), read-only.

        Raises:
            IndexError: The range is not inside the split.
        """
        if not 0 <= start <= stop <= self.n_tokens:
            raise IndexError(f"tokens {start} to {stop} of {self.n_tokens}")
        first = int(np.searchsorted(self._shard_start, start, side="right")) - 1
        parts: list[Tokens] = []
        for shard, shard_start in zip(
            self._shards[first:], self._shard_start[first:].tolist(), strict=False
        ):
            if parts and shard_start >= stop:
                break
            parts.append(shard[max(start - shard_start, 0) : stop - shard_start])
        if not parts:  # start == stop == n_tokens
            return self._shards[-1][:0]
        return parts[0] if len(parts) == 1 else self._joined(parts)

    def _joined(self, parts: Sequence[Tokens]) -> Tokens:
        joined: Tokens = np.concatenate(parts)  # type: ignore[assignment]  # all of one dtype
        return joined

    def document_at(self, position: int) -> int:
        """Number of the document that holds a token position.

        Raises:
            IndexError: The position is not inside the split.
        """
        if not 0 <= position < self.n_tokens:
            raise IndexError(f"token {position} of {self.n_tokens}")
        return int(np.searchsorted(self.document_start, position, side="right")) - 1

    def document(self, number: int) -> DocumentInfo:
        """Title, place and size of one document.

        Raises:
            IndexError: There is no such document.
            DataError: The documents file is damaged.
        """
        if not 0 <= number < self.n_documents:
            raise IndexError(f"document {number} of {self.n_documents}")
        with self._open_documents() as file:
            file.seek(int(self._line_offsets[number]))
            return self._info(number, file.readline())

    def documents(self) -> Iterator[DocumentInfo]:
        """Title, place and size of each document, in order.

        Raises:
            DataError: The documents file is damaged.
        """
        with self._open_documents() as file:
            for number in range(self.n_documents):
                yield self._info(number, file.readline())

    def _open_documents(self) -> BinaryIO:
        path = self.folder / self.manifest.documents_file.name
        try:
            return path.open("rb")
        except OSError as error:
            raise damaged(path, error.strerror or str(error)) from None

    def _info(self, number: int, text: bytes) -> DocumentInfo:
        try:
            line = json.loads(text)
            title, path_read, n_bytes = str(line["title"]), str(line["path"]), int(line["bytes"])
            source, digest = str(line.get("source", "")), str(line.get("text", ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            path = self.folder / self.manifest.documents_file.name
            raise damaged(path, f"document {number} cannot be read ({error})") from None
        start = int(self.document_start[number])
        last = number + 1 == self.n_documents
        stop = self.n_tokens if last else int(self.document_start[number + 1])
        return DocumentInfo(title, path_read, start, stop - start, n_bytes, source, digest)


class Corpus:
    """A prepared corpus, opened for reading. Build one with `open_corpus`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.vocab_size = manifest.vocab_size
        self.separator = manifest.separator
        self.fingerprint = manifest.fingerprint
        self.train = CorpusSplit(folder, manifest.train, manifest.dtype)
        self.validation = CorpusSplit(folder, manifest.validation, manifest.dtype)

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer that the corpus was written with.

        Raises:
            DataError: It is damaged, or of another corpus.
        """
        folder = self.folder / TOKENIZER_FOLDER
        tokenizer = load_tokenizer(folder)
        if tokenizer.fingerprint != self.manifest.tokenizer_fingerprint:
            raise damaged(folder, "it is not the tokenizer that the corpus was written with")
        return tokenizer

    def verify(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Read every file and compare its hash with the manifest.

        Args:
            progress: Called with the bytes read so far and in all.

        Raises:
            DataError: A file is not as it was written; the message names it.
        """
        entries = [*self.manifest.train.files(), *self.manifest.validation.files()]
        total = sum(entry.size_bytes for entry in entries)
        done = 0
        for entry in entries:
            if file_sha256(self.folder / entry.name) != entry.sha256:
                raise damaged(self.folder / entry.name, "its content has changed")
            done += entry.size_bytes
            if progress is not None:
                progress(done, total)
        _ = self.tokenizer  # raises when it is damaged


def file_sha256(path: Path) -> str:
    """Hash of a file's content, in hexadecimal.

    Raises:
        DataError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASH_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None
    return digest.hexdigest()


def _check_size(folder: Path, entry: FileEntry) -> None:
    path = folder / entry.name
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        raise damaged(path, "it is missing") from None
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None
    if size_bytes != entry.size_bytes:
        raise damaged(path, f"it has {size_bytes:,} bytes instead of {entry.size_bytes:,}")


def _is_inside(name: str) -> bool:
    """Whether a name in a manifest stays in the corpus folder; manifests come from anywhere."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _check_counts(folder: Path, split: SplitManifest, itemsize: int) -> None:
    """Hold what the manifest counts against the sizes that it lists."""
    shard_bytes = sum(entry.size_bytes for entry in split.shards)
    fits = (
        shard_bytes == split.tokens * itemsize
        and split.starts_file.size_bytes == split.documents * 8
        and split.offsets_file.size_bytes == split.documents * 8
        and all(entry.size_bytes for entry in split.shards)
        and 0 < split.documents <= split.tokens
        and all(_is_inside(entry.name) for entry in split.files())
    )
    if not fits:
        raise damaged(folder, "its manifest contradicts itself")


def open_corpus(folder: str | Path, *, verify: bool = False) -> Corpus:
    """Open a corpus that `prepare` wrote.

    Versions, sizes and the manifest's fingerprint are always checked, which takes no time; damage
    inside a file of the right size is found by `verify`, which reads everything.

    Args:
        folder: The corpus folder.
        verify: Also compare the hash of every file.

    Raises:
        DataError: There is no corpus, it is damaged, or it was written by a newer version.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            f"There is no corpus in {folder}: the folder does not exist.",
            safe="Nothing was changed.",
            do="Check the path, or prepare the data first.",
        )
    manifest = read_manifest(folder)
    itemsize = np.dtype(manifest.dtype).itemsize
    for split in (manifest.train, manifest.validation):
        _check_counts(folder, split, itemsize)
        for entry in split.files():
            _check_size(folder, entry)
    corpus = Corpus(folder, manifest)
    if verify:
        corpus.verify()
    return corpus
