"""What cleaning did, as manifests and previews tell it. Free of Qt.

The studio does not import the code that wrote these files.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from collections.abc import Sequence

import msgspec

from studio.widgets.figures import percent, plural, size, whole

STEP_NAMES: dict[str, str] = {
    "repair_unicode": "Unicode repaired",
    "normalise": "Unicode form",
    "whitespace": "White space tidied",
    "length": "Length",
    "hook": "A step of one's own",
    "exclude": "Left out by hand",
}
"""What people call the steps that reports name."""


_PAIRS_SHOWN = 5


class Example(msgspec.Struct, frozen=True):
    """What a step did to one document; `after` is empty where it was left out."""

    title: str
    before: str = ""
    after: str = ""


class StepReport(msgspec.Struct, frozen=True):
    """What a cleaning step did to the documents that were read."""

    step: str
    left_out: int = 0
    changed: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    examples: tuple[Example, ...] = ()


class NearPair(msgspec.Struct, frozen=True):
    """Two documents that are nearly equal; `similarity` is 0 to 1."""

    first: str = ""
    later: str = ""
    similarity: float = 0.0


class NearReport(msgspec.Struct, frozen=True):
    """Documents that are nearly equal to an earlier one.

    `kinds` documents have `documents` near duplicates; `held_out` of the held-out ones have one
    that is trained on.
    """

    similarity: float = 0.0
    removed: bool = False
    kinds: int = 0
    documents: int = 0
    held_out: int = 0
    pairs: tuple[NearPair, ...] = ()
    held_out_pairs: tuple[NearPair, ...] = ()


def added_up(reports: Sequence[StepReport]) -> StepReport | None:
    """What a step did to all sources; None without a report."""
    if not reports:
        return None
    return StepReport(
        reports[0].step,
        left_out=sum(report.left_out for report in reports),
        changed=sum(report.changed for report in reports),
        bytes_before=sum(report.bytes_before for report in reports),
        bytes_after=sum(report.bytes_after for report in reports),
        examples=tuple(example for report in reports for example in report.examples)[:3],
    )


def report_words(report: StepReport, documents: int, *, done: bool = False) -> str:
    """What a step does to documents that were looked at, or did to those that were read.

    Args:
        report: The step's.
        documents: How many there were.
        done: It was done for good, so that it is told as past.
    """
    changes, leaves = ("changed", "left out") if done else ("changes", "leaves out")
    parts: list[str] = []
    if report.changed:
        parts.append(f"{changes} {whole(report.changed)} of {plural(documents, 'document')}")
    if report.left_out:
        verb = f"and {leaves}" if parts else leaves
        parts.append(f"{verb} {whole(report.left_out)} of {plural(documents, 'document')}")
    if not parts:
        verb = "Changed" if done else "Changes"
        return f"{verb} nothing in the {plural(documents, 'document')} read."
    words = " ".join(parts)
    less = report.bytes_before - report.bytes_after
    tail = f", {size(less)} less" if less > 0 else f", {size(-less)} more" if less < 0 else ""
    return f"{words[:1].upper()}{words[1:]}{tail}."


def near_words(report: NearReport) -> str:
    """How many documents are nearly equal, and how many of these cross the split."""
    if not report.documents:
        return "No document is nearly equal to an earlier one."
    verb = "is" if report.documents == 1 else "are"
    fate = " and left out" if report.removed else ""
    words = f"{plural(report.documents, 'document')} {verb} nearly equal to an earlier one{fate}."
    if report.held_out:
        verb = "has" if report.held_out == 1 else "have"
        held_out = plural(report.held_out, "held-out document")
        words = f"{words} {held_out} {verb} a near duplicate that is trained on."
    return words


def near_lines(report: NearReport) -> list[str]:
    """The first pairs, those that cross the split before the others."""
    pairs = [*report.held_out_pairs, *report.pairs][:_PAIRS_SHOWN]
    return [f"{pair.later} is like {pair.first}, {percent(pair.similarity, 0)}" for pair in pairs]
