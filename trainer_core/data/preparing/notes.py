"""How far an unfinished preparation has come: a small journal beside the files that it is about.

First the files are on the disk, then the journal says so; what stands behind it in the files does
not count. So a preparation that was stopped or killed goes on behind the last note.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import logging
import time
from pathlib import Path

import msgspec

from trainer_core.data.cleaning.report import CleaningState
from trainer_core.data.sources.skipped import SkippedState
from trainer_core.files import write_whole_file

JOURNAL_NAME = "journal.json"
NOTE_PERIOD_S = 2.0
"""Work is noted about this often; more often costs time, less often loses more of it."""
_VERSION = 1
_log = logging.getLogger(__name__)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How far the first reading has come.

    Attributes:
        documents: In the survey.
        files: Files in it that gave any.
        source, file: Number of the source, and of the file in it, that is read next or on.
        places: Documents of this file that were read, those counted that were left out.
        n_bytes: Bytes of text that this source gave.
        skipped: What each source left out.
        cleaning: What the cleaning steps did to each source.
        done: Everything was read.
    """

    documents: int = 0
    files: int = 0
    source: int = 0
    file: int = 0
    places: int = 0
    n_bytes: int = 0
    skipped: tuple[SkippedState, ...] = ()
    cleaning: tuple[CleaningState, ...] = ()
    done: bool = False


class SideState(msgspec.Struct, frozen=True, kw_only=True):
    """How far one side of the corpus is written.

    Attributes:
        tokens, documents, bytes: Of it; bytes are those of the text.
        lines_bytes: Size of its list of documents.
        counted: Documents, tokens and bytes of each source.
    """

    tokens: int
    documents: int
    bytes: int
    lines_bytes: int
    counted: tuple[tuple[int, int, int], ...]


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """How far the last reading has come.

    Attributes:
        next_document: Number of the first document that is not written.
        n_bytes: Bytes of text that are written.
        sides: Of training and validation.
        skipped: What each source left out.
        cuts: Path of the document of each source that was cut in two, or "".
    """

    next_document: int
    n_bytes: int
    sides: dict[str, SideState]
    skipped: tuple[SkippedState, ...]
    cuts: tuple[str, ...]


class _Journal(msgspec.Struct, kw_only=True):
    version: int
    settings: str
    files: str
    reading: Reading = Reading()
    writing: Writing | None = None


class Notes:
    """The journal of one preparation.

    Args:
        folder: Where it is kept.
        settings: Hash of everything but the files that decides what comes out.
        files: Hash of the files that are read, as they lie there.
        every_s: Seconds between two notes at least.

    Attributes:
        folder: Where it is kept.
        reading: How far the first reading was when the work was interrupted.
        writing: The same of the last reading; None before it has begun.
        gone_on: Whether an interrupted preparation goes on.
        begun_anew: Why an interrupted one cannot go on, or "".
    """

    def __init__(
        self, folder: Path, settings: str, files: str, every_s: float = NOTE_PERIOD_S
    ) -> None:
        self.folder = folder
        self._path = folder / JOURNAL_NAME
        self._every_s = every_s
        self._noted_s = time.monotonic()
        self.begun_anew = ""
        found = self._read()
        if found is not None:
            self.begun_anew = _difference(found, settings, files)
        self.gone_on = found is not None and not self.begun_anew
        self._journal = (
            found
            if found is not None and self.gone_on
            else _Journal(version=_VERSION, settings=settings, files=files)
        )

    @property
    def reading(self) -> Reading:
        """See the class."""
        return self._journal.reading

    @property
    def writing(self) -> Writing | None:
        """See the class."""
        return self._journal.writing

    def due(self) -> bool:
        """Whether it is time for a note."""
        return time.monotonic() - self._noted_s >= self._every_s

    def note(self, done: Reading | Writing) -> None:
        """Write down how far the work is; all files that it speaks of are on the disk.

        Raises:
            OSError: It cannot be written; the note before stands.
        """
        if isinstance(done, Reading):
            self._journal.reading = done
        else:
            self._journal.writing = done
        write_whole_file(self._path, msgspec.json.encode(self._journal))
        self._noted_s = time.monotonic()

    def _read(self) -> _Journal | None:
        """What an earlier attempt left; None where there is nothing, or it cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Journal)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("%s cannot be used: %s", self._path, error)
            return None


def _difference(found: _Journal, settings: str, files: str) -> str:
    """Why what was noted does not count any more; "" where it does."""
    if found.version != _VERSION or found.settings != settings:
        return "The settings, or the program, are others than when this preparation was begun."
    if found.files != files:
        return "Files of the sources have changed since this preparation was begun."
    return ""
