"""What the computer is doing: memory, load, and the GPU where there is one."""

from __future__ import annotations

import logging
import math
import platform
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from trainer_core.metrics import SYSTEM_DTYPE, SystemLog

GIB = float(1 << 30)
_log = logging.getLogger(__name__)


def processor_name() -> str:
    """The processor's full name, or its architecture where the system does not tell the name."""
    found = _linux_processor_name() or _windows_processor_name()
    return found or platform.processor() or platform.machine() or "CPU"


def _linux_processor_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    line = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return line[1] if line else ""


def _windows_processor_name() -> str:
    if sys.platform == "win32":
        import winreg

        try:
            place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
        except OSError:
            return ""
    return ""


@dataclass(frozen=True)
class SystemReading:
    """One look at the computer. Memory in GiB, load in percent; NaN where there is no GPU."""

    process_gib: float
    ram_used_gib: float
    ram_total_gib: float
    cpu_pct: float
    gpu_name: str = ""
    gpu_used_gib: float = math.nan
    gpu_total_gib: float = math.nan
    gpu_pct: float = math.nan
    gpu_temp_c: float = math.nan
    gpu_power_w: float = math.nan


class SystemReader:
    """Reads the first NVIDIA GPU through NVML; its absence is a normal state, not an error."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._gpu: object | None = None
        psutil.cpu_percent()  # the first call has nothing to compare with
        try:
            import pynvml

            pynvml.nvmlInit()
            self._gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        except (ImportError, OSError) as error:
            _log.debug("no NVML: %s", error)
        except pynvml.NVMLError as error:
            _log.debug("no NVIDIA GPU: %s", error)

    def read(self) -> SystemReading:
        """One reading; takes about a millisecond, a slow driver longer."""
        memory = psutil.virtual_memory()
        return SystemReading(
            process_gib=self._process.memory_info().rss / GIB,
            ram_used_gib=(memory.total - memory.available) / GIB,
            ram_total_gib=memory.total / GIB,
            cpu_pct=psutil.cpu_percent(),
            **self._read_gpu(),
        )

    def _read_gpu(self) -> dict[str, Any]:  # keys are fields of SystemReading
        if self._gpu is None:
            return {}
        import pynvml

        found: dict[str, Any] = {}

        def ask(field: str, question: Callable[[], float | str]) -> None:
            try:
                found[field] = question()
            except pynvml.NVMLError as error:  # many cards answer some questions only
                _log.debug("%s: %s", field, error)

        gpu = self._gpu
        ask("gpu_name", lambda: str(pynvml.nvmlDeviceGetName(gpu)))
        ask("gpu_used_gib", lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu).used / GIB)
        ask("gpu_total_gib", lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu).total / GIB)
        ask("gpu_pct", lambda: float(pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu))
        ask("gpu_temp_c", lambda: float(pynvml.nvmlDeviceGetTemperature(gpu, 0)))
        ask("gpu_power_w", lambda: pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000.0)
        return found


class SystemSampler:
    """A thread that writes one reading per second into a job's system log."""

    def __init__(self, log: SystemLog, step: Callable[[], int], period_s: float = 1.0) -> None:
        """Prepare the thread; `step` gives the training step that a reading belongs to."""
        self._log = log
        self._step = step
        self._period_s = period_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system-sampler", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the log."""
        self._ended.set()
        self._thread.join()
        self._log.close()

    def _run(self) -> None:
        reader = SystemReader()
        while not self._ended.wait(self._period_s):
            reading = reader.read()
            row = np.zeros(1, SYSTEM_DTYPE)
            row["time_s"] = time.time()
            row["step"] = self._step()
            for name in SYSTEM_DTYPE.names or ():
                if name not in ("time_s", "step"):
                    row[name] = getattr(reading, name)
            try:
                self._log.append(row)
            except OSError as error:  # figures of the machine are not worth a training
                _log.warning("system log: %s", error)
