"""How documents become sequences, and how sources are mixed, as it is typed. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from studio.pages.typed import parse, parse_percent, percent_text
from trainer_core.spec import DataConfig, Mix, Packing

Mixing = Literal["remaining", "weights", "schedule"]
POINTS_MAX = 4


@dataclass(frozen=True)
class SourceChoice:
    """A source of a dataset, and how many tokens of it each side of the split has."""

    name: str
    train_tokens: int
    validation_tokens: int = 0


@dataclass(frozen=True)
class MixPoint:
    """Weights at one point of the training, as typed; `at` in percent, `weights` by source."""

    at: str = "0"
    weights: tuple[tuple[str, str], ...] = ()

    def weight(self, source: str) -> str:
        """What was typed for a source."""
        return dict(self.weights).get(source, "")

    def with_weight(self, source: str, text: str) -> MixPoint:
        """The point with another weight for a source."""
        return replace(self, weights=tuple((dict(self.weights) | {source: text}).items()))


@dataclass(frozen=True)
class SequenceForm:
    """The data section of a run as it stands in the wizard.

    Attributes:
        masks: Whether documents of a stream are told apart.
        points: Weights; the first for "weights", all of them for "schedule".
        by_source: Whether each source's held-out text is measured too.
    """

    packing: Packing = "stream"
    masks: bool = False
    mixing: Mixing = "remaining"
    points: tuple[MixPoint, ...] = ()
    by_source: bool = True

    def with_mixing(self, mixing: Mixing, sources: Sequence[SourceChoice]) -> SequenceForm:
        """Another way of mixing; weights that were never typed begin as the sources' shares."""
        points = self.points or (_shares(sources),)
        if mixing == "schedule" and len(points) == 1:
            points = (*points, replace(points[0], at="100"))
        return replace(self, mixing=mixing, points=points)

    def in_force(self, sources: Sequence[SourceChoice]) -> tuple[MixPoint, ...]:
        """The points that count: none for a single source, or without weights."""
        if self.mixing == "remaining" or len(sources) < 2:
            return ()
        return self.points[:1] if self.mixing == "weights" else self.points

    def with_point(self, number: int, point: MixPoint) -> SequenceForm:
        """The form with another point in a place."""
        points = list(self.points)
        points[number] = point
        return replace(self, points=tuple(points))

    def with_further_point(self) -> SequenceForm:
        """The form with one point more, behind the last one."""
        *before, last = self.points
        ats = [at for point in before if isinstance(at := parse_percent(point.at), int | float)]
        end = parse_percent(last.at)
        middle = ((ats[-1] if ats else 0.0) + (end if not isinstance(end, str) else 1.0)) / 2
        further = replace(last, at=percent_text(round(middle, 2)))
        return replace(self, points=(*before, further, last))

    def without_point(self, number: int) -> SequenceForm:
        """The form without one of its points."""
        points = tuple(p for place, p in enumerate(self.points) if place != number)
        return replace(self, points=points)


def _shares(sources: Sequence[SourceChoice]) -> MixPoint:
    total = sum(source.train_tokens for source in sources) or 1
    weights = tuple(
        (source.name, f"{max(round(100 * source.train_tokens / total), 1)}") for source in sources
    )
    return MixPoint("0", weights)


def data_settings(form: SequenceForm, sources: Sequence[SourceChoice]) -> dict[str, Any]:
    """The form as the plain settings of `DataConfig`; what is no number stays text."""
    known = [source.name for source in sources]
    mixing = [
        {
            "at": parse_percent(point.at) if number else 0.0,
            "weights": {
                name: parse(text) for name in known if (text := point.weight(name).strip())
            },
        }
        for number, point in enumerate(form.in_force(sources))
    ]
    masks = form.masks and form.packing == "stream"
    return {"packing": form.packing, "mask_documents": masks, "mixing": mixing}


def form_of(data: DataConfig, *, by_source: bool) -> SequenceForm:
    """The form that gives these settings."""
    points = tuple(
        MixPoint(
            percent_text(mix.at),
            tuple((name, f"{weight:.12g}") for name, weight in mix.weights.items()),
        )
        for mix in data.mixing
    )
    mixing: Mixing = ("remaining", "weights", "schedule")[min(len(points), 2)]
    return SequenceForm(data.packing, data.mask_documents, mixing, points, by_source)


@dataclass(frozen=True)
class SourceShare:
    """How much of a training comes from one source.

    Attributes:
        share: Of the training's tokens, 0 to 1.
        passes: How often the source's own text is read.
    """

    share: float
    passes: float


def shares_of(
    data: DataConfig, sources: Sequence[SourceChoice], training_tokens: int
) -> dict[str, SourceShare]:
    """What each source gives to a training.

    Args:
        data: Checked settings.
        sources: With their training tokens.
        training_tokens: Of the whole training.
    """
    total = sum(source.train_tokens for source in sources) or 1
    given = {source.name: source.train_tokens / total for source in sources}
    if data.mixing:
        given = _mixed_shares(data, [source.name for source in sources])
    return {
        source.name: SourceShare(
            given[source.name],
            given[source.name] * training_tokens / max(source.train_tokens, 1),
        )
        for source in sources
    }


def _mixed_shares(data: DataConfig, names: Sequence[str]) -> dict[str, float]:
    """Shares over the whole course: those at the points, on straight lines between them."""
    points = [_shares_at(mix, names) for mix in data.mixing]
    ats = [mix.at for mix in data.mixing]
    found = {}
    for name in names:
        course = [point[name] for point in points]
        area = (1.0 - ats[-1]) * course[-1]  # the last one holds to the end
        for left, right, before, after in zip(ats, ats[1:], course, course[1:], strict=False):
            area += (right - left) * (before + after) / 2
        found[name] = area
    return found


def _shares_at(mix: Mix, names: Sequence[str]) -> dict[str, float]:
    total = sum(mix.weights.values())
    return {name: mix.weights.get(name, 0.0) / total for name in names}
