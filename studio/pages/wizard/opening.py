"""From settings that are written down to a draft: those of a run, and those of a TOML file.

A file is taken whole or not at all: what the draft could not keep is named with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from studio.pages.wizard.continuing import continued_by
from studio.pages.wizard.data_choice import DataChoice
from studio.pages.wizard.draft import Draft, build_spec
from studio.pages.wizard.sequences import form_of
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import TrainSpec

FILE_BYTES_MAX = 1_000_000
"""Far more than settings take; a larger file is something else."""
_SAFE = "Nothing was started, and the plan is as it was."
_ABOUT_HERE = ("corpus", "index", "continue_from")
"""Folders: they are of this computer, or were of another one."""


@dataclass(frozen=True)
class OpenedSettings:
    """Settings from a file.

    Attributes:
        draft: With all of them.
        notice: What is still to be chosen; empty where nothing is.
    """

    draft: Draft
    notice: str = ""


def data_of_spec(spec: TrainSpec, choices: Sequence[DataChoice]) -> DataChoice | None:
    """The dataset that settings name, where it is known."""
    return next((c for c in choices if str(c.corpus) == spec.corpus), None)


def draft_of_spec(spec: TrainSpec, data: DataChoice | None) -> Draft:
    """A draft with the settings of a spec, to be changed."""
    draft = Draft(
        data=data,
        use_index=spec.model.match_input,
        n_layer=spec.model.n_layer,
        n_embd=spec.model.n_embd,
        n_head=spec.model.n_head,
        context_length=spec.model.context_length,
        batch_size=spec.budget.batch_size,
        lr=spec.optimizer.lr,
        steps=spec.budget.steps,
        seed=spec.seed,
        sequences=form_of(spec.data, by_source=spec.evaluation.by_source),
        continues=continued_by(spec),
        base=spec,
    )
    return replace(draft, preset=draft.matching_preset or draft.preset)


def open_settings(path: Path, choices: Sequence[DataChoice]) -> OpenedSettings:
    """Read a training's settings from a TOML file.

    Raises:
        SpecError: The file cannot be read, is no TOML, or a field in it cannot be used here; the
            message names the line, the error has the field's path.
    """
    text = _read(path)
    try:
        spec = specs.from_toml(text, path.name)
    except SpecError as error:
        raise _with_line(error, text) from None
    if not isinstance(spec, TrainSpec):
        raise SpecError(
            f"{path.name} holds the settings of “{specs.verb_of(spec)}”, not of a training.",
            safe=_SAFE,
            do="Choose a file whose verb is “train”.",
            field="verb",
        )
    data = data_of_spec(spec, choices)
    draft = replace(draft_of_spec(spec, data), name=path.stem[:60])
    if data is None:
        return OpenedSettings(
            draft,
            f"{path.name} names the text in {spec.corpus or 'no folder'}, which is not among your"
            " datasets. Choose the one to learn from.",
        )
    _check_kept(spec, draft, text, path.name)
    return OpenedSettings(draft)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise SpecError(
                f"{path.name} is too large to be settings.",
                safe=_SAFE,
                do="Choose the TOML file of a training.",
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError(
            f"{path.name} is not UTF-8 text.", safe=_SAFE, do="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise SpecError(
            f"{path.name} cannot be read: {error.strerror}.", safe=_SAFE, do="Check the file."
        ) from None


def _check_kept(spec: TrainSpec, draft: Draft, text: str, name: str) -> None:
    """Make sure that the draft gives the very settings of the file.

    Raises:
        SpecError: Its dataset does not allow one of them.
    """
    built = build_spec(draft)
    wanted, given = msgspec.to_builtins(spec), msgspec.to_builtins(built)
    for path, before in _leaves(wanted):
        after: Any = given
        for part in path.split("."):
            after = after.get(part) if isinstance(after, dict) else None
        if after != before and path not in _ABOUT_HERE:
            line = line_of(text, path)
            where = f", line {line}," if line else ""
            raise SpecError(
                f"{name}{where} has {path} = {before!r}, which its dataset does not allow: here it"
                f" is {after!r}.",
                safe=_SAFE,
                do="Correct the file, or prepare the text as it says.",
                field=path,
            )


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _with_line(error: SpecError, text: str) -> SpecError:
    """The error with the line of its field, where it can be told."""
    line = line_of(text, error.field) if error.field else 0
    what = f"Line {line}: {error.what}" if line else error.what
    return SpecError(what, safe=_SAFE, do=error.do, field=error.field)


def line_of(text: str, path: str) -> int:
    """Which line of a TOML text sets a field, counted from 1; 0 where none does.

    Args:
        text: TOML.
        path: Such as `model.n_layer` or `data.mixing[0].weights`.
    """
    wanted = re.sub(r"\[[^\]]*\]", "", path)
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if found := re.fullmatch(r"\[+\s*([^\]]+?)\s*\]+\s*(#.*)?", plain):
            table = found[1]
            if table == wanted:
                return number
        elif found := re.match(r"([A-Za-z0-9_.\-\"']+)\s*=", plain):
            key = found[1].replace('"', "").replace("'", "")
            if (f"{table}.{key}" if table else key) == wanted:
                return number
    return 0
