"""Main memory that trials leave to everything else."""

from __future__ import annotations

import psutil

_LEAST_BYTES = 512 << 20
_SHARE = 0.05


def reserve_bytes() -> int:
    """Main memory that no trial may take, in bytes."""
    return max(_LEAST_BYTES, int(psutil.virtual_memory().total * _SHARE))
