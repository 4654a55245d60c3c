"""What all optimizers have in common: guarded steps, groups, and a state that comes back."""

import math
import subprocess
import sys

import pytest
import torch
from optim_for_tests import backward, copy_of, run, small_net, small_transformer, state_of
from torch import nn

from trainer_core.errors import CheckpointError
from trainer_core.spec import OptimizerConfig, labels
from trainer_core.train.checkpoints.checkpoint import weights_of
from trainer_core.train.optim import make_optimizer, state_tensors
from trainer_core.train.optim.groups import decays, hidden_matrices

KINDS = ["adamw", "muon", "adafactor"]


def config_of(kind, **settings):
    return OptimizerConfig(kind=kind, lr=1e-2, weight_decay=0.1, warmup_steps=3, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["loss", "gradient", "small gradient"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("first", [True, False])
def test_a_step_with_a_bad_number_changes_nothing(kind, where, value, first):
    net = small_net()
    optimizer = make_optimizer(net, config_of(kind))
    if not first:
        run(net, optimizer, [1, 2])
        assert optimizer.found_bad == 0.0
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in state_of(net, optimizer).items()}
    loss = backward(net, 3)
    if where == "loss":
        loss = torch.tensor(value)
    else:
        spoilt = net.blocks[0] if where == "gradient" else net.norm
        spoilt.weight.grad[-1] = value
    optimizer.guarded_step(loss, 1.0)
    assert optimizer.found_bad == 1.0
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())
    after = state_of(net, optimizer)
    assert all(torch.equal(after[name], state[name]) for name in state)
    optimizer.zero_grad()
    run(net, optimizer, [4])
    assert optimizer.found_bad == 0.0
    assert not torch.equal(net.blocks[0].weight, before["blocks.0.weight"])


@pytest.mark.parametrize("kind", KINDS)
def test_scaled_gradients_take_the_same_step(kind):
    plain, scaled = small_net(), small_net()
    optimizers = [make_optimizer(net, config_of(kind, clip_norm=0.5)) for net in (plain, scaled)]
    scale = torch.tensor(1024.0)
    for step in range(1, 6):
        loss = backward(plain, step)
        norm = optimizers[0].guarded_step(loss, 1.0)
        backward(scaled, step, 1024.0)
        same = optimizers[1].guarded_step(loss, 1.0, scale)
        assert same.item() == pytest.approx(norm.item(), rel=1e-5)
        for optimizer in optimizers:
            optimizer.zero_grad()
    for a, b in zip(plain.parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_clipping_makes_large_gradients_equal(kind):
    nets = small_net(), small_net()
    for net, scale in zip(nets, (1e3, 1e5), strict=True):
        optimizer = make_optimizer(net, config_of(kind, clip_norm=0.1))
        norm = optimizer.guarded_step(backward(net, 1, scale), 1.0)
        assert norm > 0.1
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_comes_back_bit_for_bit(kind):
    config = config_of(kind)
    net = small_net()
    optimizer = make_optimizer(net, config)
    run(net, optimizer, [1, 2])
    other = copy_of(net)
    second = make_optimizer(other, config)
    saved = {name: tensor.clone() for name, tensor in state_of(net, optimizer).items()}
    second.restore(dict(other.named_parameters()), saved)
    run(net, optimizer, [3, 4])
    run(other, second, [3, 4])
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    again = state_of(other, second)
    assert all(torch.equal(again[k], v) for k, v in state_of(net, optimizer).items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_from_before_the_first_step_comes_back(kind):
    net, other = small_net(), small_net()
    optimizer, second = (make_optimizer(n, config_of(kind)) for n in (net, other))
    second.restore(dict(other.named_parameters()), state_of(net, optimizer))
    third = copy_of(net)
    none = make_optimizer(third, config_of(kind))
    none.restore(dict(third.named_parameters()), {})
    for model, its in ((net, optimizer), (other, second), (third, none)):
        run(model, its, [1])
    assert torch.equal(net.head.weight, other.head.weight)
    assert torch.equal(net.head.weight, third.head.weight)


def changed(tensors, how):
    name = next(key for key in tensors if not key.startswith("step/"))
    match how:
        case "missing":
            return {key: tensor for key, tensor in tensors.items() if key != name}
        case "unknown":
            return tensors | {"exp_avg/other.weight": torch.zeros(2)}
        case "shape":
            return tensors | {name: torch.zeros(2)}
    step = next(key for key in tensors if key.startswith("step/"))
    return tensors | {step: torch.tensor(9.0)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["missing", "unknown", "shape", "steps"])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(kind, how):
    net = small_net()
    optimizer = make_optimizer(net, config_of(kind))
    run(net, optimizer, [1])
    before = {key: tensor.clone() for key, tensor in state_of(net, optimizer).items()}
    with pytest.raises(CheckpointError, match="cannot be used"):
        optimizer.restore(dict(net.named_parameters()), changed(before, how))
    after = state_of(net, optimizer)
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_state_of_another_kind_is_refused(kind, other):
    net = small_net()
    tensors = state_of(net, make_optimizer(net, config_of(other)))
    optimizer = make_optimizer(net, config_of(kind))
    if kind == other:
        optimizer.restore(dict(net.named_parameters()), tensors)
        return
    with pytest.raises(CheckpointError, match="another optimizer") as caught:
        optimizer.restore(dict(net.named_parameters()), tensors)
    assert caught.value.field == "optimizer.kind"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("match_input", [False, True])
def test_the_tensors_of_a_checkpoint_are_known_without_a_model(kind, match_input):
    model, shape = small_transformer(match_input=match_input)
    optimizer = make_optimizer(model, OptimizerConfig(kind=kind))
    real = optimizer.tensors(weights_of(model))
    known = state_tensors(shape, OptimizerConfig(kind=kind))
    assert list(known) == list(real)
    assert all(known[key].shape == tensor.shape for key, tensor in real.items())
    assert all(known[key].dtype == tensor.dtype for key, tensor in real.items())


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "hearth"])
def test_matrices_decay_and_norms_biases_and_gates_do_not(family):
    model, _ = small_transformer(family=family, match_input=True)
    tables = [m.weight for m in model.modules() if isinstance(m, nn.Linear | nn.Embedding)]
    for name, parameter in model.named_parameters():
        assert decays(parameter) is any(parameter is table for table in tables), name
    assert not decays(torch.zeros(1, 32)) and not decays(torch.zeros(32, 1))


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "hearth"])
def test_muon_changes_the_matrices_of_the_layers_part_by_part(family):
    heads = 0 if family == "gpt2" else 2
    model, shape = small_transformer(family=family, n_kv_head=heads, match_input=True)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {names[id(p)]: parts for p, parts in hidden_matrices(model).items()}
    assert all(name.startswith("blocks.") for name in found)
    rest = [name for name in names.values() if name not in found and name.startswith("blocks.")]
    assert all(model.get_parameter(name).ndim < 2 for name in rest)
    width = shape.head_size
    query, key = shape.n_head * width, shape.kv_heads * width
    assert found["blocks.1.attention.qkv.weight"] == (query, key, key)
    assert len(found["blocks.1.attention.out.weight"]) == 1
    assert len(found["blocks.1.mlp.down.weight"]) == 1
    for name, parts in found.items():
        assert sum(parts) == len(model.get_parameter(name))
        if name.endswith("gate_up.weight"):
            assert parts == (shape.inner, shape.inner)


def test_a_parameter_without_a_gradient_has_one_of_zero():
    for kind in KINDS:
        net = small_net()
        optimizer = make_optimizer(net, config_of(kind, clip_norm=0.0))
        run(net, optimizer, [1])
        loss = backward(net, 2)
        for parameter in net.parameters():
            parameter.grad = None
        optimizer.guarded_step(loss, 1.0)
        assert optimizer.found_bad == 0.0
        assert all(parameter.isfinite().all() for parameter in net.parameters())


def test_a_frozen_parameter_stays():
    for kind in KINDS:
        net = small_net()
        net.blocks[0].weight.requires_grad_(False)
        before = net.blocks[0].weight.clone()
        optimizer = make_optimizer(net, config_of(kind))
        run(net, optimizer, [1, 2])
        assert torch.equal(net.blocks[0].weight, before)


def test_every_setting_has_a_label_and_a_source():
    found = labels(OptimizerConfig)
    assert set(found) == set(OptimizerConfig.__struct_fields__)
    for label in found.values():
        assert label.title and len(label.title) < 40
        assert label.description.endswith(".")
        assert label.source


def test_labels_are_read_without_torch():
    code = "import sys, trainer_core.spec as s; s.labels(s.OptimizerConfig); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
