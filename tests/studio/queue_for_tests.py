"""A studio with a queue, for its tests."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace

from page_for_tests import open_studio

from studio.queue import Queue
from studio.runs.supervisor import Supervisor, freeze_spec
from trainer_core.spec import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
)

WAIT_MS = 30_000


@contextmanager
def open_studio_with_queue(app, home, *, works=False):
    """A context with a queue; without `works` its process ends at once and starts nothing."""
    with open_studio(app, home) as (context, seen):
        idle = None if works else Supervisor(home / "idle", command=(sys.executable, "-c", "pass"))
        queue = Queue(
            context.library,
            context.tasks,
            context.watcher,
            idle or context.supervisor,
            context.keeper,
            context.undo,
        )
        queue.look()
        try:
            yield replace(context, queue=queue), seen
        finally:
            queue._timer.stop()
            if idle is not None:
                idle.close()


def tiny_spec(corpus="corpus", steps=60, **more):
    return TrainSpec(
        corpus=str(corpus),
        model=ModelConfig(vocab_size=300, context_length=16, n_layer=1, n_head=2, n_embd=16),
        optimizer=OptimizerConfig(warmup_steps=5),
        budget=BudgetConfig(steps=steps, batch_size=2),
        evaluation=EvaluationConfig(every_steps=30, max_tokens=256),
        checkpoint=CheckpointConfig(every_steps=10_000),
        device="cpu",
        threads=1,
        **more,
    )


def add_run(context, name, spec=None):
    """A run that was planned and not started."""
    projects = context.library.projects()
    project = projects[0] if projects else context.library.add_project("Bees")
    run = context.library.add_run(project.id, name)
    freeze_spec(run.folder, spec or tiny_spec())
    return run
