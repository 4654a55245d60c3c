"""The wizard: steps at the left, the open one in the middle, the plan at the right."""

from __future__ import annotations

import time
from dataclasses import replace

from PySide6.QtCore import Qt

from studio.context import Context
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.data.lab.target import LabTarget
from studio.pages.rule_cards import connect_rule_cards
from studio.pages.wizard.budget_step import BudgetStep
from studio.pages.wizard.data_step import DataStep
from studio.pages.wizard.desk import DraftDesk, TakenUp
from studio.pages.wizard.draft import Draft, Fixed, inspect_spec
from studio.pages.wizard.ends import draft_for_end, released
from studio.pages.wizard.first_draft import first_draft, known_text
from studio.pages.wizard.frame import WizardFrame
from studio.pages.wizard.goal_step import GoalStep
from studio.pages.wizard.index_step import IndexStep
from studio.pages.wizard.model_step import ModelStep
from studio.pages.wizard.opening import OpenedSettings
from studio.pages.wizard.plan import Fix, Plan
from studio.pages.wizard.probing import Probing, measured_plan
from studio.pages.wizard.review_step import ReviewStep
from studio.pages.wizard.shelf import Shelf, read_shelf, renamed, with_free_name
from studio.pages.wizard.start import Started, draft_from_run, start_run
from studio.pages.wizard.target import WizardTarget
from studio.pages.wizard.tokenizer_step import TokenizerStep
from studio.pages.wizard.waiting import WaitingRuns
from studio.storage.rows import DraftRow
from studio.widgets.figures import MISSING, duration
from studio.widgets.label import Part
from trainer_core.errors import KnownError, SpecError


class WizardPage(WizardFrame):
    """From a goal to a running training."""

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        self._current = self._reached = 0
        self.probing = Probing(context)
        self._goal, self._data_step = GoalStep(), DataStep()
        self._tokenizer, self._review = TokenizerStep(), ReviewStep()
        self._budget = BudgetStep(self.probing)
        super().__init__(
            (
                self._goal,
                self._data_step,
                self._tokenizer,
                IndexStep(),
                ModelStep(),
                self._budget,
                self._review,
            )
        )
        self.probing.setParent(self)
        self.desk = DraftDesk(context, self)
        self._context = context
        self._shelf = Shelf()
        self._draft = self._begun = Draft()
        self._draft_id: int | None = None
        self._plan = Plan()
        self._target = WizardTarget()
        self._loaded = False
        self._busy = False
        self._connect()

    # --- page --------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Begin a new draft from a `WizardTarget`; None goes on with the old one."""
        if isinstance(target, WizardTarget):
            self._forget()
            self._target = target
            if target.toml is not None:
                self.desk.read_file(target.toml)
            if target.draft_id is not None:
                self.desk.take_up(target.draft_id)

    def target(self) -> object | None:
        """Going back in the history comes back to the draft as it is."""
        return None

    def shown(self) -> None:
        """Read what can be chosen."""
        library, target, loaded = self._context.library, self._target, self._loaded
        has_queue = self._context.queue is not None

        def read() -> tuple[Shelf, Draft | None]:
            shelf = replace(read_shelf(library), has_queue=has_queue)
            if target.run_id is None or loaded:
                return shelf, None
            found = draft_from_run(
                library, target.run_id, shelf.choices, continues=target.continues
            )
            return shelf, found

        self._context.tasks.run_op(read, self._on_read, owner=self)

    # --- parts -------------------------------------------------------------------------------

    def _connect(self) -> None:
        context, goal = self._context, self._goal
        goal.end_fixed.connect(self._on_end_fixed)
        goal.draft_opened.connect(self.desk.take_up)
        goal.draft_removed.connect(self.desk.remove)
        goal.file_requested.connect(self.desk.ask_for_file)
        goal.tour_requested.connect(self._on_tour_requested)
        goal.text_requested.connect(lambda title: context.navigate("data", known_text(title)))
        connect_rule_cards(context, goal.rule_tasks)
        self._data_step.add_requested.connect(lambda: context.navigate("data", "add"))
        self._data_step.batches_requested.connect(self._on_batches_requested)
        self._tokenizer.lab_requested.connect(self._on_lab_requested)
        self._budget.fix_chosen.connect(self._on_fix_chosen)
        self._review.step_requested.connect(self.go_to)
        for step in self.steps:
            step.draft_changed.connect(self._on_draft_changed)
        self.name.textEdited.connect(self._on_name_edited)
        self.rail.chosen.connect(self.go_to)
        self.panel.fix_chosen.connect(self._on_fix_chosen)
        self.close_asked.connect(self._close)
        self.back_asked.connect(self.go_back)
        self.on_asked.connect(self.go_on)
        self.save_asked.connect(self._on_save_clicked)
        self.file_dropped.connect(self.desk.read_file)
        self.footer.fix_chosen.connect(self._on_fix_chosen)
        self.probing.changed.connect(self._on_probe_changed)
        self.desk.kept.connect(self._on_kept)
        self.desk.taken_up.connect(self._on_taken_up)
        self.desk.opened.connect(self._on_opened)
        self.desk.rows_changed.connect(self._on_rows_changed)

    @property
    def current_step(self) -> int:
        """The open step, counted from 0."""
        return self._current

    @property
    def has_step_before(self) -> bool:
        """Whether Alt+Left means the step before."""
        return self._current > 0

    # --- the draft ---------------------------------------------------------------------------

    def _on_read(self, found: tuple[Shelf, Draft | None]) -> None:
        self._shelf, repeated = found
        if not self._loaded:
            self._loaded = True
            self._draft = repeated or first_draft(self._shelf, self._target)
            self._draft = self._begun = with_free_name(self._draft, self._shelf)
            if repeated is not None:
                self._reached = len(self.steps) - 1  # all of it was chosen once already
        elif self._draft == self._begun and self._draft.data is None:
            self._draft = first_draft(self._shelf, self._target)  # data may have been added since
        elif self._draft.data is not None:
            # The dataset's index may have become ready since.
            wanted = self._draft.data.id
            fresh = next((c for c in self._shelf.choices if c.id == wanted), None)
            self._draft = replace(self._draft, data=fresh)
        self._show()

    def _on_draft_changed(self, draft: Draft) -> None:
        self._draft = renamed(released(draft, self._draft), self._draft, self._shelf)
        self._review.clear_error()
        self.footer.show_note("")
        self._show()

    def _on_name_edited(self, text: str) -> None:
        self._on_draft_changed(replace(self._draft, name=text))

    def _on_fix_chosen(self, fix: Fix) -> None:
        self._on_draft_changed(self._draft.with_values(fix.values))

    def _on_end_fixed(self, fixed: Fixed, value: float) -> None:
        try:
            draft = draft_for_end(self._draft, self._plan, fixed, value)
        except ValueError as error:
            self._goal.ends.refuse(str(error))
        else:
            self._on_draft_changed(draft)

    def _show(self) -> None:
        """Bring everything in step with the draft; runs on every change."""
        plan = self._plan = measured_plan(self._draft, self._shelf.around, self.probing)
        draft = self._draft
        self.steps[self._current].show_draft(draft, plan, self._shelf)
        self.panel.show_plan(plan, draft, measuring=self.probing.state == "measuring")
        took = duration(plan.estimate.seconds) if plan.estimate else MISSING
        self.plan_button.set_text(f"Plan: {took}")
        summaries = [step.summary(draft, plan) for step in self.steps]
        if self.steps[self._current] is self._review:
            self._review.show_summaries([step.name for step in self.steps[:-1]], summaries[:-1])
        self.rail.show_state(self._current, self._reached, summaries)
        self.stack.setCurrentIndex(self._current + 1 if self._loaded else 0)
        names = {project.id: project.name for project in self._shelf.projects}
        project = names.get(draft.project_id or -1, draft.project_name or "New project")
        self.crumb.set_parts(
            Part(f"{project} "), Part(" /  ", tone="muted"), Part("New run", tone="text")
        )
        if self.name.text() != draft.name:
            self.name.setText(draft.name)
        self.which.set_text(f"Step {self._current + 1} of {len(self.steps)}")
        self._show_footer()

    def _show_footer(self) -> None:
        last = self._current + 1 == len(self.steps)
        obstacle = self.steps[self._current].obstacle(self._draft, self._plan)
        if last:
            obstacle = obstacle or self._shelf.read_only
        word = f"Next: {self.steps[self._current + 1].name}" if not last else self._last_word()
        fix = self._plan.fix if obstacle and obstacle == self._plan.obstacle else None
        self.footer.show_state(word, obstacle, first=self._current == 0, busy=self._busy, fix=fix)
        self.footer.save.setEnabled(not self._shelf.read_only and self._loaded)

    def _last_word(self) -> str:
        return "Add to the queue" if self._draft.queued else "Start the run"

    def _on_probe_changed(self) -> None:
        if self._loaded:
            self._show()

    # --- elsewhere ---------------------------------------------------------------------------

    def _on_batches_requested(self) -> None:
        data = self._draft.data
        try:
            spec = inspect_spec(self._draft)
        except SpecError as error:
            self._context.toast(error)
        else:
            target = BatchesTarget(spec, data.name if data else "", back="wizard")
            self._context.navigate("batches", target)

    def _on_lab_requested(self) -> None:
        data = self._draft.data
        self._context.navigate("lab", LabTarget(data.id if data else None))

    def _on_tour_requested(self) -> None:
        if self._context.tour is not None:
            self._context.tour.start()
            self._context.navigate("home", None)

    def _on_save_clicked(self) -> None:
        self.desk.keep(self._draft, self._current, self._draft_id)

    def _on_rows_changed(self) -> None:
        if self.isVisible():  # otherwise they are read when the page is shown
            self.shown()

    def _on_kept(self, row: DraftRow) -> None:
        self._draft_id = row.id
        self.footer.show_note(f"Saved as draft at {time.strftime('%H:%M')}")

    def _on_taken_up(self, found: TakenUp) -> None:
        self._shelf = replace(found.shelf, has_queue=self._shelf.has_queue)
        self._draft, self._draft_id = found.draft, found.draft_id
        self._take(found.step)

    def _on_opened(self, opened: OpenedSettings) -> None:
        self._draft, self._draft_id = opened.draft, None
        if opened.draft.project_id is None and self._shelf.projects:
            self._draft = replace(opened.draft, project_id=self._shelf.projects[0].id)
        self._take(1 if opened.notice else len(self.steps) - 1)
        self.footer.show_note(opened.notice)

    def _take(self, step: int) -> None:
        """Show a draft that came from elsewhere at a step."""
        self._loaded = True
        self._current = self._reached = min(step, len(self.steps) - 1)
        self._show()

    # --- moving ------------------------------------------------------------------------------

    def go_to(self, step: int) -> None:
        """Open a step that was reached before."""
        if 0 <= step <= self._reached and step != self._current:
            self._current = step
            self.footer.show_note("")
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
        self._forget()
        self._context.navigate("runs", None)

    def _forget(self) -> None:
        self.probing.close()
        self._loaded = False
        self._target = WizardTarget()
        self._draft, self._draft_id = Draft(), None
        self._current = self._reached = 0
        self.footer.show_note("")

    # --- starting ----------------------------------------------------------------------------

    def _start(self) -> None:
        context, draft, draft_id = self._context, self._draft, self._draft_id
        self._busy = True
        self.probing.stop()
        self._show_footer()
        context.tasks.run_op(
            lambda: start_run(context.library, context.supervisor, draft, draft_id),
            self._on_started,
            self._on_refused,
            owner=self,
        )

    def _on_started(self, started: Started) -> None:
        self._busy = False
        self._forget()
        for run in started.runs:
            self._context.keeper.follow(run)
            self._context.watcher.look_now(run.folder)
        if started.queued and self._context.queue is not None:
            self._context.queue.refresh()
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
