"""Where and in which precision a training computes."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Literal

import torch

from trainer_core.errors import KnownError, SpecError
from trainer_core.spec import Precision

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Compute:
    """A device, and what its matrix products are computed in; weights are always float32.

    Attributes:
        device: Where model and batches are.
        precision: `fp32` or `bf16`.
        name: For people, such as `NVIDIA H200, bf16`.
    """

    device: torch.device
    precision: Literal["fp32", "bf16"]
    name: str

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context for forward passes."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


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
    """Settle what `auto` leaves open, and set the number of CPU threads of this process.

    Raises:
        SpecError: A GPU or bf16 is asked for and absent.
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
    if device == "cuda" or (device == "auto" and found):
        return _gpu(precision)
    wanted = precision == "bf16" or (precision == "auto" and cpu_multiplies_bf16())
    chosen: Literal["fp32", "bf16"] = "bf16" if wanted else "fp32"
    plural = "s" if torch.get_num_threads() > 1 else ""
    name = f"CPU, {torch.get_num_threads()} thread{plural}, {chosen}"
    return Compute(torch.device("cpu"), chosen, name)


def _gpu(precision: Precision) -> Compute:
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not native:
        raise SpecError(
            f"precision is bf16, which {torch.cuda.get_device_name()} cannot compute.",
            safe="Nothing was started.",
            do="Choose precision = auto or fp32.",
            field="precision",
        )
    chosen: Literal["fp32", "bf16"] = "bf16" if native and precision != "fp32" else "fp32"
    return Compute(torch.device("cuda"), chosen, f"{torch.cuda.get_device_name()}, {chosen}")


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
