"""How the weights are changed: the optimizer and the course of its learning rate."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import Fraction, Section


def _label(title: str, description: str, source: str) -> Meta:
    """What `labels` tells people about a field."""
    return Meta(title=title, description=description, extra={"source": source})


_GPT3 = "Brown et al., “Language models are few-shot learners”, 2020, appendix B"
_MUON = "Jordan et al., “Muon: an optimizer for hidden layers in neural networks”, 2024"


class OptimizerConfig(Section, frozen=True, kw_only=True):
    """The optimizer, and how its learning rate rises and falls."""

    kind: Annotated[
        Literal["adamw", "muon", "adafactor"],
        _label(
            "Optimizer",
            "AdamW suits everything. Muon changes the matrices of the layers, and AdamW the rest:"
            " fewer steps for the same loss. Adafactor needs the least memory.",
            "Loshchilov and Hutter, “Decoupled weight decay regularization”, 2019;"
            f" {_MUON}; Shazeer and Stern, “Adafactor”, 2018",
        ),
    ] = "adamw"
    lr: Annotated[
        float,
        Meta(gt=0.0, le=10.0),
        _label(
            "Learning rate",
            "The peak; about a half when the model is twice as wide. Under Adafactor it is relative"
            " to the size of the weights.",
            "Measured on the tour's model: a few million parameters, 4 thousand tokens a step",
        ),
    ] = 3e-3
    lr_scaling: Annotated[
        Literal["fixed", "sqrt_batch"],
        _label(
            "Learning rate and batch",
            "Take the learning rates as they are, or as those of one sequence a step, multiplied by"
            " the square root of the sequences in a step over all devices.",
            "Malladi et al., “On the SDEs and scaling rules for adaptive gradient algorithms”,"
            " 2022, for the root; the unit is forgather's",
        ),
    ] = "fixed"
    muon_lr: Annotated[
        float,
        Meta(gt=0.0, le=10.0),
        _label(
            "Learning rate of matrices",
            "The peak for what Muon changes.",
            _MUON,
        ),
    ] = 0.02
    muon_momentum: Annotated[
        Fraction,
        _label("Momentum", "How much of the last steps' direction Muon keeps.", _MUON),
    ] = 0.95
    schedule: Annotated[
        Literal["cosine", "wsd", "linear", "constant"],
        _label(
            "Schedule",
            "What comes after the warm-up: half a cosine or a line down to the end, a plateau with"
            " a decay at the end, or the peak throughout.",
            "Loshchilov and Hutter, “SGDR”, 2017; the plateau is Hu et al.'s, “MiniCPM”, 2024",
        ),
    ] = "cosine"
    decay_share: Annotated[
        float,
        Meta(gt=0.0, le=1.0),
        _label(
            "Decay",
            "Share of the run in which a plateau's learning rate falls.",
            "Hägele et al., “Scaling laws and compute-optimal training beyond fixed training"
            " durations”, 2024",
        ),
    ] = 0.2
    lr_floor: Annotated[
        float,
        Meta(ge=0.0, le=1.0),
        _label("Final learning rate", "As a share of the peak.", _GPT3),
    ] = 0.1
    warmup_steps: Annotated[
        int,
        Meta(ge=0),
        _label(
            "Warm-up",
            "Steps in which the learning rate rises from nothing to its peak.",
            "Goyal et al., “Accurate, large minibatch SGD”, 2017, for the line; the number is"
            " 5 % of a run of a thousand steps",
        ),
    ] = 50
    weight_decay: Annotated[
        float,
        Meta(ge=0.0, le=10.0),
        _label(
            "Weight decay",
            "Pulls matrices and tables towards zero, times the learning rate; norms, biases and"
            " gates are left alone.",
            _GPT3,
        ),
    ] = 0.1
    beta1: Annotated[
        Fraction,
        _label(
            "Beta 1",
            "How much of the last gradients AdamW's direction keeps.",
            "Kingma and Ba, “Adam”, 2015",
        ),
    ] = 0.9
    beta2: Annotated[
        Fraction,
        _label("Beta 2", "How much of the last squared gradients AdamW's scale keeps.", _GPT3),
    ] = 0.95
    eps: Annotated[
        float,
        Meta(gt=0.0, le=1.0),
        _label("Epsilon", "Added to AdamW's scale.", "Kingma and Ba, “Adam”, 2015"),
    ] = 1e-8
    clip_norm: Annotated[
        float,
        Meta(ge=0.0),
        _label(
            "Clipping",
            "Gradients are scaled down to this norm over all parameters; 0 leaves them as they"
            " are.",
            f"Pascanu et al., “On the difficulty of training recurrent neural networks”, 2013;"
            f" {_GPT3}",
        ),
    ] = 1.0

    def lr_scale(self, batch_size: int) -> float:
        """What both learning rates are multiplied by.

        Args:
            batch_size: Sequences in one step over all devices.
        """
        return math.sqrt(batch_size) if self.lr_scaling == "sqrt_batch" else 1.0

    def decay_steps(self, steps: int) -> int:
        """Steps of the decay that ends a run under `wsd`.

        Args:
            steps: The run's length.
        """
        return max(1, round(self.decay_share * steps))

    def check(self, steps: int, batch_size: int) -> None:
        """Hold what only a run's length and batch show.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.warmup_steps >= steps:
            raise ValueError(
                f"optimizer.warmup_steps {self.warmup_steps} leaves nothing of budget.steps {steps}"
            )
        if self.schedule == "wsd" and self.warmup_steps + self.decay_steps(steps) > steps:
            raise ValueError(
                f"optimizer.decay_share {self.decay_share:g} of budget.steps {steps} leaves no room"
                f" for the warm-up of {self.warmup_steps}"
            )
        peak = self.lr_scale(batch_size) * max(
            self.lr, self.muon_lr if self.kind == "muon" else 0.0
        )
        if peak * self.weight_decay >= 1.0:
            raise ValueError(
                f"optimizer.weight_decay {self.weight_decay:g} times the learning rate {peak:g}"
                " takes away all of a weight in one step"
            )
