"""One optimizer step: exact means over micro batches and processes, precisions, compiling."""

import math

import pytest
import torch
from matches_for_tests import matched

from trainer_core.data.batches.gather import IGNORED, Batch
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig, OptimizerConfig
from trainer_core.train import scaler
from trainer_core.train.compute import Compute
from trainer_core.train.optim import make_optimizer
from trainer_core.train.step import TrainStep

TINY = ModelConfig(vocab_size=31, context_length=8, n_layer=1, n_head=2, n_embd=8, match_input=True)
CPU = torch.device("cpu")


def make_batch(rows=4, *, documents=False, ignored=()):
    generator = torch.Generator().manual_seed(3)
    inputs, targets, following = (
        torch.randint(0, 31, (rows, 8), generator=generator) for _ in range(3)
    )
    for row, start in ignored:
        targets[row, start:] = IGNORED
    lengths = torch.randint(0, 9, (rows, 8), generator=generator)
    return Batch(
        inputs,
        targets,
        matched(following, lengths),
        torch.arange(8).div(3, rounding_mode="floor").expand(rows, 8) if documents else None,
        n_targets=int((targets != IGNORED).sum()),
    )


def make_step(micro_batch_size=4, *, precision="fp32", model=TINY, clip_norm=0.0, world=None):
    built = Transformer(model, torch.Generator().manual_seed(0))
    optimizer = make_optimizer(built, OptimizerConfig(clip_norm=clip_norm, lr=1e-2))
    step = TrainStep(built, optimizer, Compute(CPU, precision, ""), micro_batch_size, world)
    return step, built, optimizer


def kept_gradients(optimizer, monkeypatch, model):
    """The gradients as the optimizer is given them."""
    kept = {}
    guarded_step = optimizer.guarded_step

    def keep(*arguments):
        kept.update({name: p.grad.clone() for name, p in model.named_parameters()})
        return guarded_step(*arguments)

    monkeypatch.setattr(optimizer, "guarded_step", keep)
    return kept


@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("micro_batch_size", [1, 2, 4])
def test_the_gradient_is_the_mean_over_all_targets_whatever_the_micro_batches(
    monkeypatch, micro_batch_size, documents
):
    batch = make_batch(documents=documents, ignored=((0, 1), (1, 6)))
    step, model, optimizer = make_step(micro_batch_size)
    kept = kept_gradients(optimizer, monkeypatch, model)
    loss, norm = step(batch, 1.0)

    reference = Transformer(TINY, torch.Generator().manual_seed(0))
    losses = reference.loss(batch.inputs, batch.targets, batch.matches, batch.documents)
    mean = losses[batch.targets != IGNORED].mean()
    mean.backward()
    expected = {name: p.grad for name, p in reference.named_parameters()}
    torch.testing.assert_close(loss, mean.detach())
    torch.testing.assert_close(kept, expected, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(norm, torch.nn.utils.get_total_norm(expected.values()))


def test_two_processes_add_up_to_the_mean_of_the_whole_batch(monkeypatch):
    """Each has half of the rows and other numbers of targets; what wraps them averages."""
    batch = make_batch(ignored=((0, 1), (1, 6)))
    step, model, optimizer = make_step()
    whole = kept_gradients(optimizer, monkeypatch, model)
    step(batch, 1.0)

    class Half:
        size = 2

        def sum_(self, tensor):
            return tensor

    halves = []
    for rows in (slice(0, 2), slice(2, 4)):
        step, model, optimizer = make_step(2, world=Half())
        halves.append(kept_gradients(optimizer, monkeypatch, model))
        step(batch.rows(rows), 1.0)
    mean = {name: (halves[0][name] + halves[1][name]) / 2 for name in whole}
    torch.testing.assert_close(mean, whole, atol=1e-6, rtol=1e-4)


def test_a_batch_without_any_target_changes_nothing_but_decay():
    batch = make_batch(ignored=[(row, 0) for row in range(4)])
    step, _, _ = make_step()
    loss, norm = step(batch, 1.0)
    assert loss == 0 and norm == 0


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precisions_learn_like_fp32(precision):
    batch = make_batch()
    losses = {}
    for kind in ("fp32", precision):
        step, _, _ = make_step(2, precision=kind, clip_norm=1.0)
        losses[kind] = [step(batch, 1.0)[0].item() for _ in range(30)]
    assert losses["fp32"][-1] < losses["fp32"][0] - 1
    assert max(abs(a - b) for a, b in zip(*losses.values(), strict=True)) < 0.15


# --- the loss scale of fp16 -----------------------------------------------------------------------


def test_a_scale_that_is_too_high_is_halved_until_steps_are_taken_and_is_no_fault():
    batch = make_batch()
    step, model, _ = make_step(precision="fp16")
    step._scaler.scale.fill_(2.0**40)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    loss, norm = step(batch, 1.0)
    assert math.isfinite(loss) and norm == 0
    assert step._scaler.scale == 2.0**39
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    for _ in range(40):
        loss, norm = step(batch, 1.0)
    assert norm > 0 and loss < 3.3
    assert step._scaler.scale < 2.0**30


def test_the_scale_grows_when_nothing_has_overflowed_for_long(monkeypatch):
    monkeypatch.setattr(scaler, "GROWTH_STEPS", 3)
    step, _, _ = make_step(precision="fp16")
    step._scaler.scale.fill_(8.0)
    scales = []
    for _ in range(7):
        step(make_batch(), 1.0)
        scales.append(step._scaler.scale.item())
    assert scales == [8, 8, 16, 16, 16, 32, 32]


def test_an_overflow_that_no_scale_can_prevent_is_told():
    lifted = scaler.LossScaler(CPU)
    lifted.scale.fill_(scaler.FLOOR)
    norm = lifted.update(torch.tensor(2.0), torch.tensor(math.inf))
    assert norm == math.inf and lifted.scale == scaler.FLOOR


def test_a_loss_that_is_no_number_leaves_the_scale_alone():
    lifted = scaler.LossScaler(CPU)
    norm = lifted.update(torch.tensor(math.nan), torch.tensor(math.nan))
    assert math.isnan(norm) and lifted.scale == scaler.FIRST_SCALE


def test_the_scale_goes_on_from_a_checkpoint():
    batch = make_batch()
    step, _, _ = make_step(precision="fp16")
    step._scaler.scale.fill_(2.0**40)
    step(batch, 1.0)
    again, _, _ = make_step(precision="fp16")
    again.restore({name: tensor.clone() for name, tensor in step.state_tensors().items()})
    assert again._scaler.scale == 2.0**39
    fp32, _, _ = make_step()
    assert fp32.state_tensors() == {}
    fp32.restore(step.state_tensors())  # a run whose precision was changed


# --- compiling ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_compiled_steps_are_the_same_and_the_trial_changes_nothing():
    batch = make_batch()
    eager, _, _ = make_step(2)
    compiled, model, _ = make_step(2)
    before = torch.get_rng_state()
    assert compiled.compile(batch) == ""
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in model.parameters())
    for _ in range(3):
        ours, theirs = compiled(batch, 1.0), eager(batch, 1.0)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    torch._dynamo.reset()


def test_what_cannot_be_compiled_is_computed_without(monkeypatch, caplog):
    def broken(*_arguments, **_options):
        raise OSError(8, "Exec format error")

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", broken)
    batch = make_batch()
    step, _, _ = make_step(2)
    other, _, _ = make_step(2)
    assert step.compile(batch) == "OSError: [Errno 8] Exec format error"
    assert "could not be compiled" in caplog.messages[-1]
    assert step(batch, 1.0) == other(batch, 1.0)
