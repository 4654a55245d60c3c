"""Muon: momentum whose singular values are all made one, for the matrices of the layers.

Letters: N matrices of one shape, R rows, C columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.compute import cpu_multiplies_bf16
from trainer_core.train.optim.groups import gradients_of
from trainer_core.train.optim.sharding import is_sharded, shared_like, whole

_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5
_EPS = 1e-7


def orthogonalised(matrices: Tensor) -> Tensor:
    """Each of (N, R, C) with singular values near 1 and the same singular vectors.

    Five steps of a quintic Newton-Schulz iteration, in bf16 where the device multiplies it; they
    leave singular values between about 0.7 and 1.2, which trains as well as exact ones do.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    """
    x = matrices.to(_product_dtype(matrices.device))
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = x if wide else x.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(_EPS)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x if wide else x.mT


def _product_dtype(device: torch.device) -> torch.dtype:
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    fast = fast or (device.type == "cpu" and cpu_multiplies_bf16())
    return torch.bfloat16 if fast else torch.float32


class MuonRule:
    """Muon with Nesterov momentum and decoupled weight decay.

    The update of an (R, C) matrix is scaled by `max(1, R / C) ** 0.5`, as Jordan's and torch's
    are. The parts of a fused matrix count as matrices of their own, as Jordan advises for queries,
    keys and values: 5.19 nats against 5.24 when fused ones were taken whole, for the same time. All
    matrices of one shape are worked on at once.

    Under FSDP2 each rank gathers the gradients, has the momentum of all matrices, and changes its
    share of the weights.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.

    Args:
        matrices: On their device, where they stay, each with the rows of its parts.
        config: Momentum and decay.
        peak_lr: Peak learning rate.
    """

    def __init__(
        self,
        matrices: Mapping[nn.Parameter, tuple[int, ...]],
        config: OptimizerConfig,
        peak_lr: float,
    ) -> None:
        self.parameters: Sequence[nn.Parameter] = tuple(matrices)
        self._config, self._peak_lr, self._rows = config, peak_lr, matrices
        self._stacks: dict[tuple[int, int], _Stack] = {}
        for parameter, parts in matrices.items():
            start = 0
            for rows in parts:
                shape = rows, parameter.shape[1]
                self._stacks.setdefault(shape, _Stack()).parts.append((parameter, start, rows))
                start += rows
        for (rows, columns), stack in self._stacks.items():
            stack.scale = math.sqrt(max(1.0, rows / columns))
            stack.momentum = torch.zeros(
                len(stack.parts), rows, columns, device=self.parameters[0].device
            )

    def update(self, factor: float, divisor: Tensor | None, found_bad: Tensor) -> None:
        """See `Rule`."""
        lr, good = self._peak_lr * factor, 1.0 - found_bad
        torch._foreach_mul_([*self.parameters], 1.0 - lr * self._config.weight_decay * good)
        own = gradients_of(self.parameters)
        gradients = {p: whole(g) for p, g in zip(self.parameters, own, strict=True)}
        changes: dict[nn.Parameter, dict[int, Tensor]] = {}
        for stack in self._stacks.values():
            change = stack.change(gradients, self._config.muon_momentum, divisor, good)
            change *= -lr * stack.scale * good
            for (parameter, start, _), part in zip(stack.parts, change, strict=True):
                changes.setdefault(parameter, {})[start] = part
        for parameter, parts in changes.items():
            _add(parameter, parts)

    def state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """`momentum_buffer`, as torch names it, in the parameter's shape."""
        return {"momentum_buffer": torch.cat([part for _, part in self._momenta(parameter)])}

    def held(self) -> list[Tensor]:
        """See `Rule`."""
        return [stack.momentum for stack in self._stacks.values()]

    def put(self, parameter: nn.Parameter, state: Mapping[str, Tensor]) -> None:
        """See `Rule`."""
        for start, part in self._momenta(parameter):
            part.copy_(whole(state["momentum_buffer"])[start : start + len(part)])

    def _momenta(self, parameter: nn.Parameter) -> list[tuple[int, Tensor]]:
        """First row and momentum of each part, in order."""
        found = [
            (start, stack.momentum[at])
            for stack in self._stacks.values()
            for at, (owner, start, _) in enumerate(stack.parts)
            if owner is parameter
        ]
        return sorted(found, key=lambda part: part[0])


class _Stack:
    """Matrices of one shape, and their momentum, (N, R, C)."""

    scale: float
    momentum: Tensor

    def __init__(self) -> None:
        self.parts: list[tuple[nn.Parameter, int, int]] = []  # owner, first row, rows

    def change(
        self,
        gradients: Mapping[nn.Parameter, Tensor],
        beta: float,
        divisor: Tensor | None,
        good: Tensor,
    ) -> Tensor:
        """The direction to go, (N, R, C) float32; where `good` is 0 the momentum stays."""
        found = [gradients[owner].narrow(0, start, rows) for owner, start, rows in self.parts]
        gradient = torch.stack(found)
        if divisor is not None:
            gradient /= divisor
        gradient.nan_to_num_(0.0, 0.0, 0.0)  # a bad step's, which nothing comes of
        self.momentum.lerp_(gradient, (1.0 - beta) * good)
        return orthogonalised(gradient.lerp_(self.momentum, beta)).float()


def _add(parameter: nn.Parameter, parts: Mapping[int, Tensor]) -> None:
    """Add changes that begin at these rows, and together are as large as the parameter."""
    if is_sharded(parameter):
        change = torch.cat([part for _, part in sorted(parts.items(), key=lambda item: item[0])])
        parameter.add_(shared_like(parameter, change))
        return
    for start, part in parts.items():
        parameter.narrow(0, start, len(part)).add_(part)
