"""One build of an index: reads the text, decides on the steps, writes all files and the manifest.

n training tokens, m held-out tokens, D training documents.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainer_core.data.tokenizers.kinds import worker_count
from trainer_core.errors import IndexFileError
from trainer_core.index import store
from trainer_core.index.building.budget import (
    BuildPlan,
    Need,
    automatic_limit,
    cut_chunks,
    text_fits,
)
from trainer_core.index.building.chunks import write_sorted
from trainer_core.index.building.draft import Draft
from trainer_core.index.building.older import OlderIndex, not_a_continuation
from trainer_core.index.building.source import IndexSource, copy_text
from trainer_core.index.building.stages import Progress, Work
from trainer_core.index.compiled import COMPILED
from trainer_core.index.lookups.held_out import features_against
from trainer_core.index.lookups.lookup import MatchIndex
from trainer_core.index.sorting.engine import Advance
from trainer_core.index.store import IndexManifest
from trainer_core.index.tokens import Text, frozen
from trainer_core.index_plan import RESUMABLE_TOKENS as RESUMABLE_TOKENS

I64 = NDArray[np.int64]

READING = "reading the training text"
CHECKING_OLDER = "checking the index that is appended to"
COPYING = "copying the index that is appended to"
MATCHING = "matching the held-out text"

_HELD_OUT_LEAST = 1 << 18
_HELD_OUT_BYTES = 256
"""Memory that is reckoned with for each held-out token that is matched at a time."""

AppendTo = Literal["nothing", "what is there", "what fits"]


@dataclass(frozen=True)
class Settings:
    """How to build.

    Attributes:
        max_length: Matches are followed back this many tokens at most, 1 to 64.
        memory_limit_bytes: Memory for arrays that grow with the text; None takes half of what is
            free. What is memory-mapped is not counted: the system takes it back when it wants to.
        threads: How many to use; None takes one for each core.
        range_entries: Entries that a key range has at most, where no token alone has more.
        append_to: Whether an index that is there must, may or must not be appended to.
        older_index: Another index that may be appended to, into a folder of its own; None if none.
    """

    max_length: int = 32
    memory_limit_bytes: int | None = None
    threads: int | None = None
    range_entries: int = store.RANGE_ENTRIES
    append_to: AppendTo = "nothing"
    older_index: Path | None = None


@dataclass(frozen=True)
class Built:
    """What a build has come to.

    Attributes:
        manifest: Of the index.
        chunks: How many the text was sorted in; one where it fitted into memory.
        appended: Whether an older index was appended to.
        resumed: Whether an interrupted build was gone on with.
    """

    manifest: IndexManifest
    chunks: int
    appended: bool
    resumed: bool


class Assembly:
    """One build, from the first reading to the manifest."""

    def __init__(
        self, source: IndexSource, settings: Settings, draft: Draft, report: Progress
    ) -> None:
        self._source = source
        self._settings = settings
        self._draft = draft
        self._report = report
        self._limit_bytes = settings.memory_limit_bytes or automatic_limit()
        self._threads = settings.threads or worker_count()

    def make(self, folder: Path) -> Built:
        """Write all files of the index into the draft.

        Args:
            folder: Where the index will be.

        Raises:
            IndexFileError: The source cannot be indexed or appended.
            OSError: The disk is full or gone.
        """
        older = self._older(folder)
        work, resumed = self._begin(older)
        base = None
        if older is not None and COMPILED:
            base = older.stage()
            older.copy_features(self._draft, self._advance(COPYING, unit="files"))
        write_sorted(work, base)
        manifest = self._manifest(work)
        self._write_held_out(MatchIndex(self._draft.folder, manifest))
        manifest = store.write_manifest(self._draft.folder, self._manifest(work))
        self._draft.close()
        return Built(manifest, len(work.plan.chunks), base is not None, resumed)

    def _advance(self, phase: str, begun: int = 0, of: int = 0, unit: str = "tokens") -> Advance:
        """Reports a phase of `of` tokens from a place in it on."""
        return lambda done, total: self._report(phase, begun + done, of or total, unit)

    def _older(self, folder: Path) -> OlderIndex | None:
        """The index that is appended to, if any.

        Raises:
            IndexFileError: It must be the one in the folder, and it cannot be.
        """
        if self._settings.append_to == "what is there":
            return self._continued(folder)
        if self._settings.append_to == "what fits":
            for candidate in (folder, self._settings.older_index):
                if candidate is not None:
                    with contextlib.suppress(IndexFileError):
                        return self._continued(candidate, shorter=True)
        return None

    def _continued(self, folder: Path, *, shorter: bool = False) -> OlderIndex:
        """An index that the source is a continuation of.

        Args:
            folder: Of the index.
            shorter: Whether the source must have more tokens.

        Raises:
            IndexFileError: There is none, it is damaged, or the source goes on otherwise.
        """
        older = OlderIndex(folder, store.read_manifest(folder))
        if shorter and older.manifest.n_tokens >= self._source.n_tokens:
            raise not_a_continuation("it has nothing new")
        difference = older.difference(self._source, self._settings.max_length)
        if difference:
            raise not_a_continuation(difference)
        older.check(self._advance(CHECKING_OLDER, unit="bytes"))
        return older

    def _begin(self, older: OlderIndex | None) -> tuple[Work, bool]:
        """Read the text and decide on the steps; also says whether some are finished already."""
        source, draft = self._source, self._draft
        text_bytes = source.n_tokens * source.dtype.itemsize
        in_memory = text_fits(text_bytes, self._limit_bytes)
        tokens, counts = copy_text(
            source, draft, in_memory=in_memory, advance=self._advance(READING)
        )
        need = Need(
            dtype=source.dtype.name,
            text_bytes=text_bytes if in_memory else 0,
            vocab_size=source.vocab_size,
            largest_share=int(counts.max()) / source.n_tokens,
            threads=self._threads,
        )
        bounds = np.concatenate([[0], np.cumsum(counts)])
        bounds[int(tokens[-1]) + 1 :] -= 1  # nothing is known to follow the last token
        draft.append(store.BUCKETS_FILE, bounds)
        plan = self._plan(older, need)
        resumable = COMPILED and source.n_tokens >= RESUMABLE_TOKENS
        finished = draft.go_on(msgspec.json.encode(plan), resumable=resumable)
        work = Work(
            draft=draft,
            text=Text(frozen(tokens), source.separator, 1, self._settings.max_length),
            plan=plan,
            counts=counts,
            bounds=bounds,
            key_ranges=store.cut_ranges(bounds, self._settings.range_entries),
            document_start=source.document_start,
            threads=self._threads,
            report=self._report,
        )
        return work, finished > 0

    def _plan(self, older: OlderIndex | None, need: Need) -> BuildPlan:
        """The plan of an interrupted build of the same index, if its memory is allowed; else a new
        one.
        """
        n_tokens = self._source.n_tokens
        plan = BuildPlan(
            version=store.INDEX_VERSION,
            source=self._source_hash(),
            base="" if older is None else older.manifest.fingerprint,
            range_entries=self._settings.range_entries,
            chunks=((0, n_tokens),),
            work_entries=n_tokens,
        )
        if not COMPILED:
            return plan
        before = self._plan_before()
        if before is not None:
            same = msgspec.structs.replace(before, chunks=plan.chunks, work_entries=n_tokens)
            largest = max(stop - first for first, stop in before.chunks)
            if same == plan and need.bytes_for(largest, before.work_entries) <= self._limit_bytes:
                return before
        first = 0 if older is None else older.manifest.n_tokens - 1
        chunks, work_entries = cut_chunks(first, n_tokens, need, self._limit_bytes)
        return msgspec.structs.replace(plan, chunks=chunks, work_entries=work_entries)

    def _plan_before(self) -> BuildPlan | None:
        """The plan of the interrupted build that left the draft, if one did."""
        try:
            return msgspec.json.decode(self._draft.plan(), type=BuildPlan)
        except msgspec.DecodeError:
            return None

    def _source_hash(self) -> str:
        """A hash of all that goes into the index but for what is appended to."""
        source = self._source
        parts = (
            self._draft.sha256((store.TOKENS_FILE, store.DOCUMENTS_FILE)),
            hashlib.sha256(np.ascontiguousarray(source.validation_tokens).data).hexdigest(),
            hashlib.sha256(np.ascontiguousarray(source.validation_document_start).data).hexdigest(),
            self._settings.max_length,
            source.dtype.name,
            source.vocab_size,
            source.separator,
            source.corpus_fingerprint,
            source.tokenizer_fingerprint,
        )
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    def _write_held_out(self, index: MatchIndex) -> None:
        """Write the features of the held-out text, some documents at a time."""
        if self._draft.has("held-out"):
            return
        source = self._source
        n_tokens = source.validation_tokens.size
        names = [store.feature_file("validation", field) for field in store.FEATURE_FIELDS]
        most = max(_HELD_OUT_LEAST, self._limit_bytes // _HELD_OUT_BYTES)
        for first, stop in _document_blocks(source.validation_document_start, n_tokens, most):
            low, high = np.searchsorted(source.validation_document_start, [first, stop])
            features = features_against(
                index,
                source.validation_tokens[first:stop],
                source.validation_document_start[low:high] - first,
                self._advance(MATCHING, first, n_tokens),
            )
            for name, field in zip(names, store.FEATURE_FIELDS, strict=True):
                self._draft.append(name, getattr(features, field))
        self._draft.finish("held-out", names)

    def _manifest(self, work: Work) -> IndexManifest:
        """The manifest over the files that there are."""
        source = self._source
        return IndexManifest(
            version=store.INDEX_VERSION,
            corpus_fingerprint=source.corpus_fingerprint,
            tokenizer_fingerprint=source.tokenizer_fingerprint,
            vocab_size=source.vocab_size,
            separator=source.separator,
            dtype="uint16" if source.dtype == np.uint16 else "uint32",
            max_length=self._settings.max_length,
            n_tokens=source.n_tokens,
            n_documents=source.document_start.size,
            n_validation_tokens=source.validation_tokens.size,
            ranges=work.key_ranges,
            files=self._draft.entries(),
        )


def _document_blocks(starts: I64, n_tokens: int, most: int) -> Iterator[tuple[int, int]]:
    """Stretches of whole documents of at most so many tokens, unless one alone has more; an empty
    text is one stretch.
    """
    borders = np.append(starts, n_tokens)
    first = 0
    while True:
        reach = int(np.searchsorted(borders, first + most, side="right")) - 1
        following = int(np.searchsorted(borders, first, side="right"))
        stop = int(borders[min(max(reach, following), borders.size - 1)])
        yield first, stop
        if stop == n_tokens:
            return
        first = stop
