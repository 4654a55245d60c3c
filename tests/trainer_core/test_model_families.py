"""Each family against its model in transformers: same weights, same batches, same numbers."""

import msgspec
import pytest
import torch

from trainer_core.export.native import native_config, native_weights
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig

transformers = pytest.importorskip("transformers")

SHAPE = ModelConfig(vocab_size=67, context_length=24, n_layer=3, n_head=4, n_embd=32)
FAMILIES = {
    "gpt2": msgspec.structs.replace(SHAPE, family="gpt2"),
    "gpt2 without qkv bias, untied": msgspec.structs.replace(
        SHAPE, family="gpt2", tie_embeddings=False, qkv_bias=False
    ),
    "gpt2, narrow inside": msgspec.structs.replace(SHAPE, family="gpt2", n_inner=40, norm_eps=1e-3),
    "llama": SHAPE,
    "llama, grouped, wide heads": msgspec.structs.replace(
        SHAPE, n_kv_head=2, head_dim=12, tie_embeddings=False, rope_theta=500.0
    ),
    "qwen3": msgspec.structs.replace(SHAPE, family="qwen3"),
    "qwen3, grouped, wide heads": msgspec.structs.replace(
        SHAPE, family="qwen3", n_kv_head=2, head_dim=12, tie_embeddings=False
    ),
}


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES)
def pair(request):
    """Our model and theirs, with the same weights, every one of which matters."""
    config = request.param
    generator = torch.Generator().manual_seed(0)
    ours = Transformer(config, generator)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return ours, build_theirs(ours)


def build_theirs(ours):
    facts = native_config(ours.config)
    theirs = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(**facts)
    )
    assert type(theirs).__name__ == facts["architectures"][0]
    missing, unexpected = theirs.load_state_dict(
        native_weights(ours.state_dict(), ours.config), strict=False
    )
    assert set(missing) <= ({"lm_head.weight"} if ours.config.tie_embeddings else set())
    assert not unexpected
    theirs.tie_weights()
    return theirs


def batches(config, count=3):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, config.vocab_size, (4, 24), generator=generator) for _ in range(count)]


def test_the_logits_are_theirs(pair):
    ours, theirs = pair
    for tokens in batches(ours.config):
        with torch.no_grad():
            assert torch.allclose(ours(tokens), theirs(tokens).logits, atol=1e-5, rtol=0)


def test_loss_and_gradients_are_theirs(pair):
    ours, theirs = pair
    for tokens in batches(ours.config):
        for model in pair:
            model.zero_grad()
        loss = ours.loss(tokens[:, :-1], tokens[:, 1:]).mean()
        their_loss = theirs(tokens, labels=tokens).loss
        loss.backward()
        their_loss.backward()
        assert loss.item() == pytest.approx(their_loss.item(), abs=1e-5)
        gradients = {name: p.grad for name, p in ours.named_parameters()}
        renamed = native_weights(gradients, ours.config)
        for name, parameter in theirs.named_parameters():
            if name.endswith("c_attn.bias") and not ours.config.qkv_bias:
                continue  # theirs has one, of zeros; ours has none
            assert torch.allclose(renamed[name], parameter.grad, atol=1e-5, rtol=0), name


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
def test_a_training_goes_the_same_way(name):
    """Five steps on the same batches: what differs in the last bits stays there."""
    ours = Transformer(FAMILIES[name], torch.Generator().manual_seed(0))
    theirs = build_theirs(ours)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.5) for model in (ours, theirs)]
    losses = []
    for tokens in batches(ours.config, 5):
        both = ours.loss(tokens[:, :-1], tokens[:, 1:]).mean(), theirs(tokens, labels=tokens).loss
        for loss, optimizer in zip(both, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(both[0].item())
        assert both[0].item() == pytest.approx(both[1].item(), abs=1e-5)
    assert losses[-1] != pytest.approx(losses[0], abs=1e-2)


def test_dropout_acts_in_training_alone():
    config = msgspec.structs.replace(FAMILIES["gpt2"], dropout=0.5)
    model = Transformer(config, torch.Generator().manual_seed(0))
    tokens = batches(config)[0]
    with torch.no_grad():
        trained = [model(tokens) for _ in range(2)]
        used = [model.eval()(tokens) for _ in range(2)]
    assert not torch.allclose(*trained)
    assert torch.equal(*used)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_deepnet_keeps_a_model_of_64_layers_trainable(family):
    """Gradients reach the first layer with about the strength they have in the last."""
    config = msgspec.structs.replace(
        FAMILIES[family], n_layer=64, n_head=2, n_embd=16, residual_scaling="deepnet"
    )
    model = Transformer(config, torch.Generator().manual_seed(0))
    tokens = batches(config)[0]
    model.loss(tokens[:, :-1], tokens[:, 1:]).mean().backward()
    norms = [model.blocks[layer].mlp.down.weight.grad.norm().item() for layer in (0, 63)]
    assert 0.05 < norms[0] / norms[1] < 20


def test_gpt2_starts_with_its_papers_weights():
    config = msgspec.structs.replace(FAMILIES["gpt2"], n_embd=256, n_layer=8)
    model = Transformer(config, torch.Generator().manual_seed(0))
    assert model.embed.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.blocks[3].attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    for added in (model.blocks[3].attention.out, model.blocks[3].mlp.down):
        assert added.weight.std().item() == pytest.approx(0.02 / 4, rel=0.02)  # √(2 · 8) = 4
        assert not added.bias.any()


def test_the_names_in_old_llama_checkpoints_still_hold():
    config = msgspec.structs.replace(SHAPE, n_layer=1, tie_embeddings=False)
    shapes = {name: tuple(value.shape) for name, value in Transformer(config).state_dict().items()}
    assert shapes == {
        "embed.weight": (67, 32),
        "blocks.0.attention_norm.weight": (32,),
        "blocks.0.attention.qkv.weight": (96, 32),
        "blocks.0.attention.out.weight": (32, 32),
        "blocks.0.mlp_norm.weight": (32,),
        "blocks.0.mlp.gate_up.weight": (192, 32),
        "blocks.0.mlp.down.weight": (32, 96),
        "norm.weight": (32,),
        "head.weight": (67, 32),
    }
