"""AdamW by torch's fused kernel, which divides gradients and leaves out bad steps by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim.groups import decays
from trainer_core.train.optim.packing import Packing
from trainer_core.train.optim.sharding import shared_like


class AdamWRule:
    """AdamW; matrices and embedding tables decay, norms, biases and gates do not.

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
        matrices = [p for p in parameters if decays(p)]
        rest = [p for p in parameters if not decays(p)]
        self._groups: list[_Group] = []
        self._group_of: dict[nn.Parameter, _Group] = {}
        for members, decay in ((matrices, config.weight_decay), (rest, 0.0)):
            if members:
                group = _Group(Packing(members), decay)
                self._groups.append(group)
                self._group_of |= dict.fromkeys(members, group)
        self._step = torch.zeros((), device=parameters[0].device)

    def gradients(self) -> list[Tensor]:
        """See `Rule`."""
        for group in self._groups:
            group.gradients = group.packing.gradients()
        return [gradient for group in self._groups for gradient in group.gradients]

    def update(self, factor: float, divisor: Tensor | None, found_bad: Tensor) -> None:
        """See `Rule`."""
        config = self._config
        self._step += 1.0 - found_bad
        for group in self._groups:
            torch._fused_adamw_(
                group.packing.tensors,
                group.gradients,
                group.exp_avg,
                group.exp_avg_sq,
                [],
                [self._step] * len(group.gradients),
                lr=self._peak_lr * factor,
                beta1=config.beta1,
                beta2=config.beta2,
                weight_decay=group.weight_decay,
                eps=config.eps,
                amsgrad=False,
                maximize=False,
                grad_scale=divisor,
                found_inf=found_bad,
            )

    def state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """`exp_avg`, `exp_avg_sq` and `step`, as torch names them."""
        group = self._group_of[parameter]
        return {
            "exp_avg": group.packing.part(parameter, group.exp_avg),
            "exp_avg_sq": group.packing.part(parameter, group.exp_avg_sq),
            "step": self._step,
        }

    def put(self, parameter: nn.Parameter, state: Mapping[str, Tensor]) -> None:
        """See `Rule`."""
        for kind, own in self.state(parameter).items():
            own.copy_(shared_like(own, state[kind]))


class _Group:
    """Parameters that decay alike, and their moments."""

    def __init__(self, packing: Packing, weight_decay: float) -> None:
        self.packing, self.weight_decay = packing, weight_decay
        self.exp_avg = [torch.zeros_like(tensor) for tensor in packing.tensors]
        self.exp_avg_sq = [torch.zeros_like(tensor) for tensor in packing.tensors]
        self.gradients: list[Tensor] = []
