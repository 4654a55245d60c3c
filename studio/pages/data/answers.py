"""Questions to an index and what comes back, as the studio reads it. Free of Qt.

A question is a job of its own in a folder that is removed once it is answered. Functions here
touch the disk: call them in a thread.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from studio.runs.supervisor import Supervisor
from trainer_core.errors import KnownError
from trainer_core.protocol import SourcePlace
from trainer_core.spec import ContaminationSpec, DuplicatesSpec, LookupSpec, ValueSpec, verb_of
from trainer_core.status import read_status

FOLDER = "questions"
Question = LookupSpec | DuplicatesSpec | ContaminationSpec | ValueSpec
Answer = TypeVar("Answer", bound=msgspec.Struct)


class Place(SourcePlace, frozen=True, kw_only=True):
    """A place in the training text; `line` is where it begins in its document, from 1."""

    line: int = 0


class Match(msgspec.Struct, frozen=True):
    """The longest end of the asked text that stands in the training text."""

    tokens: int = 0
    text: str = ""
    count: int = 0
    documents: int = 0


class Phrase(msgspec.Struct, frozen=True):
    """How often the whole of the asked text stands in the training text."""

    count: int = 0
    documents: int = 0


class Continuation(msgspec.Struct, frozen=True):
    """A token that followed the match; `share` is of all its occurrences."""

    text: str
    count: int
    share: float


class LookupAnswer(msgspec.Struct, frozen=True):
    """What `lookup` found."""

    text: str = ""
    tokens: int = 0
    match: Match = Match()
    phrase: Phrase = Phrase()
    continuations: tuple[Continuation, ...] = ()
    sources: tuple[Place, ...] = ()
    note: str = ""


class DocumentName(msgspec.Struct, frozen=True):
    """A training document; `text` is the hash of its text."""

    document: int
    title: str
    path: str = ""
    text: str = ""


class EqualDocuments(msgspec.Struct, frozen=True):
    """Documents that are equal token by token; `tokens` is the length of one."""

    copies: int
    tokens: int
    documents: tuple[DocumentName, ...] = ()


class Passage(msgspec.Struct, frozen=True):
    """A passage that stands in the training text more than once."""

    text: str
    tokens: int
    count: int
    documents: int = 0
    clipped: bool = False
    share: float = 0.0
    """Of all training tokens, what its repeats take."""
    places: tuple[Place, ...] = ()


class DuplicatesAnswer(msgspec.Struct, frozen=True):
    """What `duplicates` found."""

    least_tokens: int = 32
    repeated_share: float | None = None
    repeated_same_document_share: float | None = None
    repeated_other_document_share: float | None = None
    groups: tuple[EqualDocuments, ...] = ()
    passages: tuple[Passage, ...] = ()


class CheckedText(msgspec.Struct, frozen=True):
    """A text that was sought in the training text."""

    name: str
    tokens: int
    longest_tokens: int
    share: float
    verdict: str
    """`clean`, `overlapping`, `contained` or `short`."""
    longest_text: str = ""
    source: Place | None = None


class SkippedText(msgspec.Struct, frozen=True):
    """A text that could not be read."""

    name: str
    reason: str


class ContaminationAnswer(msgspec.Struct, frozen=True):
    """What `contamination` found."""

    least_tokens: int = 0
    texts: int = 0
    tokens: int = 0
    clean: int = 0
    overlapping: int = 0
    contained: int = 0
    short: int = 0
    overlap_share: float = 0.0
    found: tuple[CheckedText, ...] = ()
    skipped: tuple[SkippedText, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """Held-out tokens of one kind; `share` is of all of them."""

    tokens: int = 0
    share: float = 0.0
    hit_rate: float = 0.0


class LengthValue(msgspec.Struct, frozen=True):
    """What matches of some lengths are worth, by where they stand and whether they agree."""

    label: str
    tokens: int
    share: float
    hit_rate: float
    own_document: Group = Group()
    training: Group = Group()
    one: Group = Group()
    agree: Group = Group()
    disagree: Group = Group()


class CurvePoint(msgspec.Struct, frozen=True):
    """How often the match is right with so much training text; 95 % lie within the margin."""

    history_share: float
    history_tokens: int
    hit_rate: float
    margin: float = 0.0


class ValueAnswer(msgspec.Struct, frozen=True, rename={"whole": "all"}):
    """What `value` found."""

    tokens: int = 0
    hit_rate: float = 0.0
    whole: LengthValue | None = None
    lengths: tuple[LengthValue, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    positions: int = 0


def ask(supervisor: Supervisor, home: Path, spec: Question) -> Path:
    """Start the job of a question; returns its folder.

    Raises:
        KnownError: It cannot be started.
    """
    folder = home / FOLDER / f"{verb_of(spec)}-{time.time_ns()}"
    supervisor.start(spec, folder)
    return folder


def read_answer(result: dict[str, Any], kind: type[Answer]) -> Answer:
    """The answer in a job's result.

    Raises:
        KnownError: It is not one that this version understands.
    """
    try:
        return msgspec.convert(result, kind)
    except msgspec.ValidationError as error:
        raise KnownError(
            f"The answer cannot be read: {error}.",
            safe="The index was only read.",
            do="Ask again; if it stays so, build the index again with this version.",
        ) from None


def forget(folder: Path) -> None:
    """Remove the folder of a question that was answered or given up."""
    shutil.rmtree(folder, ignore_errors=True)


def forget_all(home: Path) -> None:
    """Remove the questions of studios that were closed before the answer came."""
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        folders = list((home / FOLDER).iterdir())
    for folder in folders:
        with contextlib.suppress(KnownError):
            if not read_status(folder).alive:
                forget(folder)
