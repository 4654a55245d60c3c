"""Adafactor against torch's own, and how little it remembers."""

import torch
from optim_for_tests import backward, small_net, state_of
from torch import nn

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim import make_optimizer


def test_steps_and_state_equal_torchs_with_its_clipping():
    ours, theirs = small_net(), small_net()
    config = OptimizerConfig(kind="adafactor", lr=1e-2, weight_decay=0.1, clip_norm=0.5)
    optimizer = make_optimizer(ours, config)
    matrices = [p for p in theirs.parameters() if p.ndim >= 2]
    rest = [p for p in theirs.parameters() if p.ndim < 2]
    expected = torch.optim.Adafactor(
        [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=1e-2
    )
    for step in range(1, 11):
        factor = step / 10
        scale = 10.0 if step % 3 else 0.01
        optimizer.guarded_step(backward(ours, step, scale), factor)
        optimizer.zero_grad()
        backward(theirs, step, scale)
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        for group in expected.param_groups:
            group["lr"] = 1e-2 * factor
        expected.step()
        expected.zero_grad()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    state = state_of(ours, optimizer)
    for name, parameter in theirs.named_parameters():
        for kind, tensor in expected.state[parameter].items():
            torch.testing.assert_close(state.pop(f"{kind}/{name}"), tensor, rtol=1e-4, atol=1e-9)
    assert not state


def test_a_matrix_takes_a_row_and_a_column():
    net = small_net()
    optimizer = make_optimizer(net, OptimizerConfig(kind="adafactor"))
    state = state_of(net, optimizer)
    remembered = sum(t.numel() for key, t in state.items() if key.endswith("/wide.weight"))
    assert remembered == 4000 + 10 + 1
