"""AdamW against torch's own."""

import pytest
import torch
from optim_for_tests import backward, run, small_net, state_of
from torch import nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim import make_optimizer

CONFIG = OptimizerConfig(lr=1e-2, weight_decay=0.1, clip_norm=0.5, warmup_steps=3)


def reference(net, parameters=None):
    """torch's AdamW with the same settings."""
    parameters = list(parameters or net.parameters())
    matrices = [p for p in parameters if p.ndim >= 2]
    rest = [p for p in parameters if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-8, foreach=False)


def test_steps_equal_torchs_with_its_clipping():
    ours, theirs = small_net(), small_net()
    optimizer, expected = make_optimizer(ours, CONFIG), reference(theirs)
    for step in range(1, 21):
        factor = step / 20
        scale = 10.0 if step % 3 else 0.01  # clipped and not clipped
        norm = optimizer.guarded_step(backward(ours, step, scale), factor)
        optimizer.zero_grad()
        backward(theirs, step, scale)
        theirs_norm = nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        for group in expected.param_groups:
            group["lr"] = 1e-2 * factor
        expected.step()
        expected.zero_grad()
        assert norm.item() == pytest.approx(theirs_norm.item(), rel=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


def test_the_state_has_torchs_names_and_numbers():
    ours, theirs = small_net(), small_net()
    optimizer, expected = make_optimizer(ours, OptimizerConfig(clip_norm=0.0)), reference(theirs)
    optimizer.guarded_step(backward(ours, 1, 1000.0), 1.0)
    backward(theirs, 1, 1000.0)
    expected.step()
    state = state_of(ours, optimizer)
    for name, parameter in theirs.named_parameters():
        for kind, tensor in expected.state[parameter].items():
            torch.testing.assert_close(state.pop(f"{kind}/{name}"), tensor, rtol=1e-5, atol=1e-9)
    assert not state


def test_the_rate_is_scaled_with_the_batch():
    nets = small_net(), small_net()
    configs = (
        OptimizerConfig(lr=0.04),
        OptimizerConfig(lr=0.01, lr_scaling="sqrt_batch"),
    )
    for net, config in zip(nets, configs, strict=True):
        run(net, make_optimizer(net, config, batch_size=16), [1, 2])
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(a, b)


def test_gradients_of_micro_batches_add_up():
    net, expected = small_net(), small_net()
    optimizer = make_optimizer(net, CONFIG)
    run(net, optimizer, [1])
    expected.load_state_dict(net.state_dict())
    for step in (2, 3):
        backward(net, step)
        backward(expected, step)
    norm = optimizer.guarded_step(torch.zeros(()), 1.0)
    theirs = nn.utils.get_total_norm([p.grad for p in expected.parameters()])
    assert norm.item() == pytest.approx(theirs.item(), rel=1e-6)
