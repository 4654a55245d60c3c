"""The texts that a question is about: files, lines of files, or a corpus's held-out documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked, Report
from trainer_core.data.sources.reading import NoText, read_text
from trainer_core.data.sources.skipped import meaning
from trainer_core.errors import DataError

SUFFIXES = (".txt", ".jsonl")
"""Files that are taken from folders; a file that is named is taken whatever it is called."""

_GROUP_BYTES = 1 << 20


@dataclass(frozen=True)
class Text:
    """One text.

    Attributes:
        name: Its file, its file and line, or its document's title.
        tokens: (n,) uint32, without a separator.
    """

    name: str
    tokens: NDArray[np.uint32]


@dataclass(frozen=True)
class Left:
    """What was passed over, and why."""

    name: str
    reason: str


@dataclass
class Texts:
    """Texts in groups of about a megabyte, so that memory stays flat however many there are.

    Attributes:
        asked: The index and its corpus.
        paths: Files and folders; none takes the corpus's held-out documents.
        field_name: Name of the text in a line of a `.jsonl` file.
        report: Told how far it is.
        skipped: What was passed over so far.
    """

    asked: Asked
    paths: tuple[str, ...]
    field_name: str
    report: Report
    skipped: list[Left] = field(default_factory=list)

    def groups(self) -> Iterator[list[Text]]:
        """The texts, in order.

        Raises:
            DataError: A path is absent, a line is no JSON, or it has no text.
        """
        if not self.paths:
            yield from self._held_out()
            return
        files = [file for path in self.paths for file in _files(Path(path))]
        total = sum(file.stat().st_size for file in files)
        done = 0
        for file in files:
            for group in self._file_groups(file):
                yield group
                self.report("comparing texts", done, total, "bytes")
            done += file.stat().st_size
        self.report("comparing texts", done, total, "bytes")

    def _held_out(self) -> Iterator[list[Text]]:
        split = self.asked.corpus.validation
        group: list[Text] = []
        group_bytes = 0
        for number in range(split.n_documents):
            info = split.document(number)
            stop = info.start + info.n_tokens
            tokens = split.read(info.start + 1, stop).astype(np.uint32)
            group.append(Text(info.title, tokens))
            group_bytes += info.n_bytes
            if group_bytes >= _GROUP_BYTES:
                yield group
                group, group_bytes = [], 0
            self.report("comparing held-out documents", number + 1, split.n_documents, "documents")
        yield group

    def _file_groups(self, file: Path) -> Iterator[list[Text]]:
        names: list[str] = []
        texts: list[str] = []
        characters = 0
        for name, text in self._texts_of(file):
            if not text or text.isspace():
                self.skipped.append(Left(name, meaning("empty")))
                continue
            names.append(name)
            texts.append(text)
            characters += len(text)
            if characters >= _GROUP_BYTES:
                yield self._encoded(names, texts)
                names, texts, characters = [], [], 0
        yield self._encoded(names, texts)

    def _encoded(self, names: list[str], texts: list[str]) -> list[Text]:
        tokens = self.asked.tokenizer.encode_batch(texts)
        return [Text(name, ids) for name, ids in zip(names, tokens, strict=True)]

    def _texts_of(self, file: Path) -> Iterator[tuple[str, str]]:
        if file.suffix.lower() == ".jsonl":
            yield from _lines(file, self.field_name)
            return
        try:
            yield str(file), "".join(read_text(str(file)))
        except NoText as error:
            self.skipped.append(Left(str(file), meaning(error.reason)))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if path.exists():
        return [path]
    raise _unusable(f"{path} does not exist", "Check the path.")


def _lines(file: Path, field_name: str) -> Iterator[tuple[str, str]]:
    """The text of each line that is not blank, named by file and line."""
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.isspace():
                    yield f"{file}:{number}", _field(line, field_name, f"{file}, line {number}")
    except OSError as error:
        raise _unusable(f"{file} cannot be read: {error.strerror}", "Check the file.") from None


def _field(line: bytes, name: str, where: str) -> str:
    try:
        values: Any = json.loads(line)
    except ValueError:  # no JSON, or no UTF-8
        raise _unusable(f"{where} is no JSON", "Give a file with one JSON object a line.") from None
    text = values.get(name) if isinstance(values, dict) else None
    if isinstance(text, str):
        return text
    fields = values.items() if isinstance(values, dict) else ()
    names = [key for key, value in fields if isinstance(value, str)]
    known = f"its texts are: {', '.join(names)}" if names else "it has no text at all"
    raise _unusable(
        f"{where} has no text `{name}`; {known}",
        "Name the field that holds it (`--field` in the terminal).",
    )


def _unusable(what: str, do: str) -> DataError:
    return DataError(f"{what}.", safe="Nothing was changed.", do=do)
