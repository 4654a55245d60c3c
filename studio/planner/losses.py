"""The loss that a plan may expect, with a band: the law, corrected by what runs really reached.

The logarithm of real loss over the law's is a Gaussian process: trainings have a part in common,
those on one text another, and those of similar computing a third. Near trainings of one's own the
band is narrow, far from them as wide as published figures differ from each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.planner.scaling import (
    LAW_BYTES_PER_TOKEN,
    Numbers,
    TextScale,
    TrainedPoint,
    effective_tokens,
    law_loss,
    plain_parameters,
    with_index,
)
from trainer_core.presets import PRESETS
from trainer_core.spec import ModelConfig

_COMMON, _TEXT, _NEAR, _INDEX, _INDEX_TEXT, _NOISE = 0.12, 0.12, 0.20, 0.10, 0.15, 0.015
"""Standard deviations of log loss; from published figures, which differ from the law by -35 to 20 %
between a million and two hundred million parameters, and from repeated runs: 1 to 2 %."""
_NEAR_LENGTH = 3.0
"""Trainings count as similar within about so many e-folds of computing, N D. The ratio of the two
plays no part, so that the best size for a computing stays that of the law."""
_RATIO = 0.02
"""What the band grows by with each e-fold that D / N is away from the nearest training's."""
_BAND = 1.0
"""Half the width of the band in standard deviations: two plans of three end inside."""
_HIT_RATE = 0.35
"""Where nobody knows what the index names: near the lower end of what was measured."""


def _published() -> tuple[TrainedPoint, ...]:
    gpt2 = PRESETS["163M"].config
    tscale = ModelConfig(
        vocab_size=50_257, context_length=1024, n_layer=50, n_head=4, n_embd=512, n_inner=512
    )
    rows = (
        ("GPT-2 small in 48 hours", gpt2, 3.26e9, 3.26e9, 3.94, "published/fineweb"),
        ("GPT-2 small in 48 hours", gpt2, 3.26e9, 3.26e9, 3.693, "published/fineweb-edu"),
        ("GPT-2 small in 48 hours", gpt2, 6.52e9, 3.26e9, 3.661, "published/fineweb-edu"),
        ("TScale", tscale, 9.83e9, 9.83e9, 2.945, "published/tscale"),
    )
    large = tuple(
        TrainedPoint(
            name=name,
            model=model,
            tokens=int(tokens),
            corpus_tokens=int(unique),
            loss=loss,
            corpus=corpus,
            bytes_per_token=LAW_BYTES_PER_TOKEN,
            published=True,
        )
        for name, model, tokens, unique, loss, corpus in rows
    )
    return large + _own_figures()


def _own_figures() -> tuple[TrainedPoint, ...]:
    """Of the tour's model on the Python library; see tests/benchmarks/RESULTS.md."""
    rows = ((409_600, 4.99, None), (1_024_000, 4.220, None), (1_024_000, 2.254, 0.609))
    return tuple(
        TrainedPoint(
            name="Hearth's tour",
            model=PRESETS["tour"].model(4096, match_input=hit_rate is not None),
            tokens=tokens,
            corpus_tokens=7_049_891,
            loss=loss,
            corpus="published/python",
            bytes_per_token=3.22,
            unigram_entropy=6.55,
            hit_rate=hit_rate,
            published=True,
        )
        for tokens, loss, hit_rate in rows
    )


PUBLISHED = _published()
"""Figures of others and of this project, in nats per token of held-out text of the same kind."""


@dataclass(frozen=True)
class LossText:
    """The text of a plan, as far as losses depend on it.

    Attributes:
        corpus: By which trainings on the same text are known.
        unique_tokens: Of its training part.
        scale: Of its tokens.
        hit_rate: Share of held-out tokens that its index names; None while unknown.
    """

    corpus: str
    unique_tokens: int
    scale: TextScale
    hit_rate: float | None = None


@dataclass(frozen=True)
class ExpectedLoss:
    """Held-out loss that a plan may expect, in nats per token.

    Attributes:
        loss: In the middle.
        low: Lower end of the band, in which two plans of three end.
        high: Upper end.
        plain: Without an index.
        source: What it rests on, in words.
        own: Whether it rests on trainings of one's own on this text.
    """

    loss: float
    low: float
    high: float
    plain: float
    source: str
    own: bool = False

    @property
    def band(self) -> float:
        """Half the width of the band."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class LossCurve:
    """Expected losses of several plans on one text; arrays of the same length."""

    loss: Numbers
    low: Numbers
    high: Numbers
    plain: Numbers


class LossModel:
    """What trainings so far say about those to come. Making one takes under a millisecond.

    Args:
        runs: Finished trainings of one's own; the newest count, if there are very many.
    """

    _RUNS_MAX = 60

    def __init__(self, runs: Sequence[TrainedPoint] = ()) -> None:
        self.points = (*PUBLISHED, *runs[: self._RUNS_MAX])
        self._features = np.array([_features(point) for point in self.points])
        law = np.array([_law_of(point) for point in self.points])
        real = np.array([point.loss for point in self.points])
        self._texts = [point.corpus for point in self.points]
        self._index = np.array([point.model.match_input for point in self.points])
        same = np.array([[a == b for b in self._texts] for a in self._texts])
        kernel = self._kernel(self._features, self._index, same)
        kernel += np.eye(len(law)) * _NOISE**2
        self._solved = np.linalg.solve(kernel, np.log(real / law))
        self._inverse = np.linalg.inv(kernel)

    def _kernel(self, features: Numbers, index: Numbers, same: Numbers) -> Numbers:
        """Covariance of (n, 2) features with those of all points, (n, points)."""
        apart = features[:, None, 0] - self._features[None, :, 0]
        near = np.exp(-(apart**2) / (2 * _NEAR_LENGTH**2))
        both = index[:, None] & self._index[None, :]
        found: Numbers = _COMMON**2 + _TEXT**2 * same + _NEAR**2 * near
        found = found + both * (_INDEX**2 + _INDEX_TEXT**2 * same)
        return found

    def curve(
        self, parameters: Numbers, tokens: Numbers, text: LossText, *, index: bool
    ) -> LossCurve:
        """Expected losses of plans.

        Args:
            parameters: (n,) of each.
            tokens: (n,) that each reads, repeats included.
            text: That all of them read.
            index: Whether they read its index; `plain` is without it in any case.
        """
        fresh = effective_tokens(tokens, text.unique_tokens)
        law = law_loss(parameters, fresh, text.scale)
        n, d = np.log(np.maximum(parameters, 1.0)), np.log(fresh + 1.0)
        features = np.stack([n + d, d - n], 1)
        shift, spread = self._correction(features, text, index=False)
        plain = law * np.exp(shift)
        loss = plain
        if index:
            hit_rate = _HIT_RATE if text.hit_rate is None else text.hit_rate
            shift, spread = self._correction(features, text, index=True)
            loss = with_index(law, hit_rate, text.scale) * np.exp(shift)
        low, high = loss * np.exp(-_BAND * spread), loss * np.exp(_BAND * spread)
        return LossCurve(loss, low, high, plain)

    def _correction(
        self, features: Numbers, text: LossText, *, index: bool
    ) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation of log real loss over the law's, (n,) each."""
        same = np.array([[corpus == text.corpus for corpus in self._texts]])
        flags = np.full(len(features), index)
        kernel = self._kernel(features, flags, same)
        variance = _COMMON**2 + _TEXT**2 + _NEAR**2
        variance += (_INDEX**2 + _INDEX_TEXT**2) if index else 0.0
        left = variance - np.einsum("ij,jk,ik->i", kernel, self._inverse, kernel)
        ratio = np.abs(features[:, None, 1] - self._features[None, :, 1]).min(1)
        spread = np.maximum(left, 0.0) + _NOISE**2 + (_RATIO * ratio) ** 2
        return kernel @ self._solved, np.sqrt(spread)

    def expect(self, model: ModelConfig, tokens: int, text: LossText) -> ExpectedLoss:
        """The loss that one plan may expect."""
        parameters = np.array([float(plain_parameters(model))])
        curve = self.curve(parameters, np.array([float(tokens)]), text, index=model.match_input)
        fresh = float(effective_tokens(tokens, text.unique_tokens))
        law = math.log(parameters[0]) + math.log(fresh + 1.0)
        own = [point for point in self.points if not point.published]
        on_text = [point for point in own if point.corpus == text.corpus]
        return ExpectedLoss(
            loss=float(curve.loss[0]),
            low=float(curve.low[0]),
            high=float(curve.high[0]),
            plain=float(curve.plain[0]),
            source=_source(own, on_text) or f"from published figures, nearest {self._nearest(law)}",
            own=bool(on_text),
        )

    def _nearest(self, computing: float) -> str:
        """The published training whose computing, ln N D, comes nearest."""
        apart = np.abs(self._features[: len(PUBLISHED), 0] - computing)
        return PUBLISHED[int(np.argmin(apart))].name


def _source(own: Sequence[TrainedPoint], on_text: Sequence[TrainedPoint]) -> str:
    if len(on_text) == 1:
        return f"from {on_text[0].name}, on this text"
    if on_text:
        return f"from {len(on_text)} of your runs on this text"
    if own:
        runs = "run" if len(own) == 1 else f"{len(own)} runs"
        return f"from your {runs} on other text, and published figures"
    return ""


def _features(point: TrainedPoint) -> tuple[float, float]:
    """Logarithms of N D and of D / N."""
    fresh = float(effective_tokens(point.tokens, point.corpus_tokens))
    n, d = math.log(plain_parameters(point.model)), math.log(fresh + 1.0)
    return n + d, d - n


def _law_of(point: TrainedPoint) -> float:
    fresh = effective_tokens(point.tokens, point.corpus_tokens)
    plain = law_loss(plain_parameters(point.model), fresh, point.text)
    if point.model.match_input:
        hit_rate = _HIT_RATE if point.hit_rate is None else point.hit_rate
        plain = with_index(plain, hit_rate, point.text)
    return float(plain)
