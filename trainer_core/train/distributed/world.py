"""The processes that train together, as the loop sees them: one alone, or several that agree."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer_core.job import Wanted

T = TypeVar("T")

AGREE_PERIOD_S = 0.25
"""About how often the processes of a run exchange their wishes."""
AGREE_STEPS_MAX = 32
"""Steps between two exchanges at most, in case steps become much slower all at once."""
_CODES: tuple[Wanted, ...] = ("", "pause", "stop")


class Wishes(NamedTuple):
    """What is asked of a training from outside or by the clock, so that ranks might differ in it.

    Attributes:
        wanted: Whether to end.
        save: Whether to save a checkpoint and go on.
        validate: Whether held-out text is due to be measured.
        hold: Whether to free the device and wait.
        change: Whether to change the plan.
    """

    wanted: Wanted = ""
    save: bool = False
    validate: bool = False
    hold: bool = False
    change: bool = False


NO_WISHES = Wishes()


class World:
    """The processes of a run and this one's place among them.

    A world of one exchanges nothing: every method returns at once what it was given. All others
    are collective: each rank calls them in the same order.

    Args:
        rank: This process, from 0.
        size: How many there are.
        local_rank: This process among those on its machine; the number of its GPU.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank
        self._pending = NO_WISHES
        self._period, self._calls = 1, 0
        self._agreed_s = time.perf_counter()

    @property
    def is_main(self) -> bool:
        """Whether this process owns the job folder, the journal and the socket."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    # --- shares ---------------------------------------------------------------------------------

    def share(self, rows: int) -> slice:
        """This rank's rows of a batch of so many, which `size` divides."""
        own = rows // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def deal(self, items: Sequence[T]) -> list[tuple[T, bool]]:
        """This rank's items, as many as every other rank has, and whether each one counts.

        Where the items do not come out even, some ranks get one that does not count: a sharded
        model is computed by all ranks together or not at all.
        """
        rounds = -(-len(items) // self.size)
        places = [turn * self.size + self.rank for turn in range(rounds)]
        return [(items[at % len(items)], at < len(items)) for at in places]

    # --- exchanges ------------------------------------------------------------------------------

    def sum_(self, tensor: Tensor) -> Tensor:
        """The tensor, added up over the ranks in place; on a GPU nobody waits for it."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def barrier(self) -> None:
        """Wait until every rank is here."""
        if self.size > 1:
            dist.all_reduce(torch.zeros(()))

    def told(self, data: bytes) -> bytes:
        """What rank 0 gives; the others' bytes do not matter."""
        if self.size == 1:
            return data
        length = torch.tensor(len(data))
        dist.broadcast(length, 0)
        text = bytearray(data) if self.is_main else bytearray(int(length))
        if text:
            dist.broadcast(torch.frombuffer(text, dtype=torch.uint8), 0)
        return bytes(text)

    def tell_(self, tensor: Tensor) -> Tensor:
        """The tensor with rank 0's values in it."""
        if self.size > 1:
            dist.broadcast(tensor, 0)
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The CPU tensors of all ranks, in their order, on rank 0; empty on the others."""
        if self.size == 1:
            return [tensor]
        found = [torch.empty_like(tensor) for _ in range(self.size)] if self.is_main else None
        dist.gather(tensor, found, 0)
        return found or []

    # --- agreement ------------------------------------------------------------------------------

    def agree(self, wishes: Wishes, *, now: bool = False) -> Wishes:
        """What all ranks do from here on: whatever any of them wishes for.

        Called at each step by every rank. Wishes are exchanged a few times a second and wait until
        then, so that they cost nothing; a device is never waited for.

        Args:
            wishes: Of this rank, new since the last call.
            now: Exchange them in this very call; given by every rank or by none.
        """
        if self.size == 1:
            return wishes
        self._pending = _either(self._pending, wishes)
        self._calls += 1
        if self._calls < self._period and not now:
            return NO_WISHES
        mine, self._pending = self._pending, NO_WISHES
        period = self._next_period() if self.is_main else 0
        code = _CODES.index(mine.wanted)
        figures = torch.tensor([code, *mine[1:], period])
        dist.all_reduce(figures, dist.ReduceOp.MAX)
        code, *others, self._period = figures.tolist()
        self._calls, self._agreed_s = 0, time.perf_counter()
        return Wishes(_CODES[code], *map(bool, others))

    def agree_to_end(self, wanted: Wanted) -> Wanted:
        """Whether any rank is asked to end, exchanged in this very call by every rank.

        Whatever else is wished for goes on waiting for its turn in `agree`.
        """
        if self.size == 1:
            return wanted
        code = max(_CODES.index(wanted), _CODES.index(self._pending.wanted))
        figure = torch.tensor(code)
        dist.all_reduce(figure, dist.ReduceOp.MAX)
        return _CODES[int(figure)]

    def _next_period(self) -> int:
        """Calls until the next exchange; grows slowly, since the next steps may be slower."""
        each_s = (time.perf_counter() - self._agreed_s) / max(self._calls, 1)
        wanted = int(AGREE_PERIOD_S / max(each_s, 1e-6))
        return max(1, min(wanted, 2 * self._period, AGREE_STEPS_MAX))

    # --- gradients ------------------------------------------------------------------------------

    def holding(self, module: nn.Module) -> contextlib.AbstractContextManager[Any]:
        """Within it, gradients stay with this rank: more micro batches of the step follow.

        It must span the forward pass as well as the backward pass.
        """
        if self.size == 1:
            return contextlib.nullcontext()
        if isinstance(module, nn.parallel.DistributedDataParallel):
            return module.no_sync()
        return _unsynchronised(module)


@contextlib.contextmanager
def _unsynchronised(module: nn.Module) -> Iterator[None]:
    """Have the sharded parts of a module keep their gradients to themselves."""
    from torch.distributed.fsdp import FSDPModule

    roots = [part for part in module.modules() if isinstance(part, FSDPModule)][:1]
    for root in roots:  # the first one reaches those within it
        root.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        for root in roots:
            root.set_requires_gradient_sync(True)


def _either(a: Wishes, b: Wishes) -> Wishes:
    wanted = max(a.wanted, b.wanted, key=_CODES.index)
    return Wishes(wanted, *(mine or other for mine, other in zip(a[1:], b[1:], strict=True)))
