"""The last step: name, project, and the settings exactly as they will be frozen."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card
from studio.widgets.controls import ComboBox, LineEdit, SecondaryButton, TextEdit
from studio.widgets.field import Field
from studio.widgets.headings import card_title
from trainer_core import spec as specs
from trainer_core.errors import KnownError

_NEW = -1


class ReviewStep(StepView):
    """Where the run belongs, and its settings as TOML."""

    name = "Review"
    explanation = "These settings are frozen with the run, so that it can be repeated exactly."

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_name = LineEdit(name="Name of the run")
        self.run_name.textEdited.connect(self._on_name_edited)
        self.project = ComboBox(name="Project")
        self.project.activated.connect(self._on_project_activated)
        self.new_project = LineEdit(name="Name of the new project")
        self.new_project.textEdited.connect(self._on_project_edited)
        self._name_field = Field("Name of the run", self.run_name)
        self._new_field = Field("Name of the new project", self.new_project)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        for column, field in enumerate(
            (self._name_field, Field("Project", self.project), self._new_field)
        ):
            grid.addWidget(field, 0, column)
            grid.setColumnStretch(column, 1)
        names = Card(spacing=12)
        names.body.addLayout(grid)
        self.toml = TextEdit(name="Settings as TOML", role="mono")
        self.toml.setReadOnly(True)
        self.toml.setMinimumHeight(240)
        copy = SecondaryButton("Copy as TOML", "copy", size="small")
        copy.clicked.connect(self._on_copy_clicked)
        head = QHBoxLayout()
        head.addWidget(card_title("Settings"), 1)
        head.addWidget(copy)
        settings = Card(spacing=8)
        settings.body.addLayout(head)
        settings.body.addWidget(self.toml, 1)
        self.column.addWidget(names)
        self.column.addWidget(settings, 1)
        self._projects: tuple[int, ...] = ()

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show names and settings."""
        super().show_draft(draft, plan, shelf)
        if self.run_name.text() != draft.name:
            self.run_name.setText(draft.name)
        self.run_name.setPlaceholderText(draft.suggested_name())
        ids = tuple(project.id for project in shelf.projects)
        if ids != self._projects or self.project.count() == 0:
            self._projects = ids
            self.project.clear()
            for project in shelf.projects:
                self.project.addItem(project.name, project.id)
            self.project.addItem("A new project", _NEW)
        wanted = _NEW if draft.project_id is None else draft.project_id
        self.project.setCurrentIndex(max(self.project.findData(wanted), 0))
        self._new_field.setVisible(draft.project_id is None)
        if self.new_project.text() != draft.project_name:
            self.new_project.setText(draft.project_name)
        self.new_project.setPlaceholderText(draft.data.name if draft.data else "")
        text = specs.to_toml(plan.spec) if plan.spec is not None else plan.obstacle
        if self.toml.toPlainText() != text:
            self.toml.setPlainText(text)

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """Anything that is still wrong."""
        return plan.obstacle

    def show_error(self, error: KnownError) -> None:
        """Show why the run could not be started beside its name."""
        self._name_field.set_error(str(error))

    def clear_error(self) -> None:
        """Take the error away."""
        self._name_field.set_error("")

    def _on_name_edited(self, text: str) -> None:
        self.draft_changed.emit(replace(self.draft, name=text))

    def _on_project_activated(self, index: int) -> None:
        chosen = self.project.itemData(index)
        self.draft_changed.emit(replace(self.draft, project_id=None if chosen == _NEW else chosen))

    def _on_project_edited(self, text: str) -> None:
        self.draft_changed.emit(replace(self.draft, project_name=text))

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self.toml.toPlainText())
