"""The tour's report: the figures add up, and the words follow the figures."""

import math

import pytest

from trainer_core.records import MatchBucket
from trainer_core.tour.report import (
    Measured,
    gains,
    loss_without_verbatim,
    markdown,
    table,
    verdict,
)


def measured(name, losses, tokens=(60, 30, 10)):
    buckets = tuple(
        MatchBucket(low=low, high=high, tokens=n, loss=loss, hit_rate=0.5)
        for (low, high), n, loss in zip(((0, 3), (8, 11), (32, 64)), tokens, losses, strict=True)
    )
    loss = sum(b.tokens * b.loss for b in buckets) / sum(b.tokens for b in buckets)
    return Measured(name, 1000, loss, loss / 2, 10.0, buckets)


PLAIN = measured("plain", (5.0, 4.0, 3.0))
BETTER = measured("with-index", (4.9, 3.0, 0.5))


def test_the_parts_of_the_gain_add_up_to_the_whole():
    rows = gains(PLAIN, BETTER)
    assert sum(r.part for r in rows) == pytest.approx(BETTER.loss - PLAIN.loss)
    assert sum(r.share for r in rows) == pytest.approx(1.0)


def test_an_empty_bucket_is_left_out():
    assert [r.label for r in gains(measured("a", (5, 4, 0), (6, 4, 0)), BETTER)] == ["0–3", "8–11"]


def test_the_loss_without_near_duplicates_leaves_out_the_last_bucket():
    assert loss_without_verbatim(PLAIN) == pytest.approx((60 * 5 + 30 * 4) / 90)
    assert math.isnan(loss_without_verbatim(measured("a", (0, 0, 3), (0, 0, 5))))


def test_the_verdict_says_by_how_much_and_from_where():
    words = verdict(PLAIN, BETTER)
    assert "0.610 lower" in words
    assert "41% of the gain" in words
    assert "8–11" in words


def test_the_verdict_admits_that_an_index_did_not_help():
    assert "did not help" in verdict(BETTER, PLAIN)


def test_the_page_has_every_figure():
    page = markdown(PLAIN, BETTER, [("Report", "/tmp/report.md")])
    for label, *figures in table(PLAIN, BETTER):
        assert f"| {label} | {' | '.join(figures)} |" in page
    assert "`/tmp/report.md`" in page
