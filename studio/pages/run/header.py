"""The head of a run: where it belongs, its state, what can be done with it, how far it is."""

from __future__ import annotations

import time
from functools import partial
from typing import Final, Literal

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.pages.home.facts import RESUMABLE
from studio.pages.run.facts import HeadFacts, head_facts, is_at_work, is_reference
from studio.pages.run.steering.facts import ways_back
from studio.runs.model import JobModel
from studio.theme import font, line_height, theme
from studio.widgets import figures
from studio.widgets.card import Panel
from studio.widgets.controls import (
    DangerButton,
    IconButton,
    LinkButton,
    PrimaryButton,
    SecondaryButton,
)
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.menu import Menu
from studio.widgets.paint import painter_for
from studio.widgets.pill import Pill
from studio.widgets.pressable import Pressable
from studio.widgets.progress import ProgressLine

Wish = Literal["pause", "stop"]

_REATTACHED_S: Final = 600.0
"""The note that the window was reattached goes after ten minutes."""
_ROOM_FOR_NOTE_PX: Final = 900


_QUESTIONS: Final[dict[Wish, str]] = {
    "pause": "Save a checkpoint and free the memory? Resume goes on exactly.",
    "stop": "Save a checkpoint and stop? You can resume later.",
}


class Crumb(Pressable):
    """The name of what a thing belongs to, before its own; leads there."""

    focus_radius = 4.0

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """The whole name."""
        width = QFontMetrics(self._font()).horizontalAdvance(self.text()) + 2
        return QSize(min(width, 260), line_height("title"))

    def minimumSizeHint(self) -> QSize:
        """A few letters."""
        return QSize(min(self.sizeHint().width(), 64), line_height("title"))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The name, elided at its end."""
        palette = theme().palette
        painter = painter_for(self)
        painter.setFont(self._font())
        painter.setPen(QColor(palette.text if self._hovered else palette.muted))
        metrics = painter.fontMetrics()
        words = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, words)
        painter.end()

    def _font(self) -> QFont:
        return font("title", QFont.Weight.Normal)


class RunHeader(Panel):
    """The head of the run page.

    Args:
        project: Name of the project.
        name: Name of the run.

    Signals:
        pause_confirmed: Pause it.
        stop_confirmed: Stop it.
        checkpoint_wanted: Save a checkpoint and go on.
        resume_wanted: Go on with it.
        playground_wanted: Open it in the playground.
        list_wanted: Show the list of runs.
        steering_wanted: Open the sheet; carries its topic.
    """

    pause_confirmed = Signal()
    stop_confirmed = Signal()
    checkpoint_wanted = Signal()
    resume_wanted = Signal()
    playground_wanted = Signal()
    list_wanted = Signal()
    steering_wanted = Signal(str)

    def __init__(self, project: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__("bg0", bottom_line=True, parent=parent)
        self.setFixedHeight(101)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 13, 24, 11)
        column.setSpacing(0)
        self._model: JobModel | None = None
        self._busy = ""
        self._wish: Wish | None = None
        column.addLayout(self._make_top(project, name))
        column.addSpacing(13)
        self.progress = ProgressLine(thickness=6)
        column.addWidget(self.progress)
        column.addStretch(1)
        column.addLayout(self._make_figures())
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._on_clock)

    # --- what it shows -------------------------------------------------------------------------

    def show_model(self, model: JobModel) -> None:
        """Show what is known of the run now."""
        self._model = model
        working = is_at_work(model)
        state = model.state if model.caught_up or model.step else "starting"
        self.pill.set_state("reference" if is_reference(model) else state)
        if self._wish is not None and not working:
            self._wish = None
        self._arrange_buttons()
        self._show_note()
        self._show_figures(head_facts(model, time.time()))
        colour = {"finished": "ok", "paused": "warn", "failed": "danger", "killed": "danger"}
        self.progress.set_colour(colour.get(model.state, "fill"))
        if working != self._clock.isActive():
            if working:
                self._clock.start()
            else:
                self._clock.stop()

    def set_busy(self, what: str) -> None:
        """Say what is on its way to the run; empty for nothing."""
        self._busy = what
        self._arrange_buttons()
        self._show_note()

    def rest(self) -> None:
        """Out of sight: let the clock stand still."""
        self._clock.stop()

    def ask(self, wish: Wish) -> None:
        """Ask whether the run shall be paused or stopped, in place of the buttons."""
        if self._model is None or not is_at_work(self._model) or self._busy:
            return
        self._wish = wish
        self._arrange_buttons()
        self._show_note()
        (self._yes_stop if wish == "stop" else self._yes_pause).setFocus(
            Qt.FocusReason.ShortcutFocusReason
        )

    @property
    def asking(self) -> Wish | None:
        """What is being asked, or None."""
        return self._wish

    def withdraw(self) -> None:
        """Ask no longer."""
        self._wish = None
        self._arrange_buttons()
        self._show_note()
        self.stop.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape withdraws a question."""
        if event.key() == Qt.Key.Key_Escape and self._wish is not None:
            self.withdraw()
            return
        super().keyPressEvent(event)

    # --- making it -----------------------------------------------------------------------------

    def _make_top(self, project: str, name: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.crumb = Crumb(project)
        self.crumb.setToolTip("Show the runs of this project")
        self.crumb.clicked.connect(self.list_wanted)
        row.addWidget(self.crumb)
        title = Label("", "title")
        title.set_parts(Part("/", tone="faint", weight=QFont.Weight.Normal), Part(f"\u2002 {name}"))
        title.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        title.setMinimumWidth(60)
        self.title = title
        self.pill = Pill("starting")
        self._note_icon = IconLabel("refresh-cw", "ok", 14)
        self._note = Label("", "secondary", "ok")
        row.addWidget(title)
        row.addSpacing(1)
        row.addWidget(self.pill)
        row.addSpacing(6)
        row.addWidget(self._note_icon)
        row.addWidget(self._note)
        row.addStretch(1)
        self._make_buttons(row)
        return row

    def _make_buttons(self, row: QHBoxLayout) -> None:
        self._question = Label("", "body", elide=False)
        self._yes_pause = PrimaryButton("Pause", "pause")
        self._yes_stop = DangerButton("Stop", "square")
        self._no = SecondaryButton("Keep training")
        self.playground = LinkButton("Try in playground")
        self.pause = SecondaryButton("Pause", "pause")
        self.checkpoint = SecondaryButton("Checkpoint now", "save")
        self.stop = DangerButton("Stop", "square")
        self.resume = PrimaryButton("Resume", "play")
        self.extend = SecondaryButton("Extend", "plus")
        self.extend.setToolTip("Train on to a later end")
        self.more = IconButton("ellipsis", "More about this run", boxed=True, edge=30)
        self.pause.setToolTip("Save and free the memory (Space)")
        self.checkpoint.setToolTip("Save a checkpoint and go on (Ctrl+S)")
        self.stop.setToolTip("Asks, then saves and ends")
        for widget in (
            self._question,
            self._yes_pause,
            self._yes_stop,
            self._no,
            self.playground,
            self.more,
            self.pause,
            self.checkpoint,
            self.stop,
            self.extend,
            self.resume,
        ):
            row.addWidget(widget)
        self.more.clicked.connect(self._on_more)
        self.extend.clicked.connect(lambda: self.steering_wanted.emit("extend"))
        self.pause.clicked.connect(self.pause_confirmed)
        self.stop.clicked.connect(lambda: self.ask("stop"))
        self.checkpoint.clicked.connect(self.checkpoint_wanted)
        self.resume.clicked.connect(self.resume_wanted)
        self.playground.clicked.connect(self.playground_wanted)
        self._no.clicked.connect(self.withdraw)
        self._yes_pause.clicked.connect(self._on_yes)
        self._yes_stop.clicked.connect(self._on_yes)

    def _make_figures(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(24)
        self._left = Label("", "secondary", "muted", elide=False)
        self._right = Label("", "secondary", "muted", elide=False)
        row.addWidget(self._left)
        row.addStretch(1)
        row.addWidget(self._right)
        return row

    # --- keeping it true -----------------------------------------------------------------------

    def _arrange_buttons(self) -> None:
        model = self._model
        working = model is not None and is_at_work(model)
        asking = self._wish is not None
        self._question.set_text(_QUESTIONS[self._wish] if self._wish is not None else "")
        shown = {
            self._question: asking,
            self._yes_pause: self._wish == "pause",
            self._yes_stop: self._wish == "stop",
            self._no: asking,
            self.pause: working and not asking,
            self.checkpoint: working and not asking,
            self.stop: working and not asking,
            self.resume: model is not None and model.state in RESUMABLE and not model.alive,
            self.extend: model is not None and model.plan is not None and _is_done(model),
            self.playground: bool(model and model.checkpoints) and not asking and not working,
            self.more: model is not None and not asking,
        }
        never_began = model is not None and model.state == "unborn"
        self.resume.set_text("Start" if never_began else "Resume")
        for widget, visible in shown.items():
            widget.setVisible(visible)
        for button in (self.pause, self.checkpoint, self.stop, self.resume, self.extend):
            button.setEnabled(not self._busy)

    def _show_note(self) -> None:
        held = "" if self._busy else self._held()
        waiting = f"{self._busy} …" if self._busy else held or self._compiling()
        text = waiting or self._reattached()
        self._note.set_text(text)
        self._note.set_tone("warn" if held else "muted" if waiting else "ok")
        if waiting:
            self._note_icon.set_icon("clock", "warn" if held else "muted")
        else:
            self._note_icon.set_icon("refresh-cw", "ok")
        room = self._wish is None and (bool(self._busy) or self.width() > _ROOM_FOR_NOTE_PX)
        self._note.setVisible(bool(text) and room)
        self._note_icon.setVisible(bool(text) and room)

    def _held(self) -> str:
        """Why the run waits by itself, or an empty string."""
        model = self._model
        held = model.status.held if model is not None and model.alive else None
        return f"Waiting since {figures.clock(held.time_s)}: {held.reason}" if held else ""

    def _compiling(self) -> str:
        if self._model is None or self._model.state != "compiling":
            return ""
        return "The first step takes longer; the steps after it are faster"

    def _reattached(self) -> str:
        model = self._model
        if model is None or model.reattached_s is None or not is_at_work(model):
            return ""
        if time.time() - model.reattached_s >= _REATTACHED_S:
            return ""
        return f"Reattached at {figures.clock(model.reattached_s)}, nothing missed"

    def _show_figures(self, facts: HeadFacts) -> None:
        self.progress.set_share(facts.share)
        total = (_over(facts.total),) if facts.total else ()
        tokens = _over(facts.total_tokens) if facts.total_tokens else ""
        self._left.set_parts(
            "Step ",
            _figure(facts.step),
            *(Part(text, "mono") for text in total),
            _GAP,
            _figure(facts.percent),
            _GAP,
            _figure(facts.tokens),
            Part(tokens, "mono"),
            " tokens",
        )
        parts: list[Part | str] = ["Elapsed ", _figure(facts.elapsed)]
        if facts.remaining:
            parts += [_GAP, "Remaining ", _figure(facts.remaining)]
        if facts.finishes:
            parts += [_GAP, f"{facts.finishes_word} ", _figure(facts.finishes)]
        self._right.set_parts(*parts)

    def _on_clock(self) -> None:
        if self._model is not None:
            self._show_note()
            self._show_figures(head_facts(self._model, time.time()))

    def _on_more(self) -> None:
        model = self._model
        if model is None:
            return
        menu = Menu(self)
        free = not self._busy

        def topic(word: str, key: str, icon: str, *, enabled: bool = True) -> None:
            menu.add(word, partial(self.steering_wanted.emit, key), icon, enabled=enabled and free)

        done = _is_done(model)
        if done:
            topic("Extend…", "extend", "plus", enabled=model.plan is not None)
        else:
            topic("Change the plan…", "change", "pencil", enabled=model.plan is not None)
        topic("Rewind…", "rewind", "rotate-ccw", enabled=bool(ways_back(model)))
        topic("When to wait…", "hold", "clock", enabled=not done)
        menu.addSeparator()
        topic("Record of this run", "record", "file-text")
        there = bool(model.checkpoints)
        menu.add("Try in playground", self.playground_wanted.emit, "play", enabled=there)
        menu.open_at(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _on_yes(self) -> None:
        wish = self._wish
        self.withdraw()
        if wish == "pause":
            self.pause_confirmed.emit()
        elif wish == "stop":
            self.stop_confirmed.emit()


_GAP: Final = "\u2003\u2003"


def _is_done(model: JobModel) -> bool:
    return model.state == "finished" and not model.alive


def _over(total: str) -> str:
    """A total behind what is done of it, with thin spaces around the stroke."""
    return f"\u2009/\u2009{total}"


def _figure(text: str) -> Part:
    return Part(text, "mono", "text")
