"""Whether two groups of runs differ, against published values."""

import math

import pytest

from studio.runs.verdict import compare, judge, spread, t_quantile, t_two_sided, verdicts

# From the usual printed tables of Student's t, two-sided 95 % and 99 %.
QUANTILES = [
    (0.975, 1, 12.706204736),
    (0.975, 2, 4.302652730),
    (0.975, 4, 2.776445105),
    (0.975, 10, 2.228138852),
    (0.975, 30, 2.042272456),
    (0.975, 1000, 1.962339081),
    (0.995, 5, 4.032142984),
]


@pytest.mark.parametrize(("share", "df", "expected"), QUANTILES)
def test_quantiles_of_students_t_are_those_of_the_tables(share, df, expected):
    assert t_quantile(share, df) == pytest.approx(expected, rel=1e-8)
    assert t_two_sided(expected, df) == pytest.approx(2 * (1 - share), rel=1e-7)


def test_students_t_has_its_closed_forms():
    for t in (0.1, 1.0, 3.7, 50.0):
        cauchy = 1 - 2 / math.pi * math.atan(t)
        two = 1 - t / math.sqrt(t * t + 2)
        assert t_two_sided(t, 1) == pytest.approx(cauchy, rel=1e-9)
        assert t_two_sided(t, 2) == pytest.approx(two, rel=1e-9)


def test_students_own_sleep_data():
    # Student (1908): hours of sleep gained by ten patients with each of two drugs.
    first = dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
    second = dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))
    paired = compare(second, first)
    assert paired.paired and paired.verdict == "real"
    assert paired.mean == pytest.approx(1.58)
    assert paired.p == pytest.approx(0.00283289, rel=1e-5)
    assert (paired.low, paired.high) == pytest.approx((0.7001142, 2.4598858), rel=1e-6)
    apart = compare({seed + 100: value for seed, value in second.items()}, first)
    assert not apart.paired and apart.verdict == "noise"
    assert apart.p == pytest.approx(0.07939414, rel=1e-5)
    assert (apart.low, apart.high) == pytest.approx((-0.2054832, 3.3654832), rel=1e-6)


def test_a_spread_has_the_interval_of_its_mean():
    found = spread([3.71, 3.69, 3.73, 3.70])
    assert found.n == 4
    assert found.mean == pytest.approx(3.7075)
    assert found.sd == pytest.approx(0.01707825, rel=1e-6)
    assert found.high - found.mean == pytest.approx(3.182446305 * 0.01707825 / 2, rel=1e-6)


def test_what_is_no_number_is_left_out():
    assert spread([math.nan, math.inf]) is None
    assert spread([3.0, math.nan]).n == 1
    assert spread([3.0, math.nan]).sd is None
    assert compare({1: math.nan}, {1: 3.0}) is None


def test_one_run_of_each_says_nothing():
    found = compare({1: 3.0}, {1: 4.0})
    assert found.mean == -1.0
    assert found.p is None and found.low is None
    assert found.verdict == "too_few"


def test_two_of_each_may_be_clear_but_are_never_called_noise():
    clear = compare({1: 3.000, 2: 3.001}, {3: 4.000, 4: 4.001})
    assert clear.verdict == "real"
    unclear = compare({1: 3.0, 2: 3.4}, {3: 3.1, 4: 3.5})
    assert unclear.verdict == "too_few"
    assert judge(0.5, 3) == "noise"


def test_repetitions_of_one_figure_are_no_sample():
    found = compare({1: 3.0, 2: 3.0, 3: 3.0}, {1: 3.1, 2: 3.1, 3: 3.1})
    assert found.p is None
    assert found.verdict == "too_few"


def test_pairs_see_what_the_spread_of_seeds_hides():
    base = {seed: 3.7 + 0.05 * seed for seed in range(5)}
    better = {seed: value - 0.01 - 0.001 * (seed % 2) for seed, value in base.items()}
    assert compare(better, base).verdict == "real"
    elsewhere = {seed + 50: value for seed, value in better.items()}
    assert compare(elsewhere, base).verdict == "noise"


def test_among_many_comparisons_each_has_to_be_clearer():
    base = {1: 3.00, 2: 3.02, 3: 3.04, 4: 3.01}
    slightly = {seed + 10: value - 0.030 for seed, value in base.items()}
    assert compare(slightly, base).verdict == "real"
    others = [{seed + 20 * n: value + 0.001 * n for seed, value in base.items()} for n in (2, 3, 4)]
    found = verdicts([base, slightly, *others], 0)
    assert found[0] is None
    assert found[1].p == pytest.approx(compare(slightly, base).p)
    assert [one.verdict for one in found[1:]] == ["noise"] * 4
    clearly = {seed + 10: value - 1.0 for seed, value in base.items()}
    assert verdicts([base, clearly, *others], 0)[1].verdict == "real"
