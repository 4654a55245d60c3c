"""The lower half of the data page: everything about one dataset, in whatever state it is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.cards import SampleCard, SplitCard
from studio.pages.data.cleaned_card import CleanedCard
from studio.pages.data.clock import share_done
from studio.pages.data.corpus import SkippedGroup
from studio.pages.data.facts import DatasetFacts
from studio.pages.data.length_card import LengthCard
from studio.pages.data.match_card import MatchCard
from studio.pages.data.rows import goes_on
from studio.pages.data.sources_table import SourcesTable
from studio.pages.data.strip import FigureStrip
from studio.pages.data.text_cards import EntropyCard, RunsCard
from studio.widgets.card import Card
from studio.widgets.controls import LinkButton, SecondaryButton
from studio.widgets.empty import EmptyState, ErrorCard
from studio.widgets.figures import duration, plural, size, whole
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine
from trainer_core.errors import KnownError
from trainer_core.status import JobStatus

_PATHS_SHOWN = 6
_TITLE_PX = 240
"""A dataset's name is not cut before it is as wide as this."""
_CARDS_PX = 404
"""Least height of the first row of cards; what stands below is found by scrolling."""


class DatasetDetail(QWidget):
    """A dataset's title, figures and cards; or its progress; or what went wrong.

    Signals:
        new_run_requested: A run with this data is wanted.
        build_requested (object): Its index is to be built with a `BuildForm`, or gone on with
            (None).
        anew_requested: Its index is to be removed and built from the beginning.
        stop_index_requested: The build is to end.
        settings_edited: The settings of a build are others than before.
        search_requested: Its text is to be searched.
        export_requested: Its documents are to be written out for other programs.
        passages_requested: What stands in it more than once is to be shown.
        more_requested (object): What else can be done; carries a global point.
        stop_reading_requested: Reading the text is to end.
        read_again_requested: Reading the text is to go on, or to start again.
        change_requested: The source or a setting is to be changed, then read again.
    """

    new_run_requested = Signal()
    build_requested = Signal(object)
    anew_requested = Signal()
    stop_index_requested = Signal()
    settings_edited = Signal()
    search_requested = Signal()
    export_requested = Signal()
    passages_requested = Signal()
    more_requested = Signal(object)
    stop_reading_requested = Signal()
    read_again_requested = Signal()
    change_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 4, 24, 20)
        column.setSpacing(12)
        self._skipped = SkippedNotice()
        column.addLayout(self._head())
        column.addWidget(self._skipped.list)
        self._warning = Label("", "secondary", "warn", wrap=True)
        self._warning.hide()
        column.addWidget(self._warning)
        self._reading = ReadingCard()
        self._reading.stop_requested.connect(self.stop_reading_requested)
        self._error_place = QVBoxLayout()
        self._error: ErrorCard | EmptyState | None = None
        self._error_key = ""
        self._change = LinkButton("Change the settings")
        self._change.clicked.connect(self.change_requested)
        self._change.hide()
        self._whole = self._cards()
        column.addWidget(self._reading)
        column.addLayout(self._error_place)
        column.addWidget(self._change, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._whole, 1)
        column.addStretch(0)
        for widget in (*self._of_ready, self._whole, self._reading):
            widget.hide()  # nothing is known yet

    def _head(self) -> QHBoxLayout:
        self._title = Label("", "title")
        self._lock = IconLabel("lock", "ok", 14)
        self._split = Label("", "secondary", "ok")
        self._run = SecondaryButton("New run with this data", "plus")
        self._run.clicked.connect(self.new_run_requested)
        self.export = SecondaryButton("Export", "upload")
        self.export.clicked.connect(self.export_requested)
        self.search = SecondaryButton("Search the text", "search")
        self.search.clicked.connect(self.search_requested)
        self.more = SecondaryButton("More", trailing_icon="chevron-down")
        self.more.clicked.connect(self._on_more_clicked)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._title)
        split = QHBoxLayout()
        split.setSpacing(6)
        split.addWidget(self._lock)
        split.addWidget(self._split)
        head.addLayout(split)
        head.addWidget(self._skipped)
        head.addStretch(1)
        buttons = (self.search, self.export, self.more, self._run)
        for button in buttons:
            head.addWidget(button)
        self._of_ready: tuple[QWidget, ...] = (self._lock, self._split, *buttons)
        return head

    def _on_more_clicked(self) -> None:
        self.more_requested.emit(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _cards(self) -> QWidget:
        self.figures = FigureStrip()
        self._lengths = LengthCard()
        self.figures.passages_requested.connect(self.passages_requested)
        self.matches = MatchCard()
        self.matches.build_requested.connect(self.build_requested)
        self.matches.anew_requested.connect(self.anew_requested)
        self.matches.stop_requested.connect(self.stop_index_requested)
        self.matches.settings_edited.connect(self.settings_edited)
        self._sample = SampleCard()
        self._split_card = SplitCard()
        right = QVBoxLayout()
        right.setSpacing(12)
        right.addWidget(self._sample, 1)
        right.addWidget(self._split_card)
        cards = QHBoxLayout()
        cards.setSpacing(12)
        cards.addWidget(self._lengths, 384)
        cards.addWidget(self.matches, 384)
        cards.addLayout(right, 360)
        view = QWidget()
        column = QVBoxLayout(view)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addWidget(self.figures)
        self._sources = SourcesTable()
        self._runs = RunsCard()
        self._entropy = EntropyCard()
        text = QHBoxLayout()
        text.setSpacing(12)
        text.addWidget(self._runs, 6)
        text.addWidget(self._entropy, 7)
        holder = QWidget()
        holder.setMinimumHeight(_CARDS_PX)
        holder.setLayout(cards)
        cards.setContentsMargins(0, 0, 0, 0)
        column.addWidget(holder, 1)
        column.addWidget(self._sources)
        self._cleaned = CleanedCard()
        column.addWidget(self._cleaned)
        column.addLayout(text)
        return view

    def show_facts(self, facts: DatasetFacts, context: int, seconds_left: float | None) -> None:
        """Show a dataset.

        Args:
            facts: What its folders tell.
            context: Context length to compare documents with, in tokens.
            seconds_left: Of the job that reads the text.
        """
        manifest = facts.manifest
        ready = manifest is not None and facts.problem is None
        begins = facts.prepare.state == "unborn" and facts.problem is None
        working = facts.prepare.alive or begins
        self._show_head(facts, ready=ready)
        self._whole.setVisible(ready)
        self._reading.setVisible(not ready and working and facts.problem is None)
        self._show_error(None if ready or working else facts)
        if not ready and working:
            self._reading.show_status(facts.prepare, seconds_left)
        if manifest is not None and ready:
            self.figures.show_facts(facts)
            self._cleaned.show_manifest(manifest)
            self._lengths.show_facts(facts, context)
            self.matches.show_facts(facts)
            self._sample.show_facts(facts)
            self._split_card.show_facts(facts)
            self._sources.show_facts(facts)
            self._runs.show_facts(facts)
            self._entropy.show_facts(facts)

    def _show_head(self, facts: DatasetFacts, *, ready: bool) -> None:
        """Name, split, what was left out or warned of, and the buttons."""
        self._title.set_text(facts.dataset.name)
        self._title.setMinimumWidth(min(self._title.sizeHint().width(), _TITLE_PX))
        for widget in self._of_ready:
            widget.setVisible(ready)
        outdated = facts.index.kind == "outdated"
        why = "Bring the index up to date first." if outdated else "Needs the index."
        self.search.setEnabled(facts.index.kind == "ready")
        self.search.setToolTip("" if self.search.isEnabled() else why)
        manifest = facts.manifest if ready else None
        seed = manifest.seed if manifest is not None else ""
        self._split.set_text(f"Train and validation split fixed by seed {seed}, saved")
        self._skipped.show_groups(manifest.source.skipped if manifest is not None else ())
        warning = warning_words(facts) if ready else ""
        self._warning.set_text(warning)
        self._warning.setVisible(bool(warning))

    def _show_error(self, facts: DatasetFacts | None) -> None:
        error = None if facts is None else why_there_is_no_text(facts)
        ended = None if facts is None else facts.prepare.ended
        of_setting = bool(error and error.field) or bool(ended and ended.field)
        can_change = facts is not None and facts.problem is None and not of_setting
        self._change.setVisible(error is not None and can_change)
        key = str(error) if error else ""
        if key == self._error_key:
            return
        self._error_key = key
        if self._error is not None:
            self._error.hide()
            self._error.deleteLater()
            self._error = None
        if error is None or facts is None:
            return
        gone = facts.problem is not None and facts.prepare.state == "unborn"  # with its settings
        button = "" if gone else "Go on" if goes_on(facts.prepare) else "Read again"
        signal = self.read_again_requested
        if of_setting:
            button, signal = "Change the settings", self.change_requested
        if facts.prepare.state in ("stopped", "paused"):  # the user's own wish is no error
            self._error = EmptyState(error.what, button, "play")
        else:
            self._error = ErrorCard(error, ended.details if ended else "", button=button)
        self._error.clicked.connect(signal)
        self._error_place.addWidget(self._error)


def warning_words(facts: DatasetFacts) -> str:
    """What the reading of the text warned of, besides what it left out."""
    skipped = facts.manifest.source.skipped if facts.manifest is not None else ()
    known = {f"Left out {group.count:,}: {group.meaning}" for group in skipped}
    warnings = {
        note.title: note.text
        for note in facts.prepare.notes
        if note.level == "warning" and note.title not in known
    }
    return "\u2028".join(f"{title}. {text}".strip() for title, text in warnings.items())


def why_there_is_no_text(facts: DatasetFacts) -> KnownError:
    """What to tell of a dataset whose text is not there and is not being read."""
    if facts.problem is not None:
        return facts.problem
    ended = facts.prepare.ended
    if ended is not None and ended.what:
        return KnownError(ended.what, safe=ended.safe, do=ended.do, field=ended.field)
    if facts.prepare.state in ("stopped", "paused"):
        return KnownError(
            "Reading was stopped. What was read and tokenised so far is kept, and reading goes on"
            " from there."
        )
    if facts.prepare.state == "killed":
        return KnownError(
            "Reading was killed: its process ended without a word.",
            safe="What was read so far is kept, and your files were not touched.",
            do="Go on; if memory was full, close other programs first.",
        )
    return KnownError(
        f"The corpus in {facts.dataset.corpus_folder} is missing or damaged.",
        safe="Your files were not touched.",
        do="Put the folder back, or read the text again.",
    )


class ReadingCard(Card):
    """Progress of a dataset that is being read.

    Signals:
        stop_requested: Reading is to end.
    """

    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=10, parent=parent)
        self._phase = Label("", "body")
        self._left = Label("", "secondary", "muted")
        self._line = ProgressLine(colour="info")
        stop = SecondaryButton("Stop", "square", size="small")
        stop.clicked.connect(self.stop_requested)
        row = QHBoxLayout()
        row.addWidget(self._phase)
        row.addStretch(1)
        row.addWidget(self._left)
        foot = QHBoxLayout()
        foot.addWidget(Label("You may close the window; reading goes on.", "secondary", "muted"), 1)
        foot.addWidget(stop)
        self._note = Label("", "secondary", "muted", wrap=True)
        self._note.hide()
        self.body.addLayout(row)
        self.body.addWidget(self._line)
        self.body.addWidget(self._note)
        self.body.addLayout(foot)

    def show_status(self, status: JobStatus, seconds_left: float | None) -> None:
        """Show where the job stands, and what it said since it was started."""
        said = [note for note in status.notes if note.time_s >= status.started_s]
        self._note.setVisible(bool(said))
        if said:
            self._note.set_text(f"{said[-1].title}. {said[-1].text}".strip())
        progress = status.progress
        if progress is None or not progress.phase:
            self._phase.set_text("Starting")
            self._left.set_text("")
            self._line.set_share(0.0)
            return
        amount = ""
        if progress.total and progress.unit == "bytes":
            amount = f", {size(progress.done)} of {size(progress.total)}"
        elif progress.total and progress.unit:
            amount = f", {whole(progress.done)} of {whole(progress.total)} {progress.unit}"
        self._phase.set_text(f"{progress.phase[:1].upper()}{progress.phase[1:]}{amount}")
        left = f"{duration(seconds_left)} left" if seconds_left is not None else ""
        self._left.set_text(left)
        self._line.set_share(share_done(status) or 0.0)


class SkippedNotice(QWidget):
    """How many files were left out; which and why stands in `list`, folded away at first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._groups: tuple[SkippedGroup, ...] = ()
        self._icon = IconLabel("triangle-alert", "warn", 14)
        self._sentence = Label("", "secondary", "warn", elide=False)
        self._more = LinkButton("Show")
        self._more.clicked.connect(self._on_more_clicked)
        self.list = Label("", "secondary", "muted", wrap=True)
        self.list.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._icon)
        row.addWidget(self._sentence)
        row.addWidget(self._more)
        self.hide()

    def show_groups(self, groups: tuple[SkippedGroup, ...]) -> None:
        """Show what was left out; hides itself when that is nothing."""
        if groups == self._groups:
            return
        self._groups = groups
        total = sum(group.count for group in groups)
        serious = sum(group.count for group in groups if group.level != "info")
        self.setVisible(total > 0)
        self.list.hide()
        self._more.set_text("Show")
        self._icon.setVisible(bool(serious))
        self._sentence.set_tone("warn" if serious else "muted")
        words = f"{plural(total, 'file')} left out"
        if serious:
            words = f"{plural(serious, 'file')} could not be used"
        self._sentence.set_text(words)
        self.list.set_text("\u2028".join(line for group in groups for line in _lines(group)))

    def _on_more_clicked(self) -> None:
        shown = self.list.isHidden()
        self.list.setVisible(shown)
        self._more.set_text("Hide" if shown else "Show")


def _lines(group: SkippedGroup) -> list[str]:
    """One reason, with the first paths."""
    lines = [f"{group.count:,} {group.meaning or group.reason.replace('_', ' ')}"]
    lines += [f"    {path}" for path in group.examples[:_PATHS_SHOWN]]
    more = group.count - min(len(group.examples), _PATHS_SHOWN)
    return [*lines, f"    and {more:,} more"] if more > 0 else lines
