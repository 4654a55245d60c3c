"""The prompt: a field that grows with its text, earlier prompts, Stop and Generate."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPlainTextEdit, QVBoxLayout, QWidget

from studio.theme import font, theme
from studio.widgets.card import Card
from studio.widgets.controls import IconButton, PrimaryButton, SecondaryButton
from studio.widgets.label import Label

_LINES_MAX = 7
_MENU_CHARACTERS = 64


class PromptCard(Card):
    """What the model goes on from.

    Signals:
        generate_requested (): The model is to write.
        stop_requested (): It is to stop.
        earlier_wanted (): The menu of earlier prompts is about to open.
    """

    generate_requested = Signal()
    stop_requested = Signal()
    earlier_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=12, parent=parent)
        self.edit = _PromptEdit()
        self.edit.submitted.connect(self.generate_requested)
        self.edit.textChanged.connect(self._fit)
        self.earlier = IconButton("clock", "Earlier prompts", edge=24)
        self.earlier.clicked.connect(self.earlier_wanted)
        self.stop = SecondaryButton("Stop", "square")
        self.stop.setToolTip("Esc")
        self.stop.clicked.connect(self.stop_requested)
        self.stop.setEnabled(False)
        self.generate = PrimaryButton("Generate", "play")
        self.generate.setToolTip("Ctrl+Enter")
        self.generate.clicked.connect(self.generate_requested)
        name = QHBoxLayout()
        name.setSpacing(6)
        name.addWidget(Label("Prompt", "label", "muted"))
        name.addWidget(self.earlier)
        name.addStretch(1)
        words = QVBoxLayout()
        words.setContentsMargins(4, 0, 0, 0)
        words.setSpacing(0)
        words.addLayout(name)
        words.addWidget(self.edit)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(self.stop, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.generate, 0, Qt.AlignmentFlag.AlignVCenter)
        self.body.addLayout(row)
        theme().changed.connect(self._colour)
        self._colour()
        self._fit()

    @property
    def text(self) -> str:
        """The prompt as it stands."""
        return self.edit.toPlainText()

    def set_text(self, text: str) -> None:
        """Show another prompt."""
        self.edit.setPlainText(text)

    def show_state(self, *, busy: bool, can_generate: bool, again: bool) -> None:
        """Show whether the model writes.

        Args:
            busy: It writes, or is about to.
            can_generate: There is a checkpoint to ask.
            again: There is a text already.
        """
        self.stop.setEnabled(busy)
        self.generate.setEnabled(can_generate and not busy)
        self.generate.set_text("Regenerate" if again else "Generate")
        self.generate.set_icon("refresh-cw" if again else "play")

    def set_monospace(self, on: bool) -> None:
        """Use a fixed-width font, as code wants it."""
        self.edit.setFont(font("mono" if on else "body"))
        self._fit()

    def offer(self, prompts: Sequence[str]) -> None:
        """Open the menu of earlier prompts."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if not prompts:
            menu.addAction("No earlier prompts").setEnabled(False)
        for prompt in prompts:
            line = " ".join(prompt.split()) or "(white space)"
            cut = line if len(line) <= _MENU_CHARACTERS else f"{line[: _MENU_CHARACTERS - 1]}…"
            action = menu.addAction(cut.replace("&", "&&"))
            action.setToolTip(prompt)
            action.triggered.connect(lambda _on=False, text=prompt: self.set_text(text))
        menu.popup(self.earlier.mapToGlobal(self.earlier.rect().bottomLeft()))

    def _fit(self) -> None:
        """As high as the text, up to a limit."""
        lines = min(max(self.edit.document().size().height(), 1.0), _LINES_MAX)
        self.edit.setFixedHeight(round(lines * self.edit.fontMetrics().lineSpacing()) + 8)

    def _colour(self) -> None:
        palette = self.edit.palette()
        palette.setColor(QPalette.ColorRole.Text, QColor(theme().palette.text))
        self.edit.setPalette(palette)


class _PromptEdit(QPlainTextEdit):
    """Frameless; Ctrl+Enter submits, Tab leaves."""

    submitted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFont(font("body"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setPlaceholderText("Write how a text begins; the model goes on from there.")
        self.setAccessibleName("Prompt")
        self.setStyleSheet("QPlainTextEdit { background: transparent; border: none; padding: 0; }")
        self.document().setDocumentMargin(2)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+Enter submits."""
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and control:
            self.submitted.emit()
            return
        super().keyPressEvent(event)
