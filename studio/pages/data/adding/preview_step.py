"""The second step of adding data: the first documents, what is left out, what cleaning does."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.data.adding.cleaning_card import CleaningCard
from studio.pages.data.adding.cleaning_form import CleaningForm
from studio.pages.data.adding.documents_card import DocumentsCard, LeftOutCard
from studio.pages.data.adding.preview import FOLDER, Preview, read_preview
from studio.pages.data.clock import share_done
from studio.pages.data.passing_job import PassingJob
from studio.widgets.card import Card
from studio.widgets.controls import SecondaryButton
from studio.widgets.empty import ErrorCard
from studio.widgets.figures import plural, size
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine
from trainer_core.errors import KnownError
from trainer_core.spec import PreviewSpec, PythonLibrary
from trainer_core.status import JobStatus

_USUAL = PreviewSpec(source=PythonLibrary())


class PreviewStep(QWidget):
    """Reads the beginning of the text in a job and shows what is there.

    Args:
        context: The studio.

    Signals:
        edited: The cleaning is another than before.
        looked: What there is was found out.
        correction_requested (object): A setting of a source is wrong; carries the `KnownError`.
        field_chosen (int, str): Another field of the source at this place holds the text.
    """

    edited = Signal()
    looked = Signal()
    correction_requested = Signal(object)
    field_chosen = Signal(int, str)

    name = "Preview"

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec: PreviewSpec | None = None
        self._preview: Preview | None = None
        self._job = PassingJob(context, FOLDER, read_preview, self, salvage=True)
        self._job.progressed.connect(self._on_progressed)
        self._job.finished.connect(self._on_finished)
        self._job.failed.connect(self._on_failed)
        self.documents = DocumentsCard()
        self.documents.field_chosen.connect(self.field_chosen)
        self.documents.again_requested.connect(self._on_again_clicked)
        self.documents.correction_requested.connect(self.correction_requested)
        self.left_out = LeftOutCard()
        self.cleaning_card = CleaningCard()
        self.cleaning_card.edited.connect(self.edited)
        self._working = _WorkingCard()
        self._working.stop_requested.connect(self._on_stop_requested)
        self._error_place = QVBoxLayout()
        self._error: ErrorCard | None = None
        left = QVBoxLayout()
        left.setSpacing(12)
        left.addLayout(self._error_place)
        left.addWidget(self._working)
        left.addWidget(self.documents)
        left.addWidget(self.left_out)
        left.addStretch(1)
        right = QVBoxLayout()
        right.addWidget(self.cleaning_card)
        right.addStretch(1)
        halves = QHBoxLayout()
        halves.setSpacing(12)
        halves.addLayout(left, 3)
        halves.addLayout(right, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 24)
        column.setSpacing(12)
        column.addWidget(Label("Is this the text you want?", "heading"))
        self._words = Label("", "body", "muted", wrap=True)
        column.addWidget(self._words)
        column.addLayout(halves)
        column.addStretch(1)
        self._say()

    # --- content -----------------------------------------------------------------------------

    def show_cleaning(self, form: CleaningForm) -> None:
        """Show these settings; what was found before is forgotten."""
        self.leave()
        self.cleaning_card.show_form(form)
        self.cleaning_card.show_reports((), 0)

    def cleaning(self) -> CleaningForm:
        """The cleaning as it stands."""
        return self.cleaning_card.form()

    def summary(self) -> str:
        """What was found, in few words."""
        preview = self._preview
        if preview is None:
            return ""
        if any(source.failed for source in preview.sources):
            return "cannot be read"
        read = sum(source.documents_read for source in preview.sources)
        return f"{plural(read, 'document')} looked at"

    @property
    def preview(self) -> Preview | None:
        """What was found; None while nothing was."""
        return self._preview

    def look(self, spec: PreviewSpec) -> None:
        """Read the beginning of these sources, unless that was just done."""
        if spec == self._spec and (self._preview is not None or self._job.is_open):
            return
        same_sources = self._spec is not None and spec.all_sources == self._spec.all_sources
        self._spec = spec
        if not same_sources:
            self._preview = None
            self.documents.show_preview(None)
            self.left_out.show_preview(None)
        self._clear_error()
        self.documents.show()
        self.cleaning_card.show_waiting()
        self._working.show_status(None)
        self._working.show()
        self._job.start(spec)
        self._say()

    def leave(self) -> None:
        """Nobody looks any more: the job ends, its folder goes."""
        self._job.drop()
        self._spec = self._preview = None
        self._working.hide()
        self._clear_error()
        self.documents.show_preview(None)
        self.left_out.show_preview(None)

    def show_error(self, field: str, message: str) -> bool:
        """Show an error beside its field; False when it is of no field here."""
        return self.cleaning_card.show_error(field, message)

    def clear_errors(self) -> None:
        """Take every error of the settings away."""
        self.cleaning_card.clear_errors()

    # --- reactions ---------------------------------------------------------------------------

    def _on_progressed(self, status: JobStatus) -> None:
        self._working.show_status(status)

    def _on_finished(self, preview: Preview) -> None:
        self._preview = preview
        self._working.hide()
        self.documents.show_preview(preview)
        self.left_out.show_preview(preview)
        read = sum(source.documents_read for source in preview.sources)
        steps = [step for source in preview.sources for step in source.steps]
        self.cleaning_card.show_reports(steps, read, preview.near_duplicates)
        self._say()
        self.looked.emit()

    def _on_failed(self, error: Exception) -> None:
        self._working.hide()
        self._clear_error()
        if (
            isinstance(error, KnownError)
            and error.field
            and self.show_error(error.field.removeprefix("preview."), error.what)
        ):
            return
        of_source = isinstance(error, KnownError) and error.field.startswith("source")
        self._error = ErrorCard(error, button="Correct it" if of_source else "Look again")
        if of_source:
            self._error.clicked.connect(lambda: self.correction_requested.emit(error))
        else:
            self._error.clicked.connect(self._on_again_clicked)
        self._error_place.addWidget(self._error)
        self.documents.setVisible(self._preview is not None)
        self._say()

    def _on_again_clicked(self) -> None:
        spec = self._spec
        if spec is not None:
            self._spec = self._preview = None
            self.look(spec)

    def _on_stop_requested(self) -> None:
        self._job.drop()
        self._working.hide()
        error = KnownError("The preview was stopped.", do="You can read the text without one.")
        self._on_failed(error)

    def _clear_error(self) -> None:
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
            self._error = None

    def _say(self) -> None:
        limit = self._spec.max_bytes if self._spec is not None else _USUAL.max_bytes
        words = (
            f"The first {size(limit)} of each source, as they would be read. Nothing is written"
            " yet; going on without looking is fine."
        )
        self._words.set_text(words)


class _WorkingCard(Card):
    """Progress of the preview.

    Signals:
        stop_requested: It is to end.
    """

    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__(spacing=8)
        self._phase = Label("", "body")
        self._line = ProgressLine(colour="info")
        stop = SecondaryButton("Stop", "square", size="small")
        stop.clicked.connect(self.stop_requested)
        row = QHBoxLayout()
        row.addWidget(self._phase, 1)
        row.addWidget(stop)
        self.body.addLayout(row)
        self.body.addWidget(self._line)
        self.hide()

    def show_status(self, status: JobStatus | None) -> None:
        """Show where the job stands."""
        progress = status.progress if status is not None else None
        phase = progress.phase if progress is not None else ""
        self._phase.set_text(f"{phase[:1].upper()}{phase[1:]}" or "Looking at the text")
        share = share_done(status) if status is not None else None
        self._line.set_share(share or 0.0)
