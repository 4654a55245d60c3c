"""What the wizard can be opened with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WizardTarget:
    """A start for the draft; what is None is asked.

    Attributes:
        dataset_id: Train on this dataset.
        project_id: The run belongs to this project.
        run_id: Begin with this run's settings ("Again with changes").
        continues: Begin with the run's weights, too, and go on behind the text that it has seen.
        toml: Begin with the settings in this file.
        draft_id: Go on with this kept draft.
    """

    dataset_id: int | None = None
    project_id: int | None = None
    run_id: int | None = None
    continues: bool = False
    toml: Path | None = None
    draft_id: int | None = None
