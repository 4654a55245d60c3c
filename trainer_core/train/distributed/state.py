"""A training's tensors as one checkpoint, whatever the ranks: gathered to rank 0, given to all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor

from trainer_core.train.distributed.world import World
from trainer_core.train.optim.sharding import is_sharded, whole

RANDOM = "random/"
"""Prefix of the states of random numbers among the optimizer's tensors in a checkpoint."""


def whole_on_main(world: World, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with every rank's share on rank 0, and none elsewhere.

    Those that ranks share out are gathered one at a time, in main memory.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        gathered = whole(tensor.detach())
        if world.is_main:
            found[name] = gathered.cpu() if is_sharded(tensor) else tensor
    return found


def seed_randomness(world: World, seed: int) -> None:
    """Give each rank random numbers of its own; rank 0 has those of a single process."""
    torch.manual_seed(seed + world.rank)


def random_states(world: World, device: torch.device) -> dict[str, Tensor]:
    """The states of all ranks on rank 0: `random/cpu` is its own, `random/1/cpu` the next one's."""
    found = {f"{RANDOM}{_prefix(r)}cpu": s for r, s in _gathered(world, torch.get_rng_state())}
    if device.type == "cuda":
        states = _gathered(world, torch.cuda.get_rng_state())
        found |= {f"{RANDOM}{_prefix(rank)}cuda": state for rank, state in states}
    return found


def restore_random(world: World, device: torch.device, states: Mapping[str, Tensor]) -> None:
    """Put back this rank's states; a rank that was not there then keeps what it has.

    Args:
        world: Of this run, which may be another size.
        device: Of this rank.
        states: What `random_states` gave.
    """
    prefix = f"{RANDOM}{_prefix(world.rank)}"
    if f"{prefix}cpu" in states:
        torch.set_rng_state(states[f"{prefix}cpu"])
    if device.type == "cuda" and f"{prefix}cuda" in states:
        torch.cuda.set_rng_state(states[f"{prefix}cuda"])


def _prefix(rank: int) -> str:
    return f"{rank}/" if rank else ""


def _gathered(world: World, state: Tensor) -> list[tuple[int, Tensor]]:
    return list(enumerate(world.gather(state)))


@dataclass(frozen=True)
class Restored:
    """What a checkpoint gives a training back.

    Attributes:
        facts: What is no tensor, as JSON.
        weights: By name.
        tensors: The optimizer's and all others, by name.
    """

    facts: bytes
    weights: dict[str, Tensor]
    tensors: dict[str, Tensor]


class _Sent(msgspec.Struct):
    """What rank 0 says before it sends tensors: names with types and shapes."""

    facts: bytes
    weights: dict[str, tuple[str, tuple[int, ...]]]
    tensors: dict[str, tuple[str, tuple[int, ...]]]


def given_to_all(world: World, found: Restored | None) -> Restored | None:
    """What rank 0 found, on every rank; its machine alone has the checkpoint."""
    if world.is_alone:
        return found
    said = b""
    if found is not None:
        sent = _Sent(found.facts, _shapes(found.weights), _shapes(found.tensors))
        said = msgspec.msgpack.encode(sent)
    said = world.told(said)
    if not said:
        return None
    sent = msgspec.msgpack.decode(said, type=_Sent)
    return Restored(
        sent.facts,
        _received(world, sent.weights, found.weights if found else {}),
        _received(world, sent.tensors, found.tensors if found else {}),
    )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {
        name: (str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }


def _received(
    world: World, shapes: Mapping[str, tuple[str, tuple[int, ...]]], own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, (dtype, shape) in shapes.items():
        kind: Any = getattr(torch, dtype)
        tensor = own[name].contiguous() if name in own else torch.empty(shape, dtype=kind)
        found[name] = world.tell_(tensor)
    return found
