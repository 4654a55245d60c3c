"""What the model wrote at its checkpoints, by prompt, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets import figures
from studio.widgets.card import Hairline
from studio.widgets.controls import ComboBox, IconButton, LinkButton
from studio.widgets.empty import EmptyState
from studio.widgets.label import Label, Part
from studio.widgets.paint import painter_for, repaint_on_theme, rounded_box
from trainer_core.records import Sampled, Validated

SHOWN_AT_FIRST: Final = 20
_CUT: Final = 210
"""Characters of a text that are shown until it is clicked."""


class SampleEntry(QWidget):
    """One text: where it was written, how much of it is backed by matches, and the text."""

    def __init__(self, sample: Sampled, val_loss: float | None, *, match_backed: bool) -> None:
        super().__init__()
        self.sample = sample
        self._whole = False
        self._marked = False
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(4)
        head = QHBoxLayout()
        left = Label("", "mono_small", elide=False)
        parts = [Part(f"step {sample.step:,}")]
        if val_loss is not None:
            parts.append(Part(f"   val {figures.loss(val_loss)}", tone="muted"))
        left.set_parts(*parts)
        head.addWidget(left)
        head.addStretch(1)
        if match_backed:
            share = Label(
                f"{sample.matched_share:.0%}".replace("%", f"{figures.NARROW}% matched"),
                "label",
                "muted",
                elide=False,
            )
            share.set_tooltip("Tokens backed by a match of four tokens or more")
            head.addWidget(share)
        column.addLayout(head)
        self.text = Label("", "body", wrap=True)
        column.addWidget(self.text)
        self._show_text()
        if len(sample.text) > _CUT:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            self.setToolTip("Click to read it whole")
        repaint_on_theme(self)

    def set_marked(self, marked: bool) -> None:
        """Put a bar beside it, as for the checkpoint that was clicked."""
        self._marked = marked
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Show all of it, or only its beginning again."""
        if len(self.sample.text) > _CUT and event.button() == Qt.MouseButton.LeftButton:
            self._whole = not self._whole
            self._show_text()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground of a marked entry."""
        if self._marked:
            palette = theme().palette
            painter = painter_for(self)
            rounded_box(painter, self.rect().toRectF(), 0, fill=palette.bg2)
            painter.fillRect(0, 0, 2, self.height(), palette.accent)
            painter.end()

    def _show_text(self) -> None:
        text = self.sample.text
        if not self._whole and len(text) > _CUT:
            text = text[:_CUT].rsplit(" ", 1)[0] + " …"
        self.text.set_parts(Part(_lines(self.sample.prompt), tone="muted"), Part(_lines(text)))


class SamplesPanel(QWidget):
    """The samples of a run.

    Signals:
        prompt_wanted: The user wants to try a prompt of their own.
    """

    prompt_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._samples: tuple[Sampled, ...] = ()
        self._losses: dict[int, float] = {}
        self._match_backed = False
        self._limit = SHOWN_AT_FIRST
        self._marked: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._head = QWidget()
        row = QHBoxLayout(self._head)
        row.setContentsMargins(16, 12, 16, 8)
        row.setSpacing(8)
        self.prompt = ComboBox("Prompt", "Prompt")
        self.prompt.currentIndexChanged.connect(self._on_prompt)
        row.addWidget(self.prompt, 1)
        more = IconButton("plus", "Try another prompt in the playground", boxed=True)
        more.clicked.connect(self.prompt_wanted)
        row.addWidget(more)
        column.addWidget(self._head)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.viewport().setAutoFillBackground(False)
        column.addWidget(self._area, 1)
        self._empty = EmptyState("")
        column.addWidget(self._empty, 1)
        self.set_samples((), (), match_backed=False, why="No samples yet.")

    def set_samples(
        self,
        samples: Sequence[Sampled],
        validations: Sequence[Validated],
        *,
        match_backed: bool,
        why: str,
    ) -> None:
        """Show samples.

        Args:
            samples: All of them, by step.
            validations: Losses to show beside them.
            match_backed: Whether the model has an index, so that shares have a meaning.
            why: Said when there is none.
        """
        found = tuple(samples)
        self._empty.sentence.set_text(why)
        self._match_backed = match_backed
        losses = {each.step: each.loss for each in validations}
        if found == self._samples and found and losses == self._losses:
            return
        self._samples, self._losses = found, losses
        prompts = list(dict.fromkeys(each.prompt for each in found))
        if prompts != [self.prompt.itemText(i) for i in range(self.prompt.count())]:
            kept = self.prompt.currentText()
            self.prompt.blockSignals(True)
            self.prompt.clear()
            self.prompt.addItems(prompts)
            self.prompt.setCurrentIndex(max(self.prompt.findText(kept), 0))
            self.prompt.blockSignals(False)
        self._fill()

    def show_step(self, step: int) -> None:
        """Bring the sample of a checkpoint into view and mark it."""
        self._marked = step
        mine = [each for each in self._samples if each.prompt == self.prompt.currentText()]
        later = sum(each.step > step for each in mine)
        self._limit = max(self._limit, later + 1)
        self._fill()
        holder = self._area.widget()
        for entry in self.entries:
            if entry.sample.step == step and holder is not None:
                holder.adjustSize()
                self._area.ensureWidgetVisible(entry, 0, 40)

    @property
    def entries(self) -> list[SampleEntry]:
        """What is shown, newest first."""
        holder = self._area.widget()
        return holder.findChildren(SampleEntry) if holder is not None else []

    def _fill(self) -> None:
        prompt = self.prompt.currentText()
        mine = [each for each in reversed(self._samples) if each.prompt == prompt]
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for place, sample in enumerate(mine[: self._limit]):
            if place:
                line = QHBoxLayout()
                line.setContentsMargins(16, 0, 16, 0)
                line.addWidget(Hairline())
                column.addLayout(line)
            loss = self._losses.get(sample.step)
            entry = SampleEntry(sample, loss, match_backed=self._match_backed)
            entry.set_marked(sample.step == self._marked)
            column.addWidget(entry)
        if len(mine) > self._limit:
            more = LinkButton(f"Show {len(mine) - self._limit:,} older")
            more.clicked.connect(self._on_more)
            column.addWidget(more, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        scrolled = self._area.verticalScrollBar().value()
        self._area.setWidget(holder)
        holder.setAutoFillBackground(False)
        self._area.verticalScrollBar().setValue(scrolled)
        has = bool(self._samples)
        self._head.setVisible(has)
        self._area.setVisible(has)
        self._empty.setVisible(not has)

    def _on_prompt(self, _index: int) -> None:
        self._limit = SHOWN_AT_FIRST
        self._fill()

    def _on_more(self) -> None:
        self._limit += 4 * SHOWN_AT_FIRST
        self._fill()


def _lines(text: str) -> str:
    """Text for one label: line ends become line separators."""
    return text.replace("\r", "").replace("\n", "\u2028")
