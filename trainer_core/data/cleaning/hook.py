"""A cleaning step of one's own: a Python file with a function `clean(text, title, path)`."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from trainer_core.data.sources.files import path_of_user
from trainer_core.errors import DataError

FUNCTION = "clean"
FIELD = "cleaning.hook"

Hook = Callable[[str, str, str], str | None]
"""Given text, title and path; gives the text, or None to leave the document out."""


def load_hook(named: str) -> Hook:
    """The function in a user's file, with its results checked.

    Raises:
        DataError: The file cannot be run, or has no such function.
    """
    path = path_of_user(named)
    clean = getattr(_run(path), FUNCTION, None)
    if not callable(clean):
        raise _wrong(f"{path} has no function `{FUNCTION}`.")

    def checked(text: str, title: str, document: str) -> str | None:
        try:
            found = clean(text, title, document)
        except (Exception, SystemExit) as error:
            raise _wrong(f"{path} failed on {title}: {_where(error, path)}.") from error
        if found is None or isinstance(found, str):
            return found
        raise _wrong(
            f"{path} gave {type(found).__name__} for {title}, which is neither text nor None."
        )

    return checked


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise _wrong(f"There is no file {path}.")
    # The loader is chosen by hand, since the file may have any name.
    loader = importlib.machinery.SourceFileLoader("hearth_cleaning_hook", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    if spec is None:
        raise _wrong(f"{path} cannot be run.")
    module = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _wrong(f"{path} cannot be run: {_where(error, path)}.") from error
    return module


def _where(error: BaseException, path: Path) -> str:
    """The error with the last line of the user's file that it went through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    place = f" in line {lines[-1]}" if lines else ""
    return f"{type(error).__name__}{place}: {error}".rstrip(": ")


def _wrong(what: str) -> DataError:
    return DataError(
        what,
        safe="Nothing was written.",
        do=f"Give {FIELD} a Python file with a function {FUNCTION}(text, title, path) that gives"
        " the text, changed or not, or None to leave the document out.",
        field=FIELD,
    )
