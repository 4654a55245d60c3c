"""What the inspector can be opened with. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

from trainer_core.spec import InspectSpec


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
