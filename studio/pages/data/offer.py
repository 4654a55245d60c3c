"""The place of the match figures while there are none: build, progress, what went wrong."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data import index_words
from studio.pages.data.advanced import AdvancedBuild
from studio.pages.data.build_form import BuildForm
from studio.pages.data.build_plan import BuildPlan
from studio.pages.data.index_state import IndexNow
from studio.widgets.card import Hairline
from studio.widgets.controls import SecondaryButton
from studio.widgets.empty import ErrorCard
from studio.widgets.figures import MISSING, rough_duration, size
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine
from trainer_core.errors import SpecError

_CENTRE = Qt.AlignmentFlag.AlignHCenter
_WIDEST_PX = 360


class IndexOffer(QWidget):
    """What can be done about an index that is not there.

    Signals:
        build_requested (object): Build it with a `BuildForm`, or go on as before (None).
        stop_requested: The build is to end; what is done stays.
        edited: A setting was changed, and with it perhaps what the build will take.
    """

    build_requested = Signal(object)
    stop_requested = Signal()
    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._error: ErrorCard | None = None
        self._error_key = ""
        self._kind = ""
        self._sentence = Label("", "body", "muted", wrap=True, align=_CENTRE)
        self._figures = _Expected()
        self._progress = _BuildProgress()
        self._progress.stop_requested.connect(self.stop_requested)
        self._warning = _Warning()
        self._error_place = QVBoxLayout()
        self._button = SecondaryButton("Build the index", "zap")
        self._button.clicked.connect(self._on_build_clicked)
        self.advanced = AdvancedBuild()
        self.advanced.edited.connect(self.edited)
        inner = QWidget()
        inner.setMaximumWidth(_WIDEST_PX)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addStretch(1)
        column.addWidget(self._sentence)
        column.addWidget(self._figures)
        column.addWidget(self._progress)
        column.addWidget(self._warning)
        column.addLayout(self._error_place)
        column.addWidget(self._button, 0, _CENTRE)
        column.addWidget(self.advanced)
        column.addStretch(1)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(8, 0, 8, 0)
        outer.addStretch(1)
        outer.addWidget(inner, 100)
        outer.addStretch(1)

    @property
    def text(self) -> str:
        """What is said, for tests and screen readers."""
        return " ".join(
            label.text() for label in (self._sentence, self._progress.phase, self._progress.left)
        ).strip()

    def show_index(self, index: IndexNow) -> None:
        """Show where an index stands."""
        self._kind = index.kind
        building, absent = index.kind == "building", index.kind == "absent"
        self._figures.setVisible(absent and index.plan is not None)
        kept = index.kind == "stopped" and index.share > 0 and index.goes_on
        self._progress.setVisible(building or kept)
        self._progress.show_index(index)
        self._show_words(index)
        self._button.setVisible(index.kind in ("absent", "stopped", "outdated"))
        self.advanced.setVisible(absent)
        self._warning.show_text(index_words.room_words(index) if absent else "")
        if index.plan is not None:
            self._figures.show_plan(index.plan)
        self._show_failure(index)

    def _show_words(self, index: IndexNow) -> None:
        words = {
            "absent": index_words.WHAT_FOR,
            "stopped": index_words.stopped_words(index),
            "outdated": index_words.outdated_words(index),
            "ready": "The index is ready. There is no held-out text to measure it on.",
        }
        self._sentence.set_text(words.get(index.kind, ""))
        self._sentence.setVisible(index.kind in words)
        cramped = index.plan is not None and not index.plan.fits
        verbs = {"stopped": index_words.go_on_words(index), "outdated": "Build again"}
        self._button.set_text(
            verbs.get(index.kind, "Build anyway" if cramped else "Build the index")
        )

    def _show_failure(self, index: IndexNow) -> None:
        error = index_words.failure(index) if index.kind == "failed" else None
        key = str(error) if error is not None else ""
        if key == self._error_key:
            return
        self._error_key = key
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
            self._error = None
        if error is not None:
            details = index.problem.details if index.problem is not None else ""
            self._error = ErrorCard(error, details, button="Try again")
            self._error.clicked.connect(lambda: self.build_requested.emit(None))
            self._error_place.addWidget(self._error)

    def show_error(self, error: SpecError) -> None:
        """A setting cannot be used."""
        self.advanced.show_error(error)

    def _on_build_clicked(self) -> None:
        self.advanced.show_error(None)
        form: BuildForm | None = self.advanced.form()
        if self._kind != "absent":
            form = None
        self.build_requested.emit(form)


class _Expected(QWidget):
    """Two figures side by side: how long, and how much room."""

    def __init__(self) -> None:
        super().__init__()
        self._time = Label(MISSING, "tile", elide=False, align=_CENTRE)
        self._size = Label(MISSING, "tile", elide=False, align=_CENTRE)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(0)
        for number, (name, value) in enumerate(
            (("Takes about", self._time), ("On the disk", self._size))
        ):
            if number:
                row.addWidget(Hairline(vertical=True))
            cell = QVBoxLayout()
            cell.setSpacing(0)
            cell.addWidget(Label(name, "label", "muted", align=_CENTRE))
            cell.addWidget(value)
            row.addLayout(cell, 1)

    def show_plan(self, plan: BuildPlan) -> None:
        """Show what a build will take."""
        self._time.set_text(rough_duration(plan.seconds))
        self._size.set_text(size(plan.size_bytes))
        self._size.set_tooltip(f"{plan.size_bytes:,} bytes")


class _BuildProgress(QWidget):
    """A build at work: what it does, how far it is, and a way to end it."""

    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.phase = Label("", "body")
        self.left = Label("", "secondary", "muted", elide=False, align=Qt.AlignmentFlag.AlignRight)
        self._line = ProgressLine(colour="info")
        self._note = Label("You may close the window; it goes on.", "label", "muted")
        self._stop = SecondaryButton("Stop", "square", size="small")
        self._stop.clicked.connect(self._on_stop_clicked)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.phase, 1)
        head.addWidget(self.left)
        foot = QHBoxLayout()
        foot.addWidget(self._note, 1)
        foot.addWidget(self._stop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self._line)
        column.addLayout(foot)

    def show_index(self, index: IndexNow) -> None:
        """Show how far a build is, or was when it ended."""
        building = index.kind == "building"
        self.phase.set_text(index_words.phase_words(index) if building else "")
        self.left.set_text(index_words.left_words(index) if building else "")
        self.phase.setVisible(building)
        self.left.setVisible(building)
        self._note.setVisible(building)
        self._stop.setVisible(building)
        if not building:
            self._stop.set_text("Stop")
            self._stop.setEnabled(True)
        self._line.set_share(index.share)
        self._line.set_colour("info" if building else "muted")

    def _on_stop_clicked(self) -> None:
        self._stop.set_text("Stopping")  # it may take a moment: the job ends at its next report
        self._stop.setEnabled(False)
        self.stop_requested.emit()


class _Warning(QWidget):
    """A sentence with the sign of a warning; hidden while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Label("", "secondary", "warn", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(IconLabel("triangle-alert", "warn", 14), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        self.hide()

    def show_text(self, text: str) -> None:
        """Show another sentence; an empty one hides it."""
        self._text.set_text(text)
        self.setVisible(bool(text))
