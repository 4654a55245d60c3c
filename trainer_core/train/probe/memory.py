"""How much memory a trial may take and has taken; a computer that swaps is of no use to anybody."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil
import torch

from trainer_core.errors import SpecError
from trainer_core.train.probe.reserve import reserve_bytes

_SLACK_BYTES = 128 << 20
"""Address space that threads and allocators take without using it."""
_SELF = Path("/proc/self")


def memory_limit_bytes(device: torch.device, wanted: int) -> int:
    """What a trial in this process may hold on its device, in bytes.

    Args:
        device: Where it computes.
        wanted: The setting; 0 takes what is free, less a reserve in main memory.

    Raises:
        SpecError: The process itself takes more already.
    """
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info()
        return min(wanted or free, free)
    own = psutil.Process().memory_info().rss
    free = psutil.virtual_memory().available + own - reserve_bytes()
    limit = min(wanted or free, free)
    if limit <= own:
        raise SpecError(
            f"A trial may hold {limit / 1e6:,.0f} MB, and the program alone takes"
            f" {own / 1e6:,.0f} MB.",
            safe="Nothing was started.",
            do="Allow more memory, or close other programs.",
            field="memory_limit_bytes",
        )
    return limit


def keep_to(device: torch.device, limit_bytes: int) -> None:
    """Have allocations beyond the limit fail instead of filling the memory.

    In main memory only Linux can; elsewhere the probe watches the process and ends it.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / total))
        return
    if sys.platform != "linux":
        return
    import resource

    info = psutil.Process().memory_info()
    room = max(0, limit_bytes - info.rss) + _SLACK_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(ValueError):  # a stricter limit is in force already
        resource.setrlimit(resource.RLIMIT_DATA, (info.data + room, hard))


def forget_peak(device: torch.device) -> None:
    """Measure the peak from here on, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    with contextlib.suppress(OSError):
        (_SELF / "clear_refs").write_text("5")


def peak_bytes(device: torch.device) -> int:
    """The most that was held at once: by this process, or on a GPU by its allocator."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved()
    with contextlib.suppress(OSError):
        for line in (_SELF / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    info = psutil.Process().memory_info()
    if sys.platform == "win32":
        return int(info.peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
