"""The cards at the right of a dataset's detail: a sample document, the split."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from studio.pages.data.corpus import StatisticsFacts
from studio.pages.data.facts import DatasetFacts
from studio.theme import theme
from studio.widgets.card import Card, Hairline
from studio.widgets.controls import CheckBox, IconButton
from studio.widgets.figures import count, percent, plural, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme
from studio.widgets.token_run import Colouring, TextToken
from studio.widgets.token_text import TokenText


class SampleCard(Card):
    """Documents of the training part to leaf through, with their tokens marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, parent=parent)
        self._of: int | None = None
        self._statistics: StatisticsFacts | None = None
        self._number = 0
        self._which = Label("", "secondary", "muted")
        back = IconButton("chevron-left", "Previous document", edge=22)
        back.clicked.connect(self._on_back_clicked)
        forth = IconButton("chevron-right", "Next document", edge=22)
        forth.clicked.connect(self._on_forth_clicked)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(card_title("Sample document"))
        head.addStretch(1)
        head.addWidget(self._which)
        head.addWidget(back)
        head.addWidget(forth)
        self._text = TokenText(
            colouring=Colouring.BOUNDARIES, role="secondary", line_height=21, margin=0
        )
        self._text.setMinimumHeight(84)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self._text.setAccessibleName("Sample document")
        self._size = Label("", "secondary", "muted")
        self._boundaries = CheckBox("token boundaries", checked=True)
        self._boundaries.toggled.connect(self._text.set_boundaries)
        foot = QHBoxLayout()
        foot.addWidget(self._size, 1)
        foot.addWidget(self._boundaries)
        self.body.addLayout(head)
        self.body.addWidget(self._text, 1)
        self.body.addWidget(Hairline())
        self.body.addLayout(foot)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show the samples of a dataset, from the one that was open."""
        self.show_samples(facts.dataset.id, facts.statistics, is_code=facts.is_code)

    def show_samples(
        self, dataset_id: int, statistics: StatisticsFacts | None, *, is_code: bool
    ) -> None:
        """Show samples, from the one that was open where they are of the same dataset."""
        if self._of != dataset_id:
            self._of, self._number = dataset_id, 0
            self._text.set_monospace(is_code)
        elif self._statistics == statistics:
            return
        self._statistics = statistics
        self._show()

    def _show(self) -> None:
        samples = self._statistics.samples if self._statistics else ()
        if not samples:
            self._text.clear()
            self._which.set_text("")
            self._size.set_text("No sample was kept.")
            return
        self._number %= len(samples)
        sample = samples[self._number]
        self._text.set_tokens(TextToken(piece) for piece in sample.pieces())
        self._text.verticalScrollBar().setValue(0)
        self._which.set_parts(Part("doc "), Part(whole(sample.document), "mono_small"))
        of_source = f"\nof {sample.source}" if sample.source else ""
        self._which.set_tooltip(f"{sample.title}{of_source}\n{sample.path}")
        shown = len(sample.lengths)
        first = f"first {whole(shown)} of " if shown < sample.tokens else ""
        self._size.set_text(
            f"{first}{plural(sample.tokens, 'token')}, {plural(sample.text_bytes, 'byte')}"
        )

    def _on_back_clicked(self) -> None:
        self._number -= 1
        self._show()

    def _on_forth_clicked(self) -> None:
        self._number += 1
        self._show()


class SplitCard(Card):
    """How the tokens are dealt out to training and validation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, spacing=6, parent=parent)
        self._how = Label("", "secondary", "muted")
        head = QHBoxLayout()
        head.addWidget(card_title("Split"))
        head.addStretch(1)
        head.addWidget(self._how)
        self._bar = _SplitBar()
        self._train = Label("", "secondary")
        self._validation = Label("", "secondary", align=Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout()
        row.addWidget(self._train, 1)
        row.addWidget(self._validation, 1)
        self.body.addLayout(head)
        self.body.addWidget(self._bar)
        self.body.addLayout(row)
        self.body.addWidget(Label("The index holds the training part only.", "label", "muted"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show a dataset's split."""
        manifest = facts.manifest
        if manifest is None or not manifest.tokens:
            return
        how = "by whole document" if not manifest.source.cut_document else "the end of one document"
        self._how.set_parts(Part(f"{how}, seed "), Part(str(manifest.seed), "mono", "text"))
        share = manifest.train.tokens / manifest.tokens
        self._bar.set_share(share)
        self._train.set_parts(*_side("Train", manifest.train.tokens, share))
        self._validation.set_parts(*_side("Validation", manifest.validation.tokens, 1 - share))


def _side(name: str, tokens: int, share: float) -> tuple[Part, ...]:
    digits = 0 if 0.02 < share < 0.98 else 1
    return (
        Part(f"{name} "),
        Part(count(tokens), "mono", weight=QFont.Weight.Medium),
        Part(f" {percent(share, digits)}", "mono", "muted"),
    )


class _SplitBar(QWidget):
    """Two bars side by side, in the colours of training and validation."""

    def __init__(self) -> None:
        super().__init__()
        self._share = 1.0
        self.setFixedHeight(8)
        repaint_on_theme(self)

    def set_share(self, share: float) -> None:
        """Show another share of training tokens."""
        self._share = share
        self.update()

    def sizeHint(self) -> QSize:
        """Any width."""
        return QSize(200, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw both."""
        palette = theme().palette
        painter = painter_for(self)
        painter.setPen(Qt.PenStyle.NoPen)
        left = min(max(round(self._share * self.width()), 6), self.width() - 6)
        painter.setBrush(QColor(palette.s2))
        painter.drawRoundedRect(QRectF(0, 0, left - 2, 8), 2, 2)
        painter.setBrush(QColor(palette.s5))
        painter.drawRoundedRect(QRectF(left + 2, 0, self.width() - left - 2, 8), 2, 2)
        painter.end()
