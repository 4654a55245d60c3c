"""A folder, chosen from a list of known ones or from the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from studio.widgets.controls import ComboBox, SecondaryButton


class FolderChoice(QWidget):
    """A list of folders by their titles; the button adds another one to it.

    Args:
        name: Accessible name of the list.
        dialog: Title of the system's dialog; empty for a list without a button.

    Signals:
        chosen: Another folder is in force.
    """

    chosen = Signal()

    def __init__(self, name: str, dialog: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dialog = dialog
        self._combo = ComboBox(name)
        self._combo.setPlaceholderText("none yet")
        self._combo.activated.connect(self.chosen)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._combo, 1)
        if dialog:
            choose = SecondaryButton("Choose…")
            choose.clicked.connect(self._on_choose_clicked)
            row.addWidget(choose)

    @property
    def folder(self) -> str:
        """The folder in force, or an empty text."""
        return self._combo.currentData() or ""

    def set_known(self, known: Sequence[tuple[str, Path]]) -> None:
        """Offer these folders by their titles; the one in force stays."""
        chosen = self.folder
        self._combo.clear()
        for title, folder in known:
            self._combo.addItem(title, str(folder))
        self.choose(chosen)

    def choose(self, folder: str) -> None:
        """Take a folder; one that is not on the list is put there. Empty takes the first."""
        if folder and self._combo.findData(folder) < 0:
            self._combo.addItem(folder, folder)
        self._combo.setCurrentIndex(max(self._combo.findData(folder), 0))
        self._combo.updateGeometry()

    def _on_choose_clicked(self) -> None:
        dialog = QFileDialog(self, self._dialog)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._on_folder_selected)
        dialog.open()

    def _on_folder_selected(self, folder: str) -> None:
        self.choose(folder)
        self.chosen.emit()
