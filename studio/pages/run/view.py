"""What a run page shows of one run: head, tiles, controls, charts, and the column at the right."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.charts.dashboard import Dashboard
from studio.charts.lines import XMode
from studio.context import Context
from studio.pages.page import ScrollBody
from studio.pages.queue.offer import start_or_wait
from studio.pages.run.actions import RunActions
from studio.pages.run.controls import RunControls
from studio.pages.run.export import (
    ExportStrip,
    ask_folder,
    ask_where,
    export_charts,
    export_events,
)
from studio.pages.run.facts import is_reference, rule_score, tiles, why_not_continued
from studio.pages.run.header import RunHeader
from studio.pages.run.side import WIDTH_PX, SidePanel
from studio.pages.run.steering.sheet import Steering
from studio.pages.run.tiles import RunTiles
from studio.pages.settings.facts import SMOOTHING_SETTING
from studio.runs.model import JobModel, Problem
from studio.storage.rows import NoteRow, RunRow
from studio.widgets.drawer import SideDrawer
from studio.widgets.empty import ErrorCard
from trainer_core.errors import KnownError
from trainer_core.protocol import Generate
from trainer_core.spec import TrainSpec

STACK_BELOW_PX: Final = 1180
_PIECES_S: Final = 1.0
"""The charts of a run that is still being read are drawn this often."""


class RunView(QWidget):
    """One run. It follows the model until `let_go`.

    Args:
        context: The studio.
        run: The run.
        project: Name of its project.
        model: What is known of it.

    Signals:
        list_wanted: Show the list of runs.
        playground_wanted: Open the run in the playground.
        continue_wanted: Plan a run that goes on from this one.
    """

    list_wanted = Signal()
    playground_wanted = Signal()
    continue_wanted = Signal()

    def __init__(
        self,
        context: Context,
        run: RunRow,
        project: str,
        model: JobModel,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.run = run
        self.model = model
        self._context = context
        self._active = True
        self._synced_s = time.monotonic()
        self._problem: Problem | None = None
        self._banner: ErrorCard | None = None
        self._export: ExportStrip | None = None
        self.actions_ = RunActions(context, run, model, self)
        self.header = RunHeader(project, run.name)
        self.tiles = RunTiles()
        self.controls = RunControls()
        self.charts = Dashboard(model)
        self.side = SidePanel()
        self._lay_out()
        self.steering = Steering(context, run, model, self, self.header.height())
        self._connect()
        self._unsubscribe = model.subscribe(self._on_model_changed)
        self._on_model_changed()
        self._load_notes()

    # --- life ----------------------------------------------------------------------------------

    def set_active(self, active: bool) -> None:
        """Whether anyone can see it; out of sight it only remembers that there is news."""
        self._active = active
        if active:
            self._on_model_changed()
        else:
            self.header.rest()

    def let_go(self) -> None:
        """Follow the run no longer."""
        self._unsubscribe()
        self.header.rest()
        if self._export is not None:
            self._export.let_go()

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        row = QHBoxLayout()
        row.setSpacing(0)
        self.body = ScrollBody(spacing=12)
        self.body.column.setContentsMargins(24, 12, 16, 20)
        self.body.set_right_margin(16)
        self._notices = QVBoxLayout()
        self._notices.setSpacing(8)
        self.body.column.addLayout(self._notices)
        self.body.column.addWidget(self.tiles)
        self.body.column.addWidget(self.controls)
        self.body.column.addWidget(self.charts, 1)
        row.addWidget(self.body, 1)
        row.addWidget(self.side)
        column.addLayout(row, 1)
        self.drawer = SideDrawer(self, row, self.side, WIDTH_PX, lambda: (self.header.height(), 0))
        self.drawer.narrowed.connect(self._on_narrowed)

    def _connect(self) -> None:
        header, controls, charts, side = self.header, self.controls, self.charts, self.side
        header.pause_confirmed.connect(self.actions_.pause)
        header.stop_confirmed.connect(self.actions_.stop)
        header.checkpoint_wanted.connect(self.actions_.checkpoint_now)
        header.resume_wanted.connect(self._on_resume_wanted)
        header.list_wanted.connect(self.list_wanted)
        header.playground_wanted.connect(self.playground_wanted)
        header.steering_wanted.connect(self.steering.open)
        self.steering.change_wanted.connect(self.actions_.change)
        self.steering.extend_wanted.connect(self._on_extend_wanted)
        self.steering.rewind_wanted.connect(self._on_rewind_wanted)
        side.events.rewind_wanted.connect(lambda step: self.steering.open("rewind", step))
        side.events.note_wanted.connect(self._on_note_wanted)
        self.actions_.busy_changed.connect(header.set_busy)
        self.actions_.export_started.connect(self._on_export_started)
        controls.smoothing_changed.connect(self._on_smoothing)
        controls.mode_chosen.connect(self._on_mode)
        controls.log_y_changed.connect(charts.set_log_y)
        controls.reset_wanted.connect(charts.link.reset)
        controls.drawer_wanted.connect(self.drawer.toggle)
        controls.export_wanted.connect(self._on_export_wanted)
        charts.checkpoint_clicked.connect(self._on_checkpoint_clicked)
        charts.link.view_changed.connect(self._on_view_changed)
        charts.link.crosshair_changed.connect(self._on_crosshair_changed)
        side.events.step_chosen.connect(charts.link.point_at)
        side.notes.step_chosen.connect(charts.link.point_at)
        side.notes.note_written.connect(self._on_note_written)
        side.notes.note_removed.connect(self._on_note_removed)
        side.samples.prompt_wanted.connect(self.playground_wanted)
        side.sources.continue_wanted.connect(self.continue_wanted)
        side.closed.connect(lambda: self.drawer.show(False))
        side.notes.set_read_only(self._context.library.read_only)
        controls.reset.setEnabled(False)

    # --- keeping it true -----------------------------------------------------------------------

    def _on_model_changed(self) -> None:
        if not self._active:
            return
        model = self.model
        if self.actions_.busy.startswith("Pausing") and not model.alive:
            self.actions_.settle()
        if model.behind and model.step:
            # A long run is read in pieces: show now and then how far that is, the rest at the end.
            if time.monotonic() - self._synced_s >= _PIECES_S:
                self._sync_charts()
            return
        self._sync_charts()
        self.controls.set_total_steps(model.total_steps, self._wanted_smoothing())
        self.header.show_model(model)
        self.tiles.show_facts(tiles(model, self.controls.smoothing))
        self._show_side()
        self.steering.sync()
        self._show_problem(model.error)

    def _sync_charts(self) -> None:
        self.charts.sync()
        self._synced_s = time.monotonic()

    def _wanted_smoothing(self) -> int:
        kept = str(self._context.settings.value(SMOOTHING_SETTING, "0"))
        return int(kept) if kept.isdigit() else 0

    def _show_side(self) -> None:
        model, side = self.model, self.side
        spec = model.spec if isinstance(model.spec, TrainSpec) else None
        match_backed = spec is not None and spec.model.match_input
        why = "The first sample comes with the first checkpoint."
        if spec is not None and not spec.evaluation.sample_prompts:
            why = "No prompts were set for this run. The playground continues any text."
        if is_reference(model):
            why = "These are the curves of another program: its log holds no samples."
        side.samples.set_samples(
            model.samples, model.validations, match_backed=match_backed, why=why
        )
        scored = rule_score(model)
        if scored is not None:
            side.show_score(*scored)
        if model.status.seen is not None:
            last = model.validations[-1] if model.validations else None
            why_not = why_not_continued(model) or self._context.library.read_only_reason
            side.show_seen(model.status.seen, last, obstacle=why_not)
        side.events.set_events(model.events)
        side.tabs.set_count("events", len(model.events))
        seed = f"seed {spec.seed}" if spec is not None else "one seed"
        heat = Generate(request=0, prompt="").temperature
        foot = f"Temperature {heat:g}, {seed} at every checkpoint"
        side.set_samples_foot("" if is_reference(model) else foot)

    def _show_problem(self, problem: Problem | None) -> None:
        if problem == self._problem:
            return
        self._problem = problem
        if self._banner is not None:
            self._banner.deleteLater()
            self._banner = None
        if problem is not None:
            error = KnownError(problem.what, safe=problem.safe, do=problem.do)
            self._banner = ErrorCard(error, problem.details)
            self._notices.insertWidget(0, self._banner)

    def _on_smoothing(self, steps: int) -> None:
        self.charts.set_smoothing(steps)
        self.tiles.show_facts(tiles(self.model, steps))

    def _on_mode(self, mode: str) -> None:
        modes: dict[str, XMode] = {"steps": "steps", "tokens": "tokens", "time": "time"}
        self.charts.link.set_mode(modes[mode])

    def _on_view_changed(self) -> None:
        self.controls.reset.setEnabled(self.charts.link.zoomed)

    def _on_crosshair_changed(self) -> None:
        at = self.charts.link.crosshair
        if at is not None:
            self.side.notes.set_step(int(at))

    def _on_checkpoint_clicked(self, step: int) -> None:
        self.charts.link.pin(step)
        self.drawer.show()
        self.side.show_samples_at(step)

    # --- notes ---------------------------------------------------------------------------------

    def _load_notes(self) -> None:
        library, run_id = self._context.library, self.run.id

        def loaded(notes: list[NoteRow]) -> None:
            self.side.notes.set_notes(notes)
            self.side.tabs.set_count("notes", len(notes))

        self._context.tasks.run_op(lambda: library.notes(run_id), loaded, owner=self)

    def _on_note_written(self, text: str, step: object) -> None:
        library, run_id = self._context.library, self.run.id
        at = step if isinstance(step, int) else None

        def kept(_note: NoteRow) -> None:
            self.side.notes.kept()
            self._load_notes()

        self._context.tasks.run_op(lambda: library.add_note(run_id, text, at), kept, owner=self)

    def _on_note_wanted(self, step: int) -> None:
        self.charts.link.point_at(step)
        self.drawer.show()
        self.side.tabs.choose("notes")
        self.side.notes.set_step(step)
        self.side.notes.field.setFocus()

    def _on_note_removed(self, note_id: int) -> None:
        library = self._context.library
        self._context.tasks.run_op(
            lambda: library.remove_note(note_id), lambda _none: self._load_notes(), owner=self
        )

    # --- export --------------------------------------------------------------------------------

    def _on_export_wanted(self, kind: str) -> None:
        if kind == "model":
            self.actions_.export_model()
            return
        if kind == "events":
            chosen = ask_folder(self, "Folder for the event files")
            chosen.fileSelected.connect(
                lambda path: export_events(self._context, self, self.run.folder, Path(path))
            )
            return
        dialog = ask_where(self, kind, self.run.folder.name)
        dialog.fileSelected.connect(
            lambda path: export_charts(self._context, self.charts, kind, Path(path))
        )

    def _on_resume_wanted(self) -> None:
        button = self.header.resume if self.header.resume.isVisible() else self.header.more
        at = button.mapToGlobal(button.rect().bottomLeft())
        start_or_wait(self._context, self, self.run, self.actions_.resume, at)

    def _on_extend_wanted(self, steps: int, lr: float | None, why: str) -> None:
        if self._another_trains():
            self.actions_.change(lr, steps, why, then=self._on_resume_wanted)
        else:
            self.actions_.extend(steps, lr, why)

    def _on_rewind_wanted(self, step: int, skip: tuple[int, int] | None, go_on: bool) -> None:
        if go_on and not self.model.alive and self._another_trains():
            self.actions_.rewind(step, skip, False, then=self._on_resume_wanted)
        else:
            self.actions_.rewind(step, skip, go_on)

    def _another_trains(self) -> bool:
        queue = self._context.queue
        return queue is not None and bool(queue.training_besides(self.run.folder))

    def _on_export_started(self, folder: Path) -> None:
        self._drop_export()
        self._export = ExportStrip(self._context, folder)
        self._export.dismissed.connect(self._drop_export)
        self._notices.addWidget(self._export)

    def _drop_export(self) -> None:
        if self._export is not None:
            self._export.let_go()
            self._export.deleteLater()
            self._export = None

    # --- width ---------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The right column becomes a drawer in a narrow window."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QEvent) -> None:
        """The window is known from now on."""
        self._fit()

    def _fit(self) -> None:
        self.charts.set_columns(1 if self.window().width() < STACK_BELOW_PX else 2)
        self.drawer.fit()

    def _on_narrowed(self, narrow: bool) -> None:
        self.controls.drawer.setVisible(narrow)
        self.side.set_drawer(narrow)
        self.body.set_right_margin(24 if narrow else 16)
