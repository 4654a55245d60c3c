"""Seeds and sweeps: how one run becomes several, and what several say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from page_for_tests import open_studio
from queue_for_tests import WAIT_MS, add_run, open_studio_with_queue, tiny_spec

from studio.pages.groups.overview import GroupsOverview
from studio.pages.groups.page import GroupPage, headline
from studio.pages.groups.variants_page import VariantsPage
from studio.runs import waiting
from studio.runs.grouping import difference_words, make_group, read_group
from studio.runs.variants import (
    SWEPT,
    Axes,
    ValuesError,
    expand,
    group_name,
    read_values,
    seeds_from,
    value_at,
    value_text,
)
from studio.runs.verdict import Difference
from studio.storage.rows import RunFacts
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.manners import Conditions, read_manners

SPEC = tiny_spec()


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened


def test_a_sweep_is_every_combination_with_every_seed():
    axes = Axes((1, 2), {"optimizer.lr": (3e-4, 1e-3), "model.n_layer": (1, 2, 3)})
    made = expand(SPEC, "plain", axes)
    assert len(made) == axes.count == 12
    assert len({variant.name for variant in made}) == 12
    assert made[0].name == "plain-lr3e-4-layers1-s1"
    assert {(v.spec.optimizer.lr, v.spec.model.n_layer, v.spec.seed) for v in made} == {
        (lr, layers, seed) for lr in (3e-4, 1e-3) for layers in (1, 2, 3) for seed in (1, 2)
    }
    assert made[0].spec.budget == SPEC.budget
    assert group_name("plain", axes) == "plain by learning rate and layers"


def test_seeds_alone_are_the_same_run_again():
    made = expand(SPEC, "plain", Axes(seeds_from("7", 3)))
    assert [variant.name for variant in made] == ["plain-s7", "plain-s8", "plain-s9"]
    assert len({specs.to_toml(variant.spec) for variant in made}) == 3


def test_every_setting_on_offer_is_there_and_takes_its_example():
    for each in SWEPT:
        now = value_at(SPEC, each.path)
        values = read_values(each.example, SPEC, each.path)
        assert all(type(value) is type(now) for value in values), each.path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "optimizer.lr"),
        ("3e-4", "optimizer.lr"),
        ("3e-4, 3e-4", "optimizer.lr"),
        ("3e-4, nan", "optimizer.lr"),
        ("3e-4, inf", "optimizer.lr"),
        ("3e-4, much", "optimizer.lr"),
        ("4, 4.5", "model.n_layer"),
        (",".join(map(str, range(100))), "model.n_layer"),
    ],
)
def test_values_that_cannot_be_used_name_their_setting(text, path):
    with pytest.raises(ValuesError) as caught:
        read_values(text, SPEC, path)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("first", "count"), [("", 3), ("-1", 3), ("1.5", 3), ("1", 0), ("1", 51), ("9" * 30, 2)]
)
def test_seeds_that_cannot_be_used_are_refused(first, count):
    with pytest.raises(ValuesError):
        seeds_from(first, count)


def test_settings_that_contradict_each_other_are_refused_before_anything_is_made():
    with pytest.raises(ValuesError) as caught:
        expand(SPEC, "plain", Axes((1,), {"model.n_embd": (16, 17)}))
    assert caught.value.path == "model.n_embd" and "width 17" in caught.value.what
    with pytest.raises(ValuesError, match="at most 200"):
        expand(SPEC, "plain", Axes(tuple(range(50)), {"model.n_layer": (1, 2, 3, 4, 5)}))
    with pytest.raises(ValuesError, match="nothing to be set against"):
        expand(SPEC, "plain", Axes((1,)))
    with pytest.raises(ValuesError):
        expand(SPEC, "plain", Axes((1, 2), {"optimizer.kind": ("adamw", "magic")}))


@pytest.mark.parametrize(
    ("value", "text"),
    [(3e-4, "3e-4"), (1.2e-3, "1.2e-3"), (0.1, "0.1"), (0.0, "0"), (8, "8"), (True, "True")],
)
def test_values_are_written_as_people_write_them(value, text):
    assert value_text(value) == text


def finished(library, run, loss):
    library.remember_run(
        run.id, RunFacts(state="finished", step=60, total_steps=60, best_loss=loss, val_loss=loss)
    )


def swept_group(context, losses):
    """A sweep over two learning rates; losses by value and seed."""
    base = add_run(context, "plain")
    seeds = tuple(sorted(next(iter(losses.values()))))
    axes = Axes(seeds, {"optimizer.lr": tuple(losses)})
    variants = expand(SPEC, "plain", axes)
    group = make_group(
        context.library, base.project_id, None, "by lr", axes, variants, Conditions(gpu_wanted=True)
    )
    runs = {run.name: run for run in context.library.runs(group_id=group.id)}
    for variant in variants:
        loss = losses[variant.values["optimizer.lr"]][variant.seed]
        if loss is not None:
            finished(context.library, runs[variant.name], loss)
    return group


def test_a_group_waits_in_the_queue_in_its_order_with_its_conditions(studio):
    context, _ = studio
    group = swept_group(context, {3e-4: {1: None, 2: None}, 1e-3: {1: None, 2: None}})
    entries = waiting.entries_of(context.home)
    names = [context.library.run_of_folder(Path(e.folder)).name for e in entries]
    assert names == ["plain-lr3e-4-s1", "plain-lr3e-4-s2", "plain-lr1e-3-s1", "plain-lr1e-3-s2"]
    assert group.kind == "sweep" and group.axes["seed"] == (1, 2)
    for entry in entries:
        manners = read_manners(Path(entry.folder))
        assert manners.conditions.gpu_wanted and manners.title.startswith("plain-lr")
    facts = read_group(context.library, group.id)
    assert facts.finished == 0
    assert headline(facts) == "No run is finished yet."


def test_a_real_difference_is_told_from_noise(studio):
    context, _ = studio
    group = swept_group(
        context,
        {
            3e-4: {1: 3.90, 2: 3.92, 3: 3.88},
            1e-3: {1: 3.70, 2: 3.73, 3: 3.685},
            2e-3: {1: 3.93, 2: 3.89, 3: 3.885},
        },
    )
    facts = read_group(context.library, group.id)
    verdicts = [cell.difference.verdict if cell.difference else "base" for cell in facts.cells]
    assert verdicts == ["base", "real", "noise"]
    assert facts.cells[1].difference.paired
    assert "Learning rate 1e-3 is lowest so far. Real: 0.195 lower" in headline(facts)
    other = read_group(context.library, group.id, base=1)
    assert other.cells[1].difference is None and other.cells[0].difference.mean > 0
    assert "Learning rate 1e-3 is lowest so far; next comes" in headline(other)
    assert read_group(context.library, group.id, base=99).base == 2


def test_what_is_unfinished_failed_or_gone_is_not_counted(studio):
    context, _ = studio
    group = swept_group(context, {3e-4: {1: 3.9, 2: None}, 1e-3: {1: math.nan, 2: 3.7}})
    runs = context.library.runs(group_id=group.id)
    context.library.remember_run(
        next(run.id for run in runs if run.name == "plain-lr3e-4-s2"),
        RunFacts(state="failed", best_loss=2.0),
    )
    facts = read_group(context.library, group.id)
    assert facts.finished == 2
    assert facts.cells[1].difference.verdict == "too_few"
    (runs[0].folder / "spec.toml").write_text("nonsense")
    assert len(read_group(context.library, group.id).runs) == len(runs) - 1
    with pytest.raises(KnownError):
        read_group(context.library, 999)


def test_verdicts_are_sentences():
    words = difference_words(Difference(-0.2, -0.3, -0.1, 1e-5, True, "real"), "plain")
    assert words.startswith("Real: 0.200 lower than plain.") and "1 in 1,000" in words
    assert (
        "too few"
        in difference_words(Difference(0.1, None, None, None, False, "too_few"), "x").lower()
    )
    assert difference_words(Difference(0.1, -1, 1, 0.4, False, "noise"), "x").startswith(
        "Noise: 0.100 higher"
    )


def test_the_pages_say_what_is_wrong_and_show_the_group(qtbot, qapp, private_home):
    with open_studio_with_queue(qapp, private_home) as (context, seen):
        base = add_run(context, "plain")
        page = VariantsPage(context)
        qtbot.addWidget(page)
        page.resize(1180, 720)
        page.show()
        assert not page.start.isEnabled()
        page.open(base.id)
        page.shown()
        qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=WAIT_MS)
        for text in ("", "x", "0", "51", "1"):
            page.form.count.setText(text)
            assert not page.start.isEnabled() and page._why.text()
        page.form.count.setText("2")
        page.form.settings[0].setCurrentIndex(page.form.settings[0].findData("optimizer.lr"))
        assert "At least two values" in page._why.text()
        page.form.values[0].setText("1e-3, 2e-3")
        page.form.settings[1].setCurrentIndex(page.form.settings[1].findData("optimizer.lr"))
        page.form.values[1].setText("1, 2")
        assert "varied already" in page._why.text()
        page.form.settings[1].setCurrentIndex(0)
        assert page.start.isEnabled() and page.table.model.rowCount() == 4
        page.conditions.hot.click()
        page.conditions.temperature.setText("1")
        page.conditions.temperature.textEdited.emit("1")
        assert not page.start.isEnabled()
        page.conditions.hot.click()
        page.name.clear()
        page.go_on()
        qtbot.waitUntil(lambda: ("group", 1) in seen.places, timeout=WAIT_MS)
        assert context.library.groups()[0].name == "plain by learning rate"
        for run in context.library.runs(group_id=1):
            finished(context.library, run, 3.0 + 0.01 * run.id)

        group = GroupPage(context)
        qtbot.addWidget(group)
        group.resize(1180, 720)
        group.show()
        group.open(1)
        group.shown()
        qtbot.waitUntil(lambda: group.cells.model.rowCount() == 2, timeout=WAIT_MS)
        assert group.runs.model.rowCount() == 4
        group.cells.select(1)
        group.cells.row_activated.emit(1)
        qtbot.waitUntil(lambda: group._facts.base == 1, timeout=WAIT_MS)
        assert not group.plot.grab().isNull()
        group.compare.click()
        assert seen.places[-1][0] == "compare" and len(seen.places[-1][1]) == 4

        overview = GroupsOverview(context)
        qtbot.addWidget(overview)
        overview.show()
        qtbot.waitUntil(lambda: overview.table.model.rowCount() == 1, timeout=WAIT_MS)
        overview.table.row_activated.emit(1)
        assert seen.places[-1] == ("group", 1)
        group.open(77)
        group.shown()
        qtbot.waitUntil(lambda: bool(seen.errors), timeout=WAIT_MS)
        assert "not there any more" in str(seen.errors[0])
        assert seen.places[-1] == ("runs", "all")
