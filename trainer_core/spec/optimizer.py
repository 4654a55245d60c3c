"""How the weights are changed: the optimizer and the course of its learning rate."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import Fraction, Section


class OptimizerConfig(Section, frozen=True, kw_only=True):
    """The optimizer, and how its learning rate rises and falls.

    Source: AdamW is Loshchilov and Hutter's, "Decoupled weight decay regularization", 2019; Muon is
    Jordan et al.'s, 2024; Adafactor is Shazeer and Stern's, 2018.
    """

    kind: Literal["adamw", "muon", "adafactor"] = "adamw"
    """`muon` changes the matrices of the layers, and AdamW everything else."""
    lr: Annotated[float, Meta(gt=0.0, le=10.0)] = 3e-3
    """Peak learning rate. The default suits a few million parameters and batches of 4k tokens."""
    lr_scaling: Literal["fixed", "sqrt_batch"] = "fixed"
    """`sqrt_batch` multiplies `lr` and `muon_lr` by the square root of `budget.batch_size`."""
    muon_lr: Annotated[float, Meta(gt=0.0, le=10.0)] = 0.01
    """Peak learning rate of the matrices under Muon."""
    muon_momentum: Fraction = 0.95
    schedule: Literal["cosine", "wsd", "linear", "constant"] = "cosine"
    """What comes after the warm-up; `wsd` stays at the peak and then decays."""
    decay_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.2
    """Share of the run in which `wsd` decays."""
    lr_floor: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.1
    """Final learning rate as a share of the peak."""
    warmup_steps: Annotated[int, Meta(ge=0)] = 50
    weight_decay: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.1
    """Decay of matrices; norms and biases have none."""
    beta1: Fraction = 0.9
    beta2: Fraction = 0.95
    eps: Annotated[float, Meta(gt=0.0)] = 1e-8
    clip_norm: Annotated[float, Meta(ge=0.0)] = 1.0
    """Gradients are scaled down to this norm; 0 leaves them as they are."""
