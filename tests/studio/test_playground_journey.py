"""The whole way with a real model: read, index, train, then ask it and see where it has it from."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_for_tests import add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.pages.playground.page import PlaygroundPage
from studio.pages.playground.servers import server_folder
from trainer_core.job import run_job
from trainer_core.protocol import read_owner
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    IndexSpec,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
)


@pytest.mark.slow
def test_a_trained_model_writes_and_its_words_are_found(
    qtbot: QtBot, qapp: QApplication, private_home: Path, tmp_path: Path
) -> None:
    with open_studio(qapp, private_home) as (context, seen):
        library = context.library
        dataset = add_read_dataset(library, write_texts(tmp_path / "bees"))
        dataset = library.add_index_folder(dataset.id)
        assert dataset.index_folder is not None
        assert run_job(dataset.index_folder, IndexSpec(corpus=str(dataset.corpus_folder))) == 0
        run = library.add_run(library.add_project("Insects").id, "bees", dataset_id=dataset.id)
        spec = TrainSpec(
            corpus=str(dataset.corpus_folder),
            index=str(dataset.index_path),
            model=ModelConfig(
                vocab_size=300, context_length=32, n_layer=1, n_head=2, n_embd=32, match_input=True
            ),
            optimizer=OptimizerConfig(warmup_steps=2),
            budget=BudgetConfig(steps=30, batch_size=8),
            evaluation=EvaluationConfig(every_steps=30, max_tokens=256),
            checkpoint=CheckpointConfig(every_steps=30),
            threads=1,
        )
        assert run_job(run.folder, spec) == 0
        page = PlaygroundPage(context)
        qtbot.addWidget(page)
        page.resize(1240, 840)
        page.show()
        page.open(run.id)
        page.shown()
        qtbot.waitUntil(lambda: page._choice is not None)
        page.sampling.set_sampling(page.sampling.sampling(), max_tokens=40)
        page.prompt.set_text("The bees gather in a tight ball")
        qtbot.keyClick(page.prompt.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        assert page.output.view == "loading"
        qtbot.waitUntil(lambda: not page.writer.busy, timeout=120_000)
        assert page.output.view == "text"
        assert page.writer.tokens
        assert page.sampling.use_index.isEnabled()
        matched = next(i for i, t in enumerate(page.writer.tokens) if t.match_kind == "index")
        page.output.text.set_pinned(matched)
        qtbot.waitUntil(lambda: page.sources.cards != [], timeout=20_000)
        assert page.sources.cards[0].place.title.endswith(".txt")
        page.sources.cards[0].open_requested.emit(page.sources.cards[0].place)
        qtbot.waitUntil(lambda: "Document" in page.sources.document.text.toPlainText())
        folder = server_folder(context.home, page._choice)  # type: ignore[arg-type]
        page.writer.set_choice(None)
        qtbot.waitUntil(lambda: not _alive(folder), timeout=30_000)
        assert not seen.errors


def _alive(folder: Path) -> bool:
    owner = read_owner(folder)
    return owner is not None and owner.alive
