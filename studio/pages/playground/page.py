"""The playground: ask a checkpoint, and see where its words come from."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout

from studio.context import Context
from studio.pages.page import Page, PageHeader
from studio.pages.playground.chooser import CheckpointButton
from studio.pages.playground.document import read_document
from studio.pages.playground.output import OutputCard, ShareBar
from studio.pages.playground.pointer import Pointer
from studio.pages.playground.prompt import PromptCard
from studio.pages.playground.sampling import SamplingPanel
from studio.pages.playground.servers import (
    CheckpointChoice,
    PlaygroundTarget,
    RunFacts,
    pick,
    read_choices,
    read_run_facts,
)
from studio.pages.playground.sources import WIDTH_PX as SOURCES_WIDTH_PX
from studio.pages.playground.sources import SourcesPanel
from studio.pages.playground.writer import Writer
from studio.widgets.controls import SecondaryButton
from studio.widgets.drawer import SideDrawer
from trainer_core.errors import from_os_error
from trainer_core.protocol import SourcePlace

_SAMPLING, _RUN, _STEP = "playground/sampling", "playground/run", "playground/step"


class PlaygroundPage(Page):
    """Prompt, sampling, streamed text by tokens, and the sources of the token that is meant."""

    nav_key = "playground"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._choices: list[CheckpointChoice] = []
        self._choice: CheckpointChoice | None = None
        self._wanted: PlaygroundTarget | None = None
        self._was_read = False
        self._asked_run: int | None = None
        self._lay_out()
        self.writer = Writer(context, self.output, self.prompt, self.sampling, self.shares, self)
        self.pointer = Pointer(self.output.text, self.sources, self.writer, self)
        self._connect()
        self._restore()
        self._offer_nothing()

    # --- page --------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show a checkpoint: a `PlaygroundTarget`, or a run's id for its best one."""
        if isinstance(target, int):
            target = PlaygroundTarget(target)
        elif isinstance(target, tuple) and len(target) == 2:
            target = PlaygroundTarget(int(target[0]), int(target[1]))
        if isinstance(target, PlaygroundTarget):
            self._wanted = target

    def target(self) -> object | None:
        """The checkpoint that answers."""
        if self._choice is None:
            return None
        return PlaygroundTarget(self._choice.run_id, self._choice.step)

    def shown(self) -> None:
        """Read which checkpoints there are."""
        library = self._context.library
        self._context.tasks.run_op(lambda: read_choices(library), self._on_choices_read, owner=self)

    def hidden(self) -> None:
        """Remember the settings; a text that is being written goes on."""
        self._keep()
        self.pointer.hide()

    # --- parts -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.chooser = CheckpointButton("A")
        self.header = PageHeader("Playground")
        self.header.add_left(self.chooser)
        self.sources_button = SecondaryButton("Where this came from", "file-text", size="small")
        self.sources_button.hide()
        self.header.add_right(self.sources_button)
        self.sampling = SamplingPanel()
        self.prompt = PromptCard()
        self.output = OutputCard()
        self.sources = SourcesPanel()
        self.shares = ShareBar()
        centre = QVBoxLayout()
        centre.setContentsMargins(20, 16, 20, 16)
        centre.setSpacing(12)
        centre.addWidget(self.prompt)
        centre.addWidget(self.output, 1)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.sampling)
        middle.addLayout(centre, 1)
        middle.addWidget(self.sources)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(middle, 1)
        column.addWidget(self.shares)
        self.drawer = SideDrawer(
            self,
            middle,
            self.sources,
            SOURCES_WIDTH_PX,
            lambda: (self.header.height(), self.shares.height()),
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The right column becomes a drawer in a narrow window."""
        super().resizeEvent(event)
        self.drawer.fit()

    def showEvent(self, event: QEvent) -> None:
        """The window is known from now on."""
        self.drawer.fit()

    def _connect(self) -> None:
        self.drawer.narrowed.connect(self.sources_button.setVisible)
        self.sources_button.clicked.connect(self.drawer.toggle)
        self.output.text.token_pinned.connect(lambda token: self.drawer.show(token >= 0))
        self.chooser.chosen.connect(self._on_chosen)
        self.prompt.generate_requested.connect(self.writer.generate)
        self.prompt.stop_requested.connect(self.writer.stop)
        self.prompt.earlier_wanted.connect(self._on_earlier_wanted)
        self.output.continue_requested.connect(self.writer.go_on)
        self.output.error_clicked.connect(self._on_error_clicked)
        self.output.empty_clicked.connect(self._on_empty_clicked)
        self.sampling.highlight_changed.connect(self.output.text.set_highlight)
        self.sources.document_wanted.connect(self._on_document_wanted)
        self.shares.export_requested.connect(self._on_export_requested)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self._on_about_to_quit)

    # --- checkpoints -------------------------------------------------------------------------

    def _on_choices_read(self, choices: list[CheckpointChoice]) -> None:
        self._choices = choices
        self._was_read = True
        wanted, self._wanted = self._wanted, None
        if wanted is not None and all(c.run_id != wanted.run_id for c in choices):
            self._take(None)
            self._offer_run(wanted.run_id)
            return
        if wanted is not None:
            picked = pick(choices, wanted.run_id, wanted.step)
        elif self._choice is not None:
            picked = pick(choices, self._choice.run_id, self._choice.step)
        else:
            settings = self._context.settings
            run_id, step = settings.value(_RUN, -1, int), settings.value(_STEP, -1, int)
            picked = pick(choices, int(str(run_id)), int(str(step)))
        self._take(picked)

    def _on_chosen(self, choice: CheckpointChoice) -> None:
        self._take(choice)

    def _take(self, choice: CheckpointChoice | None) -> None:
        """Let this checkpoint answer from now on."""
        before, self._choice = self._choice, choice
        self._asked_run = None
        self.chooser.show_choices(self._choices, choice)
        if choice is None:
            self.writer.set_choice(None)
            self._offer_nothing()
            return
        if before is None or (before.run_folder, before.step) != (choice.run_folder, choice.step):
            self.pointer.forget()
            self.writer.set_choice(choice)
            self.output.show_empty(
                "Write how a text begins, then let the model go on. Ctrl+Enter does it, too.",
                "Generate",
                "play",
            )
            library = self._context.library
            self._context.tasks.run_op(
                lambda: read_run_facts(library, choice), self._show_run, owner=self
            )

    def _show_run(self, facts: RunFacts) -> None:
        self.sampling.show_run(facts)
        self.sources.show_run(facts)
        self.shares.show_reference(facts.held_out_share)
        self.output.text.set_monospace(facts.is_code)
        self.prompt.set_monospace(facts.is_code)

    def _offer_nothing(self) -> None:
        if self._was_read:
            self.output.show_empty(
                "There is no checkpoint to ask yet. Train a model; each one it saves can be tried.",
                "New run",
                "plus",
            )
        self.prompt.show_state(busy=False, can_generate=False, again=False)

    def _offer_run(self, run_id: int) -> None:
        """The run that was asked for has nothing to ask yet."""
        self._asked_run = run_id
        self.output.show_empty(
            "This run has no checkpoint yet. It can be asked as soon as the first one is saved.",
            "Open the run",
            "activity",
        )

    # --- reactions ---------------------------------------------------------------------------

    def _on_empty_clicked(self) -> None:
        if self._choice is None and self._asked_run is not None:
            self._context.navigate("run", self._asked_run)
        elif self._choice is None:
            self._context.navigate("wizard", None)
        else:
            self.writer.generate()

    def _on_error_clicked(self) -> None:
        """Try again, or take one of the checkpoints that are left."""
        if self._choice is not None and self._choice.folder.is_dir():
            self.writer.generate()
        else:
            self.shown()

    def _on_earlier_wanted(self) -> None:
        library = self._context.library
        self._context.tasks.run_op(
            lambda: [row.text for row in library.prompts(20)], self.prompt.offer, owner=self
        )

    def _on_document_wanted(self, place: SourcePlace) -> None:
        self._context.tasks.run_op(
            lambda: read_document(place), self.sources.open_document, owner=self, lane="work"
        )

    def _on_export_requested(self) -> None:
        dialog = QFileDialog(self, "Export text")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        name = self._choice.run_name if self._choice is not None else "text"
        dialog.selectFile(f"{name}.txt")
        dialog.fileSelected.connect(self._export)
        dialog.open()

    def _export(self, path: str) -> None:
        text = self.writer.whole_text()

        def write() -> None:
            try:
                Path(path).write_text(text, encoding="utf-8")
            except OSError as error:
                raise from_os_error(error, "writing the text") from error

        self._context.tasks.run_op(write, failure=self._context.toast, owner=self, lane="work")

    def _on_about_to_quit(self) -> None:
        self._keep()
        self.writer.close()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes the document, the drawer, or stops the text; Ctrl+Enter generates."""
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() == Qt.Key.Key_Escape and self.sources.shows_document:
            self.sources.close_document()
        elif event.key() == Qt.Key.Key_Escape and self.drawer.is_open:
            self.drawer.show(False)
        elif event.key() == Qt.Key.Key_Escape and self.writer.busy:
            self.writer.stop()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and control:
            self.writer.generate()
        else:
            super().keyPressEvent(event)

    # --- what is remembered ------------------------------------------------------------------

    def _keep(self) -> None:
        settings = self._context.settings
        settings.setValue(_SAMPLING, json.dumps(self.sampling.state()))
        if self._choice is not None:
            settings.setValue(_RUN, self._choice.run_id)
            settings.setValue(_STEP, self._choice.step)

    def _restore(self) -> None:
        kept = self._context.settings.value(_SAMPLING)
        with contextlib.suppress(ValueError, TypeError):
            state = json.loads(str(kept))
            if isinstance(state, dict):
                self.sampling.restore(state)
