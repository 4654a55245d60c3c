"""From a source to a corpus: survey, split, tokenizer, tokens; whole or absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from trainer_core.data import gpt2
from trainer_core.data.corpus import TOKENIZER_FOLDER, Corpus, open_corpus
from trainer_core.data.learn import learn_bpe, sample
from trainer_core.data.manifest import CORPUS_VERSION, MANIFEST_NAME, Manifest, SourceReport
from trainer_core.data.skipped import Skipped, printable
from trainer_core.data.sources import describe
from trainer_core.data.split import Side, Split, cut_parts, split_documents
from trainer_core.data.statistics import write_statistics
from trainer_core.data.survey import Changed, Document, Report, read_again, survey, total_bytes
from trainer_core.data.tokenise import write_tokens
from trainer_core.data.tokenizers import ByteTokenizer, RankTokenizer, TextTokenizer
from trainer_core.data.writer import SHARD_TOKENS, SplitWriter
from trainer_core.errors import DataError
from trainer_core.files import sync, sync_tree
from trainer_core.spec import BpeTokenizer, Gpt2Tokenizer, PrepareSpec

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
    skipped = Skipped()
    documents = survey(spec.source, spec.seed, skipped, report)
    split = split_documents(
        [document.key for document in documents], spec.validation_fraction, spec.seed
    )
    tokenizer = make_tokenizer(spec, documents, split, report)
    tokenizer.save(partial / TOKENIZER_FOLDER)
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    writers = {
        side: SplitWriter(partial, side, dtype, tokenizer.separator, shard_tokens) for side in SIDES
    }
    try:
        write_tokens(documents, split, tokenizer, writers, skipped, report)
        _check_both_sides(writers)
        report("saving", 0, 1, "")
        train, validation = (writers[side].finish() for side in SIDES)
    finally:
        for writer in writers.values():
            writer.close()
    cut = documents[split.cut_document].file.path if split.cut_document >= 0 else ""
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
        source=SourceReport(
            description=describe(spec.source),
            documents_read=len(documents),
            bytes_read=total_bytes(documents),
            skipped=skipped.groups(),
            cut_document=printable(cut),
        ),
    )
    manifest = msgspec.structs.replace(manifest, fingerprint=manifest.computed_fingerprint())
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (partial / MANIFEST_NAME).write_bytes(text + b"\n")
    write_statistics(Corpus(partial, manifest))
    sync_tree(partial)
    report("saving", 1, 1, "")


def make_tokenizer(
    spec: PrepareSpec, documents: Sequence[Document], split: Split, report: Report
) -> TextTokenizer:
    """The tokenizer that a spec asks for; an own one is learned from the training text alone.

    Raises:
        DataError: GPT-2's vocabulary is not to be had.
    """
    wanted = spec.tokenizer
    if isinstance(wanted, Gpt2Tokenizer):
        phase = "finding GPT-2's vocabulary"
        vocabulary = gpt2.load(wanted.vocabulary_folder, lambda: report(phase, 0, 1, ""))
        return RankTokenizer("gpt2", vocabulary)
    if isinstance(wanted, BpeTokenizer):
        return _learned(wanted, documents, split, spec.seed, report)
    return ByteTokenizer()


def _learned(
    wanted: BpeTokenizer, documents: Sequence[Document], split: Split, seed: int, report: Report
) -> RankTokenizer:
    n_bytes = sum(
        document.key.n_bytes
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


def _training_texts(
    documents: Sequence[Document], split: Split
) -> Iterator[tuple[bytes, Iterator[str]]]:
    for number, (document, side) in enumerate(zip(documents, split.sides, strict=True)):
        if side != "train":
            continue
        texts = _unless_changed(document)
        if number == split.cut_document:
            texts, _ = cut_parts(texts, split.cut_byte)
        yield document.key.digest, texts


def _unless_changed(document: Document) -> Iterator[str]:
    """The document's text; a change ends it, and the last reading is the one that reports it."""
    try:
        yield from read_again(document, Skipped())
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
