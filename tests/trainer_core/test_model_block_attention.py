"""Attention in blocks of queries against torch's own."""

import pytest
import torch
from torch.nn import functional

from trainer_core.model import block_attention
from trainer_core.model.block_attention import attend_in_blocks, fits_blocks
from trainer_core.model.masks import attend, document_mask


def heads(t, kv_heads=4, dtype=torch.bfloat16):
    generator = torch.Generator().manual_seed(t)
    shapes = [(2, 4, t, 8), (2, kv_heads, t, 8), (2, kv_heads, t, 8)]
    return [torch.randn(*s, generator=generator).to(dtype).requires_grad_() for s in shapes]


def gradients(function, q, k, v):
    y = function(q, k, v)
    found = torch.autograd.grad(y.float().square().sum(), (q, k, v))
    return [y.detach().float(), *(gradient.float() for gradient in found)]


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("t", [2, 64, 65, 300, 512])
def test_output_and_gradients_are_those_of_torch(t, kv_heads):
    ours = gradients(lambda q, k, v: attend(q, k, v, None, 0.0), *heads(t, kv_heads))
    exact = gradients(
        lambda q, k, v: functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, enable_gqa=True
        ),
        *(part.detach().float().requires_grad_() for part in heads(t, kv_heads)),
    )
    for got, wanted in zip(ours, exact, strict=True):
        assert (got - wanted).abs().max() < 0.03 * wanted.abs().max()


def test_documents_are_kept_apart(monkeypatch):
    monkeypatch.setattr(block_attention, "BLOCK_MIN", 4)
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2, 2], [0] * 9])
    q, k, v = heads(9)
    mask = document_mask(documents)
    y = attend_in_blocks(q, k, v, mask).float()
    exact = functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), mask)
    assert torch.allclose(y, exact, atol=0.03)


@pytest.mark.parametrize(
    ("q", "k"),
    [
        (torch.zeros(1, 1, 8, 4), torch.zeros(1, 1, 8, 4)),  # float32 is as fast in torch
        (torch.zeros(1, 1, 1, 4).bfloat16(), torch.zeros(1, 1, 8, 4).bfloat16()),  # a cache
        (torch.zeros(1, 1, 513, 4).bfloat16(), torch.zeros(1, 1, 513, 4).bfloat16()),
        (torch.zeros(999, 1, 500, 1).bfloat16(), torch.zeros(999, 1, 500, 1).bfloat16()),
    ],
)
def test_everything_else_is_left_to_torch(q, k):
    assert not fits_blocks(q, k)
