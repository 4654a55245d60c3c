"""AdamW as the loop uses it: decay groups, clipping, bad steps skipped, state by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainer_core.spec import OptimizerConfig


class GuardedAdamW(torch.optim.AdamW):
    """Fused AdamW that clips, and skips bad steps, without anyone waiting for the device.

    Matrices and embedding tables decay; norms, biases and gates do not.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019; the groups are
    nanoGPT's: whatever has two dimensions decays.
    """

    grad_scale: Tensor | None = None
    """What the kernel divides gradients by; this is how GradScaler, too, talks to it."""
    found_inf: Tensor | None = None
    """1 makes the kernel leave weights, moments and step counts alone."""

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        parameters = list(model.parameters())
        decays = [p for p in parameters if p.ndim >= 2]
        rest = [p for p in parameters if p.ndim < 2]
        groups = [
            {"params": decays, "weight_decay": config.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        super().__init__(
            [group for group in groups if group["params"]],
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            eps=config.eps,
            fused=True,
        )
        self._parameters = parameters
        self._clip_norm, self._peak_lr = config.clip_norm, config.lr

    @torch.no_grad()
    def guarded_step(self, loss: Tensor, factor: float, scale: Tensor | None = None) -> Tensor:
        """See `Optimizer`."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if scale is not None:
            norm = norm / scale
        finite = norm.isfinite() & loss.isfinite()
        self.grad_scale = (norm / self._clip_norm).clamp_min(1.0) if self._clip_norm else None
        if scale is not None:
            self.grad_scale = scale if self.grad_scale is None else self.grad_scale * scale
        self.found_inf = (~finite).float()
        for group in self.param_groups:
            group["lr"] = self._peak_lr * factor
        self.step()
        return norm

    def tensors(self, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state as `exp_avg/<name>`, `exp_avg_sq/<name>` and `step/<name>`.

        Args:
            names: The parameters by name.
        """
        return {
            f"{kind}/{name}": tensor
            for name, parameter in names.items()
            for kind, tensor in self.state.get(parameter, {}).items()
        }

    def restore(self, names: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave.

        Raises:
            KeyError: A tensor belongs to no parameter.
            ValueError: A tensor is of another shape than its parameter.
        """
        self.state.clear()
        for key, tensor in tensors.items():
            kind, name = key.split("/", 1)
            parameter = names[name]
            if kind != "step" and tensor.shape != parameter.shape:
                raise ValueError(f"{key} is {tuple(tensor.shape)}, not {tuple(parameter.shape)}")
            # A copy of its own: what the file gave may lie unaligned in its mapping.
            self.state[parameter][kind] = tensor.to(parameter.device, copy=True)
