"""From sources to a corpus: survey, split, tokenizer, tokens; whole or absent, and resumable."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from trainer_core.data.cleaning.report import CleaningCounts
from trainer_core.data.cleaning.source import cleaned, steps_of
from trainer_core.data.corpus import TOKENIZER_FOLDER, Corpus, open_corpus
from trainer_core.data.preparing.finishing import dtype_of, write_manifest
from trainer_core.data.preparing.first_reading import SURVEY_FOLDER, survey
from trainer_core.data.preparing.growing import Lost
from trainer_core.data.preparing.identity import files_hash, settings_hash
from trainer_core.data.preparing.near_duplicates import NearDuplicates, find_near, near_report
from trainer_core.data.preparing.notes import JOURNAL_NAME, NOTE_PERIOD_S, Notes
from trainer_core.data.preparing.split import Side, Split, cut_parts, split_sources
from trainer_core.data.preparing.survey import Changed, NamedSource, Report, Survey
from trainer_core.data.preparing.tokenise import write_tokens
from trainer_core.data.preparing.writer import SHARD_TOKENS, SplitWriter
from trainer_core.data.sources.opening import describe, open_source
from trainer_core.data.sources.skipped import Skipped
from trainer_core.data.statistics import write_statistics
from trainer_core.data.tokenizers.kinds import TextTokenizer, load_tokenizer
from trainer_core.data.tokenizers.making import make_tokenizer
from trainer_core.errors import DataError
from trainer_core.files import sync, sync_tree
from trainer_core.spec import PrepareSpec, PreviewSpec, TokenizersSpec

Say = Callable[[str, str], None]
"""Told a title and a text of what a user should know."""
Watch = Callable[[list[NamedSource]], None]

CORPUS_FOLDER = "corpus"
SIDES: tuple[Side, Side] = ("train", "validation")
_SOURCES = "sources"
"""Folder for what sources keep, such as downloads; it outlives a beginning anew."""


def partial_of(folder: Path) -> Path:
    """Where an unfinished preparation of a corpus folder lies."""
    return folder.with_name(folder.name + ".partial")


def no_report(phase: str, done: float, total: float, unit: str) -> None:
    """Report nothing."""


def no_watch(sources: list[NamedSource]) -> None:
    """Watch nothing."""


def no_word(title: str, text: str) -> None:
    """Say nothing."""


def build_corpus(
    spec: PrepareSpec,
    folder: Path,
    *,
    report: Report = no_report,
    say: Say = no_word,
    watch: Watch = no_watch,
    shard_tokens: int = SHARD_TOKENS,
    note_every_s: float = NOTE_PERIOD_S,
) -> Corpus:
    """Prepare a corpus. The same sources and spec give the same files, byte for byte.

    Everything is written to `<folder>.partial` and renamed when it is on the disk, so that `folder`
    is whole or absent, whatever happens. What an interrupted attempt has noted there is gone on
    with, unless the settings or the files have changed since.

    Args:
        spec: What to read and how.
        folder: The corpus folder, which must not exist.
        report: Told of the progress; may raise to end the work.
        say: Told that an interrupted attempt is gone on with, or why it is begun anew.
        watch: Handed the sources before they are read.
        shard_tokens: Tokens in a shard file.
        note_every_s: Seconds between two notes of how far the work is, at least.

    Raises:
        DataError: The source, the tokenizer's files or the text cannot be used.
        OSError: The corpus cannot be written.
    """
    partial = partial_of(folder)
    partial.mkdir(parents=True, exist_ok=True)
    try:
        sources = open_sources(spec, partial / _SOURCES, report)
        watch(sources)
        _write_or_go_on(spec, sources, partial, report, say, shard_tokens, note_every_s)
        (partial / CORPUS_FOLDER).rename(folder)
        sync(folder.parent)
        shutil.rmtree(partial, ignore_errors=True)
    except DataError:
        # What is wrong with files is not cured by going on; a broken network is.
        if not _holds_any(partial / _SOURCES):
            shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        if not ((partial / JOURNAL_NAME).exists() or _holds_any(partial / _SOURCES)):
            shutil.rmtree(partial, ignore_errors=True)
    return open_corpus(folder)


def _write_or_go_on(
    spec: PrepareSpec,
    sources: list[NamedSource],
    partial: Path,
    report: Report,
    say: Say,
    shard_tokens: int,
    note_every_s: float,
) -> None:
    """Write the corpus into its unfinished folder; anew if what was noted there is not there."""
    hashes = settings_hash(spec, shard_tokens), files_hash(sources)
    listed = [source.skipped.state() for source in sources]
    notes = Notes(partial, *hashes, note_every_s)
    try:
        _begin(notes, say)
        _write(spec, sources, notes, report, shard_tokens)
    except Lost as error:
        for source, skipped in zip(sources, listed, strict=True):
            source.skipped.restore(skipped)
            source.cleaning.restore({})
        (partial / JOURNAL_NAME).unlink()
        notes = Notes(partial, *hashes, note_every_s)
        _begin(notes, say, str(error))
        _write(spec, sources, notes, report, shard_tokens)


def _holds_any(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _begin(notes: Notes, say: Say, lost: str = "") -> None:
    """Make the folder ready, and say what becomes of an interrupted attempt.

    Args:
        notes: What is known of it.
        say: Told of it.
        lost: What is missing of it, if anything.
    """
    if notes.gone_on:
        say("Going on where the work was interrupted", "")
        return
    for entry in notes.folder.iterdir():
        if entry.name == _SOURCES:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if why := lost or notes.begun_anew:
        say("Beginning anew", why)


def _write(
    spec: PrepareSpec,
    sources: list[NamedSource],
    notes: Notes,
    report: Report,
    shard_tokens: int,
) -> None:
    """Write the corpus, from where the notes say."""
    folder = notes.folder / CORPUS_FOLDER
    signed = spec.cleaning.near_duplicates != "off"
    documents = survey(sources, report, notes, signed=signed)
    near = NearDuplicates()
    if signed:
        near = find_near(notes.folder / SURVEY_FOLDER, spec.cleaning.similarity, report)
    numbers: list[Sequence[int]] = [documents.documents_of(n) for n in range(len(sources))]
    if spec.cleaning.near_duplicates == "remove":
        removed = set(near.later.tolist())
        numbers = [[n for n in of_source if n not in removed] for of_source in numbers]
    split = split_sources(documents, numbers, spec.validation_fraction, spec.seed)
    tokenizer = _tokenizer(spec, documents, split, folder / TOKENIZER_FOLDER, notes, report)
    with _writers(folder, tokenizer, sources, shard_tokens, notes) as writers:
        cuts = write_tokens(documents, split, tokenizer, writers, report, notes)
        _check_both_sides(writers)
        report("hashing", 0, 1, "")
        found = near_report(documents, near, split, spec.cleaning) if signed else None
        manifest = write_manifest(folder, spec, tokenizer, documents, writers, cuts, found)
    write_statistics(Corpus(folder, manifest), report)
    report("saving", 0, 1, "")
    sync_tree(folder)
    report("saving", 1, 1, "")


def open_sources(
    spec: PrepareSpec | TokenizersSpec, scratch: Path, report: Report
) -> list[NamedSource]:
    """The sources of a spec, their files listed.

    Args:
        spec: What to read.
        scratch: Folder for what has to be kept until the corpus is written.
        report: Told of the progress.

    Raises:
        DataError: Something that the user named does not exist.
    """
    return [open_numbered(spec, at, scratch, report) for at in range(len(spec.all_sources))]


def open_numbered(
    spec: PrepareSpec | TokenizersSpec | PreviewSpec, number: int, scratch: Path, report: Report
) -> NamedSource:
    """One of the sources of a spec; the arguments are as for `open_sources`.

    Raises:
        DataError: Something that the user named does not exist.
    """

    def tick() -> None:
        report("looking for files", 0, 1, "")

    scratch.mkdir(exist_ok=True)
    source, name = spec.all_sources[number], spec.source_names[number]
    field = f"sources[{number}]" if spec.sources else "source"
    skipped, counts = Skipped(), CleaningCounts(steps_of(spec.cleaning))
    opened = open_source(source, spec.seed, skipped, tick, scratch, field, report)
    clean = cleaned(opened, spec.cleaning, counts)
    return NamedSource(name, describe(source), field, clean, skipped, counts)


def _tokenizer(
    spec: PrepareSpec,
    documents: Survey,
    split: Split,
    folder: Path,
    notes: Notes,
    report: Report,
) -> TextTokenizer:
    """The tokenizer in its folder, which an earlier attempt may have saved; noted as saved.

    Raises:
        Lost: What was saved cannot be used.
    """
    if notes.writing is not None:
        try:
            return load_tokenizer(folder)
        except DataError as error:
            raise Lost(error.what) from None
    n_bytes = sum(documents.size(n) for n, side in enumerate(split.sides) if side == "train")
    tokenizer = make_tokenizer(
        spec.tokenizer, lambda: _training_texts(documents, split), n_bytes, spec.seed, report
    )
    tokenizer.save(folder)
    sync_tree(folder)
    return tokenizer


def _training_texts(documents: Survey, split: Split) -> Iterator[tuple[bytes, Iterator[str]]]:
    for document in documents.again(lambda number: split.sides[number] == "train"):
        texts = _unless_changed(document.texts)
        if document.number in split.cuts:
            texts, _ = cut_parts(texts, split.cuts[document.number])
        yield documents[document.number].digest, texts


def _unless_changed(texts: Iterator[str]) -> Iterator[str]:
    """A document's text; a change ends it, and the last reading is the one that reports it."""
    try:
        yield from texts
    except Changed:
        return


@contextlib.contextmanager
def _writers(
    folder: Path,
    tokenizer: TextTokenizer,
    sources: list[NamedSource],
    shard_tokens: int,
    notes: Notes,
) -> Iterator[dict[Side, SplitWriter]]:
    """Both sides of the corpus, opened where an earlier attempt ended, and closed at the end.

    Raises:
        Lost: There is less than was noted.
    """
    begun = {} if notes.writing is None else notes.writing.sides
    names = [source.name for source in sources]
    with contextlib.ExitStack() as stack:
        writers: dict[Side, SplitWriter] = {}
        for side in SIDES:
            writers[side] = SplitWriter(
                folder,
                side,
                dtype_of(tokenizer),
                tokenizer.separator,
                names,
                shard_tokens,
                begun.get(side),
            )
            stack.callback(writers[side].close)
        yield writers


def _check_both_sides(writers: dict[Side, SplitWriter]) -> None:
    if not all(writer.n_documents for writer in writers.values()):
        raise DataError(
            "There is too little text left for both training and validation.",
            safe="Nothing was written.",
            do="Add more text, or start again when nothing writes to the files.",
            field="source",
        )
