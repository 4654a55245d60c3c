"""The sheet at the right of the data page: search the text, repeats, contamination."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.data.answers import (
    ContaminationAnswer,
    DuplicatesAnswer,
    LookupAnswer,
    Place,
    ValueAnswer,
)
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.data.contamination import ContaminationPanel
from studio.pages.data.export import Export
from studio.pages.data.facts import DatasetFacts
from studio.pages.data.lab.target import LabTarget
from studio.pages.data.passages import PassagesPanel
from studio.pages.data.questions import Questions
from studio.pages.data.search import SearchPanel
from studio.pages.data.value import ValuePanel
from studio.pages.page import HEADER_PX
from studio.pages.playground.document import DocumentText, DocumentView, read_document
from studio.widgets.menu import Menu
from studio.widgets.sheet import Sheet
from trainer_core.spec import ContaminationSpec, DuplicatesSpec, InspectSpec, LookupSpec, ValueSpec

_SEARCH = "Search the text"
_REPEATS = "Repeated text"
_CONTAMINATION = "Contamination"
_VALUE = "What the index is worth"
_EXPORT = "Export"
_PASSAGES = 20


@dataclass
class _Known:
    """What was asked of one dataset's index, so that it need not be asked again."""

    built_s: float = 0.0
    phrase: str = ""
    lookup: LookupAnswer | None = None
    duplicates: DuplicatesAnswer | None = None
    contamination: ContaminationAnswer | None = None
    value: ValueAnswer | None = None


class DataSide(QObject):
    """Opens the sheet for a dataset and asks its index.

    Args:
        context: The studio.
        page: What the sheet lies over.

    Signals:
        copy_requested (tuple): A dataset with the same settings is wanted that leaves these
            documents out.
    """

    copy_requested = Signal(tuple)

    def __init__(self, context: Context, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._facts: DatasetFacts | None = None
        self._known: dict[int, _Known] = {}
        self._questions = Questions(context, page)
        self.sheet = Sheet(page, HEADER_PX)
        self.search = SearchPanel()
        self.search.asked.connect(self._on_phrase_asked)
        self.search.document_wanted.connect(self._open_document)
        self.passages = PassagesPanel()
        self.passages.document_wanted.connect(self._open_document)
        self.passages.exclude_wanted.connect(self.copy_requested)
        self.contamination = ContaminationPanel()
        self.contamination.asked.connect(self._on_check_asked)
        self.contamination.document_wanted.connect(self._open_document)
        self.contamination.exclude_wanted.connect(self.copy_requested)
        self.value = ValuePanel()
        self.export = Export(context, self)
        self.document = DocumentView()
        self.document.closed.connect(self._on_document_closed)
        self._below: tuple[QWidget, str] = (self.search, _SEARCH)

    # --- opening -----------------------------------------------------------------------------

    def open_search(self, facts: DatasetFacts) -> None:
        """Search a dataset's text; what was asked before is still there."""
        known = self._turn_to(facts)
        self.search.set_code(facts.is_code)
        if self.search.field.toPlainText() != known.phrase:
            self.search.field.setPlainText(known.phrase)
        if known.lookup is not None:
            self.search.show_answer(known.lookup)
        elif not self._questions.is_open("lookup"):
            self.search.show_nothing()
        self._open(self.search, _SEARCH)
        self.search.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.search.field.selectAll()

    def open_repeats(self, facts: DatasetFacts) -> None:
        """Show what stands in a dataset's text more than once."""
        known = self._turn_to(facts)
        self._open(self.passages, _REPEATS)
        if known.duplicates is not None:
            self.passages.show_answer(known.duplicates)
            return
        self.passages.show_waiting()

        def answered(answer: DuplicatesAnswer) -> None:
            known.duplicates = answer
            self.passages.show_answer(answer)

        index, corpus = self._whom(facts)
        spec = DuplicatesSpec(index=index, corpus=corpus, top=_PASSAGES)
        self._questions.ask(spec, DuplicatesAnswer, answered, self.passages.show_error)

    def open_menu(self, facts: DatasetFacts, context: int, at: QPoint) -> None:
        """Offer the rest of what can be asked and done, at a global point.

        Args:
            facts: The dataset.
            context: Context length of the batches to show.
            at: Where the menu opens.
        """
        menu = Menu(self._page)
        asks = facts.index.kind == "ready"
        menu.add("Repeated text", lambda: self.open_repeats(facts), "copy", enabled=asks)
        check = "Check for contamination…"
        menu.add(check, lambda: self.open_contamination(facts), "search", enabled=asks)
        menu.add(_VALUE, lambda: self.open_value(facts), "activity", enabled=asks)
        menu.addSeparator()
        menu.add("Show batches", lambda: self._open_batches(facts, context), "eye")
        menu.add("Compare tokenizers", lambda: self._open_lab(facts), "compare")
        menu.add("Copy with other settings…", lambda: self.copy_requested.emit(()), "pencil")
        menu.open_at(at)

    def open_export(self, facts: DatasetFacts) -> None:
        """Write a dataset's documents out for other programs."""
        self._turn_to(facts)
        self.export.turn_to(facts)
        self._open(self.export.panel, _EXPORT)

    def _open_batches(self, facts: DatasetFacts, context: int) -> None:
        index = str(facts.dataset.index_path) if facts.index.kind == "ready" else ""
        spec = InspectSpec(
            corpus=str(facts.dataset.corpus_folder), index=index, context_length=context
        )
        self._context.navigate("batches", BatchesTarget(spec, facts.dataset.name))

    def _open_lab(self, facts: DatasetFacts) -> None:
        self._context.navigate("lab", LabTarget(facts.dataset.id))

    def open_contamination(self, facts: DatasetFacts) -> None:
        """Check texts for what a dataset's training part holds of them."""
        known = self._turn_to(facts)
        if known.contamination is not None:
            self.contamination.show_answer(known.contamination)
        elif not self._questions.is_open("contamination"):
            self.contamination.show_nothing()
        self._open(self.contamination, _CONTAMINATION)

    def open_value(self, facts: DatasetFacts) -> None:
        """Say what a dataset's index is worth on held-out text."""
        known = self._turn_to(facts)
        self._open(self.value, _VALUE)
        if known.value is not None:
            self.value.show_answer(known.value)
            return
        self.value.show_waiting()

        def answered(answer: ValueAnswer) -> None:
            known.value = answer
            self.value.show_answer(answer)

        index, corpus = self._whom(facts)
        spec = ValueSpec(index=index, corpus=corpus)
        self._questions.ask(spec, ValueAnswer, answered, self.value.show_error)

    def follow(self, facts: DatasetFacts) -> None:
        """Another dataset is shown, or the same one in another state."""
        shown = self._facts
        if shown is None or self.sheet.view is None:
            return
        if self._below[0] is self.export.panel:
            if facts.dataset.id != shown.dataset.id:
                self.open_export(facts)
        elif facts.index.kind != "ready":
            self.sheet.close_up()
        elif facts.dataset.id != shown.dataset.id:
            again = {
                self.passages: self.open_repeats,
                self.contamination: self.open_contamination,
                self.value: self.open_value,
            }
            again.get(self._below[0], self.open_search)(facts)

    def _turn_to(self, facts: DatasetFacts) -> _Known:
        """Answer for this dataset from now on."""
        before = self._facts
        if before is not None and before.dataset.id != facts.dataset.id:
            for verb in ("lookup", "duplicates", "contamination", "value"):
                self._questions.drop(verb)
        self._facts = facts
        built_s = facts.index.status.last_s
        known = self._known.get(facts.dataset.id)
        if known is None or known.built_s != built_s:
            phrase = known.phrase if known is not None else ""
            known = self._known[facts.dataset.id] = _Known(built_s, phrase)
        return known

    def _open(self, view: QWidget, title: str) -> None:
        self._below = (view, title)
        name = self._facts.dataset.name if self._facts is not None else ""
        self.sheet.open_view(view, title, name)

    @staticmethod
    def _whom(facts: DatasetFacts) -> tuple[str, str]:
        """The index and the corpus that are asked."""
        return str(facts.dataset.index_folder), str(facts.dataset.corpus_folder)

    # --- reactions ---------------------------------------------------------------------------

    def _on_phrase_asked(self, text: str) -> None:
        facts = self._facts
        if facts is None:
            return
        known = self._turn_to(facts)
        known.phrase, known.lookup = text, None
        self.search.answer.show_waiting()

        def answered(answer: LookupAnswer) -> None:
            known.lookup = answer
            self.search.show_answer(answer)

        index, corpus = self._whom(facts)
        spec = LookupSpec(index=index, corpus=corpus, text=text)
        self._questions.ask(spec, LookupAnswer, answered, self.search.answer.show_error)

    def _on_check_asked(self, paths: tuple[str, ...]) -> None:
        facts = self._facts
        if facts is None:
            return
        known = self._turn_to(facts)
        known.contamination = None
        self.contamination.answer.show_waiting()

        def answered(answer: ContaminationAnswer) -> None:
            known.contamination = answer
            self.contamination.show_answer(answer)

        index, corpus = self._whom(facts)
        spec = ContaminationSpec(index=index, corpus=corpus, paths=paths)
        failed = self.contamination.answer.show_error
        self._questions.ask(spec, ContaminationAnswer, answered, failed)

    def _open_document(self, place: Place) -> None:
        facts = self._facts
        length = len(place.matched)
        if self._below[0] is self.search and facts is not None:
            lookup = self._known[facts.dataset.id].lookup
            length = lookup.match.tokens if lookup is not None else length
        self.document.show_place(place, length, code=facts is not None and facts.is_code)
        name = facts.dataset.name if facts is not None else ""
        self.sheet.open_view(self.document, self._below[1], name)

        def show(document: DocumentText) -> None:
            if self.sheet.view is self.document:
                self.document.show_text(document)

        self._context.tasks.run_op(lambda: read_document(place), show, owner=self, lane="work")

    def _on_document_closed(self) -> None:
        self._open(*self._below)
