"""Batch sizes in the wizard: a real probe whose rows come in, kept for the next time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.wizard.batch_rows import batch_rows, row_values
from studio.pages.wizard.budget_step import BudgetStep
from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.probing import probe_folder, probe_spec, read_measured
from studio.pages.wizard.target import WizardTarget
from trainer_core.probe_table import PROBE_FILE, ProbeRow, ProbeTable, Variant
from trainer_core.spec import TrainSpec

Studio = tuple[Context, Seen]
TINY = {"n_layer": 1, "n_embd": 16, "n_head": 2, "context_length": 16, "batch_size": 2}
USUAL = Variant(precision="fp32")


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


def open_page(qtbot: QtBot, studio: Studio, dataset_id: int) -> WizardPage:
    page = WizardPage(studio[0])
    qtbot.addWidget(page)
    page.probing.budget_s = 6.0
    page.resize(1240, 900)
    page.show()
    page.open(WizardTarget(dataset_id=dataset_id))
    page.shown()
    qtbot.waitUntil(lambda: page.stack.currentIndex() > 0)
    tiny = replace(page._draft, **TINY, use_index=False).with_tokens(20_000)  # type: ignore[arg-type]
    page._on_draft_changed(tiny)
    for _ in range(5):
        page.go_on()
    return page


def budget_of(page: WizardPage) -> BudgetStep:
    step = page.steps[5]
    assert isinstance(step, BudgetStep)
    return step


def table(*rows: ProbeRow) -> ProbeTable:
    return ProbeTable(device="CPU", context_length=16, rows=rows, recommended=0, complete=True)


def row(size: int, speed: float = 1000.0, **more: object) -> ProbeRow:
    return ProbeRow(
        **{
            "batch_size": size,
            "variant": USUAL,
            "tokens_per_s": speed,
            "step_ms": size * 16 / speed * 1000 if speed else 0.0,
            "steps": 10,
            "peak_memory_bytes": size << 20,
            **more,
        }
    )


@pytest.mark.slow
def test_rows_come_in_live_and_are_there_the_next_time(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    dataset = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio, dataset.id)
    card = budget_of(page).batch
    assert page.probing.state == "none" and not card.lines
    assert page._plan.estimate is not None and page._plan.estimate.source == "reckoned"
    card.measure.click()
    assert page.probing.state == "measuring" and card.stop.isVisible()
    assert page.panel._state.text() == "measuring"
    qtbot.waitUntil(lambda: bool(card.lines), timeout=120_000)
    qtbot.waitUntil(lambda: page.probing.state == "measured", timeout=120_000)
    assert page._plan.estimate is not None and page._plan.estimate.source == "probe"
    assert card._state.text().startswith("measured ") and card.measure.text() == "Measure again"
    tokens = page._draft.training_tokens
    qtbot.keyClick(card.lines[0], Qt.Key.Key_Return)
    assert page._draft.batch_size == page.probing.table.rows[0].batch_size
    assert page._draft.training_tokens == pytest.approx(tokens, rel=0.02)
    assert card.lines[0].isChecked()
    again = open_page(qtbot, studio, dataset.id)
    qtbot.waitUntil(lambda: again.probing.state == "measured", timeout=20_000)
    assert again.probing.table == page.probing.table
    other = again._draft.with_setting("model.n_layer", 2)
    again._on_draft_changed(other)
    assert again.probing.state == "none"  # another shape has not been measured
    assert not studio[1].errors


@pytest.mark.slow
def test_a_probe_that_is_stopped_keeps_its_rows_and_can_go_on(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    dataset = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio, dataset.id)
    page.probing.budget_s = 120.0
    page._on_draft_changed(page._draft.with_setting("model.n_layer", 3))
    card = budget_of(page).batch
    card.measure.click()
    qtbot.waitUntil(lambda: bool(card.lines), timeout=120_000)
    card.stop.click()
    qtbot.waitUntil(lambda: page.probing.state == "partly", timeout=120_000)
    qtbot.waitUntil(lambda: card.measure.text() == "Measure on", timeout=20_000)
    assert card.lines
    assert page._plan.estimate is not None and page._plan.estimate.source == "probe"


def test_rows_are_sorted_and_say_what_failed(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    dataset = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio, dataset.id)
    compiled = Variant(precision="fp32", compile=True)
    found = table(
        row(1, 900.0),
        row(4, 3000.0),
        row(8, 0.0, failure="memory", why="no room"),
        row(2, 1700.0),
        row(4, 4000.0, variant=compiled),
    )
    rows = batch_rows(found, page._draft, page._plan)
    assert [each.row.batch_size for each in rows] == [1, 2, 4, 8, 4]
    assert [each.chosen for each in rows] == [False, True, False, False, False]
    assert "out of memory, needs about" in rows[3].failure and rows[3].seconds is None
    assert rows[4].way == "compiled"
    card = budget_of(page).batch
    card.show_rows(rows, None, page._plan)
    assert [line.isEnabled() for line in card.lines] == [True, True, True, False, True]
    assert all("Batch" in line.accessibleName() for line in card.lines)
    values = row_values(page._draft, found.rows[4], USUAL)
    assert values["compile"] == "on" and values["budget.batch_size"] == 4
    page._on_draft_changed(page._draft.with_values(values))
    assert page._plan.spec is not None and page._plan.spec.compile == "on"
    assert batch_rows(found, page._draft, page._plan)[4].chosen


def test_a_step_of_many_sequences_keeps_them_and_works_on_fewer_at_once(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    dataset = add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = open_page(qtbot, studio, dataset.id)
    page._on_draft_changed(
        page._draft.with_values({"budget.batch_size": 8, "budget.micro_batch_size": 4})
    )
    values = row_values(page._draft, row(2), USUAL)
    assert values["budget.micro_batch_size"] == 2 and "budget.batch_size" not in values
    assert row_values(page._draft, row(3), USUAL)["budget.batch_size"] == 3


def test_what_speed_does_not_depend_on_shares_its_figures(tmp_path: Path) -> None:
    train = TrainSpec(corpus="corpus")
    replace_ = msgspec.structs.replace
    other = replace_(
        train,
        seed=3,
        budget=replace_(train.budget, steps=5, batch_size=96),
        optimizer=replace_(train.optimizer, lr=1e-5, warmup_steps=0),
    )
    same = [probe_spec(each, index_is_built=False) for each in (train, other)]
    assert probe_folder(tmp_path, same[0]) == probe_folder(tmp_path, same[1])
    deeper = replace_(train, model=replace_(train.model, n_layer=9))
    assert probe_folder(tmp_path, probe_spec(deeper, index_is_built=False)) != probe_folder(
        tmp_path, same[0]
    )


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"rows": 3}', b"\xff" * 100])
def test_a_damaged_table_counts_as_not_measured(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / PROBE_FILE).write_bytes(content)
    assert read_measured(tmp_path).table.rows == ()
