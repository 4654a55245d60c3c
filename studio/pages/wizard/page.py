"""The wizard: steps at the left, the open one in the middle, the plan at the right."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.page import Page, PageHeader
from studio.pages.rule_cards import connect_rule_cards
from studio.pages.wizard.budget_step import BudgetStep
from studio.pages.wizard.data_step import DataStep, IndexStep
from studio.pages.wizard.draft import Draft, inspect_spec
from studio.pages.wizard.footer import Footer
from studio.pages.wizard.model_step import ModelStep
from studio.pages.wizard.panel import PlanPanel
from studio.pages.wizard.plan import CHINCHILLA_TOKENS_PER_PARAMETER, Plan, make_plan
from studio.pages.wizard.rail import StepRail
from studio.pages.wizard.review_step import ReviewStep
from studio.pages.wizard.start import Shelf, Started, draft_from_run, read_shelf, start_run
from studio.pages.wizard.step import StepView
from studio.pages.wizard.target import WizardTarget
from studio.pages.wizard.waiting import WaitingRuns
from studio.widgets.controls import IconButton, LineEdit
from studio.widgets.empty import LoadingBlocks
from studio.widgets.label import Label, Part
from studio.widgets.scroll import ClearScroll
from studio.widgets.step_keys import claims_back, step_move
from trainer_core.errors import KnownError, SpecError


class WizardPage(Page):
    """From a dataset to a running training."""

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._shelf = Shelf()
        self._draft = Draft()
        self._plan = Plan()
        self._target = WizardTarget()
        self._current = 0
        self._reached = 0
        self._loaded = False
        self._busy = False
        self._data_step = DataStep()
        self._review = ReviewStep()
        self.steps: tuple[StepView, ...] = (
            self._data_step,
            IndexStep(),
            ModelStep(),
            BudgetStep(),
            self._review,
        )
        self._data_step.add_requested.connect(lambda: context.navigate("data", "add"))
        self._data_step.batches_requested.connect(self._on_batches_requested)
        connect_rule_cards(context, self._data_step.rule_tasks)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._lay_out()
        for step in self.steps:
            step.draft_changed.connect(self._on_draft_changed)

    # --- page --------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Begin a new draft from a `WizardTarget`; None goes on with the old one."""
        if isinstance(target, WizardTarget):
            self._target = target
            self._loaded = False
            self._draft = Draft()
            self._current = self._reached = 0

    def target(self) -> object | None:
        """Going back in the history comes back to the draft as it is."""
        return None

    def shown(self) -> None:
        """Read what can be chosen."""
        library, target, loaded = self._context.library, self._target, self._loaded

        def read() -> tuple[Shelf, Draft | None]:
            shelf = read_shelf(library)
            if target.run_id is None or loaded:
                return shelf, None
            found = draft_from_run(
                library, target.run_id, shelf.choices, continues=target.continues
            )
            return shelf, found

        self._context.tasks.run_op(read, self._on_read, owner=self)

    # --- parts -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._crumb = Label("", "title", "muted")
        self._name = LineEdit(name="Name of the run")
        self._name.setFixedWidth(184)
        self._name.textEdited.connect(self._on_name_edited)
        self._which = Label("", "secondary", "muted")
        close = IconButton("x", "Close", edge=28)
        close.clicked.connect(self._close)
        header = PageHeader()
        header.add_left(self._crumb)
        header.add_left(self._name)
        header.add_right(self._which)
        header.add_right(close)
        self.rail = StepRail([step.name for step in self.steps])
        self.rail.chosen.connect(self.go_to)
        self.stack = QStackedWidget()
        loading = QWidget()
        waiting = QVBoxLayout(loading)
        waiting.setContentsMargins(16, 18, 16, 18)
        waiting.addWidget(LoadingBlocks())
        waiting.addStretch(1)
        self.stack.addWidget(loading)
        for step in self.steps:
            self.stack.addWidget(ClearScroll(step))
        self.panel = PlanPanel()
        self.footer = Footer()
        self.footer.cancel.clicked.connect(self._close)
        self.footer.back.clicked.connect(self.go_back)
        self.footer.next.clicked.connect(self.go_on)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addWidget(self.stack, 1)
        middle.addWidget(self.panel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(header)
        column.addLayout(middle, 1)
        column.addWidget(self.footer)

    # --- the draft ---------------------------------------------------------------------------

    def _on_read(self, found: tuple[Shelf, Draft | None]) -> None:
        self._shelf, repeated = found
        if not self._loaded:
            self._loaded = True
            self._draft = repeated or self._first_draft()
        elif self._draft.data is None:
            self._draft = self._first_draft()  # data may have been added since
        else:
            # The dataset's index may have become ready since.
            wanted = self._draft.data.id
            fresh = next((c for c in self._shelf.choices if c.id == wanted), None)
            self._draft = replace(self._draft, data=fresh)
        self._show()

    def _first_draft(self) -> Draft:
        """A plan that works, from the dataset asked for or the newest one."""
        choices, target = self._shelf.choices, self._target
        data = next((c for c in choices if c.id == target.dataset_id), None)
        data = data or (choices[0] if choices else None)
        project = target.project_id
        if project is None and self._shelf.projects:
            project = self._shelf.projects[0].id
        draft = Draft(data=data, project_id=project).with_preset("tour")
        draft = replace(draft, name=draft.suggested_name())
        parameters = make_plan(draft, self._shelf.around).parameters
        if parameters and data is not None:
            best = CHINCHILLA_TOKENS_PER_PARAMETER * parameters
            draft = draft.with_tokens(min(best, 2.0 * data.train_tokens))
        return draft

    def _on_draft_changed(self, draft: Draft) -> None:
        self._draft = draft
        self._review.clear_error()
        self._show()

    def _on_name_edited(self, text: str) -> None:
        self._on_draft_changed(replace(self._draft, name=text))

    def _show(self) -> None:
        """Bring everything in step with the draft; runs on every change."""
        draft = self._draft
        plan = self._plan = make_plan(draft, self._shelf.around)
        self.steps[self._current].show_draft(draft, plan, self._shelf)
        self.panel.show_plan(plan, draft)
        summaries = [step.summary(draft, plan) for step in self.steps]
        self.rail.show_state(self._current, self._reached, summaries)
        self.stack.setCurrentIndex(self._current + 1 if self._loaded else 0)
        names = {project.id: project.name for project in self._shelf.projects}
        project = names.get(draft.project_id or -1, draft.project_name or "New project")
        self._crumb.set_parts(
            Part(f"{project} "), Part(" /  ", tone="muted"), Part("New run", tone="text")
        )
        if self._name.text() != draft.name:
            self._name.setText(draft.name)
        self._which.set_text(f"Step {self._current + 1} of {len(self.steps)}")
        self._show_footer()

    def _show_footer(self) -> None:
        last = self._current + 1 == len(self.steps)
        obstacle = self.steps[self._current].obstacle(self._draft, self._plan)
        if last:
            obstacle = obstacle or self._shelf.read_only
        word = "Start the run" if last else f"Next: {self.steps[self._current + 1].name}"
        self.footer.show_state(word, obstacle, first=self._current == 0, busy=self._busy)

    def _on_batches_requested(self) -> None:
        data = self._draft.data
        try:
            spec = inspect_spec(self._draft)
        except SpecError as error:
            self._context.toast(error)
        else:
            target = BatchesTarget(spec, data.name if data else "", back="wizard")
            self._context.navigate("batches", target)

    # --- moving ------------------------------------------------------------------------------

    def go_to(self, step: int) -> None:
        """Open a step that was reached before."""
        if 0 <= step <= self._reached and step != self._current:
            self._current = step
            self._show()
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def go_back(self) -> None:
        """Open the step before."""
        self.go_to(self._current - 1)

    def go_on(self) -> None:
        """Open the next step, or start the run from the last one."""
        if not self._loaded or not self.footer.next.isEnabled():
            return
        if self._current + 1 == len(self.steps):
            self._start()
            return
        self._reached = max(self._reached, self._current + 1)
        self.go_to(self._current + 1)

    def _close(self) -> None:
        self._loaded = False
        self._target = WizardTarget()
        self._draft = Draft()
        self._current = self._reached = 0
        self._context.navigate("runs", None)

    def event(self, event: QEvent) -> bool:
        """Take Alt+Left for the step before, while there is one."""
        if self._current > 0 and claims_back(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt+Left and Ctrl+Enter move, Esc closes."""
        match step_move(event):
            case "back":
                self.go_back()
            case "on":
                self.go_on()
            case "close":
                self._close()
            case None:
                super().keyPressEvent(event)

    # --- starting ----------------------------------------------------------------------------

    def _start(self) -> None:
        context, draft = self._context, self._draft
        self._busy = True
        self._show_footer()
        context.tasks.run_op(
            lambda: start_run(context.library, context.supervisor, draft),
            self._on_started,
            self._on_refused,
            owner=self,
        )

    def _on_started(self, started: Started) -> None:
        self._busy = False
        self._loaded = False
        self._target = WizardTarget()
        self._current = self._reached = 0
        self._context.keeper.follow(started.run)
        self._context.watcher.look_now(started.run.folder)
        if started.waits:
            WaitingRuns.of(self._context).look()
        self._context.navigate("run", started.run.id)

    def _on_refused(self, error: Exception) -> None:
        self._busy = False
        self._show_footer()
        if isinstance(error, KnownError):
            self._review.show_error(error)
        else:
            self._context.toast(error)
