"""Text that the model writes at each checkpoint: the same prompts, the same seed."""

from __future__ import annotations

from trainer_core.errors import KnownError
from trainer_core.generate.generation import Parts, generate, text_of
from trainer_core.job import Job
from trainer_core.model.transformer import Transformer
from trainer_core.protocol import Generate
from trainer_core.records import Sampled
from trainer_core.spec import TrainSpec
from trainer_core.train.inputs import Inputs

BACKED_LENGTH = 4
"""A written token counts as backed from this match length on, in tokens."""


def write_samples(job: Job, spec: TrainSpec, inputs: Inputs, model: Transformer, step: int) -> None:
    """Continue each of `evaluation.sample_prompts` and record the text.

    Random states of the training are not touched. A wish to stop breaks off.
    """
    parts = Parts(model, inputs.corpus.tokenizer, inputs.index)
    training = model.training
    model.eval()
    try:
        for prompt in spec.evaluation.sample_prompts:
            ask = Generate(
                request=0,
                prompt=prompt,
                max_tokens=spec.evaluation.sample_tokens,
                seed=spec.seed,
            )
            generation = generate(parts, ask, cancelled=lambda: bool(job.wanted))
            try:
                tokens = list(generation)
            except KnownError as error:
                job.note("warning", "Sample not written", str(error), step)
                return
            if generation.reason == "cancelled":
                return
            backed = sum(token.backed_length >= BACKED_LENGTH for token in tokens)
            share = backed / len(tokens) if tokens else 0.0
            text = text_of(tokens)
            job.record(Sampled(step=step, prompt=prompt, text=text, matched_share=share))
    finally:
        model.train(training)
