"""A path that is typed, or chosen from the disk."""

from __future__ import annotations

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from studio.widgets.controls import LineEdit, SecondaryButton


class PathEdit(QWidget):
    """A line with a path, and a button that opens the system's dialog.

    Args:
        title: Of the dialog.
        folder: A folder is wanted, no file.
        files: Which files the dialog offers, such as `Python files (*.py)`.
    """

    def __init__(
        self, title: str, *, folder: bool = False, files: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._title, self._folder, self._files = title, folder, files
        self.edit = LineEdit(name=title)
        choose = SecondaryButton("Choose…")
        choose.clicked.connect(self._on_choose_clicked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.edit, 1)
        row.addWidget(choose)

    def _on_choose_clicked(self) -> None:
        dialog = QFileDialog(self, self._title)
        mode = QFileDialog.FileMode.Directory if self._folder else QFileDialog.FileMode.ExistingFile
        dialog.setFileMode(mode)
        if self._files:
            dialog.setNameFilter(self._files)
        dialog.fileSelected.connect(self.edit.setText)
        dialog.open()
