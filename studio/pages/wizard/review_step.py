"""The last step: what was chosen, when it may work, and the settings as they will be frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from studio.pages.typed import parse
from studio.pages.wizard.commands import shell_command
from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.shelf import SEEDS_MAX, Shelf, is_taken, seeds_problem
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card, Hairline
from studio.widgets.choices import Segmented
from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.controls import ComboBox, LineEdit, LinkButton, SecondaryButton, TextEdit
from studio.widgets.field import Field
from studio.widgets.headings import card_title
from studio.widgets.label import Label
from trainer_core import spec as specs
from trainer_core.errors import KnownError

_NEW = -1
_COPIED = "Copied"


class ReviewStep(StepView):
    """Where the run belongs, when it may work, and its settings as TOML.

    Signals:
        step_requested (int): Something is to be changed in an earlier step; counted from 0.
    """

    step_requested = Signal(int)

    name = "Review"
    explanation = "These settings are frozen with the run, so that it can be repeated exactly."

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plan = Plan()
        self._projects: tuple[int, ...] = ()
        self._rows: list[tuple[Label, Label]] = []
        self._chosen = Card(spacing=0)
        self.column.addWidget(self._names_card())
        self.column.addWidget(self._chosen)
        self.column.addWidget(self._start_card())
        self.column.addWidget(self._settings_card(), 1)

    # --- cards --------------------------------------------------------------------------------

    def _names_card(self) -> Card:
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
        fields = (self._name_field, Field("Project", self.project), self._new_field)
        for column, field in enumerate(fields):
            grid.addWidget(field, 0, column)
            grid.setColumnStretch(column, 1)
        card = Card(spacing=12)
        card.body.addLayout(grid)
        return card

    def _start_card(self) -> Card:
        self.when = Segmented([("now", "Start now"), ("queue", "Add to the queue")], name="Start")
        self.when.chosen.connect(self._on_when_chosen)
        self._when_words = Label("", "secondary", "muted", wrap=True)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(card_title("When it may work"), 1)
        head.addWidget(self.when)
        self.conditions = ConditionsForm()
        self.conditions.changed.connect(self._on_conditions_changed)
        self.seeds = LineEdit(mono=True, name="Seeds")
        self.seeds.setFixedWidth(72)
        self.seeds.textEdited.connect(self._on_seeds_edited)
        self._seeds_field = Field(
            "Seeds",
            self.seeds,
            hint="Runs that differ by their seed alone tell effect from noise",
            tooltip=f"1 to {SEEDS_MAX}; from the second on they wait in the queue as one group",
        )
        card = Card(spacing=10)
        card.body.addLayout(head)
        card.body.addWidget(self._when_words)
        card.body.addWidget(self.conditions)
        card.body.addWidget(self._seeds_field)
        return card

    def _settings_card(self) -> Card:
        self.toml = TextEdit(name="Settings as TOML", role="mono")
        self.toml.setReadOnly(True)
        self.toml.setMinimumHeight(240)
        self.copy_toml = SecondaryButton("Copy as TOML", "copy", size="small")
        self.copy_toml.clicked.connect(self._on_copy_clicked)
        self.copy_command = SecondaryButton("Copy as command", "copy", size="small")
        self.copy_command.clicked.connect(self._on_copy_command_clicked)
        self._copied = Label("", "secondary", "ok", elide=False)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(card_title("Settings"), 1)
        for widget in (self._copied, self.copy_toml, self.copy_command):
            head.addWidget(widget)
        card = Card(spacing=8)
        card.body.addLayout(head)
        card.body.addWidget(self.toml, 1)
        return card

    # --- showing ------------------------------------------------------------------------------

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show names, conditions and settings."""
        super().show_draft(draft, plan, shelf)
        self._plan = plan
        self._show_names(draft, shelf)
        self._show_start(draft, plan, shelf)
        text = specs.to_toml(plan.spec) if plan.spec is not None else plan.obstacle
        if self.toml.toPlainText() != text:
            self.toml.setPlainText(text)
            self._copied.set_text("")
        for button in (self.copy_toml, self.copy_command):
            button.setEnabled(plan.spec is not None)

    def show_summaries(self, names: Sequence[str], summaries: Sequence[str]) -> None:
        """Show what was chosen in the steps before, each with a way back to it."""
        while len(self._rows) < len(names):
            self._add_row(len(self._rows))
        for (name, value), word, summary in zip(self._rows, names, summaries, strict=False):
            name.set_text(word)
            value.set_text(summary or "–")

    def _add_row(self, number: int) -> None:
        name, value = Label("", "body", "muted"), Label("", "body")
        name.setFixedWidth(112)
        change = LinkButton("Change")
        change.clicked.connect(partial(self.step_requested.emit, number))
        change.setAccessibleName(f"Change step {number + 1}")
        row = QHBoxLayout()
        row.setContentsMargins(0, 6, 0, 6)
        row.setSpacing(12)
        row.addWidget(name)
        row.addWidget(value, 1)
        row.addWidget(change)
        if number:
            self._chosen.body.addWidget(Hairline())
        self._chosen.body.addLayout(row)
        self._rows.append((name, value))

    def _show_names(self, draft: Draft, shelf: Shelf) -> None:
        if self.run_name.text() != draft.name:
            self.run_name.setText(draft.name)
        self.run_name.setPlaceholderText(draft.suggested_name())
        taken = is_taken(draft, shelf)
        self._name_field.set_hint("Another run of this project has this name" if taken else "")
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

    def _show_start(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        self.when.set_current("queue" if draft.queued else "now")
        first = draft.use_index and draft.data is not None and draft.data.index_state != "ready"
        self.when.setEnabled(shelf.has_queue and not first)
        words = "It begins as soon as you press the button below."
        if first:
            words = "Its index is built first; the training follows by itself."
        elif draft.queued:
            words = "It begins when the runs before it are done and its conditions hold."
        self._when_words.set_text(words)
        self.conditions.set_value(draft.conditions)
        if parse(self.seeds.text()) != draft.seeds:
            self.seeds.setText(f"{draft.seeds}")
        self._seeds_field.set_error(seeds_problem(draft, shelf))

    def summary(self, draft: Draft, plan: Plan) -> str:
        """How it will begin."""
        seeds = f", {draft.seeds} seeds" if draft.seeds != 1 else ""
        return ("Waits in the queue" if draft.queued else "Starts now") + seeds

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """Anything that is still wrong."""
        wrong = plan.obstacle or self.conditions.problem
        seeds = seeds_problem(draft, self.shelf)
        return wrong or (f"Seeds: {seeds}" if seeds else "")

    def show_error(self, error: KnownError) -> None:
        """Show why the run could not be started beside its name."""
        self._name_field.set_error(str(error))

    def clear_error(self) -> None:
        """Take the error away."""
        self._name_field.set_error("")

    # --- reactions ----------------------------------------------------------------------------

    def _on_name_edited(self, text: str) -> None:
        self.draft_changed.emit(replace(self.draft, name=text))

    def _on_project_activated(self, index: int) -> None:
        chosen = self.project.itemData(index)
        self.draft_changed.emit(replace(self.draft, project_id=None if chosen == _NEW else chosen))

    def _on_project_edited(self, text: str) -> None:
        self.draft_changed.emit(replace(self.draft, project_name=text))

    def _on_when_chosen(self, when: str) -> None:
        self.draft_changed.emit(replace(self.draft, queued=when == "queue"))

    def _on_conditions_changed(self) -> None:
        # What cannot be read yet is no condition; the step says so, and holds up the start.
        self.draft_changed.emit(replace(self.draft, conditions=self.conditions.value()))

    def _on_seeds_edited(self, text: str) -> None:
        self.draft_changed.emit(replace(self.draft, seeds=parse(text)))

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self.toml.toPlainText())
        self._copied.set_text(_COPIED)

    def _on_copy_command_clicked(self) -> None:
        if self._plan.spec is not None:
            name = self.draft.name or self.draft.suggested_name()
            QGuiApplication.clipboard().setText(shell_command(self._plan.spec, name))
            self._copied.set_text(_COPIED)
