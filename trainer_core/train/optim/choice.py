"""Which optimizer a training gets, and what its checkpoints will hold."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer_core.model.transformer import Transformer
from trainer_core.model.undrawn import shapes_alone
from trainer_core.spec import ModelConfig, OptimizerConfig
from trainer_core.train.optim.adafactor import AdafactorRule
from trainer_core.train.optim.adamw import AdamWRule
from trainer_core.train.optim.groups import hidden_matrices
from trainer_core.train.optim.muon import MuonRule
from trainer_core.train.optim.optimizer import Optimizer, Rule


def make_optimizer(model: nn.Module, config: OptimizerConfig, batch_size: int = 1) -> Optimizer:
    """The optimizer of a training.

    It comes after the model was moved to its device and, with several processes, after FSDP2.

    Args:
        model: On its device.
        config: Which one, and its settings.
        batch_size: Sequences in one step over all devices, for `lr_scaling`.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    scale = config.lr_scale(batch_size)
    lr = config.lr * scale
    rules: list[Rule] = []
    with torch.no_grad():
        if config.kind == "adafactor":
            return Optimizer([AdafactorRule(parameters, config, lr)], config.clip_norm)
        matrices = {p: n for p, n in hidden_matrices(model).items() if p.requires_grad}
        if config.kind == "muon" and matrices:
            rules.append(MuonRule(matrices, config, config.muon_lr * scale))
            parameters = [p for p in parameters if p not in matrices]
        if parameters:
            rules.append(AdamWRule(parameters, config, lr))
    return Optimizer(rules, config.clip_norm)


def state_tensors(model: ModelConfig, config: OptimizerConfig) -> dict[str, Tensor]:
    """The optimizer's tensors in a checkpoint, by name, without their numbers."""
    with shapes_alone():
        shape = Transformer(model)
        optimizer = make_optimizer(shape, config)
        return optimizer.tensors(dict(shape.named_parameters()))
