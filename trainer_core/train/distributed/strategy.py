"""How a model is spread over the ranks of a run: a whole one on each, or a share on each."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer_core.model.transformer import Transformer
from trainer_core.spec import DistributedConfig
from trainer_core.train.distributed.world import World
from trainer_core.train.optim.sharding import is_sharded


def share_out(
    model: Transformer, world: World, config: DistributedConfig, device: torch.device
) -> None:
    """Leave each rank a share of the weights where `fsdp` is chosen; before there is an optimizer.

    Every layer is gathered when it computes. Weights stay in float32.

    Source: FSDP2, `torch.distributed.fsdp.fully_shard`.
    """
    if world.is_alone or config.strategy != "fsdp":
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (world.size,))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "loss")
    warnings.filterwarnings("ignore", "FSDP2-wrapped module")  # nobody changes a loss in place


def exchanging(module: nn.Module, world: World, config: DistributedConfig) -> nn.Module:
    """The module that a step calls, with gradients averaged over the ranks behind it."""
    if world.is_alone or config.strategy != "ddp":
        return module
    wrapper = nn.parallel.DistributedDataParallel
    known = inspect.signature(wrapper).parameters  # renamed in torch 2.13
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    options: dict[str, Any] = {buffers: False}  # they are the same everywhere
    return wrapper(module, **options)


def whole_model(model: Transformer, weights: Mapping[str, Tensor]) -> Transformer:
    """The model where this rank has all of it; else one of these weights, in main memory."""
    if not any(is_sharded(parameter) for parameter in model.parameters()):
        return model
    with torch.random.fork_rng(devices=[]):  # the training's own go on as they are
        found = Transformer(model.config)
    found.load_state_dict(dict(weights), strict=False)  # tensors that are shared stand once
    return found
