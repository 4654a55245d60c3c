"""The page of one run: finds it in the library, follows its folder, takes the keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QComboBox, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.page import Page
from studio.pages.run.view import RunView
from studio.pages.wizard.target import WizardTarget
from studio.runs.rules import own_rules
from studio.storage.rows import RunRow
from studio.widgets.empty import ErrorCard, LoadingBlocks
from trainer_core.errors import KnownError
from trainer_core.rule_tasks import Ruled


@dataclass(frozen=True)
class Loaded:
    """A run as the library and its dataset tell of it; `rules` are one's own that made its text."""

    run: RunRow
    project: str
    rules: Ruled | None


class RunPage(Page):
    """A run; its target is the run's id."""

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._run_id: int | None = None
        self.view: RunView | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._shown: QWidget | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Run")
        self._add_shortcuts()

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show a run by its id; anything else leads to the list of runs."""
        if not isinstance(target, int):
            self.navigate_requested.emit("runs", None)
            return
        if target == self._run_id:
            return  # it is shown, or on its way
        self._drop()
        self._run_id = target
        self._show(_padded(LoadingBlocks(rows=4, height=84)))
        library = self._context.library

        def load() -> Loaded:
            run = library.run(target)
            _check_folder(run)
            dataset = None if run.dataset_id is None else library.dataset(run.dataset_id)
            rules = None if dataset is None else own_rules(dataset.folder)
            return Loaded(run, library.project(run.project_id).name, rules)

        self._context.tasks.run_op(
            load, self._on_loaded, partial(self._on_failed, target), owner=self
        )

    def shown(self) -> None:
        """Draw what has happened since."""
        if self.view is not None:
            self.view.set_active(True)

    def hidden(self) -> None:
        """Draw nothing; the figures are followed all the same."""
        if self.view is not None:
            self.view.set_active(False)

    def target(self) -> object | None:
        """The run's id."""
        return self._run_id

    # --- loading -------------------------------------------------------------------------------

    def _on_loaded(self, found: Loaded) -> None:
        run = found.run
        if run.id != self._run_id or self.view is not None:
            return
        model = self._context.watcher.watch(run.folder, self)
        model.ruled = found.rules
        self.view = RunView(self._context, run, found.project, model)
        self.view.list_wanted.connect(partial(self._go, "runs", run.project_id))
        self.view.playground_wanted.connect(partial(self._go, "playground", run.id))
        target = WizardTarget(run_id=run.id, continues=True)
        self.view.continue_wanted.connect(partial(self._go, "wizard", target))
        self._show(self.view)

    def _on_failed(self, run_id: int, error: Exception) -> None:
        if run_id != self._run_id:
            return
        card = ErrorCard(error, button="Show all runs")
        card.clicked.connect(partial(self._go, "runs", "all"))
        self._run_id = None
        self._show(_padded(card))

    def _drop(self) -> None:
        if self.view is not None:
            self.view.let_go()
            self._context.watcher.unwatch(self.view.run.folder, self)
            self.view = None

    def _show(self, widget: QWidget) -> None:
        if self._shown is not None:
            self._column.removeWidget(self._shown)
            self._shown.hide()
            self._shown.deleteLater()
        self._shown = widget
        self._column.addWidget(widget)
        self.setFocus()  # so that the keys of this page work at once

    def _go(self, page: str, target: object | None) -> None:
        self.navigate_requested.emit(page, target)

    # --- keys ----------------------------------------------------------------------------------

    def _add_shortcuts(self) -> None:
        keys = {
            "Space": self._on_space,
            "Ctrl+S": self._on_save,
            "L": self._on_log,
            "0": self._on_reset,
            "Escape": self._on_escape,
        }
        for key, action in keys.items():
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    def _on_space(self) -> None:
        focused = self.focusWidget()
        if isinstance(focused, QAbstractButton) and focused.hasFocus():
            focused.click()  # the shortcut has taken the key from the button
        elif isinstance(focused, QComboBox) and focused.hasFocus():
            focused.showPopup()
        elif self.view is not None:
            self.view.header.ask("pause")

    def _on_save(self) -> None:
        if self.view is not None and self.view.header.checkpoint.isVisible():
            self.view.actions_.checkpoint_now()

    def _on_log(self) -> None:
        if self.view is not None:
            self.view.controls.log_y.toggle()

    def _on_reset(self) -> None:
        if self.view is not None:
            self.view.charts.link.reset()

    def _on_escape(self) -> None:
        if self.view is not None:
            if self.view.steering.close():
                return
            if self.view.header.asking is not None:
                self.view.header.withdraw()
            else:
                self.view.charts.link.pin(None)


def _check_folder(run: RunRow) -> None:
    """See that a run's folder was not taken away by hand.

    Raises:
        KnownError: It was.
    """
    if not run.folder.is_dir():
        raise KnownError(
            f"The folder of {run.name} is gone: {run.folder}.",
            safe="Its name, tags and notes are kept, and so is every other run.",
            do="Put the folder back where it was, or move the run to the trash in the list.",
        )


def _padded(widget: QWidget) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(24, 24, 24, 24)
    column.addWidget(widget)
    column.addStretch(1)
    return holder
