"""Writing one side of a corpus: token shards and the list of documents."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import file_sha256
from trainer_core.data.manifest import Amount, FileEntry, SplitManifest
from trainer_core.data.preparing.split import Side

SHARD_TOKENS = 2**27


@dataclass
class _Counted:
    """What one source gave to this side."""

    documents: int = 0
    tokens: int = 0
    bytes: int = 0


class SplitWriter:
    """Appends documents to one side of a corpus that is being written.

    Args:
        corpus: The unfinished corpus folder.
        side: `train` or `validation`; the name of the folder inside.
        dtype: `uint16` or `uint32`.
        separator: Id that opens each document.
        sources: Names of the sources; each document's is written where there are several.
        shard_tokens: Tokens in a shard file.
    """

    def __init__(
        self,
        corpus: Path,
        side: Side,
        dtype: str,
        separator: int,
        sources: Sequence[str],
        shard_tokens: int,
    ) -> None:
        self.n_tokens = 0
        self.n_bytes = 0
        self._corpus = corpus
        self._side = side
        self._dtype = np.dtype(dtype)
        self._separator = np.array([separator], dtype=self._dtype)
        self._sources = sources
        self._counted = [_Counted() for _ in sources]
        self._shard_tokens = shard_tokens
        self._starts = array("q")
        self._offsets = array("q")
        self._shards: list[BinaryIO] = []
        (corpus / side).mkdir(parents=True)
        self._documents = (corpus / side / "documents.jsonl").open("wb")

    @property
    def n_documents(self) -> int:
        """Whole documents so far."""
        return len(self._offsets)

    def begin(self) -> None:
        """Open a document."""
        self._starts.append(self.n_tokens)
        self._append(self._separator)

    def add(self, ids: NDArray[np.uint32]) -> None:
        """Append tokens, (n,), to the open document."""
        self._append(ids.astype(self._dtype))

    def end(self, title: str, path: str, n_bytes: int, source: int) -> None:
        """Close the open document, which is of the source of this number."""
        self._offsets.append(self._documents.tell())
        line: dict[str, str | int] = {"title": title, "path": path, "bytes": n_bytes}
        if len(self._sources) > 1:
            line["source"] = self._sources[source]
        self._documents.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.n_bytes += n_bytes
        counted = self._counted[source]
        counted.documents += 1
        counted.tokens += self.n_tokens - self._starts[-1]
        counted.bytes += n_bytes

    def amount(self, source: int) -> Amount:
        """What the source of this number gave to this side."""
        counted = self._counted[source]
        return Amount(documents=counted.documents, tokens=counted.tokens, bytes=counted.bytes)

    def give_up(self) -> None:
        """Take back the open document, as if it had never been begun."""
        self.n_tokens = self._starts.pop()
        shards = -(-self.n_tokens // self._shard_tokens)
        while len(self._shards) > shards:
            with self._shards.pop() as shard:
                Path(shard.name).unlink()
        if self._shards:
            left = (self.n_tokens - 1) % self._shard_tokens + 1
            self._shards[-1].seek(left * self._dtype.itemsize)
            self._shards[-1].truncate()

    def close(self) -> None:
        """Close the files, finished or not."""
        for file in (*self._shards, self._documents):
            file.close()

    def finish(self) -> SplitManifest:
        """Close everything and say what there is; syncing it is left to the caller."""
        folder = self._corpus / self._side
        (folder / "document_start.i64").write_bytes(_positions(self._starts))
        (folder / "document_line.i64").write_bytes(_positions(self._offsets))
        self.close()
        return SplitManifest(
            tokens=self.n_tokens,
            documents=self.n_documents,
            bytes=self.n_bytes,
            shards=tuple(self._entry(Path(shard.name).name) for shard in self._shards),
            documents_file=self._entry("documents.jsonl"),
            starts_file=self._entry("document_start.i64"),
            offsets_file=self._entry("document_line.i64"),
        )

    def _append(self, ids: NDArray[np.generic]) -> None:
        while len(ids):
            used = self.n_tokens % self._shard_tokens
            if used == 0:
                path = self._corpus / self._side / f"tokens-{len(self._shards):05}.bin"
                self._shards.append(path.open("wb"))
            taken, ids = np.split(ids, [self._shard_tokens - used])
            self._shards[-1].write(taken.tobytes())
            self.n_tokens += len(taken)

    def _entry(self, name: str) -> FileEntry:
        path = self._corpus / self._side / name
        size_bytes = path.stat().st_size
        return FileEntry(
            name=f"{self._side}/{name}", size_bytes=size_bytes, sha256=file_sha256(path)
        )


def _positions(values: array[int]) -> bytes:
    return np.array(values, dtype="<i8").tobytes()
