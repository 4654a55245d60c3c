"""A process of its own: steps with FSDP2's shards beside the same steps without."""

import sys
import warnings

import torch
import torch.distributed as dist
from optim_for_tests import backward, small_net, state_of
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from trainer_core.spec import OptimizerConfig
from trainer_core.train.optim import make_optimizer


def sharded_net():
    net = small_net()
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for block in net.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def check(kind):
    """Five steps, one of them bad, the state handed over after the second."""
    config = OptimizerConfig(kind=kind, lr=1e-2, weight_decay=0.1, clip_norm=0.5)
    plain, sharded = small_net(), sharded_net()
    expected, optimizer = make_optimizer(plain, config), make_optimizer(sharded, config)
    for step in range(1, 6):
        losses = backward(plain, step), backward(sharded, step)
        if step == 4:
            losses = (torch.tensor(torch.nan),) * 2
        norms = expected.guarded_step(losses[0], 1.0), optimizer.guarded_step(losses[1], 1.0)
        torch.testing.assert_close(*norms, rtol=1e-4, atol=1e-5)
        assert optimizer.found_bad.item() == (step == 4)
        expected.zero_grad()
        optimizer.zero_grad()
        if step == 2:
            state = {key: tensor.clone() for key, tensor in state_of(plain, expected).items()}
            optimizer.restore(dict(sharded.named_parameters()), state)
    atol = 1e-3 if kind == "muon" else 1e-5  # bf16, where the last bit turns
    for a, b in zip(plain.parameters(), sharded.parameters(), strict=True):
        torch.testing.assert_close(a.detach(), b.full_tensor().detach(), rtol=1e-3, atol=atol)


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    rank, world_size, store = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    shared = dist.FileStore(store, world_size)
    dist.init_process_group("gloo", store=shared, rank=rank, world_size=world_size)
    check("adamw")
    check("muon")
    dist.destroy_process_group()
