"""Batches that are ready before they are wanted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import torch

from trainer_core.data.batches.gather import Batch
from trainer_core.data.batches.loader import TrainBatches

PREFETCHED = 4
"""So many at most."""
_LOOK_S = 0.02


class Prefetcher:
    """Makes the batches of a range of steps in a thread, a few ahead of the loop.

    Use it as a context manager and iterate over it; it ends the thread however the loop ends.

    Args:
        batches: Where they come from.
        steps: Which.
        device: Where they go.
        until: The last step that is wanted for now; batches beyond it wait until it has grown.
    """

    def __init__(
        self,
        batches: TrainBatches,
        steps: range,
        device: torch.device,
        until: Callable[[], int] | None = None,
    ) -> None:
        self._batches, self._steps, self._device = batches, steps, device
        self._until = until
        self._ready: queue.Queue[Batch | BaseException] = queue.Queue(PREFETCHED)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Batch]:
        """The batches in order, on the device.

        Raises:
            OSError: The corpus or the index could not be read.
        """
        for _ in self._steps:
            item = self._ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item.to(self._device)

    def _run(self) -> None:
        try:
            for step in self._steps:
                while self._until is not None and step > self._until():
                    if self._ended.wait(_LOOK_S):
                        return
                batch = self._batches.batch(step)
                self._put(batch.pinned() if self._device.type == "cuda" else batch)
                if self._ended.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed over to the loop, which raises it
            self._put(error)

    def _put(self, item: Batch | BaseException) -> None:
        while not self._ended.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue
