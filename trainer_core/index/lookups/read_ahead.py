"""Has pages of mapped files read before they are touched, so that many lookups wait side by side.

A page that is not in memory is read when it is touched, and the thread waits for it. The system can
be told in advance, `madvise`, where it knows that; then lookups take their steps in turns, and each
one's page is on its way meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


def _load_madvise() -> Callable[[int, int, int], int] | None:
    """The system's `madvise`, or None where it has none."""
    if sys.platform == "win32" or not hasattr(mmap, "MADV_WILLNEED"):
        return None
    try:
        function = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    function.restype = ctypes.c_int
    advise: Callable[[int, int, int], int] = function
    return advise


_madvise = _load_madvise()


def can_read_ahead() -> bool:
    """Whether the system takes advice."""
    return _madvise is not None


def _advise(begin: int, end: int, advice: int) -> None:
    """Advice is only that: whether it was taken makes no difference to the answers."""
    if _madvise is not None and end > begin:
        first = begin - begin % mmap.PAGESIZE
        _madvise(first, end - first, advice)


def read_whole(values: NDArray[Any]) -> None:
    """Have a mapped array read."""
    begin = int(values.ctypes.data)
    _advise(begin, begin + values.nbytes, mmap.MADV_WILLNEED)


def read_at(addresses: I64, asked: set[int]) -> None:
    """Have the pages of some addresses read.

    Args:
        addresses: In mapped files.
        asked: Numbers of the pages that were asked for before; those asked for now are added.
    """
    pages = set((addresses // mmap.PAGESIZE).tolist()) - asked
    asked |= pages
    for page in pages:
        _advise(page * mmap.PAGESIZE, (page + 1) * mmap.PAGESIZE, mmap.MADV_WILLNEED)


@contextlib.contextmanager
def single_pages(arrays: Sequence[NDArray[Any]]) -> Iterator[None]:
    """While the block runs, a page of these mapped arrays is read without its neighbours."""
    spans = [(int(values.ctypes.data), values.nbytes) for values in arrays]
    for begin, size in spans:
        _advise(begin, begin + size, mmap.MADV_RANDOM)
    try:
        yield
    finally:
        for begin, size in spans:
            _advise(begin, begin + size, mmap.MADV_NORMAL)
