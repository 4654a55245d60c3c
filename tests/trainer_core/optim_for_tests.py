"""Small models with layers by the names that optimizers look for, and steps of them."""

import torch
from torch import nn

from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig


class SmallNet(nn.Module):
    """Three layers, a table, a norm and a head; one matrix is much larger than the others."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 6)
        self.blocks = nn.ModuleList([nn.Linear(6, 10), nn.Linear(10, 6), nn.Linear(6, 10)])
        self.norm = nn.LayerNorm(10)
        self.wide = nn.Linear(10, 4000)
        self.head = nn.Linear(4000, 3, bias=False)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = torch.tanh(block(x))
        return self.head(torch.tanh(self.wide(self.norm(x))))


def small_net():
    torch.manual_seed(7)
    return SmallNet()


def backward(net, step, scale=1.0):
    """The gradients of a step; its loss."""
    random = torch.Generator().manual_seed(step)
    x = torch.randint(0, 5, (16,), generator=random)
    y = torch.randn(16, 3, generator=random)
    loss = scale * (net(x) - y).square().mean()
    loss.backward()
    return loss.detach()


def run(net, optimizer, steps, factor=1.0):
    for step in steps:
        optimizer.guarded_step(backward(net, step), factor)
        optimizer.zero_grad()


def copy_of(net):
    other = small_net()
    other.load_state_dict(net.state_dict())
    return other


def state_of(net, optimizer):
    return optimizer.tensors(dict(net.named_parameters()))


def small_transformer(**settings):
    """A model and its shape."""
    shape = ModelConfig(
        vocab_size=19, context_length=16, n_layer=2, n_head=4, n_embd=32, **settings
    )
    return Transformer(shape, torch.Generator().manual_seed(1)), shape
