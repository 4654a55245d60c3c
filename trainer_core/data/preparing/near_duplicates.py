"""Near duplicates of a preparation: which documents they are, and what the manifest says of them.

D documents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.cleaning.near import (
    Signatures,
    first_of_its_kind,
    map_signatures,
)
from trainer_core.data.manifest import NearPair, NearReport
from trainer_core.data.preparing.split import Split
from trainer_core.data.preparing.survey import SIGNATURES_NAME, Report, Survey
from trainer_core.data.sources.skipped import EXAMPLES_KEPT, printable
from trainer_core.spec import CleaningConfig

PAIRS_SHOWN = 20
COMPARED = 256
"""Of a kind, a held-out document is compared with so many that are trained on."""


def _none() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class NearDuplicates:
    """Which documents are nearly equal to an earlier one; none where nothing was looked for.

    Attributes:
        first: (D,) int64, the first document of each one's kind.
        signatures: (D, P) uint32.
    """

    first: NDArray[np.int64] = field(default_factory=_none)
    signatures: Signatures = field(default_factory=lambda: np.empty((0, 1), np.uint32))

    @property
    def later(self) -> NDArray[np.int64]:
        """The documents that are nearly equal to an earlier one, rising."""
        return np.flatnonzero(self.first != np.arange(len(self.first)))

    def similarity(self, one: int, other: int) -> float:
        """How alike two documents are, 0 to 1."""
        return float((self.signatures[one] == self.signatures[other]).mean())


def find_near(folder: Path, similarity: float, report: Report) -> NearDuplicates:
    """Look for near duplicates among the documents that were signed.

    Args:
        folder: Of the survey.
        similarity: From which on two documents are nearly equal.
        report: Told of the progress; may raise to end the work.
    """
    signatures = map_signatures(folder / SIGNATURES_NAME)

    def tick(share: float) -> None:
        report("comparing documents", share, 1.0, "")

    return NearDuplicates(first_of_its_kind(signatures, similarity, tick), signatures)


def near_report(
    documents: Survey, near: NearDuplicates, split: Split, config: CleaningConfig
) -> NearReport:
    """What the manifest says, with the paths of the first documents; counts those that are removed.

    Args:
        documents: What was read.
        near: What is nearly equal.
        split: Where the documents went.
        config: What was asked for.
    """
    later = near.later
    removed = config.near_duplicates == "remove"
    kinds, places = np.unique(near.first[later], return_index=True)
    pairs = [(int(near.first[n]), int(n)) for n in later[places[:PAIRS_SHOWN]]]
    held_out, held_out_pairs = _across(near, split, config.similarity)
    shown = {number for pair in (*pairs, *held_out_pairs) for number in pair}
    if removed:
        shown |= _first_of_each_source(documents, later)
    paths = {one.number: printable(one.path) for one in documents.again(shown.__contains__)}
    if removed:
        _count_removed(documents, later, paths)

    def told(one: int, other: int) -> NearPair:
        return NearPair(
            first=paths[one], later=paths[other], similarity=near.similarity(one, other)
        )

    return NearReport(
        similarity=config.similarity,
        removed=removed,
        kinds=len(kinds),
        documents=len(later),
        held_out=held_out,
        pairs=tuple(told(*pair) for pair in pairs),
        held_out_pairs=tuple(told(*pair) for pair in held_out_pairs),
    )


def _across(
    near: NearDuplicates, split: Split, similarity: float
) -> tuple[int, list[tuple[int, int]]]:
    """How many held-out documents are nearly trained on, and the first ones with what is trained.

    A document that is cut in two is on both sides already, and does not count.
    """
    held = np.array([side == "validation" for side in split.sides])
    trained = np.array([side == "train" for side in split.sides])
    has_both = np.zeros(len(held), np.bool_)  # of each kind
    has_both[near.first[trained]] = True
    trained_of: dict[int, list[int]] = {}
    for number in np.flatnonzero(trained & _of_several(near.first)).tolist():
        members = trained_of.setdefault(int(near.first[number]), [])
        if len(members) < COMPARED:
            members.append(number)
    count = 0
    pairs: list[tuple[int, int]] = []
    for number in np.flatnonzero(held & has_both[near.first]).tolist():
        known = np.array(trained_of[int(near.first[number])])
        shares = (near.signatures[known] == near.signatures[number]).mean(axis=1)
        if shares.max() < similarity:
            continue
        count += 1
        if len(pairs) < PAIRS_SHOWN:
            pairs.append((int(known[shares.argmax()]), number))
    return count, pairs


def _of_several(first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which documents are of a kind with others, (D,)."""
    several: NDArray[np.bool_] = np.bincount(first, minlength=len(first))[first] > 1
    return several


def _first_of_each_source(documents: Survey, later: NDArray[np.int64]) -> set[int]:
    first: set[int] = set()
    for source in range(len(documents.sources)):
        first |= set(_within(documents.documents_of(source), later)[:EXAMPLES_KEPT])
    return first


def _within(numbers: range, later: NDArray[np.int64]) -> list[int]:
    begin, end = np.searchsorted(later, [numbers.start, numbers.stop])
    return [int(number) for number in later[begin:end]]


def _count_removed(documents: Survey, later: NDArray[np.int64], paths: dict[int, str]) -> None:
    for number, source in enumerate(documents.sources):
        removed = _within(documents.documents_of(number), later)
        for one in removed[:EXAMPLES_KEPT]:
            source.skipped.add("near_duplicate", paths[one])
        if more := len(removed[EXAMPLES_KEPT:]):
            source.skipped.add("near_duplicate", paths[removed[0]], more)
