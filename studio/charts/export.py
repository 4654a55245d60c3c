"""Charts as files: PNG at twice the size, SVG that scales, CSV with every figure."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PySide6.QtCore import QBuffer, QIODevice, QPoint, QRect, QSize
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from studio.charts.feed import Table
from studio.charts.plot import PlotCanvas
from studio.theme import theme
from trainer_core.errors import from_os_error

_SCALE: Final = 2


def png_bytes(widget: QWidget) -> bytes:
    """A picture of a widget, drawn anew at twice its size."""
    image = QImage(widget.size() * _SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(_SCALE)
    image.fill(QColor(theme().palette.bg0))
    painter = QPainter(image)
    _render(widget, painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stubs know file names only
    return bytes(buffer.data().data())


def svg_bytes(widget: QWidget, title: str) -> bytes:
    """A drawing of a widget, with lines and letters that scale."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(widget.size())
    generator.setViewBox(QRect(QPoint(0, 0), widget.size()))
    generator.setTitle(title)
    generator.setResolution(96)
    painter = QPainter(generator)
    painter.fillRect(widget.rect(), QColor(theme().palette.bg0))
    _render(widget, painter)
    painter.end()
    return bytes(buffer.data().data())


def write_file(path: Path, data: bytes) -> None:
    """Write a file in one step: it is there whole or not at all.

    Raises:
        KnownError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise from_os_error(error, f"writing {path.name}") from error


def write_csv(path: Path, table: Table, names: Sequence[str], first: int, last: int) -> None:
    """Write the rows of a table whose step lies in a range; NaN is an empty cell.

    Args:
        path: The file.
        table: The figures, with a column `step`.
        names: Columns, from left to right.
        first: First step.
        last: Last step, included.

    Raises:
        KnownError: The file cannot be written.
    """
    columns = {name: table.column(name) for name in names}
    rows = min((len(column) for column in columns.values()), default=0)
    steps = table.column("step")[:rows]
    start, stop = (int(i) for i in np.searchsorted(steps, [first, last + 1]))
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            cut = [columns[name][start:stop].tolist() for name in names]
            writer.writerows([_cell(value) for value in row] for row in zip(*cut, strict=True))
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise from_os_error(error, f"writing {path.name}") from error


def _cell(value: float) -> str:
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else f"{value:.7g}"


def _render(widget: QWidget, painter: QPainter) -> None:
    charts = widget.findChildren(PlotCanvas)
    if isinstance(widget, PlotCanvas):
        charts.append(widget)
    for chart in charts:
        chart.vector = True
    try:
        widget.render(
            painter,
            QPoint(0, 0),
            renderFlags=QWidget.RenderFlag.DrawChildren | QWidget.RenderFlag.DrawWindowBackground,
        )
    finally:
        for chart in charts:
            chart.vector = False


def picture_size(widget: QWidget) -> QSize:
    """Size of the PNG in pixels."""
    return widget.size() * _SCALE
