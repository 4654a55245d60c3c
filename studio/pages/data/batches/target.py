"""What the inspector can be opened with. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from trainer_core.spec import InspectSpec

_TOKENS = 131_072
"""About as many are shown at once: more take the window long to lay out."""


@dataclass(frozen=True)
class BatchesTarget:
    """Batches to show.

    Attributes:
        spec: Of which training.
        name: What the text is called.
        back: Page that the inspector was opened from.
    """

    spec: InspectSpec
    name: str
    back: str = "data"


def fitting(spec: InspectSpec) -> InspectSpec:
    """The same training with no more batches than it has steps left, and rows that can be read."""
    left = spec.steps - spec.first_step + 1
    batches = max(min(spec.batches, left), 1)
    rows = max(min(spec.rows, _TOKENS // (batches * spec.context_length)), 1)
    return msgspec.structs.replace(spec, batches=batches, rows=rows)
