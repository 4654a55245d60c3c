"""A training is changed, extended and taken back, the way the studio does it: in processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from studio.runs.model import JobModel
from studio.runs.supervisor import Supervisor
from studio.runs.tail import JobTail
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.job import run_job
from trainer_core.status import read_status

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them"),
]
PATIENCE_S = 240.0
FOREVER = 10_000_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"Line {n} of some text.\n" for n in range(4000)))
    spec = specs.PrepareSpec(
        source=specs.TextFiles(paths=(str(folder / "text.txt"),)),
        tokenizer=specs.ByteTokenizer(),
        validation_fraction=0.1,
    )
    assert run_job(folder / "data", spec) == 0
    return folder / "data" / "corpus"


def train_spec(corpus: Path, steps: int) -> specs.TrainSpec:
    return specs.TrainSpec(
        corpus=str(corpus),
        model=specs.ModelConfig(vocab_size=257, context_length=32, n_layer=1, n_head=2, n_embd=16),
        optimizer=specs.OptimizerConfig(warmup_steps=4, schedule="constant"),
        budget=specs.BudgetConfig(steps=steps, batch_size=4),
        evaluation=specs.EvaluationConfig(every_steps=100, max_tokens=256),
        checkpoint=specs.CheckpointConfig(every_steps=20, keep=50),
        device="cpu",
        threads=1,
    )


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return found


def test_change_extend_and_go_back(corpus, tmp_path):
    supervisor = Supervisor(tmp_path / "home")
    folder = tmp_path / "home" / "runs" / "steered"
    tail, model = JobTail(folder), JobModel(folder)

    def look() -> JobModel:
        model.apply(tail.poll())
        return model

    try:
        supervisor.start(train_spec(corpus, FOREVER), folder)
        wait_for(lambda: look().step > 40)
        with pytest.raises(KnownError, match="cannot end at step 1"):
            supervisor.change(folder, steps=1).result(PATIENCE_S)
        end = wait_for(lambda: look().step) + 60
        supervisor.change(folder, lr=5e-4, steps=end, why="enough").result(PATIENCE_S)
        wait_for(lambda: look().state == "finished")
        assert (model.step, model.total_steps) == (end, end)
        assert model.steps.last("lr") == pytest.approx(5e-4)

        supervisor.extend(folder, end + 40).result(PATIENCE_S)
        wait_for(lambda: look().state == "finished" and model.step == end + 40)
        assert model.status.sessions == 2

        goal = model.checkpoints[-3].step
        supervisor.rewind(folder, goal, (goal + 2, goal + 3), resume=True).result(PATIENCE_S)
        wait_for(lambda: look().status.sessions == 3 and model.state == "finished")
        # The extension was later than the checkpoint gone back to, or not: the record says.
        assert model.total_steps == model.step
        assert [change.skip for change in model.status.changes if change.skip] == [2]
        kinds = [event.kind for event in model.events]
        assert kinds.count("rewound") == 1
        assert kinds.count("changed") == 3
    finally:
        supervisor.stop(folder).result(PATIENCE_S)
        supervisor.close()


def test_a_running_training_is_paused_to_be_taken_back(corpus, tmp_path):
    supervisor = Supervisor(tmp_path / "home")
    folder = tmp_path / "home" / "runs" / "steered"
    try:
        supervisor.start(train_spec(corpus, FOREVER), folder)
        wait_for(lambda: any(c.step == 40 for c in read_status(folder).checkpoints))
        supervisor.rewind(folder, 20, resume=True).result(PATIENCE_S)
        wait_for(lambda: any(c.step == 40 for c in read_status(folder).checkpoints))
        status = read_status(folder)
        assert status.alive
        assert status.resumed_step == 20
        assert status.rewound[-1].from_step >= 40
    finally:
        supervisor.stop(folder).result(PATIENCE_S)
        supervisor.close()
