"""Where and in which precision a training computes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from typing import Literal

import torch

from trainer_core.errors import KnownError, SpecError
from trainer_core.spec import Precision

Device = Literal["auto", "cpu", "cuda"]
Chosen = Literal["fp32", "tf32", "bf16", "fp16"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
_NEVER = 2**31 - 1


@dataclass(frozen=True)
class Compute:
    """A device, and what its matrix products are computed in; weights are always float32.

    Attributes:
        device: Where model and batches are.
        precision: `tf32` is float32 with products rounded to 10 bits; gradients under `fp16` need
            a loss scale.
        name: For people, such as `NVIDIA H200, bf16`.
    """

    device: torch.device
    precision: Chosen
    name: str

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context for forward passes."""
        if self.precision in ("fp32", "tf32"):
            return contextlib.nullcontext()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype)


def core_count() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_multiplies_bf16() -> bool:
    """Whether this processor has instructions for bf16 products: they take half the time."""
    if not hasattr(torch.cpu, "get_capabilities"):  # before torch 2.11
        return False
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def choose_compute(device: Device, precision: Precision, threads: int) -> Compute:
    """Settle what `auto` leaves open, and set this process's threads and float32 products.

    Raises:
        SpecError: A GPU or a precision is asked for that is not there.
    """
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        build = "this torch is built without CUDA" if torch.version.cuda is None else "none answers"
        raise SpecError(
            f"device is cuda, but there is no usable NVIDIA GPU ({build}).",
            safe="Nothing was started.",
            do="Choose device = auto or cpu, or install the driver and the CUDA build of torch.",
            field="device",
        )
    torch.set_num_threads(threads or core_count())
    on_gpu = device == "cuda" or (device == "auto" and found)
    chosen = _gpu_precision(precision) if on_gpu else _cpu_precision(precision)
    torch.set_float32_matmul_precision("high" if chosen == "tf32" else "highest")
    if on_gpu:
        return Compute(torch.device("cuda"), chosen, f"{torch.cuda.get_device_name()}, {chosen}")
    _keep_freed_memory()
    plural = "s" if torch.get_num_threads() > 1 else ""
    name = f"CPU, {torch.get_num_threads()} thread{plural}, {chosen}"
    return Compute(torch.device("cpu"), chosen, name)


def _keep_freed_memory() -> None:
    """Have the C library keep what one step frees for the next, where that is glibc.

    Left alone, it gives everything above 32 MiB back to the system at once, which clears each page
    when it is next touched. Measured with 1,024 tokens and GPT-2's vocabulary, that took half of
    the time of the output layer.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def _cpu_precision(precision: Precision) -> Chosen:
    if precision == "tf32":
        raise _impossible("tf32", "a CPU", "auto, bf16 or fp32")
    if precision == "auto":
        return "bf16" if cpu_multiplies_bf16() else "fp32"
    return precision


def _gpu_precision(precision: Precision) -> Chosen:
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "auto":
        return "bf16" if native else "fp32"
    name = torch.cuda.get_device_name()
    if precision == "bf16" and not native:
        raise _impossible("bf16", name, "auto, fp16 or fp32")
    if precision == "tf32" and torch.cuda.get_device_capability() < (8, 0):
        raise _impossible("tf32", name, "auto, fp16 or fp32")
    return precision


def _impossible(precision: str, where: str, others: str) -> SpecError:
    return SpecError(
        f"precision is {precision}, which {where} cannot compute.",
        safe="Nothing was started.",
        do=f"Choose precision = {others}.",
        field="precision",
    )


def out_of_memory(error: RuntimeError, device: torch.device) -> KnownError | None:
    """The known error behind a failed allocation, or None when it was something else."""
    cpu = "can't allocate memory" in str(error) or "not enough memory" in str(error)
    if not isinstance(error, torch.OutOfMemoryError) and not cpu:
        return None
    where = "The GPU's" if device.type == "cuda" else "The computer's"
    return KnownError(
        f"{where} memory is full: the model with this batch does not fit.",
        safe="Everything saved before is whole.",
        do="Start a run with a smaller budget.batch_size, model.context_length or model.",
        field="budget.batch_size",
    )
