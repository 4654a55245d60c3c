"""The verb `evaluate`: a checkpoint on held-out text, by match length, in every way asked for.

Values of its result:
    run, step: Which checkpoint.
    index: `on`, `off` or `both`: whether the model was given the matches. With `both`, the figures
        are those with the index, and `without_index` has the others.
    loss, perplexity: Per token, in nats and as its exponential.
    bits_per_byte: Comparable across tokenizers.
    tokens, bytes: How much text was measured.
    buckets: For each range of match length: low, high, label, tokens, loss, hit_rate; empty when
        the run has no index.
    without_index: loss, perplexity, bits_per_byte, tokens, buckets of the same text without the
        index; None where that was not asked for.
    sets: For each further set: name, the figures of `without_index`, and its own `without_index`.
    groups: For each group of a rule task: group, right, total, accuracy; empty for other corpora.
    train_tokens_seen: What the model had learned from.
    seconds: How long it took.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer_core.errors import CheckpointError, SpecError
from trainer_core.generate.loaded import train_spec
from trainer_core.job import Job
from trainer_core.records import Measured, bucket_label
from trainer_core.spec import EvaluateSpec, TrainSpec
from trainer_core.train.checkpoints.checkpoint import open_checkpoint
from trainer_core.train.compute import Compute, choose_compute, out_of_memory
from trainer_core.train.inputs import Inputs, check_unchanged, open_inputs
from trainer_core.train.validation.held_out_sets import Windows, open_validation
from trainer_core.train.validation.validate import Outcome, Validation

_BATCH_TOKENS = 16_384
"""Tokens in one forward pass."""
_CASES = 1000
"""Of each group of a rule task."""
_WAYS = {"as_trained": (True,), "off": (False,), "both": (True, False)}


def run(job: Job, spec: EvaluateSpec) -> dict[str, Any]:
    """Measure a checkpoint.

    Raises:
        JobStopped: It was asked to stop; it can be run again.
        KnownError: The run, its checkpoint, corpus or index, or a set cannot be used.
    """
    folder = Path(spec.run)
    trained = train_spec(folder)

    def passed_over(error: CheckpointError) -> None:
        job.note("warning", "Damaged checkpoint passed over", error.what)

    checkpoint = open_checkpoint(folder, spec.checkpoint, on_damage=passed_over)
    inputs = open_inputs(trained.corpus, trained.index, checkpoint.config)
    check_unchanged(checkpoint.manifest.fingerprints, inputs, checkpoint.step)
    use_index = _WAYS[spec.index] if checkpoint.config.match_input else (False,)
    compute = _compute_of(trained)
    length = checkpoint.config.context_length
    windows = Windows(
        length,
        max(1, _BATCH_TOKENS // length),
        spec.max_tokens,
        cases=_CASES,
        mask_documents=trained.data.separate_documents,
    )
    validation = _validation(job, spec, inputs, windows, use_index)
    job.state("running")
    try:
        found = validation.run(
            checkpoint.load_model(str(compute.device)),
            compute,
            between=_Counted(job, validation.tokens).add,
        )
    except RuntimeError as error:
        problem = out_of_memory(error, compute.device)
        if problem is None:
            raise
        raise problem from error
    return {
        "run": str(folder),
        "step": checkpoint.step,
        "index": "both" if len(use_index) > 1 else "on" if use_index[0] else "off",
        **_outcome(found),
        "train_tokens_seen": checkpoint.manifest.tokens_seen,
    }


def _validation(
    job: Job, spec: EvaluateSpec, inputs: Inputs, windows: Windows, use_index: tuple[bool, ...]
) -> Validation:
    return open_validation(
        job.folder,
        inputs,
        spec.sets,
        windows,
        use_index=use_index,
        report=lambda phase, done, total: job.progress(phase, done, total, "tokens"),
        by_source=spec.by_source,
        field="sets",
    )


class _Counted:
    """Tells how many tokens are measured."""

    def __init__(self, job: Job, total: int) -> None:
        self._job, self._done, self._total = job, 0, total

    def add(self, tokens: int) -> None:
        self._done += tokens
        self._job.progress("Measuring", self._done, self._total, "tokens")


def _compute_of(trained: TrainSpec) -> Compute:
    """As trained where this computer can; a run from a GPU is measured on what is here."""
    try:
        return choose_compute(trained.device, trained.precision, trained.threads)
    except SpecError:
        return choose_compute("auto", "auto", trained.threads)


def _outcome(found: Outcome) -> dict[str, Any]:
    without = found.without_index
    return {
        **_figures(found.own.measured),
        "bytes": found.own.n_bytes,
        "without_index": None if without is None else _figures(without),
        "sets": [
            {
                "name": one.name,
                **_figures(one.measured),
                "without_index": None if one.without_index is None else _figures(one.without_index),
            }
            for one in found.sets
        ],
        "groups": [
            {
                "group": score.group,
                "right": score.right,
                "total": score.total,
                "accuracy": score.accuracy,
            }
            for score in found.groups
        ],
        "seconds": found.seconds,
    }


def _figures(measured: Measured) -> dict[str, Any]:
    return {
        "loss": measured.loss,
        "perplexity": measured.perplexity,
        "bits_per_byte": measured.bits_per_byte,
        "tokens": measured.tokens,
        "buckets": [
            {
                "low": bucket.low,
                "high": bucket.high,
                "label": bucket_label(bucket.low, bucket.high),
                "tokens": bucket.tokens,
                "loss": bucket.loss,
                "hit_rate": bucket.hit_rate,
            }
            for bucket in measured.buckets
        ],
    }
