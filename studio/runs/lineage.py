"""Where a run comes from: the checkpoint whose weights it began with. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.runs.parts import spec_in
from studio.storage.rebuild import run_of_checkpoint
from trainer_core.spec import TrainSpec
from trainer_core.status import CHECKPOINTS_FOLDER

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Origin:
    """The checkpoint that a run went on from."""

    folder: Path
    """Job folder of the run that it is of."""
    step: int | None = None
    """None where neither run says it any more."""


class _Ancestor(msgspec.Struct):
    run: str
    step: int


class _Lineage(msgspec.Struct):
    """What of a checkpoint's manifest tells where its run comes from."""

    lineage: tuple[_Ancestor, ...] = ()


def origin_in(spec: object) -> Path | None:
    """The job folder of the run that these settings continue; None where they begin anew."""
    return run_of_checkpoint(spec.continue_from) if isinstance(spec, TrainSpec) else None


def origin_of(run_folder: Path) -> Origin | None:
    """The checkpoint that a run began with; None where it began anew, or is gone."""
    spec = spec_in(run_folder)
    if not isinstance(spec, TrainSpec):
        return None
    folder = run_of_checkpoint(spec.continue_from)
    if folder is None:
        return None
    _, _, number = Path(spec.continue_from).name.partition("step-")
    step = int(number) if number.isdigit() else _told_by_checkpoints(run_folder)
    return Origin(folder, step)


def _told_by_checkpoints(run_folder: Path) -> int | None:
    """The step that a run's own checkpoints tell of, where its settings named the run alone."""
    for manifest in sorted((run_folder / CHECKPOINTS_FOLDER).glob(f"step-*/{_MANIFEST}")):
        try:
            told = msgspec.json.decode(manifest.read_bytes(), type=_Lineage)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
            continue  # of a damaged checkpoint; the next one says the same
        if told.lineage:
            return told.lineage[-1].step
    return None
