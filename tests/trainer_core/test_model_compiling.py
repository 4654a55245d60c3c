"""Forward and backward of every family are one graph each, so that a compiler sees all of it."""

import msgspec
import pytest
import torch
from matches_for_tests import matched

from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig

SHAPE = ModelConfig(vocab_size=61, context_length=24, n_layer=2, n_head=4, n_embd=32)
CONFIGS = {
    "gpt2": {"family": "gpt2"},
    "llama, grouped, index-backed": {"n_kv_head": 2, "match_input": True},
    "qwen3": {"family": "qwen3"},
    "hearth, index-backed": {"family": "hearth", "match_input": True},
    "deepnet": {"residual_scaling": "deepnet"},
}


def gradients(config, *, compiled, again, documents):
    torch.compiler.reset()
    model = Transformer(config, torch.Generator().manual_seed(0)).train()
    model.activation_checkpointing = again
    generator = torch.Generator().manual_seed(1)
    tokens, targets, following = (
        torch.randint(0, 61, (2, 24), generator=generator) for _ in range(3)
    )
    matches = matched(following, torch.arange(24).expand(2, 24) % 5)
    loss_of = model.loss
    if compiled:  # the graphs are captured and split, but run as they are: no compiler is needed
        loss_of = torch.compile(loss_of, backend="aot_eager", fullgraph=True)
    loss_of(tokens, targets, matches, documents).mean().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def same_gradients(changes, **how):
    config = msgspec.structs.replace(SHAPE, **changes)
    plain, graph = (gradients(config, compiled=compiled, **how) for compiled in (False, True))
    assert plain.keys() == graph.keys()
    for name, gradient in plain.items():
        assert torch.allclose(gradient, graph[name], atol=1e-6), name


@pytest.mark.slow
@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_the_graph_is_whole_and_its_gradients_are_the_same(changes):
    same_gradients(changes, again=False, documents=None)


@pytest.mark.slow
def test_activations_computed_again_and_documents_are_part_of_the_graph():
    documents = torch.arange(24).expand(2, 24) // 9
    same_gradients(CONFIGS["hearth, index-backed"], again=True, documents=documents)
