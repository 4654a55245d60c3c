"""The data page: every dataset above, one of them in detail below."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.data import jobs as data_jobs
from studio.pages.data.actions import DatasetActions
from studio.pages.data.adding.control import Adding, local_paths
from studio.pages.data.build_form import BuildForm
from studio.pages.data.corpus import CorpusFiles, read_corpus
from studio.pages.data.detail import DatasetDetail
from studio.pages.data.facts import DatasetFacts, make_facts
from studio.pages.data.follow import DatasetJobs
from studio.pages.data.header import DataHeader
from studio.pages.data.jobs import Shelf, read_shelf
from studio.pages.data.lab.target import UseTokenizer
from studio.pages.data.request import AddForm, AddPaths
from studio.pages.data.rows import COLUMNS, table_row
from studio.pages.data.side import DataSide
from studio.pages.page import HEADER_PX, Page
from studio.storage.rows import DatasetRow
from studio.widgets.drop_hint import DropHint
from studio.widgets.empty import EmptyState, LoadingBlocks
from studio.widgets.scroll import ClearScroll
from studio.widgets.table import DataTable
from studio.widgets.table_paint import HEADER_PX as TABLE_HEADER_PX
from studio.widgets.table_paint import ROW_PX

_SPLITTER = "data/splitter"
_REFRESH_MS = 1000


class DataPage(Page):
    """Datasets: add, watch, build the index, look inside, start a run."""

    nav_key = "data"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._shelf = Shelf()
        self._files: dict[int, CorpusFiles] = {}
        self._jobs = DatasetJobs(context.watcher, self)
        self._index_states: dict[int, str] = {}
        self._actions = DatasetActions(context, self)
        self._actions.done.connect(self.reload)
        context.undo.changed.connect(self.reload)
        self._selected: int | None = None
        self._loaded = False
        self._facts: DatasetFacts | None = None
        self._lay_out()
        self.setAcceptDrops(True)
        self._drop_hint = DropHint(self, HEADER_PX)
        self.side = DataSide(context, self)
        self.side.copy_requested.connect(self._on_copy_requested)
        self._actions.copy_requested.connect(lambda: self._on_copy_requested(()))
        self._actions.export_requested.connect(lambda: self._ask(self.side.open_export))
        self._ticker = QTimer(self, interval=_REFRESH_MS)
        self._ticker.timeout.connect(self._on_tick)
        context.watcher.job_updated.connect(self._on_job_updated)

    # --- page --------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show a dataset by its id, or the steps for a new one.

        Args:
            target: An id; `"add"`, an `AddForm` to begin with, `AddPaths`, or a `UseTokenizer`.
        """
        if isinstance(target, int):
            self._selected = target
            self._table.select(target)
            self.adding.leave()
        elif target == "add":
            self.adding.begin()
        elif isinstance(target, AddForm):
            self.adding.begin(target)
        elif isinstance(target, AddPaths):
            self.adding.take_paths(target.paths)
        elif isinstance(target, UseTokenizer):
            self.adding.begin_with_tokenizer(str(target.folder))

    def target(self) -> object | None:
        """The dataset in the detail."""
        return self._selected

    def shown(self) -> None:
        """Read the library again."""
        self.reload()
        self._ticker.start()

    def hidden(self) -> None:
        """Jobs are still followed; times left are not."""
        self._ticker.stop()

    def reload(self) -> None:
        """Ask the library what there is."""
        library = self._context.library
        self._context.tasks.run_op(lambda: read_shelf(library), self._on_shelf_read, owner=self)

    # --- parts -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.adding = Adding(self._context, self)
        self._header = DataHeader()
        self._header.search.textChanged.connect(lambda _text: self._show_rows())
        self._header.add.clicked.connect(lambda: self.adding.begin())
        self._header.close_adding.clicked.connect(self.adding.leave)
        self.adding.flow.moved.connect(lambda _step: self._header.show_adding(self.adding.flow))
        self.adding.begun.connect(self._show_adding)
        self.adding.left.connect(self._on_adding_left)
        self.adding.added.connect(self._on_added)
        self._empty = EmptyState(
            "No data yet. Read this computer's Python library, or texts of your own.",
            "Add data",
            "plus",
        )
        self._empty.clicked.connect(lambda: self.adding.begin())
        loading = QWidget()
        waiting = QVBoxLayout(loading)
        waiting.setContentsMargins(24, 16, 24, 0)
        waiting.addWidget(LoadingBlocks(rows=6))
        waiting.addStretch(1)
        self._stack = QStackedWidget()
        for view in (loading, self._empty, self._full_view(), self.adding.flow):
            self._stack.addWidget(view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header)
        column.addWidget(self._stack, 1)

    def _full_view(self) -> QWidget:
        self._table = DataTable(COLUMNS, single_click=False, name="Datasets")
        self._table.row_selected.connect(self._on_row_selected)
        self._table.row_activated.connect(self._on_row_activated)
        self._table.link_clicked.connect(self._on_link_clicked)
        self._table.menu_requested.connect(self._on_menu_requested)
        holder = QWidget()
        margins = QVBoxLayout(holder)
        margins.setContentsMargins(24, 16, 24, 6)
        margins.addWidget(self._table, 100)
        margins.addStretch(1)
        self._detail = DatasetDetail()
        self._actions.setting_refused.connect(self._detail.matches.offer.show_error)
        self._detail.new_run_requested.connect(self._on_new_run_requested)
        self._detail.build_requested.connect(self._on_build_requested)
        self._detail.anew_requested.connect(self._on_anew_requested)
        self._detail.settings_edited.connect(self._show_detail)
        self._detail.export_requested.connect(lambda: self._ask(self.side.open_export))
        self._detail.search_requested.connect(lambda: self._ask(self.side.open_search))
        self._detail.passages_requested.connect(lambda: self._ask(self.side.open_repeats))
        self._detail.more_requested.connect(
            lambda at: self._ask(lambda facts: self.side.open_menu(facts, self._context_now, at))
        )
        self._detail.stop_index_requested.connect(self._on_stop_index_requested)
        self._detail.stop_reading_requested.connect(self._on_stop_reading_requested)
        self._detail.read_again_requested.connect(self._on_read_again_requested)
        self._detail.change_requested.connect(self._on_change_requested)
        scroll = ClearScroll(self._detail)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(8)
        self._splitter.addWidget(holder)
        self._splitter.addWidget(scroll)
        self._splitter.setStretchFactor(1, 1)
        holder.setMinimumHeight(110)
        kept = self._context.settings.value(_SPLITTER)
        self._was_split = kept is not None and self._splitter.restoreState(kept)
        self._splitter.splitterMoved.connect(self._on_splitter_moved)
        return self._splitter

    # --- what is there -----------------------------------------------------------------------

    def _on_shelf_read(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._loaded = True
        self._jobs.follow(shelf.datasets)
        if self._selected not in self._rows() and shelf.datasets:
            self._selected = shelf.datasets[0].id
        wanted = self._selected  # the table tells of its own selection while it is filled
        self._show_rows()
        self._selected = wanted
        self._table.select(wanted)
        self._header.show_shelf(self._shelf)
        read = [(row.name, row.corpus_folder) for row in shelf.datasets if row.tokens is not None]
        self.adding.flow.set_datasets(read)
        if self._stack.currentIndex() != 3:
            self._stack.setCurrentIndex(2 if shelf.datasets else 1)
        self._show_detail()

    def _rows(self) -> dict[int, DatasetRow]:
        return {row.id: row for row in self._shelf.datasets}

    def _show_rows(self) -> None:
        words = self._header.search.text().casefold().split()
        shown = [
            table_row(self._jobs.row_facts(row, self._shelf))
            for row in self._shelf.datasets
            if all(word in f"{row.name} {row.what} {row.tokenizer}".casefold() for word in words)
        ]
        self._table.set_rows(shown)
        height = TABLE_HEADER_PX + max(len(shown), 1) * ROW_PX + 2
        if height != self._table.maximumHeight():
            self._table.setMaximumHeight(height)
            self._table.setMinimumHeight(min(height, 110))
            if not self._was_split:
                self._splitter.setSizes([min(height, 260) + 30, self.height()])

    def _on_job_updated(self, folder: str) -> None:
        row = self._rows().get(self._jobs.dataset_of(folder))
        if row is None:
            return
        self._table.update_row(table_row(self._jobs.row_facts(row, self._shelf)))
        prepare, index = self._jobs.status(row.folder), self._jobs.status(row.index_folder)
        if prepare.state == "finished" or index.state == "finished":
            library = self._context.library
            self._context.tasks.run_op(
                lambda: data_jobs.remember_result(library, row, prepare, index),
                lambda is_news: self.reload() if is_news else None,
                owner=self,
            )
        if prepare.state != "finished":
            self._files.pop(row.id, None)
        if index.state != self._index_states.get(row.id, index.state):
            self.reload()  # whether the index fits its text is read from the disk
        self._index_states[row.id] = index.state
        if row.id == self._selected:
            self._show_detail()

    def _on_tick(self) -> None:
        """Times left go on while a job is at work."""
        if self._jobs.any_alive():
            self._show_rows()
            self._show_detail()

    # --- the detail --------------------------------------------------------------------------

    def _show_detail(self) -> None:
        row = self._chosen()
        known = row is not None and self._jobs.row_facts(row, self._shelf).known
        self._detail.setVisible(known)
        if row is None or not known:
            return
        prepare = self._jobs.status(row.folder)
        files = self._files.get(row.id)
        if files is None:
            model = self._jobs.model(row.folder)
            if prepare.state == "finished" or (model is not None and model.error is not None):
                self._read_files(row)
                return
            files = CorpusFiles()
        left = self._jobs.seconds_left(row.folder)
        threads = self._detail.matches.offer.advanced.form().n_threads
        index = self._jobs.index_now(row, self._shelf, threads)
        facts = make_facts(row, files, prepare, index, self._jobs.problem(row, self._shelf))
        self._facts = facts
        self._detail.show_facts(facts, self._shelf.context_for(row.id), left)
        self.side.follow(facts)

    def _read_files(self, row: DatasetRow) -> None:
        def take(files: CorpusFiles) -> None:
            self._files[row.id] = files
            if row.id == self._selected:
                self._show_detail()

        self._context.tasks.run_op(lambda: read_corpus(row), take, owner=self, lane="work")

    def _on_row_selected(self, key: object) -> None:
        if isinstance(key, int) and key != self._selected:
            self._selected = key
            self._show_detail()

    def _on_row_activated(self, key: object) -> None:
        if isinstance(key, int):
            self._selected = key
            self._show_detail()

    def _on_splitter_moved(self) -> None:
        self._was_split = True
        self._context.settings.setValue(_SPLITTER, self._splitter.saveState())

    # --- actions -----------------------------------------------------------------------------

    def _chosen(self) -> DatasetRow | None:
        return self._rows().get(self._selected) if self._selected is not None else None

    def _on_build_requested(self, form: BuildForm | None) -> None:
        if (row := self._chosen()) is not None:
            self._actions.build(row, form)

    def _on_anew_requested(self) -> None:
        if (row := self._chosen()) is not None:
            self._actions.build_anew(row)

    def _on_read_again_requested(self) -> None:
        if (row := self._chosen()) is not None:
            self._actions.read_again(row)

    def _on_stop_reading_requested(self) -> None:
        row = self._chosen()
        self._actions.stop(row.folder if row else None)

    def _on_stop_index_requested(self) -> None:
        row = self._chosen()
        self._actions.stop(row.index_folder if row else None)

    def _on_link_clicked(self, key: object, column: str) -> None:
        row = self._rows().get(key) if isinstance(key, int) else None
        if row is None or column != "index":
            return
        facts = self._jobs.row_facts(row, self._shelf)
        if not facts.known:
            return
        self._table.select(row.id)
        if facts.prepare.state == "finished":
            self._actions.build(row)
        elif self._needs_change(row):
            self._on_change_requested()
        else:
            self._actions.read_again(row)

    def _needs_change(self, row: DatasetRow) -> bool:
        ended = self._jobs.status(row.folder).ended
        return ended is not None and bool(ended.field)

    def _on_menu_requested(self, key: object, at: QPoint) -> None:
        row = self._rows().get(key) if isinstance(key, int) else None
        if row is not None:
            self._table.select(row.id)
            index = self._jobs.index_now(row, self._shelf)
            is_read = self._jobs.status(row.folder).state == "finished"
            self._actions.open_menu(row, index, at, is_read=is_read)

    @property
    def _context_now(self) -> int:
        """Context length to compare the dataset's documents with."""
        return self._shelf.context_for(self._selected or 0)

    def _ask(self, opens: Callable[[DatasetFacts], None]) -> None:
        if self._facts is not None:
            opens(self._facts)

    def _on_new_run_requested(self) -> None:
        if (row := self._chosen()) is not None:
            self._actions.new_run(row)

    # --- adding ------------------------------------------------------------------------------

    def _on_change_requested(self) -> None:
        row = self._chosen()
        model = self._jobs.model(row.folder if row else None)
        if row is not None and model is not None:
            self.adding.correct(row, model)

    def _on_copy_requested(self, exclude: tuple[str, ...]) -> None:
        row = self._chosen()
        model = self._jobs.model(row.folder if row else None)
        if row is not None and model is not None:
            self.side.sheet.close_up()
            self.adding.copy(row, model, exclude)

    def _show_adding(self) -> None:
        self._stack.setCurrentIndex(3)
        self._header.show_adding(self.adding.flow)

    def _on_adding_left(self) -> None:
        self._stack.setCurrentIndex(0 if not self._loaded else 2 if self._shelf.datasets else 1)
        self._header.show_adding(None)

    def _on_added(self, row: DatasetRow) -> None:
        self._selected = row.id
        self._files.pop(row.id, None)
        self._stack.setCurrentIndex(2)
        self._header.show_adding(None)
        self.reload()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take local files and folders."""
        if local_paths(event.mimeData()):
            event.acceptProposedAction()
            self._drop_hint.show_hint(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing hovers any more."""
        self._drop_hint.show_hint(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take what was dropped into the steps for a new dataset."""
        self._drop_hint.show_hint(False)
        event.acceptProposedAction()
        self.adding.take_paths(local_paths(event.mimeData()))
