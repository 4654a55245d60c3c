"""Matches of the measured windows of another corpus, looked up once and kept in the job folder.

Letters: T time, W windows.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.corpus import Corpus, CorpusSplit
from trainer_core.files import write_whole_file
from trainer_core.index import MatchFeatures, MatchIndex, held_out_features

FOLDER = "held-out-matches"
_FIELDS = ("length", "next", "second", "marks")
_log = logging.getLogger(__name__)

Advance = Callable[[int, int], None]
"""Told the tokens done and in all; may raise to end."""


def matches_of_windows(
    folder: Path,
    corpus: Corpus,
    index: MatchIndex,
    starts: NDArray[np.int64],
    context_length: int,
    advance: Advance,
) -> MatchFeatures:
    """Features of a corpus's held-out tokens within some windows, and none outside of them.

    Args:
        folder: Job folder, where they are kept.
        corpus: Whose held-out text is measured.
        index: Of another corpus with the same tokenizer.
        starts: (W,) where the windows begin, rising and T apart at least.
        context_length: T.
        advance: Hears how far the look-ups are.

    Raises:
        OSError: They cannot be kept.
    """
    places = (starts[:, None] + np.arange(context_length)).ravel()
    path = folder / FOLDER / f"{_key(corpus, index, places)}.npz"
    found = _read(path, places.size)
    if found is None:
        found = look_up(corpus.validation, index, places, advance)
        _write(path, found)
    return _spread(found, places, corpus.validation.n_tokens)


def look_up(
    split: CorpusSplit, index: MatchIndex, places: NDArray[np.int64], advance: Advance
) -> MatchFeatures:
    """Features of the tokens at some places, as `held_out_features` gives them for all.

    Only documents that hold one of the places are looked up, each up to the last of them: matches
    are of a document's past.

    Args:
        split: The held-out text.
        index: The training text.
        places: (m,) rising positions.
        advance: Hears how far it is.
    """
    document_start = np.asarray(split.document_start)
    of_place = np.searchsorted(document_start, places, side="right") - 1
    documents, first = np.unique(of_place, return_index=True)
    last = np.append(first[1:], places.size) - 1
    begins, stops = document_start[documents], places[last] + 1
    new_begins = np.cumsum(stops - begins) - (stops - begins)
    pieces = [
        split.read(begin, stop) for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True)
    ]
    moved = places + np.repeat(new_begins - begins, last - first + 1)
    return held_out_features(index, np.concatenate(pieces), new_begins, advance).at(moved)


def _spread(found: MatchFeatures, places: NDArray[np.int64], n_tokens: int) -> MatchFeatures:
    """As long as the whole text; what nobody touches takes no memory."""
    fields = {}
    for name in _FIELDS:
        values = getattr(found, name)
        fields[name] = np.zeros(n_tokens, values.dtype)
        fields[name][places] = values
    return MatchFeatures(**fields)


def _key(corpus: Corpus, index: MatchIndex, places: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(f"{corpus.fingerprint} {index.fingerprint}".encode())
    digest.update(places.tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path, size: int) -> MatchFeatures | None:
    """What was kept; None where nothing was, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            fields = {name: kept[name] for name in _FIELDS}
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        _log.warning("%s is looked up again: %s", path, error)
        return None
    whole = all(values.shape == (size,) for values in fields.values())
    return MatchFeatures(**fields) if whole else None


def _write(path: Path, found: MatchFeatures) -> None:
    packed = io.BytesIO()
    np.savez(packed, **{name: getattr(found, name) for name in _FIELDS})
    path.parent.mkdir(exist_ok=True)
    write_whole_file(path, packed.getvalue())
