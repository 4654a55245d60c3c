"""What a job can find out about the computer and the people at it, each asked when it is wanted."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable
from typing import Protocol

import psutil

from trainer_core.conduct.gpu import Gpu, GpuUser

BUSY_PCT = 10
"""A program that uses so much of the GPU's processors works it; a desktop uses less."""
LARGE_BYTES = 512 << 20
"""Where nobody can tell how busy programs are, one that computes with so much memory counts."""
_log = logging.getLogger(__name__)


class Senses(Protocol):
    """What conditions are judged by; each may take some milliseconds, a slow driver longer."""

    @property
    def gpu(self) -> Gpu | None:
        """The GPU, where there is one."""

    def on_battery(self) -> bool:
        """Whether the computer runs on its battery; one without does not."""

    def heat(self) -> tuple[str, float] | None:
        """What is hottest (`GPU` or `processor`) and how hot, in °C; None: nobody can tell."""

    def gpu_rival(self) -> str | None:
        """The name of another program that works the GPU, or None."""

    def running(self, names: Iterable[str]) -> str | None:
        """The first of these programs that runs, or None."""

    def minute_of_day(self) -> int:
        """Minutes since midnight, local time."""


class Sensors:
    """The real ones. Not for several threads at once."""

    def __init__(self, gpu: Gpu | None = None) -> None:
        self._gpu = gpu if gpu is not None else Gpu.find()

    @property
    def gpu(self) -> Gpu | None:
        """See `Senses`."""
        return self._gpu

    def on_battery(self) -> bool:
        """See `Senses`."""
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        return battery is not None and battery.power_plugged is False

    def heat(self) -> tuple[str, float] | None:
        """See `Senses`."""
        if self._gpu is not None and (at_c := self._gpu.temperature_c()) is not None:
            return "GPU", at_c
        at_c = processor_heat_c()
        return None if at_c is None else ("processor", at_c)

    def gpu_rival(self) -> str | None:
        """See `Senses`."""
        if self._gpu is None:
            return None
        users = [user for user in self._gpu.users() if _works(user)]
        names = []
        for user in users:
            try:
                process = psutil.Process(user.pid)
                if not _is_hearth(process):
                    names.append(process.name())
            except psutil.NoSuchProcess:
                # Numbers from outside of a container: who is who cannot be told.
                _log.debug("process %d on the GPU is not one of this system", user.pid)
                return None
            except psutil.AccessDenied:
                names.append(f"process {user.pid}")
        return min(names, default=None)

    def running(self, names: Iterable[str]) -> str | None:
        """See `Senses`."""
        wanted = {_plain(name): name for name in names if _plain(name)}
        if not wanted:
            return None
        for process in psutil.process_iter(["name"]):
            asked = wanted.get(_plain(process.info["name"] or ""))
            if asked is not None and not _is_hearth(process):
                return asked
        return None

    def minute_of_day(self) -> int:
        """See `Senses`."""
        now = time.localtime()
        return 60 * now.tm_hour + now.tm_min


class OneLook:
    """Senses that ask each question once, however often they are asked."""

    def __init__(self, senses: Senses) -> None:
        self.gpu = senses.gpu
        self.on_battery = functools.cache(senses.on_battery)
        self.heat = functools.cache(senses.heat)
        self.gpu_rival = functools.cache(senses.gpu_rival)
        self.minute_of_day = functools.cache(senses.minute_of_day)
        self._running = functools.cache(senses.running)

    def running(self, names: Iterable[str]) -> str | None:
        """See `Senses`."""
        return self._running(tuple(names))


def processor_heat_c() -> float | None:
    """How hot the hottest of the processor's sensors is, where the system tells."""
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    try:
        sensors = psutil.sensors_temperatures()
    except OSError:  # a sensor that went away
        return None
    known = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")
    found = [entry.current for name in known for entry in sensors.get(name, ())]
    return max((c for c in found if c is not None), default=None)


def _works(user: GpuUser) -> bool:
    if user.busy_pct is not None:
        return user.busy_pct >= BUSY_PCT
    return user.computes and user.memory_bytes >= LARGE_BYTES


def _is_hearth(process: psutil.Process) -> bool:
    """Whether it is a job of Hearth or what started this one: those are no strangers."""
    try:
        if any("trainer_core" in part for part in process.cmdline()):
            return True
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return False
    return process.pid in {psutil.Process().pid, *(p.pid for p in psutil.Process().parents())}


def _plain(name: str) -> str:
    return name.strip().casefold().removesuffix(".exe")
