"""Reads lines that training programs print: TScale's, nanoGPT's, llm.c's, and named numbers."""

from __future__ import annotations

import math
import re
from typing import Final, Protocol

from studio.runs.importing.curves import Collector, Series

_N: Final = r"([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf)"
_SIZES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


def number(text: str) -> float:
    """A number as programs print it, such as `1,234.5`; NaN for what is none."""
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return math.nan


def whole(text: str) -> int | None:
    """A whole number above 0, or None."""
    value = number(text)
    return round(value) if math.isfinite(value) and 0 < value < 2**62 else None


class LineFormat(Protocol):
    """A format of lines.

    Attributes:
        program: Whose it is, in words.
        one_based: Whether its steps are as Hearth counts them: the first one is step 1.
    """

    program: str
    one_based: bool

    def take(self, line: str, into: Collector) -> bool:
        """Read a line; tells whether it said anything."""


class TScaleLines:
    """TScale's log: log-likelihoods, which are losses with the other sign; from step 0.

    Seconds stand in the lines of its validations and count from the one before.
    """

    program = "TScale"
    one_based = True
    _SHAPE: Final = re.compile(r"^(\d+) devices?, (\d+) fragments per step, (\d+) fragment")
    _SIZE: Final = re.compile(r"\bsize ([\d.]+)([KMBkmb]?)\b")
    _STEP: Final = re.compile(rf"^iter (\d+), train err {_N}\s*$")
    _TEST: Final = re.compile(
        rf"^iter ([\d.]+)(k?), {_N} sec, train err {_N}(?:, test err {_N})?\s*$"
    )

    def __init__(self) -> None:
        self._elapsed_s = 0.0

    def take(self, line: str, into: Collector) -> bool:
        """See `LineFormat`."""
        if found := self._STEP.match(line):
            into.add("loss", int(found[1]) + 1, _loss(found[2]))
        elif found := self._TEST.match(line):
            step = round(number(found[1]) * (1000 if found[2] else 1))
            self._elapsed_s += max(number(found[3]), 0.0)
            into.add("elapsed_s", step, self._elapsed_s)
            if found[5] is not None:
                into.add("val_loss", step, _loss(found[5]))
        elif found := self._SHAPE.match(line):
            into.tokens_per_step = int(found[1]) * int(found[2]) * int(found[3])
        elif found := self._SIZE.search(line):
            into.parameters = round(number(found[1]) * _SIZES[found[2].lower()])
        else:
            return False
        return True


class NanoGptLines:
    """nanoGPT's output: `iter 10: loss …, time …ms`, from 0, and `step 250: … val loss …`."""

    program = "nanoGPT"
    one_based = True
    _ITER: Final = re.compile(rf"^iter (\d+): loss {_N}(?:, time {_N} ?ms)?")
    _EVAL: Final = re.compile(rf"^step (\d+): train loss {_N}, val loss {_N}")
    _BATCH: Final = re.compile(r"tokens per iteration will be:\s*([\d,]+)")
    _SIZE: Final = re.compile(r"number of parameters:\s*([\d.]+)\s*([KMBkmb]?)")

    def __init__(self) -> None:
        self._iteration = -1
        self._took_s = math.inf
        self._elapsed_s = 0.0

    def take(self, line: str, into: Collector) -> bool:
        """See `LineFormat`."""
        if found := self._ITER.match(line):
            iteration = int(found[1])
            into.add("loss", iteration + 1, number(found[2]))
            if found[3] is not None:
                self._take_time(iteration, number(found[3]) / 1000, into)
        elif found := self._EVAL.match(line):
            into.add("val_loss", int(found[1]), number(found[3]))
        elif found := self._BATCH.search(line):
            into.tokens_per_step = whole(found[1])
        elif found := self._SIZE.search(line):
            into.parameters = round(number(found[1]) * _SIZES[found[2].lower()])
        else:
            return False
        return True

    def _take_time(self, iteration: int, seconds: float, into: Collector) -> None:
        """Only some iterations are printed: those between took no longer than their neighbours.

        An iteration with an evaluation in it is printed with the time of both.
        """
        if not math.isfinite(seconds) or seconds < 0:
            return
        between = max(iteration - self._iteration - 1, 0)
        usual_s = min(seconds, self._took_s)
        self._elapsed_s += seconds + between * usual_s
        self._iteration, self._took_s = iteration, seconds
        into.add("elapsed_s", iteration + 1, self._elapsed_s)
        if into.tokens_per_step and seconds > 0:
            into.add("tokens_per_s", iteration + 1, into.tokens_per_step / seconds)


class LlmCLines:
    """llm.c's output and its `main.log`: `step 1/100 | loss …`, `val loss …`, `s:1 trl:…`."""

    program = "llm.c"
    one_based = True
    _STEP: Final = re.compile(rf"^step\s+(\d+)/\d+ \| (?:train )?loss\s+{_N}")
    _REST: Final[tuple[tuple[Series, re.Pattern[str]], ...]] = (
        ("grad_norm", re.compile(rf"\| norm\s+{_N}")),
        ("lr", re.compile(rf"\| lr\s+{_N}")),
        ("tokens_per_s", re.compile(rf"{_N} tok/s")),
    )
    _TIME: Final = re.compile(rf"\|\s*{_N} ms")
    _VAL: Final = re.compile(rf"^val loss:? {_N}\s*$")
    _LOG: Final = re.compile(rf"^s:(\d+) (tel|trl):{_N}(?: lr:{_N})?(?: norm:{_N})?")
    _SIZE: Final = re.compile(r"num_parameters\s*\|\s*(\d+)")
    _BATCH: Final = re.compile(r"total batch size\s*\|\s*(\d+)")

    def __init__(self) -> None:
        self._step = 0
        self._elapsed_s = 0.0

    def take(self, line: str, into: Collector) -> bool:
        """See `LineFormat`."""
        if found := self._STEP.match(line):
            self._step = int(found[1])
            into.add("loss", self._step, number(found[2]))
            for name, pattern in self._REST:
                if more := pattern.search(line):
                    into.add(name, self._step, number(more[1]))
            if took := self._TIME.search(line):
                self._elapsed_s += max(number(took[1]), 0.0) / 1000
                into.add("elapsed_s", self._step, self._elapsed_s)
        elif found := self._VAL.match(line):
            into.add("val_loss", self._step, number(found[1]))
        elif found := self._LOG.match(line):
            self._take_log(found, into)
        elif found := self._SIZE.search(line):
            into.parameters = whole(found[1])
        elif found := self._BATCH.search(line):
            into.tokens_per_step = whole(found[1])
        else:
            return False
        return True

    def _take_log(self, found: re.Match[str], into: Collector) -> None:
        """A line of `main.log`, which counts from 0; test losses were taken before the step."""
        step = int(found[1])
        if found[2] == "tel":
            into.add("val_loss", step, number(found[3]))
            return
        into.add("loss", step + 1, number(found[3]))
        for name, text in (("lr", found[4]), ("grad_norm", found[5])):
            if text is not None:
                into.add("lr" if name == "lr" else "grad_norm", step + 1, number(text))


class PairLines:
    """Any line that names a step and a loss: `step:125/1750 val_loss:4.6`, JSON lines and the like.

    Names and their numbers may be told apart by `:`, `=` or blanks.
    """

    program = "Names and numbers"
    one_based = False
    _PAIR: Final = re.compile(
        rf"([A-Za-z][A-Za-z0-9_./ ()-]{{0,60}}?)[\"']?\s*[:= ]\s*{_N}(?![\w.])"
    )

    def take(self, line: str, into: Collector) -> bool:
        """See `LineFormat`."""
        if "loss" not in line.lower() and "bpb" not in line.lower():
            return False
        found = {_bare(name): text for name, text in self._PAIR.findall(line)}
        step = next((number(found[name]) for name in _STEP_NAMES if name in found), math.nan)
        if not 0 <= step < 2**62:
            return False
        took = False
        for name, text in found.items():
            series = SERIES_NAMES.get(name)
            if series is not None:
                into.add(series, round(step), number(text))
                took = took or series in ("loss", "val_loss", "val_bits")
        return took


_STEP_NAMES: Final = ("step", "global_step", "iteration", "iter", "steps", "it", "update", "s")
SERIES_NAMES: Final[dict[str, Series]] = {
    **dict.fromkeys(("loss", "train_loss", "train/loss", "training_loss", "lm_loss"), "loss"),
    **dict.fromkeys(
        (
            "val_loss",
            "val/loss",
            "valid_loss",
            "valid/loss",
            "validation_loss",
            "validation/loss",
            "eval_loss",
            "eval/loss",
            "test_loss",
            "test/loss",
        ),
        "val_loss",
    ),
    **dict.fromkeys(("val_bpb", "validation_bpb", "val/bpb", "val/bits_per_byte"), "val_bits"),
    **dict.fromkeys(("lr", "learning_rate", "train/lr", "train/learning_rate"), "lr"),
    **dict.fromkeys(("grad_norm", "gradnorm", "gnorm", "norm", "train/grad_norm"), "grad_norm"),
    **dict.fromkeys(
        ("tok/sec", "tokens_per_s", "tok/s", "tokens/s", "perf/tokens_per_s"), "tokens_per_s"
    ),
    **dict.fromkeys(("tokens", "tokens_seen", "consumed_tokens", "total_tokens"), "tokens_seen"),
    **dict.fromkeys(("elapsed_s", "elapsed", "time_s", "seconds"), "elapsed_s"),
}
"""What series a name stands for, in lower case and with underscores for blanks."""


def _bare(name: str) -> str:
    words = name.strip(" \"'|,{(").lower()
    known = words.replace(" ", "_").replace("-", "_")
    if known in SERIES_NAMES or known in _STEP_NAMES:
        return known
    return known.rpartition("|_")[2]


def _loss(text: str) -> float:
    """A loss of a log-likelihood, which is below 0; some versions print losses."""
    value = number(text)
    return -value if value < 0 else value


FORMATS: Final[tuple[type[LineFormat], ...]] = (TScaleLines, NanoGptLines, LlmCLines, PairLines)
