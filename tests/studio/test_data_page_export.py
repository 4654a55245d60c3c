"""Datasets written out, and copied with other settings: a real library, real jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_for_tests import Seen, add_read_dataset, open_studio, write_texts
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.adding.flow import PREVIEW, TOKENS
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.data.lab.target import LabTarget, UseTokenizer
from studio.pages.data.page import DataPage
from studio.widgets.menu import Menu

Studio = tuple[Context, Seen]


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def page(qtbot: QtBot, studio: Studio, tmp_path: Path) -> DataPage:
    add_read_dataset(studio[0].library, write_texts(tmp_path / "bees"))
    page = DataPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(None)
    page.shown()
    qtbot.waitUntil(lambda: page._detail.export.isVisible(), timeout=5_000)
    return page


def test_an_export_writes_every_document(
    qtbot: QtBot, studio: Studio, page: DataPage, tmp_path: Path
) -> None:
    page._detail.export.click()
    panel = page.side.export.panel
    assert panel.isVisible()
    output = tmp_path / "out"
    panel.begin(str(output))
    panel.start.click()
    qtbot.waitUntil(lambda: panel.said.startswith("Written: 12 documents"), timeout=30_000)
    lines = [line for path in output.glob("*.jsonl") for line in path.open(encoding="utf-8")]
    assert len({json.loads(line)["text"] for line in lines}) == 12
    qtbot.waitUntil(lambda: not list((studio[0].home / "exports").iterdir()), timeout=5_000)
    panel.start.click()  # the folder is taken now
    qtbot.waitUntil(lambda: panel.start.isEnabled(), timeout=30_000)
    assert "not an empty folder" in (panel.folder.error or panel._error.what.text())  # type: ignore[union-attr]


def test_a_copy_begins_with_the_datasets_settings(page: DataPage) -> None:
    page.side.copy_requested.emit(())
    flow = page.adding.flow
    assert flow.isVisible() and flow.current == TOKENS
    form = flow.form()
    assert (form.name, form.validation, flow.replaces) == ("Bees, copy", "20", None)
    page.adding.leave()
    page.side.copy_requested.emit(("text:" + "0f" * 16,))
    assert flow.current == PREVIEW
    assert flow.form().cleaning.exclude == ("text:" + "0f" * 16,)
    page.adding.leave()


def test_the_menu_leads_to_batches_and_to_the_lab(
    studio: Studio, page: DataPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Menu, "popup", lambda _menu, _at: None)  # offscreen has no pop-ups
    page._detail.more_requested.emit(QPoint(10, 10))
    menu = page.findChild(Menu)
    assert menu is not None
    entries = {action.text(): action for action in menu.actions()}
    assert not entries["Repeated text"].isEnabled()  # there is no index yet
    entries["Show batches"].trigger()
    entries["Compare tokenizers"].trigger()
    menu.close()
    (first, target), second = studio[1].places
    assert first == "batches" and isinstance(target, BatchesTarget) and target.name == "Bees"
    assert second == ("lab", LabTarget(page.target()))  # type: ignore[arg-type]


def test_a_tokenizer_of_the_lab_is_taken_over(page: DataPage) -> None:
    page.open(UseTokenizer(Path("/lab/tokenizer-1"), "own, 8,192"))
    tokenizer = page.adding.flow.form().tokenizer
    assert (tokenizer.kind, tokenizer.folder) == ("saved", "/lab/tokenizer-1")
    page.adding.flow.source.choices["rule_task"].click()
    page.open(UseTokenizer(Path("/lab/tokenizer-2"), "own, 4,096"))
    form = page.adding.flow.form()
    assert form.tokenizer.folder == "/lab/tokenizer-2"
    assert form.sources[0].kind == "rule_task"  # what was being added stays
    page.adding.leave()


def test_tokenizers_that_the_lab_has_kept_are_offered(
    qtbot: QtBot, studio: Studio, page: DataPage
) -> None:
    lab = studio[0].home / "lab" / "tokenizers-2026-11-20"
    (lab / "tokenizer-1").mkdir(parents=True)
    candidates = [{"name": "own, 812", "folder": "tokenizer-1"}, {"name": "gone", "folder": "x"}]
    (lab / "tokenizers.json").write_text(json.dumps({"candidates": candidates}))
    page.adding.begin()
    tokens = page.adding.flow.tokens
    tokens.choices["saved"].click()
    qtbot.waitUntil(lambda: tokens.tokenizer().folder == str(lab / "tokenizer-1"), timeout=5_000)
    tokens.lab_requested.emit()
    assert studio[1].places[-1] == ("lab", LabTarget())
    page.adding.leave()
