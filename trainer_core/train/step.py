"""One optimizer step: its micro batches, the exact mean over its targets, and what is compiled.

Letters: B batch, T time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainer_core.data.batches.gather import Batch
from trainer_core.data.matches import MatchTensors
from trainer_core.model.transformer import Transformer
from trainer_core.train.compute import Compute
from trainer_core.train.distributed import World
from trainer_core.train.optim import Optimizer
from trainer_core.train.optim.sharding import is_sharded
from trainer_core.train.scaler import LossScaler

_log = logging.getLogger(__name__)


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
        self._loss_sum = LossSum(model)
        self.module: nn.Module = self._loss_sum
        self._optimizer, self._compute = optimizer, compute
        self._world = world or World()
        self._micro_batch_size = micro_batch_size
        self._scaler = LossScaler(compute.device) if compute.precision == "fp16" else None

    def compile(self, batch: Batch) -> str:
        """Compile the forward and backward passes, and try them on a batch.

        Whatever goes wrong, the steps are computed without it; nothing is changed by the trial.

        Args:
            batch: Of the shape of all that follow, on the compute's device.

        Returns:
            Why it could not be done; empty when it was.

        Raises:
            torch.OutOfMemoryError: The batch does not fit.
        """
        parts = self._compiled_parts()
        for part in parts:
            part.compile(dynamic=False)
        problem = ""
        devices = [self._compute.device] if self._compute.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices), self._world.holding(self.module):
                self._backward(batch.rows(slice(0, self._micro_batch_size)), 0.0, None)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - compilers fail in every way
            _log.warning("the training step could not be compiled", exc_info=True)
            cause = getattr(error, "inner_exception", error)  # what dynamo wraps
            problem = f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
        self._optimizer.zero_grad()
        failures = self._world.sum_(torch.tensor(float(bool(problem))))
        if failures:
            for part in parts:
                part._compiled_call_impl = None
            return problem or "Another process could not."
        return ""

    def _compiled_parts(self) -> list[nn.Module]:
        """The whole forward pass; or layer by layer where weights are gathered between them."""
        model = self._loss_sum.model
        is_whole = not any(is_sharded(parameter) for parameter in model.parameters())
        return [self._loss_sum] if is_whole else list(model.blocks)

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
