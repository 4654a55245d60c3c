"""A draft as plain values, to be kept in the library and taken up again. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from studio.pages.wizard.data_choice import DataChoice
from studio.pages.wizard.draft import Draft
from studio.storage.rows import DraftRow, ProjectRow
from trainer_core.errors import KnownError
from trainer_core.presets import PRESETS

_FORMAT = 1


def draft_values(draft: Draft, step: int) -> dict[str, Any]:
    """What is kept of a draft.

    Args:
        draft: As it stands.
        step: Which step of the wizard was reached, counted from 0.
    """
    values: dict[str, Any] = msgspec.to_builtins(replace(draft, data=None), enc_hook=_as_text)
    dataset_id = None if draft.data is None else draft.data.id
    return {"format": _FORMAT, "dataset_id": dataset_id, "step": step, "draft": values}


def kept_draft(
    row: DraftRow, choices: Sequence[DataChoice], projects: Sequence[ProjectRow]
) -> tuple[Draft, int]:
    """A draft as it was kept, and the step that it had reached.

    Its dataset and its project may be gone by now: then they are asked for again.

    Raises:
        KnownError: It is damaged, or of a newer version.
    """
    values = row.values
    try:
        if values["format"] != _FORMAT:
            raise _unreadable(row, "it is of another version of Hearth")
        draft = msgspec.convert(values["draft"], Draft, dec_hook=_from_text)
        step = msgspec.convert(values["step"], int)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise _unreadable(row, str(error)) from None
    if draft.preset not in PRESETS:
        raise _unreadable(row, f"there is no size called {draft.preset}")
    data = next((choice for choice in choices if choice.id == values.get("dataset_id")), None)
    known = {project.id for project in projects}
    project_id = draft.project_id if draft.project_id in known else None
    return replace(draft, data=data, project_id=project_id), max(step, 0) if data else 0


def _unreadable(row: DraftRow, why: str) -> KnownError:
    return KnownError(
        f"The draft {row.name} cannot be read: {why}.",
        safe="It was not changed.",
        do="Remove it, and plan the run anew.",
    )


def _as_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that a draft holds")


def _from_text(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"{value!r} is no {kind.__name__}")
