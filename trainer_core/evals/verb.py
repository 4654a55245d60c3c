"""The verb `evaluate`: a checkpoint on held-out text, by match length.

Values of its result:
    run, step: Which checkpoint.
    index: `on` or `off`: whether the model was given the matches.
    loss, perplexity: Per token, in nats and as its exponential.
    bits_per_byte: Comparable across tokenizers.
    tokens, bytes: How much text was measured.
    buckets: For each range of match length: low, high, label, tokens, loss, hit_rate; empty when
        the run has no index.
    train_tokens_seen: What the model had learned from.
    seconds: How long it took.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from trainer_core.errors import CheckpointError, SpecError
from trainer_core.generate.loaded import train_spec
from trainer_core.job import Job
from trainer_core.records import bucket_label
from trainer_core.spec import EvaluateSpec, TrainSpec
from trainer_core.train.checkpoint import Checkpoint, open_checkpoint
from trainer_core.train.compute import Compute, choose_compute, out_of_memory
from trainer_core.train.inputs import check_unchanged, open_inputs
from trainer_core.train.validate import HeldOut, Measure

_BATCH_TOKENS = 16_384
"""Tokens in one forward pass."""


def run(job: Job, spec: EvaluateSpec) -> dict[str, Any]:
    """Measure a checkpoint.

    Raises:
        JobStopped: It was asked to stop; it can be run again.
        KnownError: The run, its checkpoint, corpus or index cannot be used.
    """
    folder = Path(spec.run)
    trained = train_spec(folder)

    def passed_over(error: CheckpointError) -> None:
        job.note("warning", "Damaged checkpoint passed over", error.what)

    checkpoint = open_checkpoint(folder, spec.checkpoint, on_damage=passed_over)
    inputs = open_inputs(trained.corpus, trained.index, checkpoint.config)
    check_unchanged(checkpoint.manifest.fingerprints, inputs, checkpoint.step)
    use_index = spec.index == "as_trained" and checkpoint.config.match_input
    compute = _compute_of(trained)
    held_out = HeldOut(
        inputs.corpus.validation,
        inputs.validation_matches,
        inputs.byte_lengths,
        context_length=checkpoint.config.context_length,
        batch_size=max(1, _BATCH_TOKENS // checkpoint.config.context_length),
        max_tokens=spec.max_tokens,
    )
    job.state("running")
    try:
        measure = held_out.measure(
            checkpoint.load_model(str(compute.device)),
            compute,
            use_index=use_index,
            between=lambda done, total: job.progress("Measuring", done, total, "tokens"),
        )
    except RuntimeError as error:
        problem = out_of_memory(error, compute.device)
        if problem is None:
            raise
        raise problem from error
    return _values(folder, checkpoint, measure, use_index=use_index)


def _compute_of(trained: TrainSpec) -> Compute:
    """As trained where this computer can; a run from a GPU is measured on what is here."""
    try:
        return choose_compute(trained.device, trained.precision, trained.threads)
    except SpecError:
        return choose_compute("auto", "auto", trained.threads)


def _values(
    folder: Path, checkpoint: Checkpoint, measure: Measure, *, use_index: bool
) -> dict[str, Any]:
    return {
        "run": str(folder),
        "step": checkpoint.step,
        "index": "on" if use_index else "off",
        "loss": measure.loss,
        "perplexity": math.exp(min(measure.loss, 700.0)),
        "bits_per_byte": measure.bits_per_byte,
        "tokens": measure.tokens,
        "bytes": measure.n_bytes,
        "buckets": [
            {
                "low": bucket.low,
                "high": bucket.high,
                "label": bucket_label(bucket.low, bucket.high),
                "tokens": bucket.tokens,
                "loss": bucket.loss,
                "hit_rate": bucket.hit_rate,
            }
            for bucket in measure.buckets
        ],
        "train_tokens_seen": checkpoint.manifest.tokens_seen,
        "seconds": measure.seconds,
    }
