"""The page of all runs: the list, and beside it the trash and whatever else has runs in it."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.compare.target import ImportLog
from studio.pages.groups.overview import GroupsOverview
from studio.pages.home.facts import BUSY
from studio.pages.page import HEADER_PX, Page, PageHeader
from studio.pages.runs.details import RunDetails
from studio.pages.runs.entries import Catalogue
from studio.pages.runs.listing import RunList
from studio.pages.runs.reading import read_catalogue
from studio.pages.runs.trash import TrashView
from studio.widgets import figures
from studio.widgets.controls import PrimaryButton, SecondaryButton, Segmented
from studio.widgets.empty import LoadingBlocks
from studio.widgets.label import Label
from studio.widgets.sheet import Sheet


class RunsPage(Page):
    """All runs. Its target is a project's id, `all`, `trash` or another section, or None.

    None opens the run at work if there is exactly one; coming from there it shows the list.
    """

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._catalogue = Catalogue()
        self._led_to: int | None = None
        self._target: object | None = None
        self._loaded = False
        self._words = [("runs", "Runs"), ("trash", "Trash")]
        self._sections: dict[str, QWidget] = {}
        self._lay_out()
        context.watcher.job_updated.connect(self._on_job_updated)
        context.keeper.run_remembered.connect(self._on_run_remembered)
        context.undo.changed.connect(self._on_library_changed)

    def add_section(self, key: str, word: str, widget: QWidget) -> None:
        """Add a section to the switch in the header, before the trash, which comes last."""
        self._words.insert(-1, (key, word))
        self._sections[key] = widget
        self._stack.addWidget(widget)
        self.switch.set_choices(self._words, self.switch.current)

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show the list, of one project for its id; see the class for None."""
        self._target = target
        wanted = target if isinstance(target, str) and target in self._sections else "runs"
        self.switch.set_current(wanted)
        self._show_section(wanted)
        self._reload(opened=True)

    def shown(self) -> None:
        """Catch up."""
        if self._loaded:
            self.list.fill()

    def hidden(self) -> None:
        """Out of sight nothing is refreshed."""
        self.list.rest()

    def target(self) -> object | None:
        """What the list was opened with."""
        return self._target

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PageHeader("Runs")
        self.count = Label("", "secondary", "muted", elide=False)
        header.add_left(self.count)
        self.switch = Segmented(self._words, name="Section")
        self.switch.chosen.connect(self._on_section_chosen)
        header.add_right(self.switch)
        read = SecondaryButton("Import curves", "upload")
        read.setToolTip("Curves from the log of another program, to set beside yours")
        read.clicked.connect(lambda: self.navigate_requested.emit("compare", ImportLog(None)))
        header.add_right(read)
        new = PrimaryButton("New run", "plus")
        new.clicked.connect(partial(self.navigate_requested.emit, "wizard", None))
        header.add_right(new)
        column.addWidget(header)
        self._stack = QStackedWidget()
        column.addWidget(self._stack, 1)
        self.list = RunList(self._context)
        self.list.opened.connect(lambda run_id: self.navigate_requested.emit("run", run_id))
        self.list.new_requested.connect(partial(self.navigate_requested.emit, "wizard", None))
        self.list.details_requested.connect(self.show_details)
        self.list.counted.connect(self._on_counted)
        self.trash = TrashView(self._context)
        self._sections = {"runs": self.list, "trash": self.trash}
        for section in self._sections.values():
            self._stack.addWidget(section)
        self.add_section("groups", "Groups", GroupsOverview(self._context))
        self._loading = LoadingBlocks(rows=8)
        self._stack.addWidget(self._loading)
        self._stack.setCurrentWidget(self._loading)
        self.sheet = Sheet(self, HEADER_PX)
        self.details = RunDetails(self._context, self.list.run_actions)
        self.details.run_chosen.connect(self.show_details)
        self.details.run_opened.connect(lambda run_id: self.navigate_requested.emit("run", run_id))

    # --- content -------------------------------------------------------------------------------

    def show_details(self, run_id: int) -> None:
        """Show all about a run beside the list."""
        entry = next((each for each in self._catalogue.entries if each.run.id == run_id), None)
        if entry is None:
            return
        self.details.show_run(self.list.live(entry), self._catalogue)
        self.sheet.open_view(self.details, entry.run.name, entry.project)

    def _reload(self, *, opened: bool = False) -> None:
        library = self._context.library

        def loaded(catalogue: Catalogue) -> None:
            self._catalogue = catalogue
            self._loaded = True
            self._show_section(self.switch.current)
            if opened and self._lead_on():
                return
            project = self._target if opened and isinstance(self._target, int) else None
            self.list.show_catalogue(catalogue, project)
            self._refresh_details()

        self._context.tasks.run_op(lambda: read_catalogue(library), loaded, owner=self)

    def _refresh_details(self) -> None:
        if self.sheet.view is self.details and self.details.run_id is not None:
            if any(entry.run.id == self.details.run_id for entry in self._catalogue.entries):
                self.show_details(self.details.run_id)
            else:
                self.sheet.close_up()

    def _lead_on(self) -> bool:
        """Open the one run at work, unless the user just came from there."""
        live = (self.list.live(entry).run for entry in self._catalogue.entries)
        working = [run for run in live if run.facts.state in BUSY and not run.archived]
        queue = self._context.queue  # where runs follow each other, the list is what tells most
        queued = queue is not None and bool(queue.entries)
        wanted = self._target is None and len(working) == 1 and self.isVisible() and not queued
        if wanted and self._led_to != working[0].id:
            self._led_to = working[0].id
            self.navigate_requested.emit("run", working[0].id)
            return True
        self._led_to = None
        return False

    def _show_section(self, key: str) -> None:
        if key == "runs" and not self._loaded:
            self._stack.setCurrentWidget(self._loading)
        else:
            self._stack.setCurrentWidget(self._sections[key])
        self.count.setVisible(key == "runs")
        if key != "runs":
            self.sheet.close_up()
        if key == "trash":
            self.trash.reload()

    # --- reactions -----------------------------------------------------------------------------

    def _on_section_chosen(self, key: str) -> None:
        self._target = "all" if key == "runs" else key
        self._show_section(key)

    def _on_counted(self, shown: int, in_all: int) -> None:
        few = f"{shown:,} of " if shown != in_all else ""
        self.count.set_text(f"{few}{figures.plural(in_all, 'run')}" if in_all else "")

    def _on_job_updated(self, _folder: str) -> None:
        if self.isVisible():
            self.list.refresh_soon()

    def _on_run_remembered(self, _run_id: int) -> None:
        if self.isVisible() and self._loaded:
            self._reload()

    def _on_library_changed(self) -> None:
        if self._loaded:
            self._reload()
            if self.switch.current == "trash":
                self.trash.reload()
