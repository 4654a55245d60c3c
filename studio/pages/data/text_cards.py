"""The cards on a dataset's text itself: its most frequent token runs, and its entropy."""

from __future__ import annotations

import math
import unicodedata

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from studio.pages.data.corpus import EntropyFacts, NGram, NGrams
from studio.pages.data.facts import DatasetFacts
from studio.theme import Tone
from studio.widgets.card import Card
from studio.widgets.choices import Segmented
from studio.widgets.figures import count, loss, whole
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.progress import ProgressLine

RUNS_SHOWN = 8
_FIRST_SHOWN = "3"
_TONES: tuple[Tone, ...] = ("text", "muted", "muted")
_RIGHT = Qt.AlignmentFlag.AlignRight
_SEEN = str.maketrans({"\n": "↵", "\t": "⇥", "\r": "␍", " ": "·"})


def seen(text: str) -> str:
    """A text with its white space as signs; other control characters become a square."""
    signs = text.translate(_SEEN)
    return "".join("▯" if unicodedata.category(sign) == "Cc" else sign for sign in signs)


class RunsCard(Card):
    """The most frequent runs of one to five tokens."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, parent=parent)
        self._ngrams: dict[str, NGrams] = {}
        choices = [(str(n), str(n)) for n in range(1, 6)]
        self.length = Segmented(choices, _FIRST_SHOWN, name="Tokens in a run")
        self.length.chosen.connect(lambda _: self._show())
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(card_title("Frequent token runs"), 1)
        head.addWidget(Label("tokens", "secondary", "muted", elide=False))
        head.addWidget(self.length)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        self.rows = [_RunRow(grid, row) for row in range(RUNS_SHOWN)]
        self._of = Label("", "label", "muted", wrap=True)
        self.body.addLayout(head)
        self.body.addLayout(grid)
        self.body.addStretch(1)
        self.body.addWidget(self._of)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show a dataset's runs; hides itself where none were counted."""
        found = facts.statistics
        ngrams = found.ngrams if found is not None else ()
        self.setVisible(bool(ngrams))
        if found is None or not ngrams:
            return
        self._ngrams = {str(runs.n): runs for runs in ngrams}
        self.length.set_choices([(n, n) for n in self._ngrams])
        manifest = facts.manifest
        in_all = manifest.train.tokens if manifest is not None else 0
        self._of.set_text(_looked_at(found.ngram_tokens, in_all))
        self._show()

    def _show(self) -> None:
        runs = self._ngrams[self.length.current]
        most = runs.top[0].count if runs.top else 1
        for number, row in enumerate(self.rows):
            row.show_run(runs.top[number] if number < len(runs.top) else None, most, runs.total)


class _RunRow:
    """A run, how often it occurs beside the most frequent one, and how often in all."""

    def __init__(self, grid: QGridLayout, row: int) -> None:
        self.text = Label("", "mono")
        self._bar = ProgressLine(colour="s2", thickness=6)
        self._count = Label("", "mono", "muted", elide=False, align=_RIGHT)
        grid.addWidget(self.text, row, 0)
        grid.addWidget(self._bar, row, 1, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self._count, row, 2)

    def show_run(self, run: NGram | None, most: int, total: int) -> None:
        """Show a run of `total`; the most frequent one occurs `most` times."""
        for widget in (self.text, self._bar, self._count):
            widget.setVisible(run is not None)
        if run is None:
            return
        self.text.set_text(seen(run.text))
        self._bar.set_share(run.count / most)
        self._count.set_text(count(run.count))
        share = run.count / max(total, 1) * 100
        self._count.set_tooltip(f"{whole(run.count)} times, {share:.3g} % of all runs this long")


def _looked_at(tokens: int, in_all: int) -> str:
    """On how much of the training text the runs were counted."""
    if tokens >= in_all * 0.9:  # separators are in no run
        return "Counted inside the documents of the training part."
    return f"Counted on {count(tokens)} of {count(in_all)} training tokens, evenly spaced."


class EntropyCard(Card):
    """What a loss on this text would be with next to no knowledge."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=14, parent=parent)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for column, name in enumerate(("nats per token", "perplexity", "bits per byte"), 2):
            title = Label(name, "label", "muted", elide=False, align=_RIGHT)
            grid.addWidget(title, 0, column)
        self.nothing = _EntropyRow(grid, 1, "No knowledge", "muted")
        self.unigram = _EntropyRow(grid, 2, "Unigram", "s3")
        self.bigram = _EntropyRow(grid, 3, "Bigram", "s5")
        self._meaning = Label("", "secondary", "muted", wrap=True)
        self._of = Label("", "label", "muted", wrap=True)
        self.body.addWidget(card_title("Entropy"))
        self.body.addLayout(grid)
        self.body.addSpacing(4)
        self.body.addWidget(self._meaning)
        self.body.addStretch(1)
        self.body.addWidget(self._of)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show a dataset's entropies; hides itself where they were not worked out."""
        found = facts.statistics.entropy if facts.statistics is not None else None
        manifest = facts.manifest
        self.setVisible(found is not None and manifest is not None)
        if found is None or manifest is None:
            return
        nothing = math.log(max(manifest.vocab_size, 2))
        per_byte = manifest.train.tokens / max(manifest.train.bytes, 1) / math.log(2)
        for row, nats in (
            (self.nothing, nothing),
            (self.unigram, found.unigram),
            (self.bigram, found.bigram),
        ):
            row.show_entropy(nats, nothing, per_byte)
        self._meaning.set_parts(*_meaning(found))
        self._of.set_text(_counted(found))


def _meaning(found: EntropyFacts) -> tuple[Part, ...]:
    """What the figures mean for a training."""
    return (
        Part("A model that only knows how often each token occurs has a loss of "),
        Part(loss(found.unigram), "mono", "text"),
        Part("; one that also sees the token before, "),
        Part(loss(found.bigram), "mono", "text"),
        Part(". Charts of the loss show both as lines: below them, more has been learned."),
    )


def _counted(found: EntropyFacts) -> str:
    if found.tokens >= found.of_tokens:
        return "Exact, over the training part with its separators."
    share = f"{count(found.tokens)} of {count(found.of_tokens)}"
    return f"Counted on {share} training tokens, evenly spaced."


class _EntropyRow:
    """A name, a bar beside that of no knowledge, and the figure."""

    def __init__(self, grid: QGridLayout, row: int, name: str, colour: str) -> None:
        self._bar = ProgressLine(colour=colour, thickness=8)
        self.value, self._perplexity, self._bits = (
            Label("", "mono", tone, elide=False, align=_RIGHT) for tone in _TONES
        )
        grid.addWidget(Label(name, "secondary", elide=False), row, 0)
        grid.addWidget(self._bar, row, 1, Qt.AlignmentFlag.AlignVCenter)
        for column, label in enumerate((self.value, self._perplexity, self._bits), 2):
            grid.addWidget(label, row, column)

    def show_entropy(self, nats: float, nothing: float, per_byte: float) -> None:
        """Show an entropy in nats per token; `per_byte` makes bits per byte of it."""
        self._bar.set_share(min(nats / nothing, 1.0))
        self.value.set_text(loss(nats))
        self._perplexity.set_text(whole(math.exp(nats)))
        self._bits.set_text(loss(nats * per_byte))
