"""The list of files and folders that a dataset is read from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.controls import IconButton, SecondaryButton
from studio.widgets.label import Label


class PathList(QWidget):
    """Files and folders, one to a row, each with a way to take it out.

    Signals:
        changed: A path was added or taken out.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths: list[str] = []
        self._rows = QVBoxLayout()
        self._rows.setSpacing(2)
        files = SecondaryButton("Add files…", "file-text", size="small")
        files.clicked.connect(lambda: self._ask(QFileDialog.FileMode.ExistingFiles))
        folder = SecondaryButton("Add a folder…", "folder-open", size="small")
        folder.clicked.connect(lambda: self._ask(QFileDialog.FileMode.Directory))
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(files)
        buttons.addWidget(folder)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self._rows)
        column.addLayout(buttons)

    @property
    def paths(self) -> tuple[str, ...]:
        """What is listed."""
        return tuple(self._paths)

    def set_paths(self, paths: tuple[str, ...]) -> None:
        """List these instead."""
        self._paths.clear()
        while (item := self._rows.takeAt(0)) is not None:
            if (row := item.widget()) is not None:
                row.deleteLater()
        self.add(list(paths))

    def add(self, paths: list[str]) -> None:
        """List these too; what is listed already stays where it is."""
        for path in paths:
            if path not in self._paths:
                self._paths.append(path)
                self._rows.addWidget(self._row(path))
        self.changed.emit()

    def _row(self, path: str) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        remove = IconButton("x", f"Take out {path}", edge=22)
        remove.clicked.connect(lambda: self._remove(path, row))
        missing = not Path(path).exists()
        layout.addWidget(Label(path, "secondary", "danger" if missing else "text"), 1)
        layout.addWidget(remove)
        return row

    def _remove(self, path: str, row: QWidget) -> None:
        self._paths.remove(path)
        self._rows.removeWidget(row)
        row.deleteLater()
        self.changed.emit()

    def _ask(self, mode: QFileDialog.FileMode) -> None:
        dialog = QFileDialog(self, "Add data")
        dialog.setFileMode(mode)
        dialog.filesSelected.connect(self.add)
        dialog.open()
