"""numba where it can be had: decorators that compile, or leave the function as it is."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import platformdirs

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_log = logging.getLogger(__name__)


def _load_njit() -> Callable[..., Callable[[FunctionT], FunctionT]] | None:
    """`numba.njit`, or None where it is switched off, absent or does not fit this numpy."""
    if os.environ.get("HEARTH_NO_NUMBA", "") not in ("", "0"):
        return None
    try:
        from numba import njit
    except (ImportError, OSError, AttributeError, SystemError) as error:
        _log.warning("numba cannot be loaded, the index takes its slow path: %s", error)
        return None
    compile_with: Callable[..., Callable[[FunctionT], FunctionT]] = njit
    return compile_with


_njit = _load_njit()

COMPILED = _njit is not None
"""Whether kernels are machine code; else callers take the numpy path."""

_OPTIONS = {"_nrt": False, "nogil": True}
"""Kernels allocate nothing, so numba need not count references: that doubles their speed. They let
go of the interpreter, so that threads can run them side by side."""


_SHARED_SOURCES = (
    "compiled.py",
    "machine.py",
    "contexts.py",
    "records.py",
    "sorting/items.py",
    "sorting/settling.py",
    "sorting/small_groups.py",
    "lookups/tables.py",
    "lookups/desk.py",
    "lookups/fetch.py",
    "lookups/answer.py",
    "lookups/blocks.py",
    "lookups/borders.py",
    "lookups/places.py",
    "lookups/steps.py",
    "lookups/own_context.py",
)
"""The files whose parts any kernel may be compiled with."""


@functools.cache
def _cache_folder(source: str) -> Path | None:
    """The first folder that a file's machine code can be kept in, or None.

    It is named after the content of the file and of the shared sources. numba itself looks at the
    one file that a function stands in, so after a change in a file that it is compiled with, it
    would go on with the old code. Kernels may use the parts of their own file and of the shared
    ones, no others.
    """
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in (*(here / name for name in _SHARED_SOURCES), Path(source)):
        digest.update(path.read_bytes() if path.exists() else b"")
    name = f"kernels-{digest.hexdigest()[:16]}"
    chosen = os.environ.get("NUMBA_CACHE_DIR", "")
    own = [here / "__pycache__", platformdirs.user_cache_path("Hearth")]
    for parent in [Path(chosen)] if chosen else own:
        try:
            (parent / name).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=parent / name).close()
        except OSError:
            continue
        return parent / name
    _log.info("compiled kernels are not kept: no folder for them can be written")
    return None


def kernel(function: FunctionT) -> FunctionT:
    """Compile a function that plain code calls, on first use, and keep the machine code.

    It is kept beside the source, else in the user's cache folder, or in `NUMBA_CACHE_DIR` where
    that is set. Where none of them can be written, each process compiles anew.
    """
    if _njit is None:
        return function
    kept_in = _cache_folder(function.__code__.co_filename)
    if kept_in is None:
        return _njit(**_OPTIONS)(function)
    from numba.core import config

    before = config.CACHE_DIR  # type: ignore[attr-defined]  # numba sets it at run time
    config.CACHE_DIR = str(kept_in)  # type: ignore[attr-defined]  # as above
    try:
        return _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError as error:  # "cannot cache function …: no locator available"
        _log.info("compiled kernels are not kept: %s", error)
        return _njit(**_OPTIONS)(function)
    finally:
        config.CACHE_DIR = before  # type: ignore[attr-defined]  # as above


def part(function: FunctionT) -> FunctionT:
    """Compile a function that only kernels call."""
    return function if _njit is None else _njit(**_OPTIONS)(function)


def inlined(function: FunctionT) -> FunctionT:
    """A small part of kernels that is compiled into its callers."""
    return function if _njit is None else _njit(forceinline=True, **_OPTIONS)(function)


@inlined
def signed(value: np.integer[Any] | np.bool_ | int) -> int:
    """The number with a sign: in kernels, a mix with unsigned ones would become a float."""
    return np.int64(value)  # type: ignore[return-value]  # an int to those who calculate with it
