"""A real training, driven by the buttons of its page."""

from __future__ import annotations

import pytest
from page_for_tests import add_read_dataset, open_studio, write_texts
from PySide6.QtCore import Qt

from studio.pages.run.page import RunPage
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
)

pytestmark = pytest.mark.slow
WAIT_MS = 60_000


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened


def start_training(context, texts, steps=500_000):
    dataset = add_read_dataset(context.library, texts)
    row = context.library.add_run(context.library.add_project("Bees").id, "bees-tiny")
    spec = TrainSpec(
        corpus=str(dataset.corpus_folder),
        model=ModelConfig(vocab_size=300, context_length=16, n_layer=1, n_head=2, n_embd=16),
        optimizer=OptimizerConfig(warmup_steps=5),
        budget=BudgetConfig(steps=steps, batch_size=2),
        evaluation=EvaluationConfig(every_steps=10_000, max_tokens=256),
        checkpoint=CheckpointConfig(every_steps=10_000),
        device="cpu",
        threads=1,
    )
    context.supervisor.start(spec, row.folder)
    return row


def test_a_training_is_paused_resumed_saved_stopped_and_exported(qtbot, studio, tmp_path):
    context, seen = studio
    row = start_training(context, write_texts(tmp_path / "texts"))
    page = RunPage(context)
    qtbot.addWidget(page)
    page.resize(1440, 900)
    page.show()
    page.open(row.id)
    page.shown()
    qtbot.waitUntil(lambda: page.view is not None, timeout=WAIT_MS)
    view = page.view
    header, model = view.header, view.model

    def click(button):
        qtbot.waitUntil(lambda: button.isVisible() and button.isEnabled(), timeout=WAIT_MS)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: model.step > 20, timeout=WAIT_MS)
    click(header.pause)
    qtbot.waitUntil(lambda: model.state == "paused" and not model.alive, timeout=WAIT_MS)
    paused_at = model.step
    assert model.checkpoints[-1].step == paused_at
    assert view.actions_.busy == "" and header.pill.accessibleName() == "Paused"

    click(header.resume)
    qtbot.waitUntil(lambda: model.alive and model.step > paused_at + 20, timeout=WAIT_MS)
    assert any(event.title == "Training resumed" for event in model.events)
    saved = len(model.checkpoints)
    click(header.checkpoint)
    qtbot.waitUntil(lambda: len(model.checkpoints) > saved, timeout=WAIT_MS)

    click(header.stop)
    click(header._yes_stop)
    qtbot.waitUntil(lambda: model.state == "stopped" and not model.alive, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: view.actions_.busy == "", timeout=WAIT_MS)
    assert model.checkpoints[-1].step == model.step == len(view.charts.steps.timeline)

    view._on_export_wanted("model")
    qtbot.waitUntil(lambda: view._export is not None, timeout=WAIT_MS)
    strip = view._export
    qtbot.waitUntil(lambda: strip.destination() is not None, timeout=WAIT_MS)
    where = strip.destination()
    assert where.parent == context.home / "exports" and (where / "config.json").exists()
    assert str(where) in strip.words.text()
    assert not seen.errors


def test_a_training_is_steered_from_its_page(qtbot, studio, tmp_path):
    """Another rate and a nearer end while it works, a way back past a batch, and a later end."""
    context, seen = studio
    row = start_training(context, write_texts(tmp_path / "texts"))
    page = RunPage(context)
    qtbot.addWidget(page)
    page.resize(1440, 900)
    page.show()
    page.open(row.id)
    page.shown()
    qtbot.waitUntil(lambda: page.view is not None, timeout=WAIT_MS)
    view = page.view
    header, model, steering = view.header, view.model, view.steering
    qtbot.waitUntil(lambda: model.step > 20 and header.pause.isEnabled(), timeout=WAIT_MS)

    def click(button):
        qtbot.waitUntil(lambda: button.isVisible() and button.isEnabled(), timeout=WAIT_MS)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    steering.open("change")
    end = model.step + 1_000
    for field, text in ((steering.change.lr, "1e-4"), (steering.change.end, f"{end}")):
        field.selectAll()
        qtbot.keyClicks(field, text)
    click(steering.change.go)
    qtbot.waitUntil(lambda: bool(model.status.changes), timeout=WAIT_MS)
    told = model.status.changes[-1]
    assert (told.lr, told.steps, model.total_steps) == (1e-4, end, end)
    assert any("learning rate is now" in event.text for event in model.events)
    click(header.checkpoint)
    qtbot.waitUntil(lambda: bool(model.checkpoints), timeout=WAIT_MS)
    back = model.checkpoints[-1].step
    qtbot.waitUntil(lambda: model.step > back + 30, timeout=WAIT_MS)

    steering.open("rewind")
    steering.rewind.checkpoint.setCurrentIndex(steering.rewind._steps.index(back))
    steering.rewind.skip.setChecked(True)
    steering.rewind.batches.setText(f"{back + 5}")
    steering.rewind.batches.textEdited.emit("")
    sessions = model.status.sessions
    click(steering.rewind.go)
    qtbot.waitUntil(lambda: bool(model.status.rewound), timeout=WAIT_MS)
    assert model.status.rewound[-1].step == back
    assert any(change.skip for change in model.status.changes)
    qtbot.waitUntil(lambda: model.status.sessions > sessions, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: model.state == "finished" and not model.alive, timeout=WAIT_MS)
    assert model.step == end, "it has come to the end that it was given"

    click(header.extend)
    steering.extend.end.selectAll()
    qtbot.keyClicks(steering.extend.end, f"{end + 200}")
    click(steering.extend.go)
    qtbot.waitUntil(lambda: model.step == end + 200, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: model.state == "finished" and not model.alive, timeout=WAIT_MS)
    assert model.steps.column("step").tolist() == list(range(1, end + 201)), "no step is missing"
    assert not seen.errors
