"""One optimizer step: its micro batches, the exact mean over its targets, and what is compiled.

Letters: B batch, T time.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainer_core.data.batches import Batch
from trainer_core.data.matches import MatchTensors
from trainer_core.model.transformer import Transformer
from trainer_core.train.compute import Compute
from trainer_core.train.distributed import World
from trainer_core.train.optim import Optimizer
from trainer_core.train.scaler import LossScaler


class LossSum(nn.Module):
    """What is compiled, and wrapped for several devices: a micro batch in, its summed loss out.

    A sum, so that micro batches and processes with different numbers of targets add up to the exact
    mean.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        matches: MatchTensors | None,
        documents: Tensor | None,
    ) -> Tensor:
        """Nats over all targets that are not ignored, a float32 scalar; arguments as `Batch`'s."""
        return self.model.loss(inputs, targets, matches, documents).sum()


class TrainStep:
    """Forward, backward, clip, update. Nothing waits for the device.

    Args:
        model: On the compute's device.
        optimizer: Of this model.
        compute: Device and precision.
        micro_batch_size: Sequences that are worked on at once; divides the batch.
        world: The processes that share each batch; their gradients are averaged by whatever wraps
            `module`.
    """

    def __init__(
        self,
        model: Transformer,
        optimizer: Optimizer,
        compute: Compute,
        micro_batch_size: int,
        world: World | None = None,
    ) -> None:
        self.module: nn.Module = LossSum(model)
        self._optimizer, self._compute = optimizer, compute
        self._world = world or World()
        self._micro_batch_size = micro_batch_size
        self._scaler = LossScaler(compute.device) if compute.precision == "fp16" else None

    def __call__(self, batch: Batch, factor: float) -> tuple[Tensor, Tensor]:
        """Do the step.

        Args:
            batch: This process's share, on the compute's device.
            factor: Share of the peak learning rate.

        Returns:
            The mean loss in nats per target and the gradient norm before clipping, scalars on the
            device. The norm is 0 in a step that was skipped because the scale of fp16 was too high.
        """
        scale = None if self._scaler is None else self._scaler.scale
        weight = 1 / max(1, batch.n_targets)
        loss = torch.zeros((), device=self._compute.device)
        *parts, last = batch.parts(self._micro_batch_size)
        for part in parts:
            with self._world.holding(self.module):
                loss += self._backward(part, weight, scale)
        loss += self._backward(last, weight, scale)
        self._world.sum_(loss)
        norm = self._optimizer.guarded_step(loss, factor, scale)
        self._optimizer.zero_grad()
        if self._scaler is not None:
            norm = self._scaler.update(loss, norm)
        return loss, norm

    def _backward(self, part: Batch, weight: float, scale: Tensor | None) -> Tensor:
        """Add the gradients of a micro batch; its share of the step's mean loss."""
        with self._compute.autocast():
            total = self.module(part.inputs, part.targets, part.matches, part.documents)
        loss: Tensor = total * weight
        # What averages gradients over processes takes their sum apart again.
        goal = loss * self._world.size
        (goal if scale is None else goal * scale).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def state_tensors(self) -> dict[str, Tensor]:
        """What a checkpoint must keep besides weights and optimizer."""
        return {} if self._scaler is None else self._scaler.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `state_tensors` gave; another precision's state is left alone.

        Raises:
            KeyError: A tensor is missing.
        """
        if self._scaler is not None and tensors:
            self._scaler.restore(tensors)
