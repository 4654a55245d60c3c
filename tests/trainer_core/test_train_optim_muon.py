"""Muon against torch's own, and what it does to singular values."""

import pytest
import torch
from optim_for_tests import backward, run, small_net, small_transformer, state_of
from torch import nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim import make_optimizer, muon
from trainer_core.train.optim.muon import orthogonalised

CONFIG = OptimizerConfig(kind="muon", lr=1e-2, muon_lr=0.02, weight_decay=0.1, clip_norm=0.5)


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 16, 16)])
def test_the_update_equals_torchs(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for ours, matrix in zip(orthogonalised(matrices).float(), matrices, strict=True):
        parameter = nn.Parameter(torch.zeros_like(matrix))
        parameter.grad = matrix
        torch.optim.Muon([parameter], lr=1.0, weight_decay=0.0, momentum=0.0).step()
        theirs = -parameter.detach() / max(1.0, shape[1] / shape[2]) ** 0.5
        torch.testing.assert_close(ours, theirs, rtol=0.0, atol=0.02)  # bf16 has 8 bits


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8)])
def test_singular_values_become_one_and_their_vectors_stay(shape, monkeypatch):
    monkeypatch.setattr(muon, "_product_dtype", lambda device: torch.float32)
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    u, s, vt = torch.linalg.svd(orthogonalised(matrices), full_matrices=False)
    assert s.min() > 0.6 and s.max() < 1.25
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    exact = left @ right
    torch.testing.assert_close(orthogonalised(matrices), exact, rtol=0.0, atol=0.3)
    torch.testing.assert_close(u @ vt, exact, rtol=1e-3, atol=1e-3)


def test_a_matrix_of_zeros_stays_one():
    assert not orthogonalised(torch.zeros(2, 4, 6)).any()


@pytest.mark.parametrize("exact", [True, False])
def test_steps_equal_torchs_muon_and_adamw_with_its_clipping(exact, monkeypatch):
    if exact:  # both in float32, so that nothing but the order of sums is left
        monkeypatch.setattr(muon, "_product_dtype", lambda device: torch.float32)
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
    ours, theirs = small_net(), small_net()
    optimizer = make_optimizer(ours, CONFIG)
    matrices = [block.weight for block in theirs.blocks]
    rest = [p for p in theirs.parameters() if all(p is not matrix for matrix in matrices)]
    expected = [
        torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1, momentum=0.95),
        torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim == 2], "weight_decay": 0.1},
                {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=1e-2,
            betas=(0.9, 0.95),
        ),
    ]
    for step in range(1, 11):
        scale = 10.0 if step % 3 else 0.01
        optimizer.guarded_step(backward(ours, step, scale), 1.0)
        optimizer.zero_grad()
        backward(theirs, step, scale)
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        for one in expected:
            one.step()
            one.zero_grad()
    atol = 1e-5 if exact else 0.02
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=atol)
    state = state_of(ours, optimizer)
    for at, matrix in enumerate(matrices):
        momentum = expected[0].state[matrix]["momentum_buffer"]
        found = state[f"momentum_buffer/blocks.{at}.weight"]
        torch.testing.assert_close(found, momentum, rtol=1e-3, atol=1e-5 if exact else 1e-3)


def test_parts_of_a_fused_matrix_are_changed_as_if_they_stood_alone(monkeypatch):
    monkeypatch.setattr(muon, "_product_dtype", lambda device: torch.float32)
    model, shape = small_transformer(n_kv_head=2)
    before = model.blocks[1].attention.qkv.weight.detach().clone()
    config = OptimizerConfig(kind="muon", muon_lr=0.02, weight_decay=0.1, clip_norm=0.0)
    optimizer = make_optimizer(model, config)
    tokens = torch.randint(0, 19, (2, 16), generator=torch.Generator().manual_seed(3))
    loss = model.loss(tokens, tokens).mean()
    loss.backward()
    gradient = model.blocks[1].attention.qkv.weight.grad.clone()
    optimizer.guarded_step(loss.detach(), 1.0)
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
    width = shape.head_size
    parts = (shape.n_head * width, shape.kv_heads * width, shape.kv_heads * width)
    expected = []
    for weight, its in zip(before.split(parts), gradient.split(parts), strict=True):
        parameter = nn.Parameter(weight.clone())
        parameter.grad = its.clone()
        torch.optim.Muon([parameter], lr=0.02, weight_decay=0.1, momentum=0.95).step()
        expected.append(parameter.detach())
    found = model.blocks[1].attention.qkv.weight.detach()
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-3, atol=1e-5)
    momentum = optimizer.tensors(dict(model.named_parameters()))
    key = "momentum_buffer/blocks.1.attention.qkv.weight"
    torch.testing.assert_close(momentum[key], 0.05 * gradient)


def test_a_model_without_layers_is_left_to_adamw():
    net = nn.Linear(3, 2)
    optimizer = make_optimizer(net, CONFIG)
    assert {key.split("/")[0] for key in state_of(net, optimizer)} == {
        "exp_avg",
        "exp_avg_sq",
        "step",
    }


def test_both_rates_follow_the_schedule_and_the_batch():
    nets = small_net(), small_net()
    plain = OptimizerConfig(kind="muon", lr=0.02, muon_lr=0.04)
    scaled = OptimizerConfig(kind="muon", lr=0.01, muon_lr=0.02, lr_scaling="sqrt_batch")
    run(nets[0], make_optimizer(nets[0], plain, 4), [1, 2], factor=0.5)
    run(nets[1], make_optimizer(nets[1], scaled, 4), [1, 2], factor=0.5)
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(a, b)
