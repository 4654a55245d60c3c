"""AdamW by torch's fused kernel, which divides gradients and leaves out bad steps by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim.groups import by_decay, gradients_of
from trainer_core.train.optim.sharding import shared_like


class AdamWRule:
    """AdamW; matrices and embedding tables decay, norms, biases and gates do not.

    The kernel is called directly: on one core, torch's optimizer takes 0.30 ms for 26 small tensors
    of 218 thousand numbers in all, this 0.20 ms, and one flat tensor would take 0.19 ms.

    All parameters count their steps together, since all get a gradient in each step.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.

    Args:
        parameters: On their device, where they stay.
        config: Betas, epsilon and decay.
        peak_lr: Peak learning rate.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], config: OptimizerConfig, peak_lr: float
    ) -> None:
        self.parameters = parameters
        self._config, self._peak_lr = config, peak_lr
        self._groups = by_decay(parameters, config.weight_decay)
        self._exp_avg = {p: torch.zeros_like(p) for p in parameters}
        self._exp_avg_sq = {p: torch.zeros_like(p) for p in parameters}
        self._step = torch.zeros((), device=parameters[0].device)

    def update(self, factor: float, divisor: Tensor | None, found_bad: Tensor) -> None:
        """See `Rule`."""
        config = self._config
        self._step += 1.0 - found_bad
        for members, weight_decay in self._groups:
            torch._fused_adamw_(
                [*members],
                gradients_of(members),
                [self._exp_avg[p] for p in members],
                [self._exp_avg_sq[p] for p in members],
                [],
                [self._step] * len(members),
                lr=self._peak_lr * factor,
                beta1=config.beta1,
                beta2=config.beta2,
                weight_decay=weight_decay,
                eps=config.eps,
                amsgrad=False,
                maximize=False,
                grad_scale=divisor,
                found_inf=found_bad,
            )

    def state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """`exp_avg`, `exp_avg_sq` and `step`, as torch names them."""
        return {
            "exp_avg": self._exp_avg[parameter],
            "exp_avg_sq": self._exp_avg_sq[parameter],
            "step": self._step,
        }

    def held(self) -> list[Tensor]:
        """See `Rule`."""
        return [*self._exp_avg.values(), *self._exp_avg_sq.values()]

    def put(self, parameter: nn.Parameter, state: Mapping[str, Tensor]) -> None:
        """See `Rule`."""
        for kind, own in self.state(parameter).items():
            own.copy_(shared_like(own, state[kind]))
