"""The verb `preview`: read the beginning of sources and show what `prepare` would make of it.

Values of its result:
    preview: Name of the file inside the job folder; see `report.Preview`.
    documents, bytes: Read, of all sources.
    skipped: How many files or documents were left out, by reason.
    seconds: How long it took.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from trainer_core.data.cleaning.near import first_of_its_kind
from trainer_core.data.cleaning.source import as_found
from trainer_core.data.manifest import NearPair, NearReport
from trainer_core.data.preparing.build import open_numbered
from trainer_core.data.preparing.survey import NamedSource
from trainer_core.data.preview.columns import column_chosen, columns_of
from trainer_core.data.preview.reading import Beginning, Known, Tick
from trainer_core.data.preview.report import REPORT_NAME, Failed, Preview, SourcePreview
from trainer_core.errors import DataError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.spec import (
    CleaningConfig,
    HubDataset,
    PreviewSpec,
    SavedDataset,
    Source,
    TextFiles,
)

if TYPE_CHECKING:
    from trainer_core.job import Job

SCRATCH_FOLDER = "reading"
"""What is kept while a preview is made."""
PAIRS_SHOWN = 20
READING = "reading the beginning"


def run(job: Job, spec: PreviewSpec) -> dict[str, Any]:
    """Carry out a `preview` job. What can be read is shown, even where one of the sources fails.

    Args:
        job: The running job; its folder takes the report.
        spec: What to read and how.

    Returns:
        The result's values, as the module says.

    Raises:
        JobStopped: The job was asked to stop; nothing is left behind.
        DataError: A source cannot be read; the report says what the others hold.
        KnownError: The report cannot be written.
    """
    job.state("running")
    begun_s = time.monotonic()
    try:
        with ExitStack() as stack:
            scratch = job.folder / SCRATCH_FOLDER
            shutil.rmtree(scratch, ignore_errors=True)  # of a session that was killed
            scratch.mkdir()
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            known = Known(scratch, signed=spec.cleaning.near_duplicates != "off")
            stack.callback(known.close)
            work = _Preview(job, spec, scratch, known)
            sources = tuple(work.source(number) for number in range(len(spec.all_sources)))
            near = work.near_duplicates()
    except OSError as error:
        raise from_os_error(error, "reading the beginning of the text") from None
    seconds = time.monotonic() - begun_s
    found = Preview(sources=sources, near_duplicates=near, seconds=seconds)
    try:
        write_whole_file(job.folder / REPORT_NAME, msgspec.json.encode(found))
    except OSError as error:
        raise from_os_error(error, "writing the preview") from None
    if work.errors:
        raise work.errors[0]
    return _values(found)


def _looked_at(spec: PreviewSpec) -> PreviewSpec:
    """The same with Hub datasets streamed as far as is needed: a look must not fetch all."""

    def looked_at(source: Source) -> Source:
        if not isinstance(source, HubDataset):
            return source
        limits = [limit for limit in (spec.max_bytes, source.max_bytes) if limit]
        return msgspec.structs.replace(source, streaming=True, max_bytes=min(limits, default=0))

    if spec.sources:
        return msgspec.structs.replace(spec, sources=tuple(map(looked_at, spec.sources)))
    return msgspec.structs.replace(spec, source=looked_at(spec.all_sources[0]))


class _Preview:
    """A preview under way.

    Args:
        job: Told of the progress.
        spec: What to read and how.
        scratch: Folder for what is kept meanwhile.
        known: Takes what is remembered of the documents.
    """

    def __init__(self, job: Job, spec: PreviewSpec, scratch: Path, known: Known) -> None:
        self.errors: list[DataError] = []
        self._job, self._spec, self._scratch, self._known = job, spec, scratch, known

    def source(self, number: int) -> SourcePreview:
        """What one of the sources holds, or why it cannot be read."""
        spec = self._spec
        name = spec.source_names[number]
        try:
            source = open_numbered(_looked_at(spec), number, self._scratch, self._job.progress)
            beginning = Beginning(
                source, spec.max_bytes, spec.documents, self._known, self._tick(number, source)
            )
            beginning.read()
        except DataError as error:
            self.errors.append(error)
            failed = Failed(what=error.what, do=error.do, field=error.field)
            return SourcePreview(name=name, description="", failed=failed)
        return _source_preview(spec.all_sources[number], source, beginning)

    def near_duplicates(self) -> NearReport | None:
        """What is nearly equal among all that was read."""
        if self._spec.cleaning.near_duplicates == "off":
            return None

        def tick(share: float) -> None:
            self._job.progress("comparing documents", share, 1.0)

        return near_report(self._known, self._spec.cleaning, tick)

    def _tick(self, number: int, source: NamedSource) -> Tick:
        n_sources = len(self._spec.all_sources)
        in_all = sum(file.size_bytes for file in source.opened.files)
        limits = [n for n in (self._spec.max_bytes, source.opened.max_bytes, in_all) if n]
        total = max(min(limits, default=1), 1)

        def tick(n_bytes: int) -> None:
            share = (number + min(n_bytes / total, 0.99)) / n_sources
            self._job.progress(READING, share, 1.0, "", whole=share)

        return tick


def near_report(
    known: Known, cleaning: CleaningConfig, tick: Callable[[float], None]
) -> NearReport:
    """Which of the documents that were read are nearly equal, with the paths of the first ones.

    Args:
        known: The documents.
        cleaning: From which similarity on they are nearly equal.
        tick: As in `first_of_its_kind`.
    """
    signatures = known.signatures()
    first = first_of_its_kind(signatures, cleaning.similarity, tick)
    later = np.flatnonzero(first != np.arange(len(first)))
    kinds, places = np.unique(first[later], return_index=True)
    return NearReport(
        similarity=cleaning.similarity,
        removed=cleaning.near_duplicates == "remove",
        kinds=len(kinds),
        documents=len(later),
        held_out=0,
        pairs=tuple(
            NearPair(
                first=known.path(int(first[number])),
                later=known.path(int(number)),
                similarity=float((signatures[first[number]] == signatures[number]).mean()),
            )
            for number in later[places[:PAIRS_SHOWN]]
        ),
    )


def _source_preview(wanted: Source, source: NamedSource, read: Beginning) -> SourcePreview:
    fields: tuple[str, ...] = ()
    field = ""
    if isinstance(wanted, TextFiles | HubDataset | SavedDataset):
        fields = columns_of(as_found(source.opened))
        field = column_chosen(fields, wanted.field) if fields else ""
    share = read.share
    if share and (most := getattr(wanted, "max_bytes", 0)):
        share = min(max(share, read.n_bytes / most), 1.0)  # no more than that will be read
    return SourcePreview(
        name=source.name,
        description=source.description,
        documents=tuple(read.documents),
        documents_read=read.n_documents,
        bytes_read=read.n_bytes,
        documents_total=_in_all(read.n_documents, share),
        bytes_total=_in_all(read.n_bytes, share),
        fields=fields,
        field=field,
        skipped=source.skipped.groups(),
        steps=source.cleaning.report(source.skipped),
    )


def _in_all(read: int, share: float) -> int | None:
    return round(read / share) if share else None


def _values(found: Preview) -> dict[str, Any]:
    skipped: dict[str, int] = {}
    for source in found.sources:
        for group in source.skipped:
            skipped[group.reason] = skipped.get(group.reason, 0) + group.count
    return {
        "preview": REPORT_NAME,
        "documents": sum(source.documents_read for source in found.sources),
        "bytes": sum(source.bytes_read for source in found.sources),
        "skipped": skipped,
        "seconds": found.seconds,
    }
