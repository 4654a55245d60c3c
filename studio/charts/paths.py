"""Painter paths from arrays, in one step however many points there are."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from PySide6.QtCore import QByteArray, QDataStream
from PySide6.QtGui import QPainterPath

from studio.charts.lines import Doubles

_POINT: Final = np.dtype([("connects", ">i4"), ("x", ">f8"), ("y", ">f8")])


def path_of(x: Doubles, y: Doubles) -> QPainterPath:
    """A line through points, interrupted where one of them is not a number.

    The points go to Qt in the form in which it writes paths to a stream: a count, for each point
    whether a line leads to it and where it is, then where the open part begins and how areas fill.
    All numbers have their highest byte first.

    Args:
        x: Pixels, (n,).
        y: Likewise.
    """
    there = np.isfinite(x) & np.isfinite(y)
    path = QPainterPath()
    count = int(there.sum())
    if not count:
        return path
    points = np.empty(count, _POINT)
    points["x"], points["y"] = x[there], y[there]
    places = np.flatnonzero(there)
    points["connects"][0] = 0
    points["connects"][1:] = np.diff(places) == 1
    data = QByteArray(struct.pack(">i", count) + points.tobytes() + struct.pack(">ii", 0, 0))
    stream = QDataStream(data)
    stream >> path
    return path
