"""Carries out what the steps for new data ask for: begins, takes drops, starts the reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.data import jobs as data_jobs
from studio.pages.data.adding.dropped import Dropped, sort_out
from studio.pages.data.adding.flow import PREVIEW, TOKENS, AddFlow
from studio.pages.data.adding.kept_tokenizers import kept_tokenizers
from studio.pages.data.adding.tokenizer_form import TokenizerForm
from studio.pages.data.lab.target import LabTarget
from studio.pages.data.request import AddForm, AddRequest, copy_of, form_of
from studio.pages.settings.facts import GPT2_SETTING
from studio.runs.model import JobModel
from studio.storage.rows import DatasetRow
from trainer_core.errors import KnownError
from trainer_core.spec import PrepareSpec


class Adding(QObject):
    """The steps for new data, and what comes of them.

    Args:
        context: The studio.
        page: The page that shows the steps; nothing is called after it is gone.

    Signals:
        begun: The steps are to be shown.
        left: They are to be hidden again; nothing was added.
        added (object): A dataset is being read; carries its `DatasetRow`.
    """

    begun = Signal()
    left = Signal()
    added = Signal(object)

    def __init__(self, context: Context, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self.flow = AddFlow(context)
        self.flow.submitted.connect(self._on_submitted)
        self.flow.cancelled.connect(self.leave)
        self.flow.tokens.lab_requested.connect(lambda: context.navigate("lab", LabTarget()))
        self._open = False

    def begin(
        self, form: AddForm | None = None, replaces: int | None = None, *, filled: bool = True
    ) -> None:
        """Show the steps.

        Args:
            form: What they say at first; None for a new dataset.
            replaces: The dataset whose failed attempt is corrected, if any.
            filled: The form is that of a dataset, so that every step can be gone to at once.
        """
        self._open = True
        fresh = self._fresh_form() if form is None else form
        self.flow.show_form(fresh, replaces, filled=filled and form is not None)
        home = self._context.home
        self._context.tasks.run_op(
            lambda: kept_tokenizers(home), self.flow.tokens.set_kept, owner=self, lane="work"
        )
        self.begun.emit()

    def begin_with_tokenizer(self, folder: str) -> None:
        """Take a tokenizer of the lab: for what is being added, or for a new dataset."""
        tokenizer = TokenizerForm(kind="saved", folder=folder)
        if self._open:
            self.flow.take_tokenizer(tokenizer)
        else:
            self.begin(replace(self._fresh_form(), tokenizer=tokenizer), filled=False)

    def correct(self, row: DatasetRow, model: JobModel) -> None:
        """Show the settings of an attempt that failed, with the error beside its field."""
        if not isinstance(model.spec, PrepareSpec):
            return
        self.begin(form_of(model.spec, row.what, row.private), row.id)
        ended = model.status.ended
        if ended is not None and ended.what:
            self.flow.show_error(KnownError(ended.what, do=ended.do, field=ended.field))

    def copy(self, row: DatasetRow, model: JobModel, exclude: tuple[str, ...] = ()) -> None:
        """Show the settings of a dataset, for another one with some of them changed.

        Args:
            row: The dataset; it stays as it is.
            model: Of the job that read it.
            exclude: Documents that the other one leaves out.
        """
        if isinstance(model.spec, PrepareSpec):
            form = form_of(model.spec, row.what, row.private)
            self.begin(copy_of(replace(form, name=row.name), exclude))
            self.flow.go_to(PREVIEW if exclude else TOKENS)

    def leave(self) -> None:
        """Hide the steps and end what only served them."""
        if self._open:
            self._open = False
            self.flow.leave()
            self.left.emit()

    def take_paths(self, paths: Sequence[str]) -> None:
        """Begin to add these files and folders, or add them to what is being added."""
        self._context.tasks.run_op(lambda: sort_out(paths), self._take, owner=self, lane="work")

    def _take(self, dropped: Dropped) -> None:
        if dropped.form is not None:
            self.begin(dropped.form)
            return
        if not self._open:
            self.begin()
        if dropped.tokenizer is not None:
            self.flow.take_tokenizer(dropped.tokenizer)
        for source in dropped.sources:
            self.flow.add_source(source)

    def _fresh_form(self) -> AddForm:
        """An empty form that knows where GPT-2's vocabulary lies, if Settings do."""
        folder = str(self._context.settings.value(GPT2_SETTING, ""))
        return AddForm(tokenizer=TokenizerForm(vocabulary_folder=folder))

    def _on_submitted(self, request: AddRequest) -> None:
        library, supervisor = self._context.library, self._context.supervisor
        self.flow.set_busy(True)

        def started(row: DatasetRow) -> None:
            self._open = False
            self.flow.set_busy(False)
            self.flow.leave()
            self.added.emit(row)

        def refused(error: Exception) -> None:
            self.flow.set_busy(False)
            if isinstance(error, KnownError):
                self.flow.show_error(error)
            else:
                self._context.toast(error)

        self._context.tasks.run_op(
            lambda: data_jobs.start_reading(library, supervisor, request),
            started,
            refused,
            owner=self,
        )


def local_paths(data: QMimeData) -> list[str]:
    """Files and folders of this computer among what is dragged."""
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
