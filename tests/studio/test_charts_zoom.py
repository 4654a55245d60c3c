from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from synthetic_runs import START_S, make_run, step_rows, system_rows, train_spec

from studio.charts import marks
from studio.charts.dashboard import Dashboard
from studio.charts.frame import build_frame
from studio.runs.model import JobModel
from studio.runs.tail import Update
from studio.theme import theme
from trainer_core.records import (
    CheckpointSaved,
    JobStarted,
    PlanChanged,
    Provenance,
    Rewound,
    StateChanged,
    TextEntropy,
)

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def board(qapp, qtbot):
    theme().install(qapp)
    theme().set_mode("dark")
    found = Dashboard(make_run(600))
    qtbot.addWidget(found)
    found.resize(880, 640)
    found.show()
    qtbot.waitExposed(found)
    qtbot.waitUntil(lambda: found.queue.idle)
    return found


def at(chart, step):
    chart.redraw()
    frame = chart.frame()
    return QPoint(round(frame.x.pixel(step)), round((frame.top + frame.bottom) / 2))


def drag(qtbot, chart, start, stop, keys=Qt.KeyboardModifier.NoModifier):
    begin, end = at(chart, start), at(chart, stop)
    qtbot.mousePress(chart, LEFT, keys, begin)
    send_move(chart, begin + (end - begin) / 2, keys)
    send_move(chart, end, keys)
    qtbot.mouseRelease(chart, LEFT, keys, end)


def send_move(chart, point, keys):
    from PySide6.QtCore import QEvent, QPointF
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication

    place = QPointF(point)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        QPointF(chart.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        LEFT,
        keys,
    )
    QApplication.sendEvent(chart, event)


def test_a_drag_over_the_whole_run_takes_the_part_that_it_spans(qtbot, board):
    drag(qtbot, board.loss, 200, 320)
    assert board.link.visible() == pytest.approx((200, 320), abs=2)
    assert not board.link.pinned, "a drag is no click"
    qtbot.waitUntil(lambda: board.queue.idle)
    assert {chart.frame().x.low for chart in board.charts} == {board.link.visible()[0]}


def test_a_drag_backwards_takes_the_same_part_and_one_that_returns_takes_nothing(qtbot, board):
    drag(qtbot, board.speed, 400, 250)
    assert board.link.visible() == pytest.approx((250, 400), abs=2)
    board.link.reset()
    drag(qtbot, board.speed, 400, 401)
    assert not board.link.zoomed


def test_with_shift_a_drag_zooms_further_and_without_it_pans(qtbot, board):
    board.link.show_range(100, 500)
    drag(qtbot, board.norm, 200, 300, SHIFT)
    assert board.link.visible() == pytest.approx((200, 300), abs=2)
    drag(qtbot, board.norm, 220, 260)
    low, high = board.link.visible()
    assert (low, high - low) == (pytest.approx(160, abs=3), pytest.approx(100, abs=1))


def test_escape_gives_up_a_drag(qtbot, board):
    begin = at(board.loss, 100)
    qtbot.mousePress(board.loss, LEFT, pos=begin)
    send_move(board.loss, begin + QPoint(80, 0), Qt.KeyboardModifier.NoModifier)
    qtbot.keyClick(board.loss, Qt.Key.Key_Escape)
    qtbot.mouseRelease(board.loss, LEFT, pos=begin + QPoint(80, 0))
    assert not board.link.zoomed


def test_page_keys_pan_by_half_of_what_is_in_view(qtbot, board):
    board.link.show_range(200, 300)
    qtbot.keyClick(board.loss, Qt.Key.Key_PageDown)
    assert board.link.visible() == pytest.approx((250, 350), abs=1)
    qtbot.keyClick(board.loss, Qt.Key.Key_PageUp)
    assert board.link.visible() == pytest.approx((200, 300), abs=1)


@pytest.mark.parametrize("mode", ["steps", "tokens", "time"])
@pytest.mark.parametrize("log", [False, True])
def test_a_spike_of_one_step_is_drawn_at_every_zoom_on_every_axis(qtbot, qapp, mode, log):
    theme().install(qapp)
    steps, spike = 300_000, 123_457
    rows = step_rows(1, steps)
    rows["loss"][spike - 1] = 7.25
    rows["grad_norm"][spike - 1] = 11.8
    model = make_run(0)
    model.apply(Update(model.folder, rows=rows, alive=True))
    board = Dashboard(model)
    qtbot.addWidget(board)
    board.link.set_mode(mode)
    board.link.set_log(log)
    place = float(board.steps.timeline.of_steps(mode, [spike])[0])
    whole = board.link.visible()[1]
    for share in (1.0, 0.3, 0.1, 0.01, 0.001, 0.0001):
        board.link.reset()
        if share < 1:
            board.link.show_range(place - whole * share / 2, place + whole * share / 2)
        for content, value in ((board._loss_content, 7.25), (board._norm_content, 11.8)):
            frame = build_frame(content, board.link, 420, 280)
            wanted = frame.y.pixel(value)
            near = np.concatenate(
                [each.y[np.abs(each.x - frame.x.pixel(place)) <= 1.5] for each in frame.curves]
            )
            shown = np.nanmin(np.abs(near - wanted)) < 0.01
            assert shown or len(frame.outside), f"lost at {share}"
    curve = build_frame(board._loss_content, board.link, 420, 280).curves[0]
    assert curve.whole, "close up, every value is drawn as it is"


def run_with(*records, steps=600):
    spec = train_spec(1000)
    model = JobModel(make_run(0).folder)
    head = (
        JobStarted(time_s=START_S, verb="train", pid=1, host="here", version="1"),
        StateChanged(time_s=START_S, state="running"),
    )
    model.apply(
        Update(
            model.folder,
            spec=spec,
            records=(*head, *records),
            rows=step_rows(1, steps),
            system_rows=system_rows(60, steps),
            alive=True,
        )
    )
    return model


def test_what_was_done_to_a_run_is_flagged_at_its_step(qtbot, qapp):
    theme().install(qapp)
    model = run_with(
        CheckpointSaved(time_s=START_S, step=200, folder="c", size_bytes=1),
        PlanChanged(time_s=START_S, step=120, lr=2e-4),
        Rewound(time_s=START_S, step=200, from_step=300),
        PlanChanged(time_s=START_S, step=250, skip=1),
        PlanChanged(time_s=START_S, step=400, steps=2000),
    )
    found = [(flag.step, flag.label) for flag in marks.flags(model)]
    assert found == [(120, "lr 2.0e-4"), (250, "skip 1"), (400, "end 2,000"), (200, "rewound")]
    board = Dashboard(model)
    qtbot.addWidget(board)
    frame = build_frame(board._loss_content, board.link, 420, 280)
    assert [drawn.flag.step for drawn in frame.flags] == [400, 250, 200, 120]
    assert frame.flags[0].named
    crowded = build_frame(board._loss_content, board.link, 160, 280)
    assert sum(drawn.named for drawn in crowded.flags) < 4, "names do not cover each other"
    board.link.show_range(190, 260)
    frame = build_frame(board._loss_content, board.link, 420, 280)
    assert [drawn.flag.step for drawn in frame.flags] == [250, 200]


def test_entropies_of_the_text_are_lines_in_the_loss_chart(qtbot, qapp):
    theme().install(qapp)
    told = TextEntropy(time_s=START_S, unigram=3.9, bigram=3.5, tokens=90_000, of_tokens=1_000_000)
    board = Dashboard(run_with(told))
    qtbot.addWidget(board)
    limits = board._loss_content.limits
    assert [limit.label for limit in limits] == [
        "unigram entropy about 3.90",
        "bigram entropy about 3.50",
    ]
    frame = build_frame(board._loss_content, board.link, 420, 280)
    assert all(frame.top < frame.y.pixel(limit.value) < frame.bottom for limit in limits)


def test_smoothing_changes_the_smooth_line_alone(board):
    def heights():
        frame = build_frame(board._loss_content, board.link, 420, 280)
        return [frame.y.pixel(3.0), *(each.y for each in frame.curves)]

    board.set_smoothing(1)
    before = heights()
    board.set_smoothing(100)
    after = heights()
    assert np.array_equal(before[1], after[1], equal_nan=True), "raw figures stay"
    assert np.nanstd(np.diff(after[2][-200:])) < np.nanstd(np.diff(before[2][-200:])) / 3


def test_both_log_axes_keep_every_mark_in_place(board):
    board.set_log_y(True)
    board.link.set_log(True)
    frame = build_frame(board._loss_content, board.link, 420, 280)
    assert frame.x.log and frame.y.log
    drawn = {each.points.name: each for each in frame.points}["validation"]
    for x, y, index in zip(drawn.x, drawn.y, drawn.chosen, strict=True):
        assert frame.x.value(x) == pytest.approx(drawn.points.steps[index], rel=1e-6)
        assert frame.y.value(y) == pytest.approx(drawn.points.values[index], rel=1e-6)


def test_limits_of_the_gpu_come_from_the_record_of_the_run(qtbot, qapp):
    theme().install(qapp)
    model = make_run(300, gpu=True)
    board = Dashboard(model)
    qtbot.addWidget(board)
    memory, heat, power = (chart.content for chart in board.strips.charts)
    assert (heat.limits, power.limits) == ([], [])
    assert memory.y_ticks == (0, 12, 24) and memory.strip.remark == "limit 24.0"
    told = Provenance(
        time_s=START_S, hardware={"gpu": "RTX 3090", "slows at": "83 °C", "power limit": "350 W"}
    )
    rows = step_rows(301, 5)
    model.apply(Update(model.folder, records=(told,), first_row=300, rows=rows, alive=True))
    board.sync()
    assert [limit.value for limit in (*heat.limits, *power.limits)] == [83, 350]
    assert (heat.strip.remark, power.strip.remark) == ("slows at 83", "limit 350")
    frame = build_frame(heat, board.link, 420, 80)
    assert frame.top <= frame.y.pixel(83) <= frame.bottom, "it is in the picture"


@pytest.mark.parametrize("wide", [300, 40, 8])
def test_a_noted_spike_stays_in_the_picture_when_one_zooms_into_it(qtbot, qapp, wide):
    theme().install(qapp)
    board = Dashboard(make_run(600, spike=468))
    qtbot.addWidget(board)
    board.link.show_range(468 - wide / 2, 468 + wide / 2)
    frame = build_frame(board._norm_content, board.link, 420, 280)
    assert frame.top < frame.y.pixel(11.8) < frame.bottom and not len(frame.outside)
    board._norm_content.notes[0].value = 1e30
    frame = build_frame(board._norm_content, board.link, 420, 280)
    assert frame.y.high < 1e6, "an absurd one ruins no picture"
