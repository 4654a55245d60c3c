import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from trainer_core.export.loss_curve import bucket_means, loss_curve, smooth, tick_step

SVG = "{http://www.w3.org/2000/svg}"


def drawn(loss, validation=()):
    return ElementTree.fromstring(loss_curve(np.asarray(loss, dtype=np.float32), validation))


def test_the_curve_is_svg_with_two_lines_and_a_dot_per_validation():
    root = drawn(np.linspace(8, 3, 2000), [(500, 6.0), (1000, 5.0), (2000, 3.1)])
    assert len(root.findall(f".//{SVG}polyline")) == 2
    dots = [c for c in root.findall(f".//{SVG}circle") if float(c.get("cy")) > 40]
    assert len(dots) == 3
    assert "2,000" in [text.text for text in root.iter(f"{SVG}text")]


def test_everything_stays_inside_the_picture():
    loss = np.exp(np.random.default_rng(0).normal(size=5000)) + 3
    loss[17] = 1e30
    root = drawn(loss, [(4000, 4.0)])
    for line in root.findall(f".//{SVG}polyline"):
        points = [tuple(map(float, p.split(","))) for p in line.get("points").split()]
        assert all(50 <= x <= 760 and 30 <= y <= 330 for x, y in points)


@pytest.mark.parametrize("loss", [[], [5.0], [np.nan, np.nan], [3.0, 3.0, 3.0], [np.inf, 2.0]])
def test_odd_series_still_give_a_picture(loss):
    assert drawn(loss).tag == f"{SVG}svg"


def test_smoothing_passes_over_missing_values():
    values = np.array([1.0, np.nan, 1.0, 1.0])
    assert smooth(values, 1.0) == pytest.approx(np.ones(4))


def test_bucket_means_keep_the_mean():
    values = np.arange(1000.0)
    assert bucket_means(values, 10).mean() == pytest.approx(values.mean())


@pytest.mark.parametrize(("span", "count", "step"), [(10, 5, 2), (0.9, 5, 0.2), (7000, 6, 2000)])
def test_ticks_are_round(span, count, step):
    assert tick_step(span, count) == pytest.approx(step)
