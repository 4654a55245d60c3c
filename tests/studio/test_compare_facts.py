from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import msgspec
import pytest
from synthetic_runs import make_run, step_rows, train_spec, validated

from studio.pages.compare.facts import (
    Compared,
    CorpusMark,
    comparability,
    free_slot,
    gains,
    other_for,
    same_tokenizer,
    short_names,
)
from studio.pages.compare.loading import of_model
from studio.pages.compare.settings import (
    change_role,
    change_text,
    fitting,
    flat_settings,
    rows_for,
    settings,
    shown_settings,
)
from studio.storage.rows import RunRow

BEES = CorpusMark("bpe", "bees")


def compared(run_id, name, *, corpus=BEES, slot=0, **kind):
    row = RunRow(run_id, 1, name, Path(f"runs/{name}"), None, slot, 0.0, False)
    return of_model(row, slot, make_run(1000, ended="finished", **kind), corpus)


@pytest.fixture(scope="module")
def plain():
    return compared(1, "plain-163m", index=False, level=0.2)


@pytest.fixture(scope="module")
def index():
    return compared(2, "index-163m", slot=1)


def test_losses_compare_only_where_the_tokenizers_are_the_same(plain, index):
    assert same_tokenizer([plain, index])
    assert comparability([plain, index]).startswith("Both runs use the same tokenizer and the same")
    other = dataclasses.replace(index, corpus=CorpusMark("bytes", "bees-bytes"))
    assert not same_tokenizer([plain, other])
    assert "bits per byte is shown" in comparability([plain, other])
    elsewhere = dataclasses.replace(index, corpus=CorpusMark("bpe", "wasps"))
    assert "different documents" in comparability([plain, index, elsewhere])
    assert comparability([plain]) == "Add a second run to see what differs."


def test_values_lie_between_validations_on_every_axis(plain):
    values = plain.values(bits=False)
    assert plain.value_at("steps", 100, False) == values[0]
    middle = plain.value_at("tokens", 150 * 4096, False)
    assert middle == pytest.approx((values[0] + values[1]) / 2)
    assert plain.value_at("time", 40.0, False) == values[1]
    assert math.isnan(plain.value_at("steps", 5, False))
    assert math.isnan(plain.value_at("steps", 1001, False))
    assert plain.value_at("steps", 100, True) == pytest.approx(values[0] / 3.155)


def test_the_index_buys_more_the_longer_the_match(plain, index):
    found = gains(plain, index)
    assert [row.label for row in found.rows] == [
        "0–3",
        "4–5",
        "6–7",
        "8–11",
        "12–15",
        "16–31",
        "32+",
    ]
    changes = [row.change for row in found.rows]
    assert changes[0] > 0 and changes == sorted(changes, reverse=True)
    assert sum(row.share for row in found.rows) == pytest.approx(1.0)
    assert found.total.change == pytest.approx(index.last.loss - plain.last.loss)


def test_gains_say_why_there_are_none(plain, index):
    assert gains(plain, None).reason.startswith("Add a second run")
    bare = dataclasses.replace(
        plain, validations=(msgspec.structs.replace(plain.last, buckets=()),)
    )
    assert gains(bare, index).reason.startswith("plain-163m was validated without an index")
    young = dataclasses.replace(index, validations=())
    assert gains(plain, young).reason == "index-163m has not been validated yet."
    other = dataclasses.replace(index, corpus=CorpusMark("bytes", "x"))
    assert "different tokenizers" in gains(plain, other).reason


def test_the_other_run_is_the_chosen_one_or_the_best_with_an_index(plain, index):
    better = compared(3, "index-better", level=-0.3)
    assert other_for([plain, index, better], plain, None) is better
    assert other_for([plain, index, better], plain, 2) is index
    assert other_for([plain], plain, None) is None


def test_a_run_keeps_its_colour_unless_another_one_has_it(plain):
    assert free_slot(plain.row, []) == 0
    assert free_slot(plain.row, [0, 1]) == 2


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["run-a-1", "run-b-1"], ["a", "b"]),
        (["index-163m", "index-163m-min8"], ["163m", "163m-min8"]),
        (["plain", "plain"], ["plain", "plain"]),
        (["only"], ["only"]),
        ([], []),
    ],
)
def test_short_names_keep_what_tells_runs_apart(names, short):
    assert short_names(names) == short


def test_settings_that_differ_come_as_columns(plain, index):
    found = settings([plain, index])
    differing = shown_settings(found, only_differing=True)
    assert {each.title for each in differing} == {"Parameters", "Index", "Longest match"}
    always = shown_settings(found, only_differing=False)
    assert [each.title for each in always][:3] == ["Parameters", "Layers × width", "Batch"]
    assert not any(each.key.startswith(("evaluation", "checkpoint")) for each in found)
    lr = next(each for each in found if each.key == "optimizer.weight_decay")
    assert lr.values == {1: "0.1", 2: "0.1"}


def test_cells_that_differ_from_the_base_are_outlined(plain, index):
    shown = shown_settings(settings([plain, index]), only_differing=True)
    rows = rows_for([plain, index], shown, plain, losses=True)
    key = next(each.key for each in shown if each.title == "Index")
    base, other = (row.cell(key) for row in rows)
    assert (base.text, base.outlined) == ("off", False)
    assert (other.text, other.outlined) == ("on", True)
    assert rows[0].cell("change").text == "base"
    assert rows[1].cell("change").role == "ok" and rows[1].cell("change").text.startswith("-")


def test_across_tokenizers_the_change_is_in_bits_per_byte(plain, index):
    rows = rows_for([plain, index], [], plain, losses=False)
    change = index.last.bits_per_byte - plain.last.bits_per_byte
    assert rows[1].cell("change").text == f"{change:+.3f}"
    assert "tokenizers differ" in rows[1].cell("val_loss").tooltip


def test_only_columns_that_fit_are_shown(plain, index):
    shown = shown_settings(settings([plain, index]), only_differing=False)
    assert fitting(shown, 2000) == shown
    assert fitting(shown, 700) == shown[: len(fitting(shown, 700))]
    assert fitting(shown, 300) == []


def test_a_change_has_its_sign_and_its_colour():
    assert (change_text(-0.2764, 3), change_role(-0.2764, 3)) == ("-0.276", "ok")
    assert (change_text(0.04, 2), change_role(0.04, 2)) == ("+0.04", "danger")
    assert (change_text(-0.0001, 3), change_role(-0.0001, 3)) == ("0.000", None)


def test_a_corpus_is_called_by_its_folder():
    flat = flat_settings(train_spec(corpus="/home/a/data/bees/corpus"))
    assert flat["corpus"] == "bees" and flat["optimizer.lr"] == "0.003"
    assert flat["model.match_input"] == "on"


def test_a_run_without_settings_is_shown_with_the_reason():
    row = RunRow(9, 1, "gone", Path("runs/gone"), None, 0, 0.0, False)
    lost = Compared(row, 0, row.facts, problem="Its settings cannot be read.")
    rows = rows_for(
        [lost], shown_settings(settings([lost]), only_differing=False), lost, losses=True
    )
    assert rows[0].cell("run").tooltip == "Its settings cannot be read."
    assert len(step_rows(1, 3)) == 3 and validated(1, 2.0).step == 1
