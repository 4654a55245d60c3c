"""How far a whole preparation is, over all of its phases."""

from __future__ import annotations

import time
from collections.abc import Callable

from trainer_core.data.tokenizers.making import LEARNING
from trainer_core.data.tokenizers.tokenizer import worker_count
from trainer_core.spec import BpeTokenizer, PrepareSpec

Progress = Callable[[str, float, float, str, float | None], None]
"""Told the phase, how much is done, of how much, the unit, and the share of the whole job."""

_PERIOD_S = 0.05
"""Reports come for every document, and telling one takes longer than reading a small one."""
_READING_BYTES_PER_S = 60e6
_LEARNING_BYTES_PER_S = 5e6
_TOKENISING_BYTES_PER_S = 12e6
_COUNTING_BYTES_PER_S = 30e6
"""Rough; what counts is their proportion."""


class WholeProgress:
    """Passes on the progress of the phases with the share of the whole job, not too often.

    The share is by what the phases usually take for so many bytes, which are known as soon as the
    first reading begins. A preparation that goes on where it was interrupted begins with its share.

    Args:
        spec: What is prepared.
        tell: Hears of it; may raise to end the work.
    """

    def __init__(self, spec: PrepareSpec, tell: Progress) -> None:
        self._spec, self._tell = spec, tell
        self._phase = ""
        self._told_s = 0.0
        self._seconds: dict[str, float] = {}

    def report(self, phase: str, done: float, total: float, unit: str) -> None:
        """Take the progress of a phase."""
        now_s = time.monotonic()
        if phase == self._phase and done < total and now_s - self._told_s < _PERIOD_S:
            return
        self._phase, self._told_s = phase, now_s
        if phase == "reading" or (phase == "tokenising" and not self._seconds):
            self._seconds = self._usual_seconds(total)
        self._tell(phase, done, total, unit, self._whole(phase, done / total if total else 1.0))

    def _usual_seconds(self, n_bytes: float) -> dict[str, float]:
        wanted = self._spec.tokenizer
        learned = min(wanted.sample_bytes, n_bytes) if isinstance(wanted, BpeTokenizer) else 0.0
        return {
            "reading": n_bytes / _READING_BYTES_PER_S,
            LEARNING: learned / _LEARNING_BYTES_PER_S,
            "tokenising": n_bytes / _TOKENISING_BYTES_PER_S / worker_count(),
            "saving": 0.0,
            "counting tokens": n_bytes / _COUNTING_BYTES_PER_S,
        }

    def _whole(self, phase: str, share: float) -> float | None:
        """None in a phase whose time nobody knows, such as a download."""
        if phase not in self._seconds:
            return None
        phases = list(self._seconds)
        before = sum(self._seconds[earlier] for earlier in phases[: phases.index(phase)])
        whole = (before + share * self._seconds[phase]) / max(sum(self._seconds.values()), 1e-9)
        return min(whole, 1.0)
