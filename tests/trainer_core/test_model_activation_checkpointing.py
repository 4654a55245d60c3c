"""Computing activations again gives the same gradients, and needs less memory."""

import msgspec
import pytest
import torch
from torch.utils.checkpoint import checkpoint

from trainer_core.model import transformer
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig

SHAPE = ModelConfig(vocab_size=61, context_length=24, n_layer=3, n_head=4, n_embd=32)
CONFIGS = {
    "llama": SHAPE,
    "gpt2 with dropout": msgspec.structs.replace(SHAPE, family="gpt2", dropout=0.3),
    "hearth": msgspec.structs.replace(SHAPE, family="hearth", dropout=0.3),
}


def gradients(config, again, documents=None):
    model = Transformer(config, torch.Generator().manual_seed(0)).train()
    model.activation_checkpointing = again
    generator = torch.Generator().manual_seed(1)
    tokens, targets = (torch.randint(0, 61, (2, 24), generator=generator) for _ in range(2))
    torch.manual_seed(7)
    loss = model.loss(tokens, targets, documents=documents).mean()
    loss.backward()
    drawn_next = torch.rand(3)
    return {name: p.grad for name, p in model.named_parameters()} | {"next": drawn_next}


@pytest.mark.parametrize("documents", [None, torch.arange(24).expand(2, 24) // 9])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_gradients_and_the_random_state_are_as_without(config, documents):
    kept, again = gradients(config, False, documents), gradients(config, True, documents)
    for name, gradient in kept.items():
        assert torch.equal(gradient, again[name]), name


def test_every_block_is_computed_again_in_training_alone(monkeypatch):
    calls = []

    def counted(*args, **kwargs):
        calls.append(kwargs)
        return checkpoint(*args, **kwargs)

    monkeypatch.setattr(transformer, "checkpoint", counted)
    model = Transformer(SHAPE)
    model.activation_checkpointing = True
    tokens = torch.zeros(1, 8, dtype=torch.int64)
    model.eval()(tokens)
    with torch.no_grad():
        model.train()(tokens)
    assert calls == []
    model(tokens).sum().backward()
    assert calls == [{"use_reentrant": False}] * SHAPE.n_layer
