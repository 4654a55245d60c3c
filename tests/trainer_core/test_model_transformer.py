import msgspec
import pytest
import torch
from matches_for_tests import matched
from torch.nn import functional

from trainer_core.model.cache import KVCache
from trainer_core.model.transformer import Transformer
from trainer_core.presets import parameter_count
from trainer_core.spec import ModelConfig

PLAIN = ModelConfig(vocab_size=61, context_length=24, n_layer=2, n_head=4, n_embd=32)
VARIANTS = {
    "plain": PLAIN,
    "match": msgspec.structs.replace(PLAIN, match_input=True),
    "grouped": msgspec.structs.replace(PLAIN, n_kv_head=2, match_input=True),
    "untied": msgspec.structs.replace(PLAIN, tie_embeddings=False, n_inner=48),
    "gpt2": msgspec.structs.replace(PLAIN, family="gpt2", match_input=True),
    "gpt2 of the 48 h settings": msgspec.structs.replace(
        PLAIN, family="gpt2", tie_embeddings=False, qkv_bias=False, dropout=0.1
    ),
    "qwen3": msgspec.structs.replace(PLAIN, family="qwen3", head_dim=12, n_kv_head=2),
    "hearth": msgspec.structs.replace(PLAIN, family="hearth", match_input=True),
    "deepnet": msgspec.structs.replace(PLAIN, residual_scaling="deepnet", match_input=True),
    "deepnet, gpt2": msgspec.structs.replace(PLAIN, family="gpt2", residual_scaling="deepnet"),
}


def build(config, seed=0, spread=True):
    """A model; `spread` gives it weights that make every input matter."""
    generator = torch.Generator().manual_seed(seed)
    model = Transformer(config, generator)
    if spread:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def random_input(config, batch=3, time=20, seed=1):
    generator = torch.Generator().manual_seed(seed)
    tokens, following, targets = (
        torch.randint(0, config.vocab_size, (batch, time), generator=generator) for _ in range(3)
    )
    length = torch.randint(0, config.match_length_max + 1, (batch, time), generator=generator)
    length[torch.rand(length.shape, generator=generator) < 0.4] = 0
    return tokens, following, length, targets


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def config(request):
    return request.param


def test_the_parameter_count_is_exact(config):
    assert sum(p.numel() for p in build(config).parameters()) == parameter_count(config)


def test_the_same_seed_gives_the_same_weights():
    first, second = (build(VARIANTS["match"], 7, spread=False) for _ in range(2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_plain_and_index_backed_models_share_their_first_weights():
    plain, match = (build(VARIANTS[name], 7, spread=False) for name in ("plain", "match"))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, match.state_dict()[name])


def test_a_future_token_never_changes_an_earlier_logit(config):
    model = build(config)
    tokens, following, length, _ = random_input(config)
    before = model(tokens, matched(following, length))
    tokens[:, 11:] = (tokens[:, 11:] + 1) % config.vocab_size
    assert torch.equal(before[:, :11], model(tokens, matched(following, length))[:, :11])


def test_a_future_match_never_changes_an_earlier_logit():
    model = build(VARIANTS["match"])
    tokens, following, length, _ = random_input(VARIANTS["match"])
    before = model(tokens, matched(following, length))
    following[:, 11:] = (following[:, 11:] + 1) % 61
    length[:, 11:] = 32 - length[:, 11:]
    after = model(tokens, matched(following, length))
    assert torch.equal(before[:, :11], after[:, :11])
    assert not torch.allclose(before[:, 11:], after[:, 11:])


def test_index_off_equals_lengths_of_zero():
    model = build(VARIANTS["match"])
    tokens, following, length, targets = random_input(VARIANTS["match"])
    none = torch.zeros_like(length)
    assert torch.equal(model(tokens), model(tokens, matched(following, none)))
    off = model.loss(tokens, targets)
    assert torch.allclose(off, model.loss(tokens, targets, matched(following, none)), atol=1e-6)


def test_the_loss_is_the_cross_entropy_of_the_logits(config):
    model = build(config)
    tokens, following, length, targets = random_input(config)
    targets[0] = following[0]
    logits = model(tokens, matched(following, length)).double()
    expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    found = model.loss(tokens, targets, matched(following, length))
    assert found.dtype == torch.float32
    assert torch.allclose(found.flatten().double(), expected, atol=2e-5)


def test_gradients_stay_finite_when_the_pointer_is_certain():
    model = build(VARIANTS["match"])
    with torch.no_grad():
        model.match.gate_length.fill_(9.0)  # log-odds of 216
    tokens, following, length, targets = random_input(VARIANTS["match"])
    targets[:2] = following[:2]
    model.loss(tokens, targets, matched(following, length)).mean().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters())


def test_the_cache_gives_what_reading_everything_gives(config):
    model = build(config)
    tokens, following, length, _ = random_input(config, time=24)
    with torch.no_grad():
        whole = model(tokens, matched(following, length))
        cache = KVCache(config, batch_size=3)
        parts = [
            model(tokens[:, a:b], matched(following[:, a:b], length[:, a:b]), cache)
            for a, b in ((0, 9), (9, 10), (10, 17), (17, 18), (18, 24))
        ]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_more_tokens_than_the_context_are_refused():
    model = build(PLAIN)
    with pytest.raises(ValueError, match="exceed the context of 24"):
        model(torch.zeros(1, 25, dtype=torch.int64))


def test_one_batch_is_learned_by_heart(config):
    torch.manual_seed(0)
    model = build(msgspec.structs.replace(config, dropout=0.0), spread=False).train()
    tokens, following, length, targets = random_input(config, batch=2, time=16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        loss = model.loss(tokens, targets, matched(following, length)).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_a_match_that_is_always_right_is_learned_faster_than_its_target():
    model = build(VARIANTS["match"], spread=False).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(40):
        tokens, following, length, _ = random_input(VARIANTS["match"], seed=step)
        length = length.clamp_min(1)
        optimizer.zero_grad()
        model.loss(tokens, following, matched(following, length)).mean().backward()
        optimizer.step()
    tokens, following, length, _ = random_input(VARIANTS["match"], seed=999)
    with torch.no_grad():
        loss = model.loss(tokens, following, matched(following, length.clamp_min(1))).mean().item()
    assert loss < 0.2  # random targets cost ln 61 = 4.1 without the match
