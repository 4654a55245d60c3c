"""Files of token ids that others have made, read as the text that they stand for.

Both layouts have two bytes a token, little-endian, and a document ends where the next end-of-text
token stands. nanoGPT's files are nothing but tokens; llm.c's begin with 256 numbers of four bytes:
a magic number, a version, and how many tokens follow. The magic number is no pair of GPT-2's
tokens, so that the two cannot be confused.
"""

from __future__ import annotations

import codecs
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.files import Place, SourceFile, Tick, list_files
from trainer_core.data.sources.reading import NoText, in_parts, opened
from trainer_core.data.sources.skipped import Skipped, printable
from trainer_core.data.tokenizers import gpt2, ranks
from trainer_core.errors import DataError
from trainer_core.spec import TextFiles, TokenFiles

Ids = NDArray[np.uint16]
END_OF_TEXT = 50_256
LLMC_MAGIC = 20_240_520
LLMC_VERSION = 1
LLMC_HEADER_BYTES = 256 * 4
CHUNK_BYTES = 1 << 17


class TokenSource:
    """The documents of files of GPT-2 tokens.

    Args:
        files: In the order in which they are read.
        vocabulary: Bytes of each token but the end of text.
    """

    max_bytes = 0

    def __init__(self, files: Sequence[SourceFile], vocabulary: ranks.Ranks) -> None:
        self.files = files
        self._vocabulary = vocabulary

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents of one of the files, in its order; the arguments are those of `FileSource`.

        Raises:
            NoText: The file, or the rest of it, is no file of GPT-2 tokens.
        """
        with opened(file.path) as opened_file:
            watch(opened_file.tell)
            yield from token_documents(opened_file, file.title, file.path, self._vocabulary)


def open_token_files(source: TokenFiles, skipped: Skipped, tick: Tick, field: str) -> TokenSource:
    """The files, listed, and the vocabulary that they were made with.

    Args:
        source: Which files.
        skipped: Takes what is left out.
        tick: Called often; may raise to give up.
        field: Path of the source in the settings, for messages.

    Raises:
        DataError: A path does not exist, or GPT-2's vocabulary is not to be had.
    """
    files = list_files(TextFiles(paths=source.paths, suffixes=(".bin",)), 0, skipped, tick, field)
    try:
        return TokenSource(files, gpt2.load(source.vocabulary_folder, tick))
    except DataError as error:
        setting = f"{field}.vocabulary_folder"
        do = error.do.replace(gpt2.FIELD, setting)
        raise DataError(error.what, safe=error.safe, do=do, field=setting) from None


def describe_token_files(source: TokenFiles) -> str:
    """The source in a few words, for the manifest and the model card."""
    return "GPT-2 token files: " + ", ".join(printable(path) for path in source.paths)


def token_documents(
    file: BinaryIO, title: str, path: str, vocabulary: ranks.Ranks
) -> Iterator[FoundDocument]:
    """The documents of an open file of tokens.

    Args:
        file: At its beginning.
        title: Short name of the file.
        path: Whole name of the file.
        vocabulary: Bytes of each token but the end of text.

    Raises:
        NoText: The file, or the rest of it, is no file of GPT-2 tokens.
    """
    _skip_header(file)
    stretches = _Stretches(file)
    number = 0
    for first, ends in stretches:
        if not len(first):
            continue
        number += 1
        place = f" document {number}"
        rest = iter(()) if ends else _to_the_end(stretches)
        texts = _texts(itertools.chain([first], rest), vocabulary)
        yield FoundDocument(title + place, path + place, in_parts(texts))
        for _ in rest:  # of a document that was not wanted
            pass
    if not number:
        raise NoText("empty")


def _skip_header(file: BinaryIO) -> None:
    """Go to the first token.

    Raises:
        NoText: The file is not as long as its layout wants it.
    """
    size_bytes = os.fstat(file.fileno()).st_size
    if size_bytes % 2:
        raise NoText("broken")
    header = file.read(LLMC_HEADER_BYTES)
    if not header.startswith(LLMC_MAGIC.to_bytes(4, "little")):
        file.seek(0)
        return
    numbers = np.frombuffer(header, dtype="<i4") if len(header) == LLMC_HEADER_BYTES else [0, 0, 0]
    whole = LLMC_HEADER_BYTES + 2 * int(numbers[2])
    if numbers[1] != LLMC_VERSION or size_bytes != whole:
        raise NoText("broken")


class _Stretches:
    """Runs of tokens without an end of text, and whether one follows each.

    What ends the reading of one document ends that of all that follow, so it is raised each time.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._found = _stretches(file)
        self._error: NoText | None = None

    def __iter__(self) -> Iterator[tuple[Ids, bool]]:
        return self

    def __next__(self) -> tuple[Ids, bool]:
        if self._error is not None:
            raise self._error
        try:
            return next(self._found)
        except NoText as error:
            self._error = error
            raise


def _stretches(file: BinaryIO) -> Iterator[tuple[Ids, bool]]:
    for chunk in _chunks(file):
        begin = 0
        for end in np.flatnonzero(chunk == END_OF_TEXT).tolist():
            yield chunk[begin:end], True
            begin = end + 1
        yield chunk[begin:], False


def _chunks(file: BinaryIO) -> Iterator[Ids]:
    while True:
        try:
            data = file.read(CHUNK_BYTES)
        except OSError:
            raise NoText("unreadable") from None
        if not data:
            return
        if len(data) % 2:  # it was cut off meanwhile
            raise NoText("broken")
        chunk = np.frombuffer(data, dtype="<u2")
        if chunk.max() > END_OF_TEXT:
            raise NoText("other_tokens")
        yield chunk


def _to_the_end(stretches: Iterator[tuple[Ids, bool]]) -> Iterator[Ids]:
    """What is left of a document that goes on behind a chunk."""
    for stretch, ends in stretches:
        yield stretch
        if ends:
            return


def _texts(stretches: Iterable[Ids], vocabulary: ranks.Ranks) -> Iterator[str]:
    """What tokens stand for.

    Raises:
        NoText: It is no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for stretch in stretches:
            text = decoder.decode(b"".join([vocabulary[token] for token in stretch.tolist()]))
            if "\0" in text:
                raise NoText("binary")
            yield text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise NoText("not_utf8") from None
