"""Writing one side of a corpus: token shards and the list of documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import file_sha256
from trainer_core.data.manifest import Amount, FileEntry, SplitManifest
from trainer_core.data.preparing.growing import GrowingFile, Lost
from trainer_core.data.preparing.notes import SideState
from trainer_core.data.preparing.split import Side
from trainer_core.data.tokenizers.kinds import Ids

SHARD_TOKENS = 2**27
_HELD_TOKENS = 1 << 16
"""Tokens are joined and written in runs of about this many: documents may be tiny."""


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
        begun: What an earlier attempt wrote; what stands behind it in the files goes.

    Raises:
        Lost: The files hold less than that.
        OSError: The files cannot be written.
    """

    def __init__(
        self,
        corpus: Path,
        side: Side,
        dtype: str,
        separator: int,
        sources: Sequence[str],
        shard_tokens: int,
        begun: SideState | None = None,
    ) -> None:
        begun = begun or SideState(
            tokens=0, documents=0, bytes=0, lines_bytes=0, counted=((0, 0, 0),) * len(sources)
        )
        self.n_tokens = begun.tokens
        self.n_documents = begun.documents
        self.n_bytes = begun.bytes
        self._folder = corpus / side
        self._dtype = np.dtype(dtype)
        self._separator = np.array([separator], dtype=np.uint32)
        self._sources = sources
        self._counted = [_Counted(*counted) for counted in begun.counted]
        self._shard_tokens = shard_tokens
        self._start = 0
        self._held: list[Ids] = []
        self._n_held = 0
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lines = GrowingFile(self._folder / "documents.jsonl", begun.lines_bytes)
        self._starts = GrowingFile(self._folder / "document_start.i64", 8 * begun.documents)
        self._offsets = GrowingFile(self._folder / "document_line.i64", 8 * begun.documents)
        self._shard: GrowingFile | None = None
        self._n_shards = 0
        self._cut_shards(begun.tokens)

    def begin(self) -> None:
        """Open a document."""
        self._start = self.n_tokens
        self.add(self._separator)

    def add(self, ids: Ids) -> None:
        """Append tokens, (n,), to the open document."""
        self._held.append(ids)
        self._n_held += len(ids)
        self.n_tokens += len(ids)
        if self._n_held >= _HELD_TOKENS:
            self._write_held()

    def end(self, title: str, path: str, n_bytes: int, source: int, text: str) -> None:
        """Close the open document.

        Args:
            title: Its short name.
            path: Where it was read from.
            n_bytes: Bytes of its text.
            source: Number of its source.
            text: Hash of its text, in hexadecimal.
        """
        line: dict[str, str | int] = {"title": title, "path": path, "bytes": n_bytes, "text": text}
        if len(self._sources) > 1:
            line["source"] = self._sources[source]
        self._starts.append(self._start.to_bytes(8, "little"))
        self._offsets.append(self._lines.size_bytes.to_bytes(8, "little"))
        self._lines.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.n_documents += 1
        self.n_bytes += n_bytes
        counted = self._counted[source]
        counted.documents += 1
        counted.tokens += self.n_tokens - self._start
        counted.bytes += n_bytes

    def amount(self, source: int) -> Amount:
        """What the source of this number gave to this side."""
        counted = self._counted[source]
        return Amount(documents=counted.documents, tokens=counted.tokens, bytes=counted.bytes)

    def give_up(self) -> None:
        """Take back the open document, as if it had never been begun."""
        self._write_held()
        self.n_tokens = self._start
        self._cut_shards(self.n_tokens)

    def sync(self) -> SideState:
        """Wait until all whole documents are on the disk; none is open.

        Returns:
            What there is now.
        """
        self._write_held()
        for file in self._files():
            file.sync()
        return SideState(
            tokens=self.n_tokens,
            documents=self.n_documents,
            bytes=self.n_bytes,
            lines_bytes=self._lines.size_bytes,
            counted=tuple((one.documents, one.tokens, one.bytes) for one in self._counted),
        )

    def close(self) -> None:
        """Close the files, finished or not."""
        for file in self._files():
            file.close()

    def finish(self) -> SplitManifest:
        """Close everything and say what there is; `sync` was called before."""
        self.close()
        return SplitManifest(
            tokens=self.n_tokens,
            documents=self.n_documents,
            bytes=self.n_bytes,
            shards=tuple(self._entry(_shard_name(number)) for number in range(self._n_shards)),
            documents_file=self._entry(self._lines.path.name),
            starts_file=self._entry(self._starts.path.name),
            offsets_file=self._entry(self._offsets.path.name),
        )

    def _files(self) -> tuple[GrowingFile, ...]:
        shard = () if self._shard is None else (self._shard,)
        return (*shard, self._lines, self._starts, self._offsets)

    def _write_held(self) -> None:
        if self._held:
            ids = np.concatenate(self._held, dtype=self._dtype, casting="unsafe")
            at = self.n_tokens - self._n_held
            self._held, self._n_held = [], 0
            self._write(ids, at)

    def _write(self, ids: NDArray[np.generic], at: int) -> None:
        """Write tokens that begin at this place of the side."""
        while len(ids):
            used = at % self._shard_tokens
            if used == 0:
                self._next_shard()
            taken, ids = np.split(ids, [self._shard_tokens - used])
            assert self._shard is not None  # `at` is behind the beginning of a shard
            self._shard.append(taken.tobytes())
            at += len(taken)

    def _next_shard(self) -> None:
        if self._shard is not None:
            self._shard.sync()
            self._shard.close()
        self._shard = GrowingFile(self._folder / _shard_name(self._n_shards))
        self._n_shards += 1

    def _cut_shards(self, tokens: int) -> None:
        """Keep this many tokens of what was written.

        Raises:
            Lost: There are fewer.
        """
        if self._shard is not None:
            self._shard.close()
            self._shard = None
        self._n_shards = -(-tokens // self._shard_tokens)
        full_bytes = self._shard_tokens * self._dtype.itemsize
        for number in range(self._n_shards - 1):
            path = self._folder / _shard_name(number)
            if not path.exists() or path.stat().st_size != full_bytes:
                raise Lost(f"{path} is gone or damaged.")
        for path in sorted(self._folder.glob("tokens-*.bin"))[self._n_shards :]:
            path.unlink()
        if self._n_shards:
            last = self._n_shards - 1
            left = tokens - last * self._shard_tokens
            path = self._folder / _shard_name(last)
            self._shard = GrowingFile(path, left * self._dtype.itemsize)

    def _entry(self, name: str) -> FileEntry:
        path = self._folder / name
        size_bytes = path.stat().st_size
        return FileEntry(
            name=f"{self._folder.name}/{name}", size_bytes=size_bytes, sha256=file_sha256(path)
        )


def _shard_name(number: int) -> str:
    return f"tokens-{number:05}.bin"
