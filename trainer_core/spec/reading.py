"""Specs from TOML and plain values, and back; faults are named by their field."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import re
from pathlib import Path
from typing import TypeVar

import msgspec
import tomli_w

from trainer_core.errors import SpecError
from trainer_core.spec.jobs import JobSpec
from trainer_core.spec.section import Section

SpecT = TypeVar("SpecT", bound=msgspec.Struct)

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_OWN_MESSAGE = re.compile(r"(?P<field>[a-z][a-z0-9_.\[\]]*) ")  # msgspec's own start with a capital
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")


def _spec_error(error: Exception, where: str) -> SpecError:
    """The error of a decoder, with the field's path told apart from the message."""
    text = str(error)
    found = _PATH.search(text)
    message = _PATH.sub("", text)
    inner = _OWN_MESSAGE.match(message) or _UNKNOWN_FIELD.match(message)
    parts = (found["path"] if found else "", inner["field"] if inner else "")
    path = ".".join(part for part in parts if part)
    subject = f"`{path}` in {where}" if path else where[:1].upper() + where[1:]
    return SpecError(
        f"{subject} cannot be used: {message}.",
        safe="Nothing was started.",
        do="Correct the setting and try again.",
        field=path,
    )


def convert(data: object, kind: type[SpecT], where: str = "the settings") -> SpecT:
    """Build one section or one verb's spec from plain values, checking every range.

    Args:
        data: Dicts, lists, strings and numbers, as TOML or the wizard give them.
        kind: The `Section` to build.
        where: What the data came from, for the message.

    Raises:
        SpecError: With the path of the first field at fault.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _spec_error(error, where) from None


def from_builtins(data: object, where: str = "the settings") -> JobSpec:
    """Build a job spec from plain values; its `verb` says which kind it is.

    Raises:
        SpecError: With the path of the first field at fault.
    """
    try:
        spec: JobSpec = msgspec.convert(data, JobSpec)
    except msgspec.ValidationError as error:
        raise _spec_error(error, where) from None
    return spec


def from_toml(text: str, where: str = "the settings") -> JobSpec:
    """Read a job spec from TOML text.

    Raises:
        SpecError: The text is no TOML, or a field is wrong; the error has its path.
    """
    try:
        data = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise _spec_error(error, where) from None
    return from_builtins(data, where)


def to_toml(spec: Section) -> str:
    """The spec as TOML text with every default written out."""
    return tomli_w.dumps(msgspec.to_builtins(spec))


def load(path: Path) -> JobSpec:
    """Read a job spec from a TOML file.

    Raises:
        SpecError: The file is absent, unreadable, no UTF-8, no TOML, or a field is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError(
            f"{path} is not UTF-8 text.", safe="Nothing was started.", do="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise SpecError(
            f"{path} cannot be read: {error.strerror}.",
            safe="Nothing was started.",
            do="Check the path.",
        ) from None
    return from_toml(text, str(path))
