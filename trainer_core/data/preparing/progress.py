"""How far a whole preparation is, over all of its phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from trainer_core.data.preparing.survey import NamedSource
from trainer_core.data.tokenizers.making import LEARNING
from trainer_core.data.tokenizers.tokenizer import worker_count
from trainer_core.spec import BpeTokenizer, PrepareSpec

Progress = Callable[[str, float, float, str, float | None, int], None]
"""Told the phase, how much is done, of how much, the unit, the share of the whole job, and how many
files and documents could not be used."""

_PERIOD_S = 0.05
"""Reports come for every document, and telling one takes longer than reading a small one."""
_READING_BYTES_PER_S = 60e6
_CLEANING_BYTES_PER_S = 10e6
_SIGNING_BYTES_PER_S = 100e6
_COMPARING_BYTES_PER_S = 100e6
_LEARNING_BYTES_PER_S = 5e6
_TOKENISING_BYTES_PER_S = 12e6
_HASHING_BYTES_PER_S = 1e9
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
        self._sources: Sequence[NamedSource] = ()

    def watch(self, sources: Sequence[NamedSource]) -> None:
        """Count what is left out of these."""
        self._sources = sources

    def report(self, phase: str, done: float, total: float, unit: str) -> None:
        """Take the progress of a phase."""
        now_s = time.monotonic()
        if phase == self._phase and done < total and now_s - self._told_s < _PERIOD_S:
            return
        self._phase, self._told_s = phase, now_s
        if phase == "reading" or (phase == "tokenising" and not self._seconds):
            self._seconds = self._usual_seconds(total)
        whole = self._whole(phase, done / total if total else 1.0)
        left_out = sum(source.skipped.problems for source in self._sources)
        self._tell(phase, done, total, unit, whole, left_out)

    def _usual_seconds(self, n_bytes: float) -> dict[str, float]:
        wanted, cleaning = self._spec.tokenizer, self._spec.cleaning
        near = cleaning.near_duplicates != "off"
        slow = cleaning.repair_unicode or bool(cleaning.hook)
        cleaning_s = n_bytes / _CLEANING_BYTES_PER_S if slow else 0.0
        learned = min(wanted.sample_bytes, n_bytes) if isinstance(wanted, BpeTokenizer) else 0.0
        return {
            "reading": n_bytes / _READING_BYTES_PER_S
            + cleaning_s
            + (n_bytes / _SIGNING_BYTES_PER_S if near else 0.0),
            "comparing documents": n_bytes / _COMPARING_BYTES_PER_S if near else 0.0,
            LEARNING: learned / _LEARNING_BYTES_PER_S,
            "tokenising": max(n_bytes / _TOKENISING_BYTES_PER_S / worker_count(), cleaning_s),
            "hashing": n_bytes / _HASHING_BYTES_PER_S,
            "counting tokens": n_bytes / _COUNTING_BYTES_PER_S,
            "saving": n_bytes / _HASHING_BYTES_PER_S,
        }

    def _whole(self, phase: str, share: float) -> float | None:
        """None in a phase whose time nobody knows, such as a download."""
        if phase not in self._seconds:
            return None
        phases = list(self._seconds)
        before = sum(self._seconds[earlier] for earlier in phases[: phases.index(phase)])
        whole = (before + share * self._seconds[phase]) / max(sum(self._seconds.values()), 1e-9)
        return min(whole, 1.0)
