"""What a comparison of tokenizers found: a table, and views of the details below it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.pages.data.lab.details import ColumnsView, ScriptsView
from studio.pages.data.lab.job import Comparison
from studio.pages.data.lab.report import CandidateFacts, LabReport
from studio.pages.data.lab.texts import TextsView
from studio.pages.data.lab.vocabulary import VocabularyView
from studio.widgets.controls import Segmented
from studio.widgets.figures import MISSING, NARROW, duration, percent, plural, size, whole
from studio.widgets.label import Label
from studio.widgets.table import Cell, Column, DataTable, Row

_COLUMNS = (
    Column("name", "Tokenizer", 118, 2, "strong"),
    Column("vocab", "Tokens", 76, style="mono", right=True, tooltip="In the vocabulary"),
    Column(
        *("bytes", "Bytes per token", 142),
        style="mono",
        right=True,
        tooltip="Of the text that all are compared on; more is better",
    ),
    Column("words", "Per word", 72, style="mono", right=True, tooltip="Tokens for each word"),
    Column("unused", "Unused", 68, style="mono", right=True, tooltip="Tokens that the text lacks"),
    Column("learn", "Learned in", 80, style="mono_muted", right=True),
    Column(*("encode", "Encodes", 96), style="mono_muted", right=True, tooltip="Text in a second"),
    Column("use", "", 104, sortable=False),
)
_VIEWS = (
    ("texts", "Text"),
    ("scripts", "Scripts"),
    ("longest", "Longest tokens"),
    ("unused", "Unused tokens"),
    ("vocabulary", "Vocabulary"),
)
_USE = "Use this one"


class LabResults(QWidget):
    """A comparison that is over.

    Signals:
        use_wanted (int): Read a dataset with this tokenizer.
    """

    use_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._what = Label("", "secondary", "muted")
        self.table = DataTable(_COLUMNS, fit_rows=True, single_click=False, name="Tokenizers")
        self.table.link_clicked.connect(self._on_link_clicked)
        self.failed = Label("", "secondary", "danger", wrap=True)
        self.views = Segmented([*_VIEWS], name="Details")
        self.views.chosen.connect(self._on_view_chosen)
        self.texts = TextsView()
        self.scripts = ScriptsView()
        self.longest = ColumnsView(unused=False)
        self.unused = ColumnsView(unused=True)
        self.vocabulary = VocabularyView()
        self._stack = QStackedWidget()
        for view in (self.texts, self.scripts, self.longest, self.unused, self.vocabulary):
            self._stack.addWidget(view)
        head = QHBoxLayout()
        head.addWidget(self.views)
        head.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 24, 16)
        column.setSpacing(12)
        column.addWidget(self._what)
        column.addWidget(self.table)
        column.addWidget(self.failed)
        column.addLayout(head)
        column.addWidget(self._stack, 1)

    def show_comparison(self, comparison: Comparison) -> None:
        """Show what was found."""
        report = comparison.report
        self._what.set_text(
            f"Compared on {size(report.bytes)} of {plural(report.documents, 'document')}"
            " that no own tokenizer has learned from."
        )
        self.table.set_rows(comparison_rows(report))
        failed = [each for each in report.candidates if each.error]
        self.failed.set_text("\u2028".join(f"{each.name}: {each.error}" for each in failed))
        self.failed.setVisible(bool(failed))
        self.texts.show_report(report)
        self.scripts.show_report(report)
        self.longest.show_report(report)
        self.unused.show_report(report)
        self.vocabulary.show_report(report, comparison.folder)

    def _on_view_chosen(self, key: str) -> None:
        self._stack.setCurrentIndex([known for known, _ in _VIEWS].index(key))

    def _on_link_clicked(self, key: object, column: str) -> None:
        if isinstance(key, int) and column == "use":
            self.use_wanted.emit(key)


def comparison_rows(report: LabReport) -> list[Row]:
    """A row for each tokenizer; the fewest tokens stand out."""
    tried = [each for each in report.candidates if not each.error]
    best = max((each.bytes_per_token for each in tried), default=0.0)
    return [
        _failed_row(number, each) if each.error else _row(number, each, report, best, len(tried))
        for number, each in enumerate(report.candidates)
    ]


def _row(number: int, found: CandidateFacts, report: LabReport, best: float, tried: int) -> Row:
    is_best = tried > 1 and found.bytes_per_token >= best
    speed = f"{size(report.bytes / found.encode_s)}/s" if found.encode_s else MISSING
    lossy = found.lossy_share > 0
    return Row(
        number,
        {
            "name": Cell(
                found.name,
                series=number,
                tooltip=f"{percent(found.lossy_share, 2)} of the text comes back changed"
                if lossy
                else "",
                icon="triangle-alert" if lossy else "",
            ),
            "vocab": Cell(whole(found.vocab_size), sort=found.vocab_size),
            "bytes": Cell(
                f"{found.bytes_per_token:.2f}",
                sort=found.bytes_per_token,
                role="ok" if is_best else None,
                share=found.bytes_per_token / best if best else None,
                bar_role="ok" if is_best else "neutral",
                tooltip=f"{found.bytes_per_token:.4f}, {plural(found.tokens, 'token')}",
            ),
            "words": Cell(f"{found.tokens_per_word:.2f}", sort=found.tokens_per_word),
            "unused": Cell(whole(found.unused), sort=found.unused),
            "learn": Cell(
                MISSING if found.learn_s is None else _seconds(found.learn_s),
                sort=found.learn_s or 0.0,
            ),
            "encode": Cell(speed, sort=report.bytes / found.encode_s if found.encode_s else 0.0),
            "use": Cell(_USE, link=True) if found.folder else Cell(""),
        },
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}{NARROW}s" if seconds < 9.95 else duration(seconds)


def _failed_row(number: int, found: CandidateFacts) -> Row:
    return Row(
        number,
        {
            "name": Cell(found.name, series=number),
            "use": Cell("not tried", role="danger", tooltip=found.error),
        },
    )
