"""What cleaning did to a dataset's text, step by step, and what is nearly equal in it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.cleaning_facts import (
    STEP_NAMES,
    added_up,
    near_lines,
    near_words,
    report_words,
)
from studio.pages.data.corpus import ManifestFacts
from studio.widgets.card import Card
from studio.widgets.headings import card_title
from studio.widgets.label import Label

_NAME_PX = 160


class CleanedCard(Card):
    """One row a step; hidden for a dataset whose text was taken as it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, spacing=8, parent=parent)
        self._shown: ManifestFacts | None = None
        self._rows = QVBoxLayout()
        self._rows.setSpacing(6)
        self.body.addWidget(card_title("Cleaning"))
        self.body.addLayout(self._rows)
        self.hide()

    def show_manifest(self, manifest: ManifestFacts) -> None:
        """Show what was done to a dataset."""
        if manifest is self._shown:
            return
        self._shown = manifest
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        said = cleaning_rows(manifest)
        for name, words, more in said:
            self._rows.addWidget(_StepLine(name, words, more))
        self.setVisible(bool(said))


def cleaning_rows(manifest: ManifestFacts) -> list[tuple[str, str, str]]:
    """Each step's name, what it did, and examples of it."""
    reports = [report for source in manifest.sources for report in source.cleaning]
    read = sum(source.documents_read for source in manifest.sources)
    rows: list[tuple[str, str, str]] = []
    for step in dict.fromkeys(report.step for report in reports):
        report = added_up([each for each in reports if each.step == step])
        if report is not None:
            titles = "\n".join(example.title for example in report.examples)
            name = STEP_NAMES.get(step, step.replace("_", " "))
            rows.append((name, report_words(report, read, done=True), titles))
    near = manifest.near_duplicates
    if near is not None:
        rows.append(("Near duplicates", near_words(near), "\n".join(near_lines(near))))
    return rows


class _StepLine(QWidget):
    """A step's name at the left, what it did at the right."""

    def __init__(self, name: str, words: str, more: str) -> None:
        super().__init__()
        title = Label(name, "secondary")
        title.setFixedWidth(_NAME_PX)
        said = Label(words, "secondary", "muted", wrap=True)
        said.set_tooltip(more)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(title)
        row.addWidget(said, 1)
