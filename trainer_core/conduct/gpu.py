"""What the driver of an NVIDIA GPU says of its heat and of the programs on it, through NVML."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Self, TypeVar

T = TypeVar("T")

THERMAL_REASONS = 0x20 | 0x40
"""`SwThermalSlowdown` and `HwThermalSlowdown` of NVML's clocks event reasons."""
NEAR_SLOWDOWN_C = 2
"""So close to the temperature of its slowdown a GPU that gives no reasons counts as slowed down."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuUser:
    """A process that has something on the GPU.

    Attributes:
        pid: Its number, as the driver's side of a container counts.
        computes: Whether it computes; else it only draws.
        memory_bytes: 0 where the driver does not tell.
        busy_pct: The most that it lately used of the processors; None where nobody can tell.
    """

    pid: int
    computes: bool
    memory_bytes: int
    busy_pct: int | None


class Gpu:
    """The GPU that this process may use first. Questions that it does not answer give None."""

    def __init__(self, handle: object) -> None:
        self._handle = handle
        self._seen_us = 0

    @classmethod
    def find(cls) -> Self | None:
        """The GPU, or None: its absence is a normal state, not an error."""
        try:
            import pynvml

            pynvml.nvmlInit()
            return cls(_handle(pynvml))
        except (ImportError, OSError) as error:
            _log.debug("no NVML: %s", error)
        except pynvml.NVMLError as error:
            _log.debug("no NVIDIA GPU: %s", error)
        return None

    def temperature_c(self) -> float | None:
        """How hot it is."""
        return _asked(lambda nvml: float(nvml.nvmlDeviceGetTemperature(self._handle, 0)))

    def is_throttled(self) -> bool | None:
        """Whether it runs slower than it could because it is hot."""
        reasons = _asked(lambda nvml: _reasons(nvml)(self._handle))
        if reasons is not None:
            return bool(reasons & THERMAL_REASONS)
        at_c, limit_c = self.temperature_c(), self._slowdown_c()
        return None if at_c is None or not limit_c else at_c >= limit_c - NEAR_SLOWDOWN_C

    def clocks_mhz(self) -> tuple[int, int] | None:
        """The clock of its processors, and the highest that they have."""
        return _asked(
            lambda nvml: (
                int(nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_SM)),
                int(nvml.nvmlDeviceGetMaxClockInfo(self._handle, nvml.NVML_CLOCK_SM)),
            )
        )

    def users(self) -> list[GpuUser]:
        """Everybody who has something on it."""
        busy = self._busy_pct()
        found: dict[int, GpuUser] = {}
        for computes in (False, True):
            for process in self._processes(computes=computes):
                pid, memory = int(process.pid), int(process.usedGpuMemory or 0)
                part = None if busy is None else busy.get(pid, 0)
                found[pid] = GpuUser(pid, computes, memory, part)
        return list(found.values())

    def _processes(self, *, computes: bool) -> Iterable[Any]:
        kind = "Compute" if computes else "Graphics"
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        return _asked(lambda nvml: getattr(nvml, name)(self._handle)) or ()

    def _busy_pct(self) -> dict[int, int] | None:
        """The highest use of its processors by process since the last call."""
        import pynvml

        try:
            samples = pynvml.nvmlDeviceGetProcessUtilization(self._handle, self._seen_us)
        except pynvml.NVMLError as error:
            # "Not found": nobody has used it since.
            return {} if error.value == pynvml.NVML_ERROR_NOT_FOUND else None
        busy: dict[int, int] = {}
        for sample in samples:
            self._seen_us = max(self._seen_us, int(sample.timeStamp))
            busy[int(sample.pid)] = max(busy.get(int(sample.pid), 0), int(sample.smUtil))
        return busy

    def _slowdown_c(self) -> int | None:
        return _asked(
            lambda nvml: int(
                nvml.nvmlDeviceGetTemperatureThreshold(
                    self._handle, nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
                )
            )
        )


def _reasons(nvml: ModuleType) -> Callable[[object], int]:
    """NVML's question for the reasons, which was renamed with driver 535."""
    newer = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    return newer or nvml.nvmlDeviceGetCurrentClocksThrottleReasons  # type: ignore[no-any-return]  # untyped


def _asked(question: Callable[[Any], T]) -> T | None:
    import pynvml

    try:
        return question(pynvml)
    except (pynvml.NVMLError, AttributeError) as error:  # many cards answer some questions only
        _log.debug("NVML: %s", error)
        return None


def _handle(nvml: ModuleType) -> object:
    """The first GPU that CUDA would take in this process, else the first there is."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    try:
        if first.startswith("GPU-"):
            return nvml.nvmlDeviceGetHandleByUUID(first)
        return nvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0)
    except nvml.NVMLError:
        return nvml.nvmlDeviceGetHandleByIndex(0)
