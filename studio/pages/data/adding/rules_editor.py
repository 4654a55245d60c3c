"""One's own rules: their text, the lines that they make, and what can be learned of them."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.tasks import Tasks
from studio.widgets.controls import ComboBox, LinkButton, TextEdit
from studio.widgets.label import Label, Part
from trainer_core.rule_language import EXAMPLES, FUNCTIONS, Figures, Line, RuleError, parse

_TYPED_MS = 300
_LINES = 10
_EDITOR_PX = 216
_HELP = """\
name = "Ada" | "Ben" : 2\twhat follows is drawn anew each time; Ben twice as often
let word = "a".."f" * 4..8\tdrawn once in a line; 4 to 8 letters from a to f
before.word\twhat `word` was in the line before
line "copied" = word "=" => word ";"\ta line of the group "copied"; its answer stands behind =>
line : 0.5 = name " sleeps."\ta line that comes half as often and asks nothing"""


@dataclass(frozen=True)
class Tried:
    """What rules make.

    Attributes:
        lines: Some of their lines.
        figures: What such lines are worth.
        error: Why there are none.
    """

    lines: tuple[Line, ...] = ()
    figures: Figures | None = None
    error: RuleError | None = None


def try_rules(text: str) -> Tried:
    """Lines and figures of rules, or what is wrong with them."""
    try:
        rules = parse(text)
        return Tried(tuple(rules.sample(_LINES, 0)), rules.figures())
    except RuleError as error:
        return Tried(error=error)


class RulesEditor(QWidget):
    """The rules at the left, their lines at the right.

    Args:
        tasks: Rules are tried in a thread.

    Signals:
        edited: The rules are others than before.
    """

    edited = Signal()

    def __init__(self, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._asked = 0
        self._typed = QTimer(self, interval=_TYPED_MS, singleShot=True)
        self._typed.timeout.connect(self._try)
        self.text = TextEdit(placeholder="line = ...", name="Rules", role="mono")
        self.text.setFixedHeight(_EDITOR_PX)
        self.text.setLineWrapMode(TextEdit.LineWrapMode.NoWrap)
        self.text.textChanged.connect(self._on_text_changed)
        self._examples = ComboBox("Begin with", prefix="Begin with")
        self._examples.setPlaceholderText("an example")
        for example in EXAMPLES:
            self._examples.addItem(example.title, example.text)
        self._examples.setCurrentIndex(-1)
        self._examples.activated.connect(self._on_example_chosen)
        self._said = Label("", "secondary", "muted", wrap=True)
        self._lines = Label("", "mono", wrap=True)
        self._figures = Label("", "secondary", "muted", wrap=True)
        self._help = Label("", "label", "muted", wrap=True)
        self._help.set_parts(*_help_parts())
        self._help.hide()
        self._fold = LinkButton("How rules are written", trailing_icon="chevron-down")
        self._fold.clicked.connect(self._on_fold_clicked)
        self._lay_out()
        self._try()

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(6)
        left.addWidget(Label("Rules", "secondary", "muted"))
        left.addWidget(self.text)
        left.addWidget(self._said)
        below = QHBoxLayout()
        below.addWidget(self._examples)
        below.addStretch(1)
        below.addWidget(self._fold)
        left.addLayout(below)
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(6)
        right.addWidget(Label("Lines that they make, answers in colour", "secondary", "muted"))
        right.addWidget(self._lines)
        right.addSpacing(4)
        right.addWidget(self._figures)
        right.addStretch(1)
        halves = QHBoxLayout()
        halves.setSpacing(20)
        halves.addLayout(left, 1)
        halves.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(halves)
        column.addWidget(self._help)

    def set_rules(self, text: str) -> None:
        """Show these rules."""
        if text != self.text.toPlainText():
            self.text.setPlainText(text)
        self._try()

    @property
    def rules(self) -> str:
        """The rules as they stand."""
        return self.text.toPlainText()

    @property
    def lines(self) -> str:
        """The lines that are shown."""
        return self._lines.text()

    @property
    def said(self) -> str:
        """What is said of the rules, such as an error."""
        return self._said.text()

    # --- reactions ---------------------------------------------------------------------------

    def _on_text_changed(self) -> None:
        self._typed.start()
        self.edited.emit()

    def _on_example_chosen(self) -> None:
        self.text.setPlainText(self._examples.currentData())
        self._examples.setCurrentIndex(-1)
        self._try()

    def _on_fold_clicked(self) -> None:
        shown = self._help.isHidden()
        self._help.setVisible(shown)
        self._fold.set_text("Hide the help" if shown else "How rules are written")

    def _try(self) -> None:
        """Draw lines in a thread; only the newest answer is shown."""
        self._typed.stop()
        text = self.rules
        if not text.strip():
            self._show(Tried())
            return
        self._asked += 1
        asked = self._asked

        def show(tried: Tried) -> None:
            if asked == self._asked:
                self._show(tried)

        self._tasks.run_op(lambda: try_rules(text), show, owner=self, lane="work")

    def _show(self, tried: Tried) -> None:
        error = tried.error
        said = "" if tried.lines else "Write rules, or begin with an example."
        if error is not None:
            said = f"Line {error.line}, column {error.column}: {error.message}"
        self._said.set_tone("danger" if error is not None else "muted")
        self._said.set_text(said)
        self._said.setVisible(bool(said))
        if error is not None:
            return
        parts: list[Part] = []
        for line in tried.lines:
            text = line.text.rstrip("\n")
            answer = line.answer if line.answer >= 0 else len(text)
            parts.append(Part(text[:answer]))
            parts.append(Part(f"{text[answer:]}\u2028", tone="accent"))
        self._lines.set_parts(*parts)
        self._figures.set_parts(*_figure_parts(tried.figures))


def _figure_parts(figures: Figures | None) -> list[Part]:
    """Where the loss can come to rest, in a sentence."""
    if figures is None:
        return []
    return [
        Part("In nats per character, the loss is "),
        Part(f"{figures.unigram:.3f}", "mono_small", "text"),
        Part(" with letter frequencies alone, "),
        Part(f"{figures.guessed:.3f}", "mono_small", "text"),
        Part(" without knowing the answers, "),
        Part(f"{figures.floor:.3f}", "mono_small", "text"),
        Part(" with every rule learned. A model is scored on fresh lines after training."),
    ]


def _help_parts() -> list[Part]:
    parts: list[Part] = []
    for line in _HELP.split("\n"):
        code, meaning = line.split("\t")
        parts += [Part(code, "mono_small", "text"), Part(f"   {meaning}\u2028")]
    for function in FUNCTIONS.values():
        call = f"{function.name}({function.arguments})"
        parts += [Part(call, "mono_small", "text"), Part(f"   {function.meaning}\u2028")]
    return parts
