"""The end of a preparation: what there is, and what was left out, in the manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from trainer_core.data.manifest import (
    CORPUS_VERSION,
    MANIFEST_NAME,
    Manifest,
    NamedSourceReport,
    NearReport,
    SourceReport,
)
from trainer_core.data.preparing.split import Side
from trainer_core.data.preparing.survey import Survey
from trainer_core.data.preparing.writer import SplitWriter
from trainer_core.data.sources.skipped import Skipped
from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.files import write_whole_file
from trainer_core.spec import PrepareSpec

Dtype = Literal["uint16", "uint32"]


def dtype_of(tokenizer: TextTokenizer) -> Dtype:
    """The type of the ids on the disk."""
    return "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"


def write_manifest(
    folder: Path,
    spec: PrepareSpec,
    tokenizer: TextTokenizer,
    documents: Survey,
    writers: dict[Side, SplitWriter],
    cuts: tuple[str, ...],
    near: NearReport | None = None,
) -> Manifest:
    """Close the sides of a corpus and write its manifest.

    Args:
        folder: The corpus, everything else written.
        spec: Its settings.
        tokenizer: It was written with.
        documents: What was read.
        writers: Of both sides.
        cuts: For each source the path of the document that was cut in two, or "".
        near: What is nearly equal, where it was looked for.

    Raises:
        OSError: It cannot be written.
    """
    train, validation = writers["train"].finish(), writers["validation"].finish()
    manifest = Manifest(
        version=CORPUS_VERSION,
        name=spec.name,
        tokenizer_kind=tokenizer.kind,
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocab_size=tokenizer.vocab_size,
        separator=tokenizer.separator,
        dtype=dtype_of(tokenizer),
        seed=spec.seed,
        validation_fraction=spec.validation_fraction,
        train=train,
        validation=validation,
        source=_all_together(documents, cuts),
        sources=tuple(
            _source_report(documents, number, writers, cuts[number])
            for number in range(len(documents.sources))
        ),
        near_duplicates=near,
        rule_task=spec.rule_task,
        own_rules=spec.own_rules,
    )
    manifest = msgspec.structs.replace(manifest, fingerprint=manifest.computed_fingerprint())
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_whole_file(folder / MANIFEST_NAME, text + b"\n")
    return manifest


def _source_report(
    documents: Survey, number: int, writers: dict[Side, SplitWriter], cut: str
) -> NamedSourceReport:
    source = documents.sources[number]
    n_documents, n_bytes = documents.counts(number)
    return NamedSourceReport(
        name=source.name,
        description=source.description,
        documents_read=n_documents,
        bytes_read=n_bytes,
        skipped=source.skipped.groups(),
        cut_document=cut,
        cleaning=source.cleaning.report(source.skipped),
        texts=_hash_of_texts(documents, number),
        train=writers["train"].amount(number),
        validation=writers["validation"].amount(number),
    )


def _hash_of_texts(documents: Survey, source: int) -> str:
    digest = hashlib.sha256()
    for number in documents.documents_of(source):
        digest.update(documents[number].digest)
    return digest.hexdigest()


def _all_together(documents: Survey, cuts: tuple[str, ...]) -> SourceReport:
    skipped = Skipped()
    for source in documents.sources:
        skipped.add_all(source.skipped)
    return SourceReport(
        description="; ".join(source.description for source in documents.sources),
        documents_read=len(documents),
        bytes_read=documents.n_bytes,
        skipped=skipped.groups(),
        cut_document="; ".join(filter(None, cuts)),
    )
