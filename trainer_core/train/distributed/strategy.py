"""How a model is spread over the ranks of a run: a whole one on each, or a share on each."""

from __future__ import annotations

from torch import nn

from trainer_core.model.transformer import Transformer
from trainer_core.spec import DistributedConfig
from trainer_core.train.compute import Compute
from trainer_core.train.distributed.world import World


def share_out(model: Transformer, world: World, config: DistributedConfig) -> None:
    """Leave each rank a share of the weights where `fsdp` is chosen; before there is an optimizer.

    Every layer is gathered when it computes. Weights stay in float32.

    Source: FSDP2, `torch.distributed.fsdp.fully_shard`.
    """
    if world.is_alone or config.strategy != "fsdp":
        return
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for block in model.blocks:
        fully_shard(block)
    fully_shard(model)
    register_fsdp_forward_method(model, "loss")


def exchanging(
    module: nn.Module, world: World, config: DistributedConfig, compute: Compute
) -> nn.Module:
    """The module that a step calls, with gradients averaged over the ranks behind it."""
    if world.is_alone or config.strategy != "ddp":
        return module
    devices = None if compute.device.type == "cpu" else [world.local_rank]
    return nn.parallel.DistributedDataParallel(
        module, device_ids=devices, gradient_as_bucket_view=False, broadcast_buffers=False
    )
