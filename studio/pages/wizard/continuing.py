"""A run that begins with another one's weights, on text that it has not seen. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.pages.wizard.names import NAMES
from trainer_core.errors import SpecError
from trainer_core.spec import ModelConfig, TrainSpec
from trainer_core.status import CHECKPOINTS_FOLDER

_FREE = ("dropout", "match_dropout")
"""Settings of a model that weights do not depend on."""
_SAFE = "Nothing was started."


@dataclass(frozen=True)
class Continued:
    """The run that another goes on from.

    Attributes:
        name: Of the run.
        folder: Its job folder, or that of one of its checkpoints.
        seen: Share of the training text that it has seen, at most 1; None where it is not known.
    """

    name: str
    folder: Path
    seen: float | None = None


def continued_by(spec: TrainSpec) -> Continued | None:
    """What the settings of a run say that it goes on from; None where it began anew."""
    if not spec.continue_from:
        return None
    path = Path(spec.continue_from)
    run = path.parent.parent if path.parent.name == CHECKPOINTS_FOLDER else path
    return Continued(run.name, path)


def check_continued(continued: Continued, before: TrainSpec, wanted: TrainSpec) -> None:
    """Make sure that weights fit, and that it can be told which text is new.

    Args:
        continued: The run that is gone on from.
        before: Its settings.
        wanted: Those of the run that goes on.

    Raises:
        SpecError: Its shape or its text is another one; the error has the setting's path.
    """
    for name in ModelConfig.__struct_fields__:
        mine, theirs = getattr(wanted.model, name), getattr(before.model, name)
        if mine != theirs and name not in _FREE:
            raise SpecError(
                f"{continued.name} is of another shape: {NAMES.get(name, name)} {_words(theirs)}.",
                safe=_SAFE,
                do="Take that shape, or begin anew in the first step.",
                field=f"model.{name}",
            )
    other = _other_text(before, wanted)
    if other and not wanted.data.mixing:
        raise SpecError(
            f"What {continued.name} has not seen of this text cannot be told: it {other}.",
            safe=_SAFE,
            do="Take its data settings, mix by weights, or begin anew.",
            field="data.packing",
        )


def reads_anew(before: TrainSpec, wanted: TrainSpec) -> bool:
    """Whether sources are read from their beginnings, as weights say, not behind what was seen."""
    return bool(_other_text(before, wanted))


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else f"{value}"


def _other_text(before: TrainSpec, wanted: TrainSpec) -> str:
    """What about the text is another than before; empty where nothing is."""
    if before.corpus != wanted.corpus:
        return "was trained on other data"
    if before.data.packing != wanted.data.packing:
        return "had its documents packed in another way"
    if bool(before.data.mixing) != bool(wanted.data.mixing):
        return "drew from its sources by other rules"
    return ""
