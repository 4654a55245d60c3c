"""What this computer is made of and how busy it is. An absent GPU is a normal state."""

from __future__ import annotations

import logging
import os
import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from trainer_core.system import processor_name

PERIOD_S = 1.5
_GIB = 2**30
_AMPERE = 8
"""First generation of GPUs with products in bf16."""
_NOISE = re.compile(
    r"\((R|TM|C)\)|\b(NVIDIA|GeForce|CPU|Processor|\d+-Core|with Radeon.*)\b|@.*$", re.I
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeviceFacts:
    """What does not change while the program runs."""

    cpu: str
    cores: int
    ram_gib: float
    gpu: str | None = None
    """Short name of the first GPU that the NVIDIA driver knows, or None."""
    vram_gib: float = 0.0
    driver: str = ""
    no_gpu: str = ""
    """Why there is none, in a few words."""

    @property
    def trains_on(self) -> str:
        """The name of what a training would run on."""
        return self.gpu or self.cpu


@dataclass(frozen=True)
class DeviceReading:
    """One sample. GPU fields are None without a GPU or when its driver does not tell them."""

    facts: DeviceFacts
    cpu_pct: float
    ram_used_gib: float
    vram_used_gib: float | None = None
    gpu_pct: float | None = None
    gpu_temp_c: float | None = None


def short_name(name: str) -> str:
    """A name without trade marks and filling words: `RTX 3090`, `Intel Core i7-9700K`."""
    return " ".join(_NOISE.sub(" ", name).split()) or name.strip()


def cpu_name() -> str:
    """The processor's short name, or its architecture where the system does not tell the name."""
    return short_name(processor_name())


class Nvml:
    """The NVIDIA driver's own figures, through pynvml; `handle` is None where there is no GPU."""

    def __init__(self) -> None:
        self.why = "No NVIDIA GPU"
        self.handle: Any = None
        try:
            import pynvml
        except ImportError:
            self.why = "pynvml is not installed"
            return
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            if pynvml.nvmlDeviceGetCount():
                self.handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        except pynvml.NVMLError as error:
            # Without a driver its library is not found: that is a computer without NVIDIA GPU.
            if not isinstance(error, pynvml.NVMLError_LibraryNotFound):
                self.why = f"NVIDIA driver: {error}"

    def ask(self, function: str, *args: int) -> Any:  # noqa: ANN401 - pynvml is untyped
        """The answer of an NVML function for the GPU; None when it is not supported."""
        if self.handle is None:
            return None
        try:
            return getattr(self._nvml, function)(self.handle, *args)
        except self._nvml.NVMLError:
            return None

    def name(self) -> str:
        """The GPU's full name."""
        found = self.ask("nvmlDeviceGetName")
        return found.decode() if isinstance(found, bytes) else str(found or "GPU")

    def driver(self) -> str:
        """The driver's version, or an empty string."""
        try:
            found = self._nvml.nvmlSystemGetDriverVersion()
        except self._nvml.NVMLError:
            return ""
        return found.decode() if isinstance(found, bytes) else str(found)


_guard = threading.Lock()


@lru_cache(maxsize=1)
def _nvml() -> Nvml:
    return Nvml()


@lru_cache(maxsize=1)
def _facts() -> DeviceFacts:
    nvml = _nvml()
    memory = nvml.ask("nvmlDeviceGetMemoryInfo")
    has_gpu = nvml.handle is not None
    return DeviceFacts(
        cpu=cpu_name(),
        cores=psutil.cpu_count() or 1,
        ram_gib=psutil.virtual_memory().total / _GIB,
        gpu=short_name(nvml.name()) if has_gpu else None,
        vram_gib=memory.total / _GIB if memory is not None else 0.0,
        driver=nvml.driver() if has_gpu else "",
        no_gpu="" if has_gpu else nvml.why,
    )


def read_facts() -> DeviceFacts:
    """What this computer is made of; slow the first time, so not for the UI thread."""
    with _guard:
        return _facts()


def read_device() -> DeviceReading:
    """One sample; CPU use is since the call before. Not for the UI thread."""
    with _guard:
        facts, nvml = _facts(), _nvml()
        memory = nvml.ask("nvmlDeviceGetMemoryInfo")
        use = nvml.ask("nvmlDeviceGetUtilizationRates")
        temperature = nvml.ask("nvmlDeviceGetTemperature", 0)
    ram = psutil.virtual_memory()
    return DeviceReading(
        facts=facts,
        cpu_pct=psutil.cpu_percent(),
        ram_used_gib=(ram.total - ram.available) / _GIB,
        vram_used_gib=memory.used / _GIB if memory is not None else None,
        gpu_pct=float(use.gpu) if use is not None else None,
        gpu_temp_c=float(temperature) if temperature is not None else None,
    )


def power_limit_w() -> float | None:
    """What the GPU may take at the most, in watts; None without a GPU or where it is not told."""
    with _guard:
        limit = _nvml().ask("nvmlDeviceGetPowerManagementLimit")
    return limit / 1000.0 if isinstance(limit, int) and limit > 0 else None


def usable_cores() -> int:
    """Cores of the processor that this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


@lru_cache(maxsize=1)
def fast_bf16() -> bool:
    """Whether what trains here multiplies bf16 natively, so that `auto` takes it."""
    nvml = _nvml()
    if nvml.handle is not None:
        found = nvml.ask("nvmlDeviceGetCudaComputeCapability")
        return found is not None and found[0] >= _AMPERE
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
