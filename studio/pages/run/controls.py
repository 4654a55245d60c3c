"""The row above the charts: smoothing, x axis, log y, reset, export."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from studio.pages.run.facts import default_smoothing, smoothing_choices
from studio.widgets.controls import CheckBox, SecondaryButton, Segmented, Slider
from studio.widgets.label import Label, Part
from studio.widgets.menu import Menu

_EXPORTS = (
    ("png", "Charts as picture (PNG)", "upload"),
    ("svg", "Charts as drawing (SVG)", "upload"),
    ("csv", "Figures in view as table (CSV)", "file-text"),
    ("events", "TensorBoard event files", "chart-no-axes-column"),
)
_LEAST_PX = 660
_WORDS_PX = 830
"""Below this width the words before the controls are left out."""


class RunControls(QWidget):
    """How the charts are shown.

    Signals:
        smoothing_changed: Carries the steps that the loss is averaged over.
        mode_chosen: Carries `steps`, `tokens` or `time`.
        log_y_changed: Carries whether the loss axis is logarithmic.
        reset_wanted: Show everything.
        drawer_wanted: Show the right column.
        export_wanted: Carries `png`, `svg`, `csv`, `events` or `model`.
    """

    smoothing_changed = Signal(int)
    mode_chosen = Signal(str)
    log_y_changed = Signal(bool)
    reset_wanted = Signal()
    drawer_wanted = Signal()
    export_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(_LEAST_PX)  # words go before anything is cut
        self._steps = [1]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(11)
        self._smooth_word = Label("Smoothing", "secondary", "muted", elide=False)
        self.slider = Slider("Smoothing")
        self.slider.setFixedWidth(84)
        self.slider.valueChanged.connect(self._on_slider)
        self._smooth_value = Label("", "mono", elide=False)
        self._axis_word = Label("X axis", "secondary", "muted", elide=False)
        self.mode = Segmented(
            [("steps", "Steps"), ("tokens", "Tokens"), ("time", "Time")], name="X axis"
        )
        self.mode.chosen.connect(self.mode_chosen)
        self.log_y = CheckBox("Log y")
        self.log_y.setToolTip("L")
        self.log_y.toggled.connect(self.log_y_changed)
        self.reset = SecondaryButton("Reset zoom", "maximize", size="small")
        self.reset.setToolTip("0, or a double-click on a chart")
        self.reset.clicked.connect(self.reset_wanted)
        self.export = SecondaryButton("Export", "upload", size="small")
        self.export.clicked.connect(self._on_export)
        self.drawer = SecondaryButton("Samples and events", "message-square-text", size="small")
        self.drawer.clicked.connect(self.drawer_wanted)
        self.drawer.hide()
        groups: tuple[tuple[QWidget, ...], ...] = (
            (self._smooth_word, self.slider, self._smooth_value),
            (self._axis_word, self.mode),
            (self.log_y,),
        )
        for group in groups:
            for widget in group:
                row.addWidget(widget)
            row.addSpacing(6)
        row.addStretch(1)
        for button in (self.reset, self.export, self.drawer):
            row.addWidget(button)
        self.set_total_steps(0)

    @property
    def smoothing(self) -> int:
        """Steps that the loss is averaged over."""
        return self._steps[min(self.slider.value(), len(self._steps) - 1)]

    def set_total_steps(self, total: int, wanted: int = 0) -> None:
        """Offer what suits a run of this length, and take its default.

        Args:
            total: Steps of the run.
            wanted: Steps to average over at first; 0 goes by the length.
        """
        choices = smoothing_choices(total)
        if choices == self._steps:
            return
        self._steps = choices
        wanted = wanted or default_smoothing(total)
        place = max(i for i, steps in enumerate(choices) if steps <= wanted)
        self.slider.setRange(0, len(choices) - 1)
        self.slider.setValue(place)
        self._on_slider(place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words go first when it is narrow."""
        super().resizeEvent(event)
        roomy = self.width() >= _WORDS_PX
        self._smooth_word.setVisible(roomy)
        self._axis_word.setVisible(roomy)

    def _on_slider(self, _place: int) -> None:
        steps = self.smoothing
        if steps == 1:
            self._smooth_value.set_parts(Part("off", "secondary"))
        else:
            self._smooth_value.set_text(f"{steps:,} steps")
        self.smoothing_changed.emit(steps)

    def _on_export(self) -> None:
        menu = Menu(self)
        for key, words, name in _EXPORTS:
            menu.add(words, partial(self.export_wanted.emit, key), name)
        menu.addSeparator()
        model = partial(self.export_wanted.emit, "model")
        menu.add("Model for Hugging Face", model, "folder-open")
        menu.open_at(self.export.mapToGlobal(self.export.rect().bottomLeft()))
