"""The process of a probe's trials: takes requests on its standard input until that ends.

It does what a training does, with a training's own parts, and is thrown away when memory ends.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch

from trainer_core.data.batches.gather import Batch
from trainer_core.data.batches.loader import TrainBatches, open_batches
from trainer_core.data.batches.prefetch import Prefetcher
from trainer_core.data.batches.text import TrainText
from trainer_core.errors import KnownError
from trainer_core.model.transformer import Transformer
from trainer_core.probe_table import Checkpoints, ProbeRow, Variant
from trainer_core.spec import Precision, ProbeSpec
from trainer_core.train.checkpoints.checkpoint import TrainState, weights_of
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.checkpoints.saving import save_checkpoint
from trainer_core.train.checkpoints.snapshot import Snapshot, SnapshotMemory
from trainer_core.train.compiling import compiled_files, keep_compiled, missing_compiler
from trainer_core.train.compute import (
    Compute,
    choose_compute,
    cpu_multiplies_bf16,
    out_of_memory,
)
from trainer_core.train.optim import make_optimizer
from trainer_core.train.probe import memory
from trainer_core.train.probe.messages import (
    Answer,
    Finish,
    Finished,
    Open,
    Opened,
    Refused,
    Request,
    Tried,
    Try,
)
from trainer_core.train.probe.text import open_text
from trainer_core.train.step import TrainStep
from trainer_core.train.validation.validate import HeldOut

_WARM_STEPS = 2
_STEPS_MIN, _STEPS_MAX = 3, 50
_LR_FACTOR = 0.1
"""Share of the peak learning rate; what is learned plays no part, but it shall stay finite."""


class UncompilableError(Exception):
    """The step cannot be compiled; the message says why."""


class Trials:
    """A model in one variant, ready for batches of any size."""

    def __init__(self, spec: ProbeSpec, variant: Variant) -> None:
        self.spec = spec
        self.compute = choose_compute(spec.device, variant.precision, spec.threads)
        self.variant = msgspec.structs.replace(variant, precision=self.compute.precision)
        self.limit_bytes = memory.memory_limit_bytes(self.compute.device, spec.memory_limit_bytes)
        memory.keep_to(self.compute.device, self.limit_bytes)
        self.text = open_text(spec)
        self._step: TrainStep | None = None

    def opened(self) -> Opened:
        """What the probe needs to know of this process."""
        on_gpu = self.compute.device.type == "cuda"
        return Opened(
            device="cuda" if on_gpu else "cpu",
            name=self.compute.name,
            precision=self.compute.precision,
            others=_others(self.compute),
            compiler=not missing_compiler(self.compute.device),
            memory_limit_bytes=self.limit_bytes,
        )

    def try_(self, request: Try) -> ProbeRow:
        """Measure steps of one batch size.

        Raises:
            RuntimeError: Memory ended.
            UncompilableError: The compiler could not do it.
        """
        device, size = self.compute.device, request.batch_size
        memory.forget_peak(device)
        step = self._ready()
        batches = self._batches(size)
        step_s: list[float] = []
        compile_s, cached = 0.0, False
        wanted = _WARM_STEPS + _STEPS_MAX
        with Prefetcher(batches, range(1, wanted + 1), device) as prefetched:
            for batch in prefetched:
                if self.variant.compile and not step_s:
                    compile_s, cached = self._compile(step, batch)
                began_s = time.perf_counter()
                step(batch, _LR_FACTOR)
                if device.type == "cuda":
                    torch.cuda.synchronize()
                step_s.append(time.perf_counter() - began_s)
                if len(step_s) == 2:
                    wanted = _WARM_STEPS + _steps_for(request.seconds, step_s[1])
                if len(step_s) >= wanted:
                    break
        measured = np.array(step_s[_WARM_STEPS:] or step_s[-1:])
        low, median, high = np.quantile(measured, (0.25, 0.5, 0.75))
        return ProbeRow(
            batch_size=size,
            variant=self.variant,
            tokens_per_s=batches.tokens_per_step / float(median),
            step_ms=float(median) * 1000,
            step_ms_low=float(low) * 1000,
            step_ms_high=float(high) * 1000,
            steps=len(measured),
            first_step_s=step_s[0],
            compile_s=compile_s,
            compile_cached=cached,
            peak_memory_bytes=memory.peak_bytes(device),
        )

    def _batches(self, size: int) -> TrainBatches:
        """Batches as the training's, but of all sources alike: their mixing takes no time."""
        spec, text = self.spec, self.text
        data = msgspec.structs.replace(spec.data, mixing=())
        return open_batches(
            TrainText(text.train, text.document_start),
            text.matches,
            data,
            size,
            spec.model.context_length,
            spec.seed,
            match_dropout=spec.model.match_dropout,
        )

    def _ready(self) -> TrainStep:
        """The model's training step; the first call makes the model."""
        if self._step is None:
            torch.manual_seed(self.spec.seed)
            self.model = Transformer(self.spec.model).to(self.compute.device)
            self.model.activation_checkpointing = self.variant.activation_checkpointing
            self.optimizer = make_optimizer(self.model, self.spec.optimizer)
            self._step = TrainStep(self.model, self.optimizer, self.compute, 1 << 30)
        return self._step

    def _compile(self, step: TrainStep, batch: Batch) -> tuple[float, bool]:
        """Compile the step as a training does; how long that took, and whether all was there.

        Raises:
            UncompilableError: It cannot be done.
        """
        began_s = time.perf_counter()
        keep_compiled()
        before = compiled_files()
        self.model.flex_attention = self.compute.device.type == "cuda"
        if problem := step.compile(batch):
            raise UncompilableError(problem)
        return time.perf_counter() - began_s, compiled_files() == before

    def finish(self, request: Finish) -> Finished:
        """Measure what comes between steps.

        Raises:
            OSError: The disk is full or gone.
        """
        self._ready()
        return Finished(
            validation_tokens_per_s=self._validation_tokens_per_s(request),
            checkpoint=self._checkpoint(Path(request.folder)),
        )

    def _validation_tokens_per_s(self, request: Finish) -> float:
        length = self.spec.model.context_length
        tokens = request.batch_size * length
        separate = self.spec.data.separate_documents
        began_s, speed = time.perf_counter(), 0.0
        while time.perf_counter() - began_s < request.seconds or not speed:
            held_out = HeldOut(
                self.text.train,
                self.text.matches,
                self.text.byte_lengths,
                context_length=length,
                batch_size=request.batch_size,
                max_tokens=tokens,
                document_start=self.text.document_start if separate else None,
            )
            round_s = time.perf_counter()
            held_out.measure(self.model, self.compute)
            speed = held_out.tokens / (time.perf_counter() - round_s)
            if held_out.tokens < tokens:
                break  # all of a short text
            tokens *= 2
        return speed

    def _checkpoint(self, folder: Path) -> Checkpoints:
        weights = weights_of(self.model)
        snapshot = Snapshot(
            config=self.spec.model,
            fingerprints=Fingerprints(corpus="", tokenizer=""),
            state=TrainState(),
            weights=weights,
            optimizer=self.optimizer.tensors(weights),
            val_loss=None,
        )
        try:
            folder.mkdir(exist_ok=True)
            began_s = time.perf_counter()
            copied, done = SnapshotMemory().copy(snapshot)
            if done is not None:
                done.synchronize()
            blocked_s = time.perf_counter() - began_s
            saved = save_checkpoint(folder, copied)
            return Checkpoints(
                size_bytes=saved.size_bytes,
                blocked_s=blocked_s,
                seconds=time.perf_counter() - began_s,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _steps_for(seconds: float, step_s: float) -> int:
    """Steps to measure; one that is slow has shown enough."""
    if step_s >= seconds:
        return 0
    return max(_STEPS_MIN, min(_STEPS_MAX, int(seconds / step_s)))


def _others(compute: Compute) -> tuple[Precision, ...]:
    """Precisions that may be faster on this device than the chosen one."""
    worth: tuple[Precision, ...]
    if compute.device.type == "cpu":
        worth = ("bf16", "fp32") if cpu_multiplies_bf16() else ("fp32",)
    elif torch.cuda.is_bf16_supported(including_emulation=False):
        worth = ("bf16", "tf32")
    else:
        worth = ("fp16", "fp32")
    return tuple(precision for precision in worth if precision != compute.precision)


def answer(trials: Trials, request: Try | Finish) -> Answer:
    """Do what a request asks; what goes wrong is told, and the process can be thrown away."""
    try:
        if isinstance(request, Finish):
            return trials.finish(request)
        return Tried(row=trials.try_(request))
    except UncompilableError as error:
        return Tried(row=_failed(trials, request, "error", str(error)))
    except MemoryError:
        return Tried(row=_failed(trials, request, "memory", "Memory is full."))
    except Exception as error:  # noqa: BLE001 - the outermost border; compilers raise anything
        known = isinstance(error, RuntimeError) and out_of_memory(error, trials.compute.device)
        if known:
            return Tried(row=_failed(trials, request, "memory", "Memory is full."))
        text = str(error).strip().splitlines() or [""]
        return Tried(row=_failed(trials, request, "error", f"{type(error).__name__}: {text[0]}"))


def _failed(
    trials: Trials, request: Try | Finish, failure: Literal["memory", "error"], why: str
) -> ProbeRow:
    size, variant = request.batch_size, trials.variant
    return ProbeRow(batch_size=size, variant=variant, failure=failure, why=why[:500])


def _requests() -> queue.Queue[Request]:
    """Requests as they come; the process ends with its standard input, whatever it does then."""
    waiting: queue.Queue[Request] = queue.Queue()
    decoder = msgspec.json.Decoder(Request)

    def read() -> None:
        for line in sys.stdin.buffer:
            waiting.put(decoder.decode(line))
        os._exit(0)

    threading.Thread(target=read, name="requests", daemon=True).start()
    return waiting


def main() -> None:
    """Answer requests, one line each."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever prints, prints into the log
    encoder = msgspec.json.Encoder()

    def tell(message: Answer) -> None:
        answers.write(encoder.encode(message) + b"\n")

    requests = _requests()
    opening = requests.get()
    if not isinstance(opening, Open):
        raise TypeError("the first request opens")
    try:
        trials = Trials(opening.spec, opening.variant)
    except KnownError as error:
        tell(Refused(what=error.what, safe=error.safe, do=error.do, field=error.field))
        return
    tell(trials.opened())
    while True:
        request = requests.get()
        if isinstance(request, Open):
            raise TypeError("it is open already")
        tell(answer(trials, request))


if __name__ == "__main__":
    main()
