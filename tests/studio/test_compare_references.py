"""Curves of other programs and seeds beside one's own runs."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import msgspec
import pytest
from page_for_tests import open_studio
from PySide6.QtCore import Qt
from synthetic_runs import make_run
from test_compare_page import add_run, open_page

from studio.pages.compare.export import write_curves, write_event_folders
from studio.pages.compare.facts import Compared, CorpusMark, comparability, gains, same_tokenizer
from studio.pages.compare.import_facts import Answers, check, facts_of_folder, first_answers
from studio.pages.compare.loading import load_run, of_model
from studio.pages.compare.seeds import can_join, deviation, joined, spread
from studio.pages.compare.settings import rows_for, settings, shown_settings
from studio.pages.compare.target import ImportLog
from studio.runs.importing.keep import write_reference
from studio.runs.importing.sources import look, reference_for
from studio.storage.rows import RunFacts, RunRow
from trainer_core.presets import flops_per_token

LOG = """tokens per iteration will be: 4,096
number of parameters: 10.00M
step 0: train loss 9.0, val loss 9.0
iter 0: loss 9.0, time 100.00ms, mfu 1%
iter 100: loss 5.0, time 100.00ms, mfu 1%
step 200: train loss 4.5, val loss 4.5
iter 300: loss 4.0, time 100.00ms, mfu 1%
step 400: train loss 4.0, val loss 4.0
"""


def row(run_id, name, folder=Path("x"), group=None):
    return RunRow(run_id, 1, name, folder, None, run_id % 6, 0.0, False, group_id=group)


def compared(run_id, name, *, seed=0, level=0.0, group=None, **kind):
    run = of_model(
        row(run_id, name, group=group),
        0,
        make_run(1000, ended="finished", level=level, **kind),
        CorpusMark("bpe", "bees"),
    )
    return dataclasses.replace(run, spec=msgspec.structs.replace(run.spec, seed=seed))


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def reference(tmp_path):
    log = tmp_path / "their-run.log"
    log.write_text(LOG)
    source = look(log)
    folder = tmp_path / "reference"
    folder.mkdir()
    write_reference(folder, source.curves, reference_for(source))
    return load_run(row(9, "their-run", folder), 3)


def test_a_reference_lies_on_every_axis_that_is_known(reference):
    assert reference.problem == "" and reference.spec is None
    assert reference.positions("tokens").tolist() == [0, 200 * 4096, 400 * 4096]
    assert reference.positions("flop")[-1] == pytest.approx(6 * 10e6 * 400 * 4096)
    assert all(reference.has(mode) for mode in ("steps", "tokens", "time", "flop"))
    assert reference.value_at("steps", 300, False) == pytest.approx(4.25)
    assert reference.training.steps.tolist() == [1, 101, 301]
    bare = dataclasses.replace(
        reference, reference=msgspec.structs.replace(reference.reference, parameters=None)
    )
    assert not bare.has("flop") and math.isnan(bare.value_at("flop", 1e9, False))


def test_ones_own_runs_count_attention_too():
    own = compared(1, "plain", index=False)
    per_token = flops_per_token(own.spec.model)
    assert own.flops_per_token == per_token
    assert own.positions("flop")[-1] == pytest.approx(own.positions("tokens")[-1] * per_token)


def test_an_unknown_tokenizer_is_said_and_a_named_one_differs(reference):
    own = compared(1, "plain", index=False)
    assert same_tokenizer([own, reference])
    assert comparability([own, reference]).startswith("The tokenizer of their-run is not known")
    named = dataclasses.replace(reference, corpus=CorpusMark("named gpt-2", "x"))
    assert not same_tokenizer([own, named])
    assert "There is none of their-run" in comparability([own, named])
    same = dataclasses.replace(reference, corpus=CorpusMark("bpe", "x"))
    assert "comes from a log" in comparability([own, same])
    assert "comes from a log" in gains(own, reference).reason


def test_settings_that_nobody_knows_are_not_said_to_differ(reference):
    own = compared(1, "plain", index=False)
    found = shown_settings(settings([own, reference]), only_differing=False)
    rows = rows_for([own, reference], found, own, losses=True)
    assert rows[1].cell("parameters").text == "10M" and rows[1].cell("parameters").outlined
    assert rows[1].cell("optimizer.lr").text == "–" and not rows[1].cell("optimizer.lr").outlined


# --- seeds ---------------------------------------------------------------------------------------


def test_seeds_are_called_by_what_their_names_share():
    runs = [compared(i, f"plain-lr1e-4-s133{i}", seed=i, group=5) for i in (7, 8)]
    assert joined(runs)[0].row.name == "plain-lr1e-4 × 2"


def test_seeds_of_a_group_are_one_line_with_their_spread():
    runs = [compared(i, f"index-seed-{i}", seed=i, level=i / 10, group=5) for i in (1, 2, 3)]
    other = compared(4, "index-lr", seed=1, group=5)
    other = dataclasses.replace(
        other,
        spec=msgspec.structs.replace(
            other.spec, optimizer=msgspec.structs.replace(other.spec.optimizer, lr=9e-3)
        ),
    )
    alone = compared(7, "plain", seed=1)
    assert can_join([*runs, other, alone]) and not can_join([runs[0], other, alone])
    lines = joined([*runs, other, alone])
    assert [line.row.name for line in lines] == ["index × 3", "index-lr", "plain"]
    mean = lines[0]
    losses = [run.last.loss for run in runs]
    assert mean.last.loss == pytest.approx(sum(losses) / 3)
    low, high = spread(mean, bits=False)
    assert low[-1] == pytest.approx(min(losses)) and high[-1] == pytest.approx(max(losses))
    assert deviation(mean, bits=False) == pytest.approx(0.1, rel=1e-4)
    assert deviation(alone, bits=False) is None
    assert mean.last.buckets[0].loss == pytest.approx(
        sum(run.last.buckets[0].loss for run in runs) / 3
    )


def test_seeds_that_stopped_early_are_compared_where_all_have_been():
    whole = compared(1, "a-1", seed=1, group=5)
    short = compared(2, "a-2", seed=2, group=5)
    short = dataclasses.replace(
        short, validations=short.validations[:3], elapsed_s=short.elapsed_s[:3]
    )
    assert [v.step for v in joined([whole, short])[0].validations] == [
        v.step for v in whole.validations[:3]
    ]


def test_a_change_between_seeds_is_called_real_or_noise():
    def seeds(first, name, levels, **kind):
        return [
            compared(first + i, f"{name}-{i}", seed=i, level=level, group=first, **kind)
            for i, level in enumerate(levels)
        ]

    plain = seeds(10, "plain", (0.50, 0.52, 0.48), index=False)
    better = seeds(20, "better", (0.10, 0.11, 0.09), index=False)
    same = seeds(30, "same", (0.53, 0.50, 0.46), index=False)
    single = compared(40, "single", seed=0, level=0.3, index=False)
    lines = joined([*plain, *better, *same, single])
    rows = rows_for(lines, [], lines[0], losses=True)
    base, won, tied, alone = (each.cell("change") for each in rows)
    assert base.text == "base"
    assert won.text.endswith(" real") and won.role == "ok" and "p = " in won.tooltip
    assert tied.text.endswith(" noise") and tied.role is None
    assert alone.text.endswith(" too few") and "Too few" in alone.tooltip


# --- files ---------------------------------------------------------------------------------------


def test_all_curves_become_a_table(tmp_path, reference):
    own = compared(1, "plain", index=False)
    write_curves(tmp_path / "c.csv", [own, reference])
    with (tmp_path / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    mine = [each for each in rows if each["run"] == "plain" and each["curve"] == "validation"]
    assert [int(each["step"]) for each in mine] == [v.step for v in own.validations]
    theirs = [each for each in rows if each["run"] == "their-run"]
    assert {each["curve"] for each in theirs} == {"validation", "training"}
    assert theirs[0]["bits_per_byte"] == "" and float(theirs[1]["loss"]) == 4.5


def test_a_table_comes_back_as_a_reference(tmp_path, reference):
    write_event_folders(tmp_path / "tb", [reference])
    source = look(tmp_path / "tb" / reference.row.folder.name)
    assert source.curves.points("val_loss").values.tolist() == [9.0, 4.5, 4.0]
    assert source.curves.points("loss").steps.tolist() == [1, 101, 301]


# --- the form ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, set()),
        ({"name": "  "}, {"name"}),
        ({"tokens_per_step": "many", "parameters": "-3"}, {"tokens_per_step", "parameters"}),
        ({"tokens_per_step": "0", "parameters": "9e99"}, {"tokens_per_step", "parameters"}),
        ({"tokens_per_step": "98,304", "parameters": "124M", "bytes_per_token": "4.4"}, set()),
        ({"bytes_per_token": "0"}, {"bytes_per_token"}),
        ({"bytes_per_token": "nan"}, {"bytes_per_token"}),
        ({"tokenizer": "named"}, {"tokenizer_name"}),
    ],
)
def test_nonsense_in_the_form_is_named(changes, wrong):
    checked = check(dataclasses.replace(Answers(name="x"), **changes))
    assert set(checked.errors) == wrong


def test_the_form_begins_with_what_the_log_says(tmp_path):
    log = tmp_path / "their-run.log"
    log.write_text(LOG)
    answers = first_answers(look(log))
    assert (answers.name, answers.tokens_per_step) == ("their-run", "4,096")
    assert answers.parameters == "10,000,000"


# --- the page ------------------------------------------------------------------------------------


def test_a_log_is_looked_at_and_laid_over_a_run(qtbot, studio, tmp_path):
    own = add_run(studio[0], "mine", index=False)
    page = open_page(qtbot, studio, [own.id], runs=1)
    log = tmp_path / "their-run.log"
    log.write_text(LOG)
    page.open(ImportLog(log))
    qtbot.waitUntil(lambda: page.sheet.view is page.sheet.form, timeout=20_000)
    form = page.sheet.form
    assert form.submit.isEnabled() and "3 training losses" in form._found.text()
    form._tokens.setText("nonsense")
    assert not form.submit.isEnabled() and form._fields["tokens_per_step"].error
    form._tokens.setText("4096")
    form.submit.click()
    qtbot.waitUntil(lambda: len(page._runs) == 2, timeout=20_000)
    assert page.sheet.view is None
    kept = page._runs[1].row
    assert kept.kind == "reference" and kept.name == "their-run"
    assert studio[0].library.run(kept.id).facts.val_loss == 4.0
    assert page.base.row.id == own.id
    page.chart.set_kind("training")
    assert len(page.chart.content.curves) == 2 and page.chart.title == "Training loss"
    page.chart.mode._choose(3)
    page.chart.canvas.redraw()
    assert page.chart.content.x_title.startswith("floating-point")
    assert page.chart.canvas.frame().x.high > 1e12
    assert not studio[1].errors


def test_a_file_without_losses_is_refused_in_the_sheet(qtbot, studio, tmp_path):
    page = open_page(qtbot, studio)
    path = tmp_path / "book.txt"
    path.write_text("It was a bright cold day in April.\n" * 9)
    page.open(ImportLog(path))
    qtbot.waitUntil(lambda: page.sheet.view is page.sheet._refused, timeout=20_000)
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: page.sheet.view is None)
    assert studio[0].library.runs() == []


def test_columns_of_a_table_are_chosen(qtbot, studio, tmp_path):
    page = open_page(qtbot, studio)
    path = tmp_path / "table.csv"
    path.write_text("a;b;c\n1;5,5;9\n2;4,5;8\n")
    page.open(ImportLog(path))
    qtbot.waitUntil(lambda: page.sheet.view is page.sheet.form, timeout=20_000)
    form = page.sheet.form
    assert not form.submit.isEnabled()
    form._roles["loss"].setCurrentIndex(2)
    qtbot.waitUntil(lambda: form.submit.isEnabled(), timeout=20_000)
    form._roles["step"].setCurrentIndex(1)
    qtbot.waitUntil(
        lambda: form.submit.isEnabled() and not page.sheet.source.curves.notes, timeout=20_000
    )
    assert page.sheet.source.curves.points("loss").values.tolist() == [5.5, 4.5]


def test_seeds_are_drawn_with_a_band_and_can_be_told_apart(qtbot, studio):
    library = studio[0].library
    project = library.add_project("Bees")
    group = library.add_group(project.id, "seeds", "seeds", {"seed": (0,)})
    rows = [add_run(studio[0], f"bees-{i}", level=i / 10) for i in range(3)]
    page = open_page(qtbot, studio)
    with library._writing() as session:
        from studio.storage.tables import Run

        for each in rows:
            session.get(Run, each.id).group_id = group.id
    page.open([each.id for each in rows])
    qtbot.waitUntil(lambda: len(page._runs) == 3, timeout=20_000)
    assert [line.row.name for line in page._lines] == ["bees × 3"]
    assert len(page.chart.content.ribbons) == 1
    cell = page.settings.table.model._rows[0].cell("val_loss")
    assert "±" in cell.text and "3 seeds" in cell.tooltip
    page.chart.seeds.setChecked(False)
    assert len(page._lines) == 3 and not page.chart.content.ribbons
    assert not page.grab().isNull()


def test_facts_of_a_folder_are_those_of_its_log(reference):
    facts = facts_of_folder(reference.row.folder)
    assert isinstance(facts, RunFacts) and facts.val_loss == 4.0 and facts.state == "finished"
    assert isinstance(reference, Compared)
