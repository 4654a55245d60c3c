"""An index that is appended to: whether a corpus goes on where it ends, and what is taken over.

n tokens of the index, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer_core.errors import IndexFileError
from trainer_core.index import store
from trainer_core.index.building.draft import Draft
from trainer_core.index.building.source import IndexSource
from trainer_core.index.building.stages import Stage
from trainer_core.index.store import IndexManifest

_BLOCK_TOKENS = 1 << 20
_COPIED = "copied features"


@dataclass(frozen=True)
class OlderIndex:
    """An index that documents are appended to."""

    folder: Path
    manifest: IndexManifest

    def difference(self, source: IndexSource, max_length: int) -> str:
        """Why a text is no continuation of the one in the index; empty where it is one.

        Raises:
            IndexFileError: The index is damaged.
        """
        manifest = self.manifest
        settings = (
            ("tokenizer", source.tokenizer_fingerprint, manifest.tokenizer_fingerprint),
            ("vocabulary", source.vocab_size, manifest.vocab_size),
            ("separator", source.separator, manifest.separator),
            ("kind of token", source.dtype.name, manifest.dtype),
            ("longest match", max_length, manifest.max_length),
        )
        for name, wanted, found in settings:
            if wanted != found:
                return f"it has another {name}"
        if source.n_tokens < manifest.n_tokens:
            return "it is shorter"
        starts = store.map_array(self.folder, manifest, store.DOCUMENTS_FILE, "int64")
        older_starts = source.document_start[: starts.size]
        begins_new = source.document_start[starts.size : starts.size + 1]
        if not np.array_equal(starts, older_starts) or np.any(begins_new < manifest.n_tokens):
            return "its documents begin at other places"
        tokens = store.map_array(self.folder, manifest, store.TOKENS_FILE, manifest.dtype)
        for first in range(0, tokens.size, _BLOCK_TOKENS):
            block = tokens[first : first + _BLOCK_TOKENS]
            if not np.array_equal(block, source.read(first, first + block.size)):
                return "its beginning is another text"
        return ""

    def check(self, advance: Callable[[int, int], None]) -> None:
        """Hold the content of all files that are taken over against the manifest.

        Args:
            advance: Called now and then with the bytes done and all of them.

        Raises:
            IndexFileError: A file is damaged.
        """
        store.check_files(self.folder, self.manifest, verify=True, advance=advance)

    def stage(self) -> Stage:
        """Its sorted positions.

        Raises:
            IndexFileError: The files do not fit together.
        """
        ranges = self.manifest.ranges
        bounds = store.map_array(self.folder, self.manifest, store.BUCKETS_FILE, "int64")
        names = [store.range_file("sorted", number) for number in range(len(ranges))]
        sizes = {entry.name: entry.size_bytes for entry in self.manifest.files}
        for key_range, name in zip(ranges, names, strict=True):
            begin, stop = bounds[[key_range.first_token, key_range.stop_token]]
            if (begin, 4 * (stop - begin)) != (key_range.first_rank, sizes.get(name)):
                raise store.damaged(self.folder / name, "it does not fit the manifest")
        return Stage(
            bounds=bounds,
            first_ranks=[key_range.first_rank for key_range in ranges],
            orders=[self.folder / name for name in names],
            shared=None,
        )

    def copy_features(self, draft: Draft, advance: Callable[[int, int], None]) -> None:
        """Take over the features of the older tokens: history only, so they stay as they are.

        Raises:
            IndexFileError: A file cannot be mapped.
            OSError: The disk is full or gone.
        """
        if draft.has(_COPIED):
            return
        names = [store.feature_file("train", field) for field in store.FEATURE_FIELDS]
        for number, name in enumerate(names):
            advance(number, len(names))
            values = store.map_array(self.folder, self.manifest, name, "uint8")
            for begin in range(0, values.size, _BLOCK_TOKENS):
                draft.append(name, values[begin : begin + _BLOCK_TOKENS])
        draft.finish(_COPIED, names)


def not_a_continuation(why: str) -> IndexFileError:
    """The error for a corpus that does not go on where an index ends."""
    return IndexFileError(
        f"The corpus does not go on where the index ends: {why}.",
        safe="The index is as it was.",
        do="Build a new index over this corpus.",
    )
