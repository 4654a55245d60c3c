"""The optimizer and the schedule against their references."""

import math

import pytest
import torch
from torch import nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim import GuardedAdamW
from trainer_core.train.schedule import lr_at

CONFIG = OptimizerConfig(lr=1e-2, weight_decay=0.1, clip_norm=0.5, warmup_steps=3)


def small_net():
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 3))


def backward(net, step, scale=1.0):
    random = torch.Generator().manual_seed(step)
    x, y = torch.randn(16, 6, generator=random), torch.randn(16, 3, generator=random)
    loss = scale * (net(x) - y).square().mean()
    loss.backward()
    return loss.detach()


def reference(net):
    matrices = [p for p in net.parameters() if p.ndim >= 2]
    rest = [p for p in net.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-8, foreach=False)


def test_steps_equal_torchs_adamw_with_its_clipping():
    ours, theirs = small_net(), small_net()
    optimizer, expected = GuardedAdamW(ours, CONFIG), reference(theirs)
    for step in range(1, 21):
        lr = lr_at(step, 20, CONFIG)
        scale = 10.0 if step % 3 else 0.01  # clipped and not clipped
        norm = optimizer.guarded_step(backward(ours, step, scale), lr / CONFIG.lr)
        optimizer.zero_grad()
        backward(theirs, step, scale)
        theirs_norm = nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        for group in expected.param_groups:
            group["lr"] = lr
        expected.step()
        expected.zero_grad()
        assert norm.item() == pytest.approx(theirs_norm.item(), rel=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=1e-6)


def test_without_clipping_the_gradient_enters_as_it_is():
    net = small_net()
    optimizer = GuardedAdamW(net, OptimizerConfig(clip_norm=0.0))
    optimizer.guarded_step(backward(net, 1, 1000.0), 1.0)
    moment = optimizer.state[net[0].weight]["exp_avg"]
    torch.testing.assert_close(moment, 0.1 * net[0].weight.grad)


@pytest.mark.parametrize("where", ["loss", "gradient"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_step_with_a_bad_number_changes_nothing(where, value):
    net = small_net()
    optimizer = GuardedAdamW(net, CONFIG)
    optimizer.guarded_step(backward(net, 1), 1.0)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = {k: v.clone() for k, v in optimizer.tensors(dict(net.named_parameters())).items()}
    optimizer.zero_grad()
    loss = backward(net, 2)
    if where == "loss":
        loss = torch.tensor(value)
    else:
        net[3].weight.grad[1, 2] = value
    optimizer.guarded_step(loss, 1.0)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    after = optimizer.tensors(dict(net.named_parameters()))
    assert all(torch.equal(after[k], state[k]) for k in state)


def test_the_state_comes_back_bit_for_bit():
    net = small_net()
    optimizer = GuardedAdamW(net, CONFIG)
    for step in (1, 2):
        optimizer.guarded_step(backward(net, step), 1.0)
        optimizer.zero_grad()
    other = small_net()
    other.load_state_dict(net.state_dict())
    second = GuardedAdamW(other, CONFIG)
    second.restore(dict(other.named_parameters()), optimizer.tensors(dict(net.named_parameters())))
    for step in (3, 4):
        optimizer.guarded_step(backward(net, step), 1.0)
        second.guarded_step(backward(other, step), 1.0)
        optimizer.zero_grad()
        second.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_a_state_of_another_shape_is_refused():
    net = small_net()
    names = dict(net.named_parameters())
    with pytest.raises(ValueError, match=r"exp_avg/0\.weight"):
        GuardedAdamW(net, CONFIG).restore(names, {"exp_avg/0.weight": torch.zeros(2)})


def test_the_learning_rate_rises_to_the_peak_and_falls_to_the_floor():
    config = OptimizerConfig(lr=1.0, lr_floor=0.1, warmup_steps=4)
    assert [lr_at(step, 12, config) for step in (1, 2, 4)] == [0.25, 0.5, 1.0]
    assert lr_at(8, 12, config) == pytest.approx(0.55)  # half of the cosine
    assert lr_at(12, 12, config) == pytest.approx(0.1)
    falling = [lr_at(step, 12, config) for step in range(4, 13)]
    assert falling == sorted(falling, reverse=True)


def test_the_cosine_equals_torchs():
    config = OptimizerConfig(lr=0.5, lr_floor=0.2, warmup_steps=0)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=0.1)
    for step in range(1, 11):
        optimizer.step()
        schedule.step()
        assert lr_at(step, 10, config) == pytest.approx(schedule.get_last_lr()[0])
