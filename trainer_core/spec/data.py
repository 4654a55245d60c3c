"""How documents become the sequences of a training, and how sources are mixed."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import Section

Packing = Literal["stream", "best_fit", "documents"]


class Mix(Section, frozen=True, kw_only=True):
    """How often sources are drawn at one point of a training."""

    at: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Which share of the steps is done."""
    weights: Annotated[dict[str, Annotated[float, Meta(ge=0.0)]], Meta(min_length=1)]
    """For each source, by its name, how often it is drawn; sources without a weight are not."""


class DataConfig(Section, frozen=True, kw_only=True):
    """How documents become sequences, and how sources are mixed."""

    packing: Packing = "stream"
    """`stream` joins all documents and cuts them anywhere; `best_fit` fills sequences with whole
    documents, splitting only those that are longer than one, each document seeing itself alone;
    `documents` gives each document a sequence of its own, cropped or padded."""
    mask_documents: bool = False
    """Whether tokens see their own document alone in a stream too."""
    mixing: tuple[Mix, ...] = ()
    """None: sources are drawn by what is left of them, so that all end together. One: fixed
    weights. Several: weights move from one to the next along a straight line."""

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: The mixing contradicts itself; the message names the setting.
        """
        points = [mix.at for mix in self.mixing]
        if points and (points[0] != 0.0 or points != sorted(set(points))):
            raise ValueError("mixing needs rising values of `at`, the first of them 0")
        for number, mix in enumerate(self.mixing):
            if not any(mix.weights.values()):
                raise ValueError(f"mixing[{number}].weights has no source with a weight above 0")
            if not all(math.isfinite(weight) for weight in mix.weights.values()):
                raise ValueError(f"mixing[{number}].weights has a weight that is not finite")

    @property
    def masks(self) -> bool:
        """Whether rows of several documents are masked, so that tokens see their own one alone."""
        return self.mask_documents or self.packing == "best_fit"

    @property
    def separate_documents(self) -> bool:
        """Whether no token sees another document than its own, be it by masks or by rows."""
        return self.masks or self.packing == "documents"


class InspectSpec(Section, frozen=True, kw_only=True, tag="inspect", tag_field="verb"):
    """Show batches of a training as the model will see them, token by token."""

    corpus: str
    index: str = ""
    """Whose matches are shown; empty shows none."""
    context_length: Annotated[int, Meta(ge=1, le=1_048_576)] = 256
    batch_size: Annotated[int, Meta(ge=1)] = 16
    match_dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    data: DataConfig = DataConfig()
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1337
    steps: Annotated[int, Meta(ge=1)] = 1000
    """Of the whole training; a schedule of weights depends on it."""
    first_step: Annotated[int, Meta(ge=1)] = 1
    batches: Annotated[int, Meta(ge=1, le=64)] = 2
    """How many, from `first_step` on."""
    rows: Annotated[int, Meta(ge=1, le=64)] = 8
    """Of each batch show so many sequences."""
