"""Whether two groups of runs differ: mean, spread, and a plain verdict. Free of Qt and of SciPy.

A training's loss depends on its seed. Between two settings the difference of their means is read
against that spread: a t-test for unequal variances, or for pairs where both ran the same seeds.

Source: Welch, "The generalization of 'Student's' problem when several different population
variances are involved" (Biometrika, 1947); Student, "The probable error of a mean" (Biometrika,
1908); Holm, "A simple sequentially rejective multiple test procedure" (1979). The incomplete beta
function is computed by its continued fraction with Lentz's method, as in Press et al., "Numerical
Recipes", section 6.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["real", "noise", "too_few"]

LEVEL = 0.05
"""A difference counts as real when noise alone would show one as large in fewer than one of twenty
trials."""
ENOUGH_RUNS = 3
"""Of each of two groups; with fewer, a difference that is not clear may still be there."""
CONFIDENCE = 0.95
_ITERATIONS, _PRECISION, _TINY = 300, 1e-14, 1e-300


@dataclass(frozen=True)
class Spread:
    """What several runs of one setting came to.

    Attributes:
        n: How many.
        mean: Their mean.
        sd: Standard deviation of the sample; None for a single run.
        low: Lower end of the 95 % interval of the mean; None for a single run.
        high: Its upper end.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Difference:
    """How one group differs from another.

    Attributes:
        mean: Its mean minus the other's.
        low: Lower end of the 95 % interval of the difference; None where nothing says.
        high: Its upper end.
        p: How often noise alone would show a difference as large; None where nothing says.
        paired: Whether runs of the same seed were set against each other.
        verdict: In one word.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    paired: bool
    verdict: Verdict


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and spread; values that are no finite numbers are left out, None without any."""
    kept = [value for value in values if math.isfinite(value)]
    if not kept:
        return None
    mean = math.fsum(kept) / len(kept)
    if len(kept) < 2:
        return Spread(1, mean)
    sd = math.sqrt(_variance(kept))
    half = t_quantile(0.5 + CONFIDENCE / 2, len(kept) - 1) * sd / math.sqrt(len(kept))
    return Spread(len(kept), mean, sd, mean - half, mean + half)


def compare(
    group: Mapping[int, float], base: Mapping[int, float], comparisons: int = 1
) -> Difference | None:
    """Set a group of runs against another one.

    Args:
        group: A figure such as the best validation loss, by seed.
        base: The same of the other.
        comparisons: How many such comparisons are made at once: with many, one of them looks real
            by chance, so that each has to be clearer (Bonferroni; see `verdicts` for Holm's).

    Returns:
        The difference; None where one of them has no finite figure.
    """
    ours = {seed: value for seed, value in group.items() if math.isfinite(value)}
    theirs = {seed: value for seed, value in base.items() if math.isfinite(value)}
    if not ours or not theirs:
        return None
    shared = sorted(ours.keys() & theirs.keys())
    least = min(len(ours), len(theirs))
    paired = len(shared) >= 2 and len(shared) == least
    if paired:
        mean, half, p = _paired([ours[seed] - theirs[seed] for seed in shared])
    else:
        mean, half, p = _welch(list(ours.values()), list(theirs.values()))
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return Difference(mean, low, high, p, paired, judge(p, least, LEVEL / comparisons))


def judge(p: float | None, runs: int, level: float = LEVEL) -> Verdict:
    """The verdict on a difference.

    Args:
        p: How often noise alone would show one as large; None where nothing says.
        runs: Of the smaller group.
        level: Below this it is real.
    """
    if p is None:
        return "too_few"
    if p < level:
        return "real"
    return "noise" if runs >= ENOUGH_RUNS else "too_few"


def verdicts(groups: Sequence[Mapping[int, float]], base: int) -> list[Difference | None]:
    """Set each group against one of them; chance is shared out among the comparisons by Holm.

    Args:
        groups: Figures by seed.
        base: Which one they are set against; its own place gets None.
    """
    found = [
        None if place == base else compare(group, groups[base])
        for place, group in enumerate(groups)
    ]
    ranked = sorted(
        (place for place, one in enumerate(found) if one is not None and one.p is not None),
        key=lambda place: _p_of(found[place]),
    )
    still = True
    for rank, place in enumerate(ranked):
        one = found[place]
        if one is None:
            continue
        level = LEVEL / (len(ranked) - rank)
        still = still and _p_of(one) < level
        least = min(_count(groups[place]), _count(groups[base]))
        verdict = judge(one.p, least, level if still else 0.0)
        found[place] = Difference(one.mean, one.low, one.high, one.p, one.paired, verdict)
    return found


# --- Student's t ---------------------------------------------------------------------------------


def t_two_sided(t: float, df: float) -> float:
    """Probability of a value of Student's t at least so far from 0.

    Args:
        t: The value.
        df: Degrees of freedom, above 0; need not be whole.
    """
    if math.isinf(t):
        return 0.0
    return _beta_share(df / (df + t * t), df / 2, 0.5)


def t_quantile(share: float, df: float) -> float:
    """The value that Student's t stays below with this probability.

    Args:
        share: From 0.5 on, below 1.
        df: Degrees of freedom, above 0.
    """
    tail = 2 * (1 - share)
    low, high = 0.0, 1.0
    while t_two_sided(high, df) > tail:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if t_two_sided(middle, df) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction."""

    def safe(value: float) -> float:
        return value if abs(value) > _TINY else _TINY

    c, d = 1.0, 1 / safe(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _ITERATIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / safe(1 + term * d)
            c = safe(1 + term / c)
            step = c * d
            result *= step
        if abs(step - 1) < _PRECISION:
            break
    return result


# --- parts ---------------------------------------------------------------------------------------


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _paired(differences: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Mean, half of its interval, and p of differences between pairs."""
    n = len(differences)
    mean = math.fsum(differences) / n
    return _tested(mean, math.sqrt(_variance(differences) / n), n - 1)


def _welch(
    ours: Sequence[float], theirs: Sequence[float]
) -> tuple[float, float | None, float | None]:
    """Mean difference, half of its interval, and p of two groups of unequal variances."""
    mean = math.fsum(ours) / len(ours) - math.fsum(theirs) / len(theirs)
    if len(ours) < 2 or len(theirs) < 2:
        return mean, None, None
    first, second = _variance(ours) / len(ours), _variance(theirs) / len(theirs)
    if first + second == 0.0:
        return _tested(mean, 0.0, 1)
    df = (first + second) ** 2 / (first**2 / (len(ours) - 1) + second**2 / (len(theirs) - 1))
    return _tested(mean, math.sqrt(first + second), df)


def _tested(mean: float, error: float, df: float) -> tuple[float, float | None, float | None]:
    if error == 0.0:
        # Runs that came to the very same figure: a repetition, not a sample of chance.
        return mean, None, None
    return mean, t_quantile(0.5 + CONFIDENCE / 2, df) * error, t_two_sided(mean / error, df)


def _p_of(one: Difference | None) -> float:
    return math.inf if one is None or one.p is None else one.p


def _count(group: Mapping[int, float]) -> int:
    return sum(math.isfinite(value) for value in group.values())
