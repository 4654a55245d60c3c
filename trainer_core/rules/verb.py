"""The verb `rules`: the lines of a rule task, a training on them, its score; each one a job.

Values of its result:
    task: Which task, or `own`.
    title: As people read it.
    groups: For each group: group, right, total, accuracy (0 to 1).
    loss, floor: Held-out loss, and the entropy below which none can be, in nats per character.
    plateaus: For each loss at which learning comes to rest: name, nats.
    parameters, steps: Of the model and its training.
    train_s: Seconds of the training itself.
    seconds: Of everything in this session.
    run, corpus: Where they are.
"""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec

from trainer_core.job import Job
from trainer_core.parts import run_part
from trainer_core.presets import parameter_count
from trainer_core.rule_tasks import OWN_LINES, ruled
from trainer_core.rules.plan import train_spec
from trainer_core.spec import (
    EvaluateSpec,
    OwnRules,
    PrepareSpec,
    RuleLines,
    RulesSpec,
    TrainSpec,
)
from trainer_core.status import JobStatus

DATA, RUN, SCORE = "data", "run", "score"


def run(job: Job, spec: RulesSpec) -> dict[str, Any]:
    """Train a model on a rule task and score it; what an earlier session finished is kept.

    Raises:
        JobStopped: It was asked to stop; it can go on.
        KnownError: One of the jobs failed; the error is that job's.
    """
    started = time.monotonic()
    job.state("running")
    task = ruled(spec)
    prepare = PrepareSpec(source=_source(spec), name=task.title, seed=spec.seed)
    run_part(job, DATA, task.title, prepare)
    corpus = job.folder / DATA / "corpus"
    training = train_spec(spec, str(corpus))
    trained = run_part(job, RUN, spec.task, training)
    score = EvaluateSpec(run=str(job.folder / RUN), checkpoint="last", max_tokens=10**6)
    found = run_part(job, SCORE, task.title, score).result
    return {
        "task": spec.task,
        "title": task.title,
        "groups": found["groups"],
        "loss": found["bits_per_byte"] * math.log(2),
        "floor": task.floor,
        "plateaus": [msgspec.to_builtins(plateau) for plateau in task.plateaus()],
        **_of_training(training, trained),
        "seconds": time.monotonic() - started,
        "run": str(job.folder / RUN),
        "corpus": str(corpus),
    }


def _source(spec: RulesSpec) -> RuleLines | OwnRules:
    if spec.task == "own":
        return OwnRules(rules=spec.own, lines=spec.lines or OWN_LINES)
    return RuleLines(task=spec.task, lines=spec.lines)


def _of_training(spec: TrainSpec, status: JobStatus) -> dict[str, Any]:
    return {
        "parameters": parameter_count(spec.model),
        "steps": spec.budget.steps,
        "train_s": status.result["elapsed_s"],
    }
