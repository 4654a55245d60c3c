"""Training on a GPU: tokens per second and MFU at the best batch size, plain and with the index."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import torch
from train_loops import hearth
from train_shapes import GPU_SHAPES, Shape

from trainer_core.train.mfu import mfu

_WARM, _STEPS = 5, 30
_BATCH_MAX = 512
_GIB = 1 << 30


def compare_on_gpu(names: list[str]) -> None:
    """Print a row for each shape, plain and with the index; a reason where there is no GPU."""
    if not torch.cuda.is_available():
        print("skipped: this computer has no NVIDIA GPU that torch can use")
        return
    print(f"{torch.cuda.get_device_name()}, bf16, compiled\n")
    print("| shape | input | batch | step, ms (deciles) | tokens/s | MFU | peak GiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        best = 0
        for kind, shape in (
            ("plain", GPU_SHAPES[name]),
            ("index", GPU_SHAPES[name].with_index()),
        ):
            best = best or best_batch_size(shape)
            print(_row(name, kind, replace(shape, batch_size=best)), flush=True)


def best_batch_size(shape: Shape) -> int:
    """The one with the most tokens per second; doubled until memory ends."""
    rates: dict[int, float] = {}
    size = 4
    while size <= _BATCH_MAX:
        try:
            times = step_times(replace(shape, batch_size=size), steps=8)
        except torch.OutOfMemoryError:
            break
        rates[size] = size / statistics.median(times)
        size *= 2
    return max(rates, key=rates.__getitem__)


def step_times(shape: Shape, steps: int) -> list[float]:
    """Seconds of each of so many steps, waited for one by one, after a few that warm up."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    times = []
    losses = hearth(shape)
    try:
        for step in range(_WARM + steps):
            torch.cuda.synchronize()
            began = time.perf_counter()
            next(losses)
            torch.cuda.synchronize()
            if step >= _WARM:
                times.append(time.perf_counter() - began)
    finally:
        losses.close()
        torch._dynamo.reset()
    return times


def _row(name: str, kind: str, shape: Shape) -> str:
    times = sorted(step_times(shape, _STEPS))
    median = statistics.median(times)
    rate = shape.batch_size * shape.config.context_length / median
    share = mfu(shape.config, rate, torch.cuda.get_device_name())
    deciles = f"{times[len(times) // 10] * 1e3:.1f} to {times[-1 - len(times) // 10] * 1e3:.1f}"
    cells = (
        name,
        kind,
        str(shape.batch_size),
        f"{median * 1e3:.1f} ({deciles})",
        f"{rate:,.0f}",
        "unknown" if share is None else f"{share:.1%}",
        f"{torch.cuda.max_memory_allocated() / _GIB:.1f}",
    )
    return f"| {' | '.join(cells)} |"
