"""Adafactor, which remembers a row and a column for each matrix; torch's own, guarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim.groups import by_decay, gradients_of


class AdafactorRule:
    """torch's Adafactor; matrices and tables decay, norms, biases and gates do not.

    Its rate is relative: a step changes a matrix by `min(lr, 1 / sqrt(step))` of its root mean
    square, at least by that of 0.001. It asks the device for several numbers of each parameter and
    step, so it is the only one here that makes the host wait; that a step is bad is asked likewise.

    Source: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost",
    2018; betas and epsilons are theirs.

    Args:
        parameters: On their device, where they stay.
        config: Decay.
        peak_lr: Peak of the relative learning rate.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], config: OptimizerConfig, peak_lr: float
    ) -> None:
        self.parameters, self._peak_lr = parameters, peak_lr
        groups = by_decay(parameters, config.weight_decay)
        self._torchs = torch.optim.Adafactor(
            [{"params": members, "weight_decay": decay} for members, decay in groups]
        )
        for parameter in parameters:
            self._torchs.state[parameter] = _first_state(parameter)

    def update(self, factor: float, divisor: Tensor | None, found_bad: Tensor) -> None:
        """See `Rule`."""
        if found_bad.item():
            return
        if divisor is not None:
            torch._foreach_div_(gradients_of(self.parameters), divisor)
        for group in self._torchs.param_groups:
            group["lr"] = self._peak_lr * factor
        self._torchs.step()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """`row_var` and `col_var` or `variance`, and `step`, as torch names them."""
        return dict(self._torchs.state[parameter])

    def held(self) -> list[Tensor]:
        """See `Rule`."""
        return [each for p in self.parameters for each in self._torchs.state[p].values()]

    def put(self, parameter: nn.Parameter, state: Mapping[str, Tensor]) -> None:
        """See `Rule`."""
        for kind, own in self.state(parameter).items():
            own.copy_(state[kind])


def _first_state(parameter: nn.Parameter) -> dict[str, Tensor]:
    """What torch would make at the first step; made here so that its size is known before."""
    step = torch.zeros(())  # torch keeps it on the host
    if parameter.ndim < 2:
        return {"step": step, "variance": torch.zeros_like(parameter)}
    rows, columns = [*parameter.shape], [*parameter.shape]
    rows[-1], columns[-2] = 1, 1
    return {
        "step": step,
        "row_var": parameter.new_zeros(rows),
        "col_var": parameter.new_zeros(columns),
    }
