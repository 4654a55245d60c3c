"""The tokenizer lab: tokenizers learned, measured and looked at on the same text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.data.adding.tokenizer_form import tokenizer_form
from studio.pages.data.corpus import read_manifest
from studio.pages.data.lab.form import LabForm, make_spec
from studio.pages.data.lab.job import Begun, Comparison, LabJob
from studio.pages.data.lab.report import TokenFacts, read_vocabulary, search
from studio.pages.data.lab.results import LabResults
from studio.pages.data.lab.setup import LabSetup
from studio.pages.data.lab.target import LabTarget, UseTokenizer
from studio.pages.page import Page, PageHeader
from studio.pages.typed import size_text
from studio.storage.rows import DatasetRow
from studio.widgets.controls import IconButton
from studio.widgets.empty import EmptyState, ErrorCard, LoadingBlocks
from studio.widgets.label import Label, Part
from trainer_core.errors import SpecError
from trainer_core.records import Progress
from trainer_core.spec import TextFiles, TokenizersSpec

_EMPTY = (
    "Learn tokenizers of several sizes from your text and compare them with ready ones: how many"
    " tokens the same text takes, which of them are never used, and how words are cut."
)


class LabPage(Page):
    """Settings at the left, what was found at the right."""

    nav_key = "data"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._wanted: LabTarget | None = None
        self._asked: Path | None = None
        """The text that the lab was opened for."""
        self._looked = False
        self._comparison: Comparison | None = None
        self._vocabulary: tuple[Path, tuple[TokenFacts, ...]] | None = None
        self.job = LabJob(context, self)
        self.job.progressed.connect(self._on_progressed)
        self.job.finished.connect(self._on_finished)
        self.job.failed.connect(self._on_failed)
        self.setAcceptDrops(True)
        self._lay_out()

    # --- page --------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Compare on the text of a dataset, where a `LabTarget` names one."""
        if isinstance(target, LabTarget):
            self._wanted = target

    def target(self) -> object | None:
        """Coming back shows the lab as it is."""
        return None

    def shown(self) -> None:
        """Read which datasets there are, and at first the newest comparison."""
        library = self._context.library

        def read() -> list[DatasetRow]:
            return [row for row in library.datasets() if read_manifest(row) is not None]

        self._context.tasks.run_op(read, self._on_datasets_read, owner=self)
        if not self._looked:
            self._looked = True
            self.job.find_newest(self._on_newest_found)

    # --- parts -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        back = IconButton("arrow-left", "Back (Esc)", edge=28)
        back.clicked.connect(self._go_back)
        crumb = Label("", "title", "muted")
        crumb.set_parts(
            Part("Data "), Part(" /  ", tone="muted"), Part("Tokenizer lab", tone="text")
        )
        header = PageHeader()
        header.add_left(back)
        header.add_left(crumb)
        self.setup = LabSetup()
        self.setup.show_form(LabForm())
        self.setup.edited.connect(self._check)
        self.setup.started.connect(self._on_started)
        self.setup.stopped.connect(self.job.stop)
        self.results = LabResults()
        self.results.use_wanted.connect(self._on_use_wanted)
        self.results.vocabulary.search_wanted.connect(self._on_search_wanted)
        self._empty = EmptyState(_EMPTY, "Compare", "play")
        self._empty.clicked.connect(self._on_started)
        self._failed = QWidget()
        self._error_column = QVBoxLayout(self._failed)
        self._error_column.setContentsMargins(20, 16, 24, 16)
        self._error_column.addStretch(1)
        self._error: ErrorCard | None = None
        self.stack = QStackedWidget()
        self._waiting = QWidget()
        blocks = QVBoxLayout(self._waiting)
        blocks.setContentsMargins(20, 16, 24, 16)
        blocks.addWidget(LoadingBlocks(rows=8))
        blocks.addStretch(1)
        for view in (self._empty, self._failed, self.results, self._waiting):
            self.stack.addWidget(view)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.setup)
        row.addWidget(self.stack, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(header)
        column.addLayout(row, 1)

    # --- the settings ------------------------------------------------------------------------

    def _on_datasets_read(self, rows: list[DatasetRow]) -> None:
        self.setup.set_datasets([(row.name, row.corpus_folder) for row in rows])
        form = self.setup.form()
        wanted = self._wanted.dataset_id if self._wanted is not None else None
        chosen = next((row.corpus_folder for row in rows if row.id == wanted), None)
        self._asked = chosen or self._asked
        if chosen is None and form.corpus is None and not form.paths and rows:
            chosen = rows[0].corpus_folder
        if chosen is not None:
            self.setup.show_form(replace(form, corpus=chosen))
        self._wanted = None
        self._check()

    def _check(self) -> TokenizersSpec | None:
        """Say what is wrong with the settings; the spec where nothing is."""
        try:
            spec = make_spec(self.setup.form())
        except SpecError as error:
            self.setup.show_error(error)
            return None
        self.setup.show_error(None)
        return spec

    def _on_started(self) -> None:
        spec = self._check()
        if spec is None or self.job.working:
            return
        if self._context.library.read_only:
            self._context.toast(
                SpecError(self._context.library.read_only_reason, do="Compare there.")
            )
            return
        self.job.start(spec)
        self._show_working()

    def _show_working(self) -> None:
        """What was found before stays in view until there is something newer."""
        self.setup.show_progress(None, working=True)
        if self._comparison is None:
            self.stack.setCurrentWidget(self._waiting)

    def _on_progressed(self, progress: object, left_s: object) -> None:
        self.setup.show_progress(
            progress if isinstance(progress, Progress) else None,
            working=True,
            left_s=left_s if isinstance(left_s, float) else None,
        )

    # --- what was found ----------------------------------------------------------------------

    def _on_newest_found(self, found: Comparison | Begun | None) -> None:
        if found is None or self.job.working:
            return
        form = _form_of(found.spec)
        self.setup.show_form(replace(form, corpus=self._asked or form.corpus))
        self._check()
        if isinstance(found, Begun):
            self.job.follow(found.folder)
            self._show_working()
        else:
            self._on_finished(found)

    def _on_finished(self, comparison: object) -> None:
        self.setup.show_progress(None, working=False)
        if isinstance(comparison, Comparison):
            self._comparison, self._vocabulary = comparison, None
            self.stack.setCurrentWidget(self.results)
            self.results.show_comparison(comparison)

    def _on_failed(self, error: object) -> None:
        self.setup.show_progress(None, working=False)
        if isinstance(error, SpecError) and error.field:
            self.setup.show_error(error)
        if not isinstance(error, Exception):
            return
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
        self._error = ErrorCard(error)
        self._error_column.insertWidget(0, self._error)
        self.stack.setCurrentWidget(self._failed)

    def _on_search_wanted(self, path: object, wanted: str) -> None:
        if not isinstance(path, Path):
            return
        known = self._vocabulary

        def look() -> tuple[tuple[TokenFacts, ...], list[TokenFacts]]:
            tokens = known[1] if known is not None and known[0] == path else read_vocabulary(path)
            return tokens, search(tokens, wanted)

        def show(found: tuple[tuple[TokenFacts, ...], list[TokenFacts]]) -> None:
            self._vocabulary = path, found[0]
            self.results.vocabulary.show_found(found[1], wanted)

        self._context.tasks.run_op(look, show, owner=self, lane="work")

    def _on_use_wanted(self, number: int) -> None:
        comparison = self._comparison
        if comparison is not None:
            candidate = comparison.report.candidates[number]
            folder = comparison.folder / candidate.folder
            self._context.navigate("data", UseTokenizer(folder, candidate.name))

    # --- reactions ---------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files can be dropped: they are the text."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Compare on what was dropped."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.setup.take_paths(paths)

    def _go_back(self) -> None:
        self._context.navigate("data", None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc goes back."""
        if event.key() == Qt.Key.Key_Escape:
            self._go_back()
            return
        super().keyPressEvent(event)


def _form_of(spec: TokenizersSpec) -> LabForm:
    """The form that gives this comparison; text that is no plain file is left to choose."""
    sources = spec.all_sources
    paths = sources[0].paths if sources and isinstance(sources[0], TextFiles) else ()
    return LabForm(
        corpus=Path(spec.corpus) if spec.corpus else None,
        paths=paths,
        candidates=tuple(tokenizer_form(each) for each in spec.candidates),
        sample_bytes=size_text(spec.sample_bytes),
        text=spec.text,
    )
