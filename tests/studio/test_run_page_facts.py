from __future__ import annotations

import math
import time

import numpy as np
import pytest
from synthetic_runs import START_S, make_run

from studio.pages.run.actions import export_job
from studio.pages.run.events import ListRow, icon_of, rows_for
from studio.pages.run.facts import (
    default_smoothing,
    head_facts,
    is_at_work,
    lr_text,
    smoothing_choices,
    tiles,
    trend,
)
from studio.runs.events import Event
from studio.runs.tail import Update
from studio.widgets.figures import NARROW, short_lr
from trainer_core.records import Held


def plain(text):
    return text.replace(NARROW, " ")


def test_the_head_says_how_far_a_run_is_and_when_it_ends():
    model = make_run(600, 1000, alive=True)
    facts = head_facts(model, START_S + 150)
    assert (facts.step, facts.total, plain(facts.percent)) == ("600", "1,000", "60.0 %")
    assert (facts.tokens, facts.total_tokens) == ("2.46M", "4.1M")
    assert plain(facts.elapsed) == "2 min 30 s"
    assert plain(facts.remaining) == "1 min 20 s"  # 400 steps at 0.2 s
    assert facts.finishes == time.strftime("%a %H:%M", time.localtime(START_S + 150 + 80))


def test_a_paused_run_has_time_left_but_no_clock():
    facts = head_facts(make_run(600, ended="paused"), START_S + 9999)
    assert facts.remaining and not facts.finishes


def test_a_run_that_waits_has_time_left_but_no_clock():
    model = make_run(600)
    assert head_facts(model, START_S + 130).finishes
    held = Held(time_s=START_S + 121, step=600, reason="the computer runs on its battery")
    model.apply(Update(model.folder, records=(held,), alive=True))
    facts = head_facts(model, START_S + 130)
    assert facts.remaining and not facts.finishes, "nobody knows when the wait ends"


def test_a_finished_run_says_when_it_finished():
    facts = head_facts(make_run(1000, ended="finished"), START_S + 9999)
    assert facts.remaining == "" and facts.finishes_word == "Finished" and facts.finishes
    assert facts.share == 1.0


def test_a_killed_run_is_not_at_work():
    model = make_run(600, alive=False)
    assert model.state == "killed" and not is_at_work(model)


def by_label(model, smoothing=50):
    return {each.label: each for each in tiles(model, smoothing)}


def text_of(fact):
    return "".join(text for text, _ in fact.context)


def test_six_tiles_of_a_run_with_an_index():
    found = by_label(make_run(600))
    assert list(found) == [
        "Train loss",
        "Validation loss",
        "Tokens per second",
        "Memory",
        "Index hit rate",
        "Learning rate",
    ]
    assert text_of(found["Train loss"]).startswith("raw 4.")
    assert text_of(found["Validation loss"]).endswith("bits per byte")
    assert (found["Index hit rate"].value, plain(found["Index hit rate"].unit)) == ("31.5", " %")
    assert text_of(found["Index hit rate"]) == "mean match 7.3"
    assert text_of(found["Tokens per second"]) == "average 20,480"
    assert (
        found["Memory"].unit == f"{NARROW}/{NARROW}16{NARROW}GiB"
        and 0 < found["Memory"].share < 0.2
    )
    assert text_of(found["Learning rate"]) == "cosine, peak 3.0e-3"


def test_a_plain_run_shows_its_best_loss_instead_of_the_index():
    found = by_label(make_run(600, index=False))
    assert "Index hit rate" not in found
    assert text_of(found["Best loss"]) == "at step 600"


def test_tiles_without_figures_give_the_reason():
    found = tiles(make_run(0), 1)
    assert {each.value for each in found if each.label != "Memory"} == {"–"}
    assert [text_of(each) for each in found][:3] == [
        "no step yet",
        "first at step 100",
        "not measured yet",
    ]


def test_the_gpus_memory_goes_before_the_processes():
    found = by_label(make_run(600, gpu=True))
    assert (found["VRAM"].value, found["VRAM"].unit) == ("21.3", f"{NARROW}/{NARROW}24{NARROW}GiB")


def test_the_way_of_a_noisy_series():
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.1, 400)
    assert trend(np.linspace(5, 3, 400) + noise, 100) == "falling"
    assert trend(np.linspace(3, 5, 400) + noise, 100) == "rising"
    assert trend(4 + noise, 100) == "level"
    assert trend(np.full(400, np.nan), 100) == "" and trend(noise[:3], 100) == ""


@pytest.mark.parametrize(
    ("value", "long", "short"),
    [(2.76e-4, "2.76e-4", "2.8e-4"), (1.0, "1.00e0", "1.0e0"), (0.0, "0", "0.0e0")],
)
def test_learning_rates(value, long, short):
    assert (lr_text(value), short_lr(value)) == (long, short)


def test_a_learning_rate_that_is_no_number():
    assert lr_text(math.nan) == "–"


def test_smoothing_suits_the_length_of_the_run():
    assert [default_smoothing(total) for total in (0, 100, 1000, 534_200)] == [1, 2, 20, 200]
    assert smoothing_choices(1000) == [1, 2, 5, 10, 20, 50]
    assert max(smoothing_choices(534_200)) == 20_000


def test_routine_events_fold_and_unfold():
    events = make_run(1000, spike=468).events
    folded = rows_for(events, "grouped")
    groups = [row for row in folded if row.group is not None]
    assert groups and len(folded) < len(events)
    newest = groups[0].group.events[0].time_s
    unfolded = rows_for(events, "grouped", frozenset({newest}))
    assert len(unfolded) == len(folded) + len(groups[0].group.events)
    assert len(rows_for(events, "all")) == len(events)
    warnings = rows_for(events, "warnings")
    assert [row.event.title for row in warnings] == ["Gradient spike clipped"]


def test_every_kind_of_event_has_an_icon():
    kinds = ("validation", "checkpoint", "started", "resumed", "reattached", "child", "note")
    for kind in kinds:
        assert icon_of(Event(0.0, kind, "info", "x"))
    assert icon_of(Event(0.0, "ended", "good", "Training finished")) == "check"
    assert icon_of(Event(0.0, "ended", "error", "The disk is full.")) == "x"
    assert ListRow().event is None


def test_an_export_has_a_folder_of_its_own_for_each_step(tmp_path):
    run = tmp_path / "runs" / "bees"
    job, spec = export_job(tmp_path, run, 400)
    assert job == tmp_path / "exports" / "jobs" / "bees-step-400"
    assert spec.destination == str(tmp_path / "exports" / "bees-step-400")
    assert (spec.checkpoint, spec.run) == ("400", str(run))
    (tmp_path / "exports" / "bees-step-400").mkdir(parents=True)  # something of the user's own
    _, other = export_job(tmp_path, run, 400)
    assert other.destination.endswith("bees-step-400-2")
