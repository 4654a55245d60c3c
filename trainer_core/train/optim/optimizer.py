"""What the loop asks of an optimizer: a guarded step, and its state by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from trainer_core.errors import CheckpointError
from trainer_core.train.optim.groups import gradients_of
from trainer_core.train.optim.sharding import whole


class Rule(Protocol):
    """How some of a model's parameters are updated from their gradients."""

    parameters: Sequence[nn.Parameter]

    def update(self, factor: float, divisor: Tensor | None, found_bad: Tensor) -> None:
        """Change the parameters.

        Args:
            factor: Share of the peak learning rates.
            divisor: What gradients are to be divided by, a scalar on the device; None is 1.
            found_bad: 1 leaves parameters and state as they are, 0 does not; on the device.
        """

    def state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """What is remembered about a parameter, by kind, each the optimizer's own or a copy."""

    def put(self, parameter: nn.Parameter, state: Mapping[str, Tensor]) -> None:
        """Remember what `state` gave."""

    def held(self) -> Iterable[Tensor]:
        """The tensors that its state stands in, none of them a copy."""


class Optimizer:
    """Updates the weights of one model by its rules, clipped, without waiting for the device.

    Args:
        rules: Together they have each parameter once.
        clip_norm: Gradients are scaled down to this norm in all; 0 leaves them as they are.
    """

    found_bad: Tensor
    """1 where the last step was left out because loss or gradient was no number, else 0; a float
    on the device."""

    def __init__(self, rules: Sequence[Rule], clip_norm: float) -> None:
        self._rules, self._clip_norm = rules, clip_norm
        self._owners = {p: rule for rule in rules for p in rule.parameters}
        self.found_bad = torch.zeros((), device=next(iter(self._owners)).device)

    @torch.no_grad()
    def guarded_step(self, loss: Tensor, factor: float, scale: Tensor | None = None) -> Tensor:
        """Clip the gradients and update the weights, unless loss or gradient is no number.

        In that case neither weights nor state change at all, and `found_bad` says so.

        Args:
            loss: The step's loss, a scalar on the device, the same on every rank.
            factor: Share of the peak learning rates at this step, from 0 to 1.
            scale: What the gradients have been multiplied by, a scalar on the device; None is 1.

        Returns:
            The gradients' total norm before clipping, a scalar on the device.
        """
        norm = whole(torch.nn.utils.get_total_norm(gradients_of([*self._owners])))
        if scale is not None:
            norm = norm / scale
        self.found_bad = (~(norm.isfinite() & loss.isfinite())).float()
        divisor = (norm / self._clip_norm).clamp_min(1.0) if self._clip_norm else None
        if scale is not None:
            divisor = scale if divisor is None else divisor * scale
        for rule in self._rules:
            rule.update(factor, divisor, self.found_bad)
        return norm

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._owners:
            parameter.grad = None

    def held(self) -> list[Tensor]:
        """The tensors that the state stands in, wherever the rules have it."""
        return [tensor for rule in self._rules for tensor in rule.held()]

    def tensors(self, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state as `<kind>/<name>`, for a checkpoint.

        Args:
            names: The parameters by name; what is no parameter of this optimizer is passed over.
        """
        return {
            f"{kind}/{name}": tensor
            for name, parameter in self._named(names)
            for kind, tensor in self._owners[parameter].state(parameter).items()
        }

    @torch.no_grad()
    def restore(self, names: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave; nothing at all means before the first step.

        Raises:
            CheckpointError: The state is another optimizer's or another model's.
        """
        if not tensors:
            return
        self._check(names, tensors)
        for name, parameter in self._named(names):
            rule = self._owners[parameter]
            kinds = rule.state(parameter)
            rule.put(parameter, {kind: tensors[f"{kind}/{name}"] for kind in kinds})

    def _named(self, names: Mapping[str, Tensor]) -> list[tuple[str, nn.Parameter]]:
        return [
            (name, tensor)
            for name, tensor in names.items()
            if isinstance(tensor, nn.Parameter) and tensor in self._owners
        ]

    def _check(self, names: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        wanted = {key: tuple(tensor.shape) for key, tensor in self.tensors(names).items()}
        found = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
        if wanted.keys() != found.keys():
            missing = sorted(wanted.keys() - found.keys())
            left = sorted(found.keys() - wanted.keys())
            fault = f"it lacks {missing[0]}" if missing else f"nothing here is called {left[0]}"
            raise _another(f"{fault}, so it is another optimizer's or model's")
        for key, shape in wanted.items():
            if found[key] != shape:
                raise _another(f"{key} is {found[key]}, not {shape}")
        if len({tensor.item() for key, tensor in tensors.items() if key.startswith("step/")}) > 1:
            raise _another("its parameters have gone different numbers of steps")


def _another(fault: str) -> CheckpointError:
    return CheckpointError(
        f"The optimizer's state in the checkpoint cannot be used: {fault}.",
        safe="Nothing was changed.",
        do="Go on with the settings that the run began with, or start a new run.",
        field="optimizer.kind",
    )
