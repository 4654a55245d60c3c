import pytest
import torch
from torch.nn import functional

from trainer_core.model import cross_entropy
from trainer_core.model.cross_entropy import linear_cross_entropy

N, C, V = 37, 12, 50


def inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(N, C, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(V, C, generator=generator, dtype=dtype).requires_grad_()
    return hidden, weight, torch.randint(0, V, (N,), generator=generator)


def reference(hidden, weight, targets):
    return functional.cross_entropy(hidden @ weight.t(), targets, reduction="none")


@pytest.fixture(params=["kept", "computed again", "filled up", "filled up and again"])
def small_pieces(request, monkeypatch):
    kept = 0 if "again" in request.param else N * V
    multiple = 8 if "filled" in request.param else 1
    limits = cross_entropy.Limits(8 * V, kept, multiple)
    monkeypatch.setitem(cross_entropy.LIMITS, "cpu", limits)
    monkeypatch.setattr(cross_entropy, "ROWS_MIN", 1)


@pytest.mark.usefixtures("small_pieces")
def test_loss_and_gradients_are_the_textbooks_whatever_weighs_the_tokens():
    weights = torch.randn(N, generator=torch.Generator().manual_seed(1))
    results = []
    for function in (linear_cross_entropy, reference):
        hidden, weight, targets = inputs()
        loss = function(hidden, weight, targets)
        (loss * weights).sum().backward()
        results.append((loss, hidden.grad, weight.grad))
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.usefixtures("small_pieces")
def test_a_hopeless_target_has_a_finite_loss_and_gradient():
    hidden, weight, targets = inputs()
    with torch.no_grad():
        hidden *= 1000
    loss = linear_cross_entropy(hidden, weight, targets)
    loss.mean().backward()
    assert loss.isfinite().all()
    assert hidden.grad.isfinite().all()
    assert weight.grad.isfinite().all()


@pytest.mark.usefixtures("small_pieces")
def test_tokens_without_a_target_cost_nothing_and_teach_nothing():
    hidden, weight, targets = inputs()
    targets[[0, 7, 8, 36]] = -100
    loss = linear_cross_entropy(hidden, weight, targets)
    loss.sum().backward()
    ours = loss.detach(), hidden.grad, weight.grad
    hidden, weight, _ = inputs()
    expected = functional.cross_entropy(
        hidden @ weight.t(), targets, reduction="none", ignore_index=-100
    )
    expected.sum().backward()
    for got, wanted in zip(ours, (expected.detach(), hidden.grad, weight.grad), strict=True):
        assert torch.allclose(got, wanted, atol=1e-5)
    assert (ours[0][[0, 7, 8, 36]] == 0).all()


@pytest.mark.usefixtures("small_pieces")
def test_in_bf16_pieces_are_summed_in_full_precision():
    """Every gradient is as near to the exact one as a single product in bf16 is."""
    hidden, weight, targets = inputs()
    reference(hidden, weight, targets).mean().backward()
    exact = weight.grad.clone()
    weight.grad = None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        linear_cross_entropy(hidden, weight, targets).mean().backward()
    assert (weight.grad - exact).abs().max() < 0.02 * exact.abs().max()


def test_nothing_is_kept_without_gradients():
    hidden, weight, targets = inputs()
    with torch.no_grad():
        loss = linear_cross_entropy(hidden, weight, targets)
    assert not loss.requires_grad
    assert torch.allclose(loss, reference(hidden, weight, targets), atol=1e-5)


def test_under_autocast_the_loss_and_the_gradients_are_in_full_precision():
    hidden, weight, targets = inputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = linear_cross_entropy(hidden, weight, targets)
    loss.mean().backward()
    assert (loss.dtype, hidden.grad.dtype, weight.grad.dtype) == (torch.float32,) * 3
    assert torch.allclose(loss, reference(hidden, weight, targets), atol=0.1)
