"""Documents in one row do not see each other, whichever kernel hides them."""

import msgspec
import pytest
import torch

from trainer_core.model import masks
from trainer_core.model.cache import KVCache
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig

SHAPE = ModelConfig(vocab_size=61, context_length=24, n_layer=2, n_head=4, n_embd=32)
FAMILIES = {
    "gpt2": msgspec.structs.replace(SHAPE, family="gpt2"),
    "llama": msgspec.structs.replace(SHAPE, n_kv_head=2),
    "qwen3": msgspec.structs.replace(SHAPE, family="qwen3"),
    "hearth": msgspec.structs.replace(SHAPE, family="hearth"),
    "deepnet": msgspec.structs.replace(SHAPE, residual_scaling="deepnet"),
}
DOCUMENTS = torch.tensor([[0] * 7 + [1] * 9 + [2] * 8, [0] * 1 + [1] * 20 + [2] * 3])


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES)
def model(request):
    generator = torch.Generator().manual_seed(0)
    model = Transformer(request.param, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def tokens_of(seed=1):
    return torch.randint(0, 61, (2, 24), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_changing_one_document_moves_no_other_documents_logits(model, changed):
    tokens = tokens_of()
    inside = changed == DOCUMENTS
    with torch.no_grad():
        before = model(tokens, documents=DOCUMENTS)
        after = model(torch.where(inside, (tokens + 1) % 61, tokens), documents=DOCUMENTS)
        unmasked = model(torch.where(inside, (tokens + 1) % 61, tokens))
    assert torch.equal(before[~inside], after[~inside])
    assert not torch.allclose(before[inside], after[inside])
    if changed < 2:
        assert not torch.allclose(before[~inside], unmasked[~inside])


def test_documents_read_apart_have_the_same_logits(model):
    """Learned positions begin anew with each document, and rotary ones are relative."""
    tokens = tokens_of()[:1]
    with torch.no_grad():
        together = model(tokens, documents=DOCUMENTS[:1])
        apart = torch.cat([model(tokens[:, a:b]) for a, b in ((0, 7), (7, 16), (16, 24))], 1)
    assert torch.allclose(together, apart, atol=1e-5)


def test_one_document_in_a_row_is_no_mask_at_all(model):
    with torch.no_grad():
        whole = model(tokens_of())
        masked = model(tokens_of(), documents=torch.zeros_like(DOCUMENTS))
    assert torch.allclose(whole, masked, atol=1e-5)


def test_a_cache_with_documents_is_refused(model):
    with pytest.raises(ValueError, match="which document"):
        model(tokens_of(), cache=KVCache(model.config, 2), documents=DOCUMENTS)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_sees_what_the_mask_shows(monkeypatch):
    monkeypatch.setattr(masks, "_compiled_flex_attention", lambda: masks.flex_attention)
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, 300, 16, generator=generator)
    k, v = (torch.randn(2, 2, 300, 16, generator=generator) for _ in range(2))
    documents = torch.rand(2, 300, generator=generator).lt(0.05).long().cumsum(1)
    with torch.no_grad():
        masked = masks.attend(q, k, v, masks.document_mask(documents), 0.0)
        flexed = masks.attend(q, k, v, masks.document_blocks(documents), 0.0)
    assert torch.allclose(masked, flexed, atol=1e-5)


@pytest.mark.parametrize("reason", ["a short context", "dropout"])
def test_the_mask_does_what_flex_attention_cannot(reason):
    dropout, time = (0.5, 512) if reason == "dropout" else (0.0, 128)
    config = msgspec.structs.replace(FAMILIES["llama"], context_length=time, dropout=dropout)
    model = Transformer(config, torch.Generator().manual_seed(0)).train()
    tokens, documents = torch.zeros(1, time, dtype=torch.int64), torch.arange(time)[None] // 100
    torch.manual_seed(0)
    plain = model(tokens, documents=documents)
    model.flex_attention = True
    torch.manual_seed(0)
    assert torch.equal(model(tokens, documents=documents), plain)
