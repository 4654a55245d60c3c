"""Painter paths from arrays, in one step however many points there are."""

from __future__ import annotations

import numpy as np
from pyqtgraph.functions import arrayToQPath
from PySide6.QtGui import QPainterPath

from studio.charts.lines import Doubles


def path_of(x: Doubles, y: Doubles) -> QPainterPath:
    """A line through points, interrupted where one of them is not a number.

    Args:
        x: Pixels, (n,).
        y: Likewise.
    """
    if not (np.isfinite(x) & np.isfinite(y)).any():
        return QPainterPath()
    path: QPainterPath = arrayToQPath(x, y, connect="finite")
    return path
