"""What to do with a trained model."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import Section
from trainer_core.spec.train import ValidationSet, check_set_names


class EvaluateSpec(Section, frozen=True, kw_only=True, tag="evaluate", tag_field="verb"):
    """Measure a checkpoint on held-out text, by match length."""

    run: str
    """Job folder of the training."""
    checkpoint: str = "best"
    """`best`, `last`, or a step number."""
    index: Literal["as_trained", "off", "both"] = "as_trained"
    """Whether an index-backed model is given its matches; `both` measures it in both ways."""
    max_tokens: Annotated[int, Meta(ge=1)] = 1_000_000
    """Held-out tokens of each set."""
    by_source: bool = True
    """Whether the held-out text of each source is measured too, where there are several; one with
    less of it than a context is left out."""
    sets: tuple[ValidationSet, ...] = ()
    """More held-out text than the corpus's own."""

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: Two sets have one name.
        """
        check_set_names(self.sets)


class GenerateSpec(Section, frozen=True, kw_only=True, tag="generate", tag_field="verb"):
    """Serve a checkpoint: text with matches, over the job's socket."""

    run: str
    checkpoint: str = "best"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    idle_minutes: Annotated[float, Meta(gt=0.0)] = 30.0
    """The process ends after this long without a request."""


class ExportSpec(Section, frozen=True, kw_only=True, tag="export", tag_field="verb"):
    """Write a checkpoint as a Hugging Face model folder."""

    run: str
    destination: str
    checkpoint: str = "best"
