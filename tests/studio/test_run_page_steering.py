"""What a person types to steer a run, what it would mean, and what is asked for then."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from synthetic_runs import START_S, make_run, step_rows, system_rows, train_spec, validated

from studio.pages.run.steering.course import CoursePicture, course, sampled_steps
from studio.pages.run.steering.facts import (
    UnreadableError,
    checkpoint_before,
    outlook,
    plan_of,
    read_batches,
    read_lr,
    read_steps,
    refusal_of,
    remaining_s,
    spikes,
    taken_back,
    unseen_end,
    warning_of,
    ways_back,
)
from studio.pages.run.steering.hold_form import HoldForm
from studio.pages.run.steering.plan_form import PlanForm
from studio.pages.run.steering.record import RecordView, record_text, sections
from studio.pages.run.steering.rewind_form import RewindForm
from studio.runs.model import JobModel
from studio.runs.tail import Update
from studio.theme import theme
from trainer_core.manners import Conditions, Manners
from trainer_core.records import (
    CheckpointSaved,
    CheckpointThinned,
    JobStarted,
    PlanChanged,
    Provenance,
    Rewound,
    SourceSeen,
    SourcesSeen,
    StateChanged,
)
from trainer_core.training_plan import TrainingPlan


def run_with(*records, steps=600, total=1000):
    model = JobModel(make_run(0).folder)
    head = (
        JobStarted(time_s=START_S, verb="train", pid=1, host="here", version="1"),
        StateChanged(time_s=START_S, state="running"),
    )
    model.apply(
        Update(
            model.folder,
            spec=train_spec(total),
            records=(*head, *records),
            rows=step_rows(1, steps),
            system_rows=system_rows(120, steps),
            alive=True,
        )
    )
    return model


def saved(step, **more):
    return CheckpointSaved(
        time_s=START_S + step, step=step, folder=f"c{step}", size_bytes=1, **more
    )


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("2e-4", 2e-4), (" 0.0002 ", 2e-4), ("2,5e-4", 2.5e-4), ("10", 10.0), ("1e-300", 1e-300)],
)
def test_learning_rates_are_read_as_people_type_them(text, value):
    assert read_lr(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "fast", "0", "-1e-3", "nan", "inf", "1e400", "10.1", "2e-4e", "٣x", "1e-400"]
)
def test_nonsense_is_no_learning_rate(text):
    with pytest.raises(UnreadableError):
        read_lr(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [("600,000", 600_000), ("600k", 600_000), ("1.2M", 1_200_000), ("601", 601), ("6_000", 6000)],
)
def test_ends_are_read_as_people_type_them(text, steps):
    assert read_steps(text, 600) == steps


@pytest.mark.parametrize(
    "text", ["", "k", "600", "599", "-5", "1e99", "1.5", "soon", "1000000M", "nan", "inf", "1kk"]
)
def test_an_end_in_the_past_or_beyond_all_bounds_is_refused(text):
    with pytest.raises(UnreadableError):
        read_steps(text, 600)


def test_batches_are_a_step_or_two_behind_the_checkpoint():
    assert read_batches("168,412", 100) == (168_412, 168_412)
    assert read_batches(" 101 – 120 ", 100) == (101, 120)
    for text in ("", "100", "99-120", "120-110", "1-", "-5", "x", "101-x", "9" * 30):
        with pytest.raises(UnreadableError):
            read_batches(text, 100)


# --- what it means -------------------------------------------------------------------------------


def test_the_plan_in_force_holds_its_changes():
    model = run_with(
        PlanChanged(time_s=START_S, step=100, lr=1e-3),
        PlanChanged(time_s=START_S, step=200, steps=2000),
    )
    plan = plan_of(model)
    assert (plan.lr, plan.steps, plan.tokens_per_step) == (1e-3, 2000, 16 * 256)
    assert plan_of(JobModel(model.folder)) is None


def test_a_later_end_takes_as_much_longer_as_it_has_more_steps():
    model = run_with()
    now = remaining_s(model, 1000)
    assert remaining_s(model, 1400) == pytest.approx(2 * now)
    rows = {row.name: row for row in outlook(model, 3e-3, 1400, START_S)}
    assert not rows["Peak learning rate"].changes
    assert (rows["Steps"].now, rows["Steps"].then) == ("1,000", "1,400")
    assert rows["Finishes"].changes and rows["Remaining"].changes
    finished = make_run(1000, 1000, ended="finished")
    assert remaining_s(finished, 1500) == pytest.approx(500 * 0.2, rel=0.02)
    names = [row.name for row in outlook(finished, 3e-3, 1500, START_S)]
    assert "Finishes" not in names, "it is not known when a run at rest goes on"


def test_what_the_trainer_would_refuse_is_said_beside_its_field():
    model = run_with()
    assert refusal_of(model, 1e-3, 1200) == ("", "")
    field, why = refusal_of(model, None, 600)
    assert field == "steps" and "600" in why
    assert refusal_of(model, math.nan, None)[0] == "lr"


def test_a_steep_rise_and_the_end_of_new_text_are_pointed_out():
    model = run_with(
        SourcesSeen(
            time_s=START_S,
            step=600,
            sources=(SourceSeen(name="a", tokens=4_096_000, seen=2_457_600, drawn=2_457_600),),
        )
    )
    assert "3.33 times" in warning_of(model, 1e-2, 1000)
    assert warning_of(model, 3e-3, 1000) == ""
    assert "about step 1,000" in warning_of(model, 3e-3, 1001)
    assert unseen_end(model) is None, "it reaches no farther than the plan"
    assert "repeats" in warning_of(model, 3e-3, 5000)


def test_only_whole_checkpoints_lead_back():
    model = run_with(
        saved(200), saved(400), saved(600), CheckpointThinned(time_s=1, step=200, size_bytes=1)
    )
    assert [each.step for each in ways_back(model)] == [600, 400]
    assert checkpoint_before(model, 401).step == 400
    assert checkpoint_before(model, 400) is None
    words = taken_back(model, 400)
    assert "Steps 401 to 600" in words and "1 later checkpoint" in words and "40" in words
    assert "nothing is thrown away" in taken_back(model, 600)
    assert list(spikes(make_run(600, spike=468))) == [468]


def test_the_course_is_the_trainers_own_and_keeps_its_corners():
    model = run_with()
    change = PlanChanged(time_s=0.0, step=600, lr=6e-3, steps=1500)
    plan = TrainingPlan(model.spec).changed(change)
    steps = sampled_steps(1, 1500, (50, 600, 601))
    found = course(plan, steps)
    for step in (1, 50, 600, 601, 1500):
        assert found[steps == step] == [plan.lr_at(step)]
    planned = course(TrainingPlan(model.spec), steps)
    assert np.isnan(planned[steps > 1000]).all() and np.isfinite(planned[steps <= 1000]).all()


# --- the forms -----------------------------------------------------------------------------------


@pytest.fixture
def look(qapp):
    theme().install(qapp)


def type_into(qtbot, field, text):
    field.selectAll()
    qtbot.keyClicks(field, text)
    if not text:
        qtbot.keyClick(field, Qt.Key.Key_Delete)


def test_the_plan_form_asks_only_for_what_was_changed(qtbot, look):
    form, asked = PlanForm(), []
    qtbot.addWidget(form)
    form.wanted.connect(lambda *what: asked.append(what))
    form.show_model(run_with())
    assert not form.ready, "nothing is changed yet"
    type_into(qtbot, form.lr, "1e-3")
    qtbot.keyClicks(form.why, "falls too slowly")
    qtbot.keyClick(form.lr, Qt.Key.Key_Return)
    type_into(qtbot, form.lr, "3.00e-3")
    type_into(qtbot, form.end, "2k")
    qtbot.mouseClick(form.go, Qt.MouseButton.LeftButton)
    assert asked == [(1e-3, None, "falls too slowly"), (None, 2000, "falls too slowly")]


def test_a_wrong_figure_is_marked_and_cannot_be_sent(qtbot, look):
    form, asked = PlanForm(), []
    qtbot.addWidget(form)
    form.wanted.connect(lambda *what: asked.append(what))
    form.show_model(run_with())
    for text in ("600", "12", "", "never"):
        type_into(qtbot, form.end, text)
        assert form.end_field.error and not form.ready
        qtbot.keyClick(form.end, Qt.Key.Key_Return)
    type_into(qtbot, form.end, "1,000")
    assert not form.end_field.error
    for text in ("0", "-1", "x", "11"):
        type_into(qtbot, form.lr, text)
        assert form.lr_field.error and not form.ready
    assert not asked


def test_what_is_typed_stays_while_the_run_goes_on_and_goes_when_the_plan_changes(qtbot, look):
    form, model = PlanForm(), run_with()
    qtbot.addWidget(form)
    form.show_model(model)
    type_into(qtbot, form.end, "3000")
    model.apply(Update(model.folder, first_row=600, rows=step_rows(601, 20), alive=True))
    form.show_model(model)
    assert form.end.text() == "3000" and form.ready
    told = PlanChanged(time_s=START_S, step=620, steps=3000)
    model.apply(Update(model.folder, records=(told,), alive=True))
    form.show_model(model)
    assert form.end.text() == "3,000" and not form.ready


def test_a_finished_run_is_extended_up_to_the_end_of_its_text(qtbot, look):
    spec = train_spec(1000)
    model = make_run(1000, 1000, ended="finished", spec=spec)
    seen = SourceSeen(name="a", tokens=8_192_000, seen=4_096_000, drawn=4_096_000)
    told = SourcesSeen(time_s=START_S, step=1000, sources=(seen,))
    model.apply(Update(model.folder, records=(told,)))
    form, asked = PlanForm(extends=True), []
    qtbot.addWidget(form)
    form.wanted.connect(lambda *what: asked.append(what))
    form.show_model(model)
    assert form.end.text() == "2,000" and form.ready
    assert "not seen" in form.remark.text()
    qtbot.mouseClick(form.growth[2], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(form.go, Qt.MouseButton.LeftButton)
    assert asked == [(None, 2000, "")], "the learning rate stays where it ended"
    form.rise.setChecked(True)
    type_into(qtbot, form.lr, "1e-3")
    qtbot.mouseClick(form.go, Qt.MouseButton.LeftButton)
    assert asked[1:] == [(1e-3, 2000, "")]
    changed, timeline = form.course.curves[1].line.pyramid.values, form.course.timeline
    added = timeline.at("steps", np.arange(len(timeline))) > 1000
    assert np.nanmax(changed[added]) == pytest.approx(1e-3, rel=0.01), "it rises once more"


def test_the_picture_of_the_course_ends_where_the_plans_end(qtbot, look):
    picture = CoursePicture()
    qtbot.addWidget(picture)
    picture.show_plan(run_with(), 1e-3, 2000)
    planned, changed = (curve.line.pyramid.values for curve in picture.curves)
    steps = picture.timeline.at("steps", np.arange(len(picture.timeline)))
    assert steps[-1] == 2000 and np.isnan(planned[steps > 1000]).all()
    assert np.array_equal(planned[steps <= 600], changed[steps <= 600]), "the past is the past"
    assert changed[steps == 601] < planned[steps == 601]


def test_a_rewind_from_a_spike_leaves_its_batch_out(qtbot, look):
    form, asked = RewindForm(), []
    qtbot.addWidget(form)
    form.wanted.connect(lambda *what: asked.append(what))
    form.show_model(run_with(saved(200), saved(400), saved(600)), before=468)
    assert form.chosen == 400 and form.skip.isChecked() and form.batches.text() == "468"
    qtbot.mouseClick(form.go, Qt.MouseButton.LeftButton)
    form.skip.setChecked(False)
    form.go_on.setChecked(False)
    qtbot.mouseClick(form.go, Qt.MouseButton.LeftButton)
    assert asked == [(400, (468, 468), True), (400, None, False)]
    form.skip.setChecked(True)
    type_into(qtbot, form.batches, "399")
    assert not form.go.isEnabled() and form.go.text() == "Rewind to step 400"


def test_without_a_way_back_a_rewind_says_so(qtbot, look):
    form = RewindForm()
    qtbot.addWidget(form)
    form.show_model(run_with())
    assert not form.go.isEnabled() and form.chosen is None
    assert "no checkpoint" in form._lost.text()
    form.show_model(run_with(saved(600)))
    assert not form.go.isEnabled(), "the run stands there already"


def test_manners_keep_what_the_form_does_not_show(qtbot, look):
    form, asked = HoldForm(), []
    qtbot.addWidget(form)
    form.wanted.connect(asked.append)
    before = Manners(webhook="https://example.org/hook", title="bees")
    form.show_manners(before)
    assert not form.keep.isEnabled()
    form.conditions.on_battery.setChecked(True)
    form.awake.setChecked(False)
    qtbot.mouseClick(form.keep, Qt.MouseButton.LeftButton)
    wanted = Manners(
        webhook="https://example.org/hook",
        title="bees",
        conditions=Conditions(on_battery=True),
        keep_awake=False,
    )
    assert asked == [wanted]
    form.conditions.hot.setChecked(True)
    form.conditions.temperature.setText("oven")
    form.conditions.temperature.textEdited.emit("oven")
    assert not form.keep.isEnabled()


def test_the_record_holds_settings_changes_and_provenance(qtbot, look):
    model = run_with(
        Provenance(
            time_s=START_S,
            versions={"python": "3.11.7", "torch": "2.13.0"},
            hardware={"gpu": "RTX 3090", "cpu": ""},
            data={"corpus": "9c1f" * 16},
            source={"commit": "abc123"},
        ),
        PlanChanged(time_s=START_S, step=100, lr=1e-3, why="too slow"),
        Rewound(time_s=START_S, step=200, from_step=500),
        validated(300, 3.3),
    )
    found = {section.title: dict(section.rows) for section in sections(model)}
    assert found["Changed since the start"] == {
        "after step 100": "lr 1.0e-3, too slow",
        "at step 500": "taken back to step 200",
    }
    assert found["Computer"] == {"GPU": "RTX 3090"}, "what is empty is left out"
    assert found["Data, by hash"]["Text"].startswith("9c1f")
    view = RecordView()
    qtbot.addWidget(view)
    view.show_model(model)
    text = record_text(model)
    assert view.settings.toPlainText() in text and "#   torch: 2.13.0" in text
    import tomllib

    assert tomllib.loads(text)["budget"]["steps"] == 1000
