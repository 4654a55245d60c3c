from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from synthetic_runs import make_run, step_rows, validated

from studio.charts.dashboard import Dashboard
from studio.charts.export import png_bytes, svg_bytes, write_csv, write_file
from studio.charts.paint import keep_apart, spread
from studio.palette import DARK, LIGHT
from studio.runs.tail import Update
from studio.theme import theme
from trainer_core.errors import KnownError


@pytest.fixture
def shown(qapp, qtbot):
    """A dashboard of 600 of 1,000 steps, drawn."""
    theme().install(qapp)
    theme().set_mode("dark")
    board = Dashboard(make_run(600, spike=468))
    qtbot.addWidget(board)
    board.resize(880, 640)
    board.show()
    qtbot.waitExposed(board)
    qtbot.waitUntil(lambda: board.queue.idle)
    yield board
    theme().set_mode("dark")


def at(chart, step, y=0.5):
    """Pixel of a step in a chart."""
    chart.redraw()
    frame = chart.frame()
    position = float(chart.link.timeline.of_steps(chart.link.mode, [step])[0])
    return QPoint(round(frame.x.pixel(position)), round(frame.top + y * frame.height))


def turn_wheel(chart, point, notches):
    event = QWheelEvent(
        QPointF(point),
        QPointF(chart.mapToGlobal(point)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(chart, event)


def colours_in(picture):
    image = picture.toImage().convertToFormat(QImage.Format.Format_RGB32)
    data = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)
    return {QColor(int(v)).name() for v in np.unique(data)}


def test_the_crosshair_is_shared_by_all_charts(qtbot, shown):
    qtbot.mouseMove(shown.loss, at(shown.loss, 300))
    assert shown.link.crosshair == pytest.approx(300, abs=3)
    crosses = [chart._cross(chart.frame()) for chart in shown.charts]
    assert all(cross is not None for cross in crosses)
    assert len({cross.label for cross in crosses}) == 1
    box = crosses[0].box
    assert [row.name for row in box.rows] == ["train raw", "train smooth", "validation"]


def test_a_click_keeps_the_crosshair_and_a_double_click_lets_it_go(qtbot, shown):
    qtbot.mouseMove(shown.speed, at(shown.speed, 200))
    qtbot.mouseClick(shown.speed, Qt.MouseButton.LeftButton, pos=at(shown.speed, 200))
    kept = shown.link.crosshair
    QApplication.sendEvent(shown.speed, QEvent(QEvent.Type.Leave))
    assert shown.link.crosshair == kept is not None
    qtbot.mouseDClick(shown.speed, Qt.MouseButton.LeftButton, pos=at(shown.speed, 200))
    QApplication.sendEvent(shown.speed, QEvent(QEvent.Type.Leave))
    assert shown.link.crosshair is None


def test_the_wheel_zooms_around_the_pointer_on_all_charts(qtbot, shown):
    point = at(shown.norm, 300)
    before = shown.norm.frame().x.value(point.x())
    turn_wheel(shown.norm, point, 6)
    low, high = shown.link.visible()
    assert high - low < 300
    assert shown.norm.frame().x.value(point.x()) == pytest.approx(before, abs=1)
    qtbot.waitUntil(lambda: shown.queue.idle)
    assert {chart.frame().x.low for chart in shown.charts} == {low}
    turn_wheel(shown.norm, point, -40)
    assert not shown.link.zoomed


def test_a_drag_pans_and_a_double_click_resets(qtbot, shown):
    shown.link.show_range(200, 300)
    start = at(shown.loss, 250)
    qtbot.mousePress(shown.loss, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(shown.loss, start + QPoint(-60, 0))
    qtbot.mouseRelease(shown.loss, Qt.MouseButton.LeftButton, pos=start + QPoint(-60, 0))
    low, high = shown.link.visible()
    assert low > 205 and high - low == pytest.approx(100, rel=1e-6)
    assert not shown.link.pinned
    qtbot.mouseDClick(shown.loss, Qt.MouseButton.LeftButton, pos=start)
    assert not shown.link.zoomed


def test_a_click_on_a_diamond_opens_its_checkpoint(qtbot, shown):
    clicked = []
    shown.checkpoint_clicked.connect(clicked.append)
    frame = shown.loss.frame()
    place = QPoint(round(frame.x.pixel(400)), round(frame.bottom - 6))
    qtbot.mouseClick(shown.loss, Qt.MouseButton.LeftButton, pos=place)
    assert clicked == [400]


def test_arrow_keys_move_the_crosshair_and_escape_lets_it_go(qtbot, shown):
    shown.link.pin(300)
    for _ in range(3):
        qtbot.keyClick(shown.loss, Qt.Key.Key_Right)
    assert 300 < shown.link.crosshair < 320
    shown.link.show_range(290, 310)
    shown.link.pin(300)
    qtbot.keyClick(shown.loss, Qt.Key.Key_Left)
    assert shown.link.crosshair == 299
    qtbot.keyClick(shown.loss, Qt.Key.Key_Escape)
    shown.link.hover(None)
    assert shown.link.crosshair is None


def test_the_part_in_view_stays_when_the_axis_counts_something_else(shown):
    shown.link.show_range(100, 200)
    shown.link.set_mode("tokens")
    assert shown.link.visible() == pytest.approx((100 * 4096, 200 * 4096))
    shown.link.set_mode("time")
    assert shown.link.visible() == pytest.approx((20, 40))
    shown.link.set_log(True)
    low, _ = shown.link.visible()
    assert low > 0


def test_a_view_cannot_leave_the_data(shown):
    shown.link.show_range(-500, 100)
    low, high = shown.link.visible()
    assert low == 0 and high <= 600 * 1.05
    shown.link.show_range(590, 5000)
    assert shown.link.visible()[1] <= 600 * 1.05
    shown.link.show_range(math.nan, math.inf)
    shown.link.show_range(300, 300)
    low, high = shown.link.visible()
    assert high - low >= 4


def test_pointing_at_a_step_out_of_view_brings_it_into_view(shown):
    shown.link.show_range(10, 60)
    shown.link.point_at(500)
    low, high = shown.link.visible()
    assert low < 500 < high and shown.link.crosshair == 500


def test_new_steps_are_drawn_one_chart_at_a_time_and_the_timer_rests_after(qtbot, shown):
    drawn = []
    for chart in shown.charts:
        draw = chart.redraw
        chart.redraw = lambda chart=chart, draw=draw: (drawn.append(time.monotonic()), draw())
    more = step_rows(601, 50)
    shown.model.apply(Update(shown.model.folder, first_row=600, rows=more, alive=True))
    shown.sync()
    shown.sync()
    qtbot.waitUntil(lambda: shown.queue.idle)
    assert len(drawn) == len(shown.charts)
    assert min(np.diff(drawn)) > 0.02
    qtbot.waitUntil(lambda: not shown.queue._timer.isActive())
    assert shown.loss.frame().x.high > 650


def test_charts_out_of_sight_are_not_drawn(qtbot, shown):
    shown.hide()
    shown.loss.refresh()
    drawn = shown.loss._picture.cacheKey()
    qtbot.waitUntil(lambda: shown.queue.idle)
    assert shown.loss._picture.cacheKey() == drawn


def test_the_colours_follow_the_theme_at_once(qtbot, shown):
    assert DARK.bg1 in colours_in(shown.loss._picture)
    theme().set_mode("light")
    qtbot.waitUntil(lambda: shown.queue.idle)
    for chart in shown.charts:
        found = colours_in(chart._picture)
        assert LIGHT.bg1 in found and DARK.bg1 not in found
    assert LIGHT.raw_loss in colours_in(shown.loss._picture)


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf, 1e300, 3e38])
def test_absurd_losses_leave_the_chart_readable(qtbot, qapp, wild):
    theme().install(qapp)
    model = make_run(400)
    with np.errstate(over="ignore"):
        model.steps._columns["loss"][200] = wild
        model.steps._columns["grad_norm"][210] = wild
    board = Dashboard(model)
    qtbot.addWidget(board)
    board.resize(880, 640)
    board.show()
    qtbot.waitExposed(board)
    board.link.pin(201)
    assert not board.grab().isNull()
    frame = board.loss.frame()
    assert 3 < frame.y.low < frame.y.high < 9
    assert 0.01 < board.norm.frame().y.low < board.norm.frame().y.high < 100


def test_runs_without_steps_and_with_one_step_are_drawn(qtbot, qapp):
    theme().install(qapp)
    for steps in (0, 1, 2):
        board = Dashboard(make_run(steps))
        qtbot.addWidget(board)
        board.resize(600, 500)
        board.show()
        qtbot.waitExposed(board)
        turn_wheel(board.loss, QPoint(200, 80), 3)
        board.link.set_log(True)
        assert not board.grab().isNull()
        assert board.loss.frame().empty == (steps == 0)


def test_a_resume_takes_the_later_figures_away(qtbot, shown):
    shown.model.apply(
        Update(shown.model.folder, first_row=300, rows=step_rows(301, 10, level=1.0), alive=True)
    )
    shown.sync()
    assert len(shown.steps.timeline) == 310
    shown.loss.redraw()
    assert shown.loss.frame().x.high < 330


def test_without_a_gpu_the_strips_show_the_process_and_say_so(qtbot, qapp, shown):
    assert not shown.strips.on_gpu
    names = [chart.content.strip.name for chart in shown.strips.charts]
    assert names == ["Process, GiB", "RAM used, GiB", "CPU, %"]
    assert shown.strips.title == "Memory and processor"
    board = Dashboard(make_run(300, gpu=True))
    qtbot.addWidget(board)
    assert [chart.content.strip.name for chart in board.strips.charts] == [
        "VRAM, GiB",
        "GPU, °C",
        "Power, W",
    ]
    assert board.strips.charts[0].content.limits[0].value == pytest.approx(24.0)


def test_a_spike_that_the_trainer_noted_is_written_into_the_chart(shown):
    notes = shown.norm.content.notes
    assert [(note.step, note.text) for note in notes] == [(468, "Spike 11.8, clipped to 1.0")]
    assert shown.norm.content.limits[0].label == "clipped above 1.0"


def test_the_best_validation_has_the_ring(shown):
    points = shown.loss.content.points[1]
    best = shown.model.best
    assert points.steps[points.best] == best.step
    assert points.best_label == f"best {best.loss:.3f}"
    worse = validated(601, best.loss + 1)
    shown.model.apply(Update(shown.model.folder, records=(worse,), alive=True))
    shown.sync()
    assert points.steps[points.best] == best.step and points.steps[-1] == 601


def test_crowded_marks_are_thinned_but_never_the_best_or_the_newest(qtbot, qapp):
    theme().install(qapp)
    board = Dashboard(make_run(3000, 30_000))
    qtbot.addWidget(board)
    points = board.loss.content.points[1]
    points.steps, points.values = list(range(1, 3001)), [4.0] * 3000
    points.best = 1234
    board.resize(880, 640)
    drawn = board.loss.frame().points[1]
    assert len(drawn.chosen) < 100
    assert 1234 in drawn.chosen and 2999 in drawn.chosen


def test_labels_at_line_ends_keep_apart():
    placed = spread([100.0, 101.0, 200.0, 99.0], 15)
    assert sorted(placed) == pytest.approx([85, 100, 115, 200])
    assert placed[3] < placed[0] < placed[1]
    assert keep_apart([10.0, 400.0], [50.0, 52.0]) == [50.0, 52.0]
    assert keep_apart([10.0, 20.0], [50.0, 52.0]) == [43.5, 58.5]


def test_charts_become_files(tmp_path, shown):
    image = QImage.fromData(png_bytes(shown))
    assert image.width() == 2 * shown.width()
    drawing = ElementTree.fromstring(svg_bytes(shown, "run"))
    paths = [
        each
        for each in drawing.iter()
        if each.tag.endswith("}polyline") or each.tag.endswith("}path")
    ]
    assert len(paths) > 20
    write_file(tmp_path / "run.svg", b"x")
    assert (tmp_path / "run.svg").read_bytes() == b"x"
    with pytest.raises(KnownError):
        write_file(tmp_path / "absent" / "run.svg", b"x")


def test_the_table_holds_every_figure_in_view(tmp_path, shown):
    shown.link.show_range(100, 110)
    first, last = shown.steps_in_view()
    path = tmp_path / "run.csv"
    write_csv(path, shown.model.steps, ["step", "loss", "hit_rate"], first, last)
    lines = path.read_text().splitlines()
    assert lines[0] == "step,loss,hit_rate"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(100, 111))
    loss = shown.model.steps.column("loss")[99]
    assert float(lines[1].split(",")[1]) == pytest.approx(float(loss), rel=1e-6)
    with pytest.raises(KnownError):
        write_csv(tmp_path / "absent" / "run.csv", shown.model.steps, ["step"], 1, 9)


def test_a_closed_dashboard_leaves_nothing_behind(qtbot, qapp):
    theme().install(qapp)
    threads = threading.active_count()
    board = Dashboard(make_run(300))
    board.resize(880, 640)
    board.show()
    qtbot.waitExposed(board)
    board.sync()
    gone = [weakref.ref(each) for each in (board, board.loss, board.queue, board.link)]
    board.deleteLater()
    del board
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    theme().set_mode("light")
    theme().set_mode("dark")
    assert [ref() for ref in gone] == [None] * 4
    assert threading.active_count() == threads


def test_a_million_steps_are_drawn_in_a_few_milliseconds(qtbot, qapp):
    theme().install(qapp)
    model = make_run(0)
    for first in range(1, 1_000_001, 200_000):
        rows = step_rows(first, 200_000)
        model.apply(Update(model.folder, first_row=first - 1, rows=rows, alive=True))
    board = Dashboard(model)
    qtbot.addWidget(board)
    board.resize(880, 640)
    board.show()
    qtbot.waitExposed(board)

    def cost(chart):
        began = time.perf_counter()
        chart.redraw()
        return time.perf_counter() - began

    # Generous, for busy machines: measured are 2 to 4 ms.
    assert min(cost(board.loss) for _ in range(5)) < 0.03
    board.link.show_range(400_000, 600_000)
    assert min(cost(board.loss) for _ in range(5)) < 0.03
    assert sum(line.pyramid.nbytes + line.mean.nbytes for line in board.steps.lines.values()) < 3e7
