"""From a source to a corpus: survey, split, tokenizer, tokens; whole or absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from trainer_core.data.corpus import TOKENIZER_FOLDER, Corpus, open_corpus
from trainer_core.data.manifest import (
    CORPUS_VERSION,
    MANIFEST_NAME,
    Manifest,
    NamedSourceReport,
    SourceReport,
)
from trainer_core.data.preparing.split import Side, Split, cut_parts, split_documents
from trainer_core.data.preparing.survey import Changed, NamedSource, Report, Survey, survey
from trainer_core.data.preparing.tokenise import write_tokens
from trainer_core.data.preparing.writer import SHARD_TOKENS, SplitWriter
from trainer_core.data.sources.files import path_of_user
from trainer_core.data.sources.opening import describe, open_source
from trainer_core.data.sources.skipped import Skipped
from trainer_core.data.statistics import write_statistics
from trainer_core.data.tokenizers import gpt2
from trainer_core.data.tokenizers.kinds import ByteTokenizer, RankTokenizer, TextTokenizer
from trainer_core.data.tokenizers.learn import learn_bpe, sample
from trainer_core.errors import DataError
from trainer_core.files import sync, sync_tree
from trainer_core.spec import BpeTokenizer, CorpusTokenizer, Gpt2Tokenizer, PrepareSpec

CORPUS_FOLDER = "corpus"
SIDES: tuple[Side, Side] = ("train", "validation")
LEARNING = "learning the tokenizer"


def no_report(phase: str, done: float, total: float, unit: str) -> None:
    """Report nothing."""


def build_corpus(
    spec: PrepareSpec,
    folder: Path,
    *,
    report: Report = no_report,
    shard_tokens: int = SHARD_TOKENS,
) -> Corpus:
    """Prepare a corpus. The same source and spec give the same files, byte for byte.

    Everything is written to `<folder>.partial` and renamed when it is on the disk, so that `folder`
    is whole or absent, whatever happens. Leftovers of an earlier attempt are removed.

    Args:
        spec: What to read and how.
        folder: The corpus folder, which must not exist.
        report: Told of the progress; what it raises ends the work and removes what was written.
        shard_tokens: Tokens in a shard file.

    Raises:
        DataError: The source, the tokenizer's files or the text cannot be used.
        OSError: The corpus cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    try:
        partial.mkdir(parents=True)
        _write(spec, partial, report, shard_tokens)
        partial.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_corpus(folder)


def _write(spec: PrepareSpec, partial: Path, report: Report, shard_tokens: int) -> None:
    sources = open_sources(spec, partial, report)
    documents = survey(sources, report)
    split = split_documents(documents, spec.validation_fraction, spec.seed)
    tokenizer = make_tokenizer(spec, documents, split, report)
    tokenizer.save(partial / TOKENIZER_FOLDER)
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    names = [source.name for source in sources]
    writers = {
        side: SplitWriter(partial, side, dtype, tokenizer.separator, names, shard_tokens)
        for side in SIDES
    }
    try:
        cut_path = write_tokens(documents, split, tokenizer, writers, report)
        _check_both_sides(writers)
        report("saving", 0, 1, "")
        train, validation = (writers[side].finish() for side in SIDES)
    finally:
        for writer in writers.values():
            writer.close()
    reports = tuple(_source_report(documents, number, writers) for number in range(len(sources)))
    manifest = Manifest(
        version=CORPUS_VERSION,
        name=spec.name,
        tokenizer_kind=tokenizer.kind,
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocab_size=tokenizer.vocab_size,
        separator=tokenizer.separator,
        dtype=dtype,
        seed=spec.seed,
        validation_fraction=spec.validation_fraction,
        train=train,
        validation=validation,
        source=_all_together(documents, cut_path),
        sources=reports,
        rule_task=spec.rule_task,
        own_rules=spec.own_rules,
    )
    manifest = msgspec.structs.replace(manifest, fingerprint=manifest.computed_fingerprint())
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (partial / MANIFEST_NAME).write_bytes(text + b"\n")
    write_statistics(Corpus(partial, manifest))
    sync_tree(partial)
    report("saving", 1, 1, "")


def open_sources(spec: PrepareSpec, scratch: Path, report: Report) -> list[NamedSource]:
    """The sources of a spec, their files listed.

    Args:
        spec: What to read.
        scratch: Folder for what has to be kept until the corpus is written.
        report: Told of the progress.

    Raises:
        DataError: Something that the user named does not exist.
    """
    sources = []

    def tick() -> None:
        report("looking for files", 0, 1, "")

    for number, (source, name) in enumerate(zip(spec.all_sources, spec.source_names, strict=True)):
        field = f"sources[{number}]" if spec.sources else "source"
        skipped = Skipped()
        opened = open_source(source, spec.seed, skipped, tick, scratch, field)
        sources.append(NamedSource(name, describe(source), field, opened, skipped))
    return sources


def _source_report(
    documents: Survey, number: int, writers: dict[Side, SplitWriter]
) -> NamedSourceReport:
    source = documents.sources[number]
    n_documents, n_bytes = documents.counts(number)
    return NamedSourceReport(
        name=source.name,
        description=source.description,
        documents_read=n_documents,
        bytes_read=n_bytes,
        skipped=source.skipped.groups(),
        train=writers["train"].amount(number),
        validation=writers["validation"].amount(number),
    )


def _all_together(documents: Survey, cut_path: str) -> SourceReport:
    skipped = Skipped()
    for source in documents.sources:
        skipped.add_all(source.skipped)
    return SourceReport(
        description="; ".join(source.description for source in documents.sources),
        documents_read=len(documents),
        bytes_read=documents.n_bytes,
        skipped=skipped.groups(),
        cut_document=cut_path,
    )


def make_tokenizer(
    spec: PrepareSpec, documents: Survey, split: Split, report: Report
) -> TextTokenizer:
    """The tokenizer that a spec asks for; an own one is learned from the training text alone.

    Raises:
        DataError: GPT-2's vocabulary, or the other corpus, is not to be had.
    """
    wanted = spec.tokenizer
    if isinstance(wanted, Gpt2Tokenizer):
        phase = "finding GPT-2's vocabulary"
        vocabulary = gpt2.load(wanted.vocabulary_folder, lambda: report(phase, 0, 1, ""))
        return RankTokenizer("gpt2", vocabulary)
    if isinstance(wanted, BpeTokenizer):
        return _learned(wanted, documents, split, spec.seed, report)
    if isinstance(wanted, CorpusTokenizer):
        return _tokenizer_of(path_of_user(wanted.corpus))
    return ByteTokenizer()


def _tokenizer_of(folder: Path) -> TextTokenizer:
    """The tokenizer of a corpus.

    Raises:
        DataError: There is none that can be used.
    """
    inside = folder / CORPUS_FOLDER
    try:
        return open_corpus(inside if inside.is_dir() else folder).tokenizer
    except DataError as error:
        raise DataError(
            error.what,
            safe="Nothing was written.",
            do="Choose another corpus, or another tokenizer.",
            field="tokenizer.corpus",
        ) from None


def _learned(
    wanted: BpeTokenizer, documents: Survey, split: Split, seed: int, report: Report
) -> RankTokenizer:
    n_bytes = sum(
        document.n_bytes
        for document, side in zip(documents, split.sides, strict=True)
        if side == "train"
    )
    share = wanted.sample_bytes / n_bytes
    total = min(n_bytes, wanted.sample_bytes)
    done = 0

    def texts() -> Iterator[str]:
        nonlocal done
        for text in sample(_training_texts(documents, split), share, seed):
            done += len(text.encode())
            yield text

    def poll() -> None:
        # Learning goes on behind the last text, so that the phase is not over when all are read.
        report(LEARNING, min(done, total * 0.99), total, "bytes")

    vocabulary = learn_bpe(texts(), wanted.vocab_size - 1, poll)
    report(LEARNING, total, total, "bytes")
    return RankTokenizer("bpe", vocabulary)


def _training_texts(documents: Survey, split: Split) -> Iterator[tuple[bytes, Iterator[str]]]:
    for document in documents.again(lambda number: split.sides[number] == "train"):
        texts = _unless_changed(document.texts)
        if document.number == split.cut_document:
            texts, _ = cut_parts(texts, split.cut_byte)
        yield documents[document.number].digest, texts


def _unless_changed(texts: Iterator[str]) -> Iterator[str]:
    """A document's text; a change ends it, and the last reading is the one that reports it."""
    try:
        yield from texts
    except Changed:
        return


def _check_both_sides(writers: dict[Side, SplitWriter]) -> None:
    if not all(writer.n_documents for writer in writers.values()):
        raise DataError(
            "There is too little text left for both training and validation.",
            safe="Nothing was written.",
            do="Add more text, or start again when nothing writes to the files.",
            field="source",
        )
