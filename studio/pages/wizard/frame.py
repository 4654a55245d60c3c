"""The wizard's frame: header, rail, steps, plan and footer, and what keys and drops mean there."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.pages.page import Page, PageHeader
from studio.pages.wizard.dropped import dropped_toml
from studio.pages.wizard.footer import Footer
from studio.pages.wizard.panel import PANEL_PX, PlanPanel
from studio.pages.wizard.rail import StepRail
from studio.pages.wizard.step import StepView
from studio.theme import theme
from studio.widgets.controls import IconButton, LineEdit, SecondaryButton
from studio.widgets.drawer import SideDrawer
from studio.widgets.empty import LoadingBlocks
from studio.widgets.label import Label
from studio.widgets.paint import draw_icon, painter_for, repaint_on_theme
from studio.widgets.scroll import ClearScroll
from studio.widgets.step_keys import claims_back, step_move


class NameEdit(LineEdit):
    """The run's name, with a pencil that says it can be changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(name="Name of the run", parent=parent)
        self.setTextMargins(0, 0, 20, 0)
        self.setFixedWidth(184)
        repaint_on_theme(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Add the pencil."""
        super().paintEvent(event)
        painter = painter_for(self)
        draw_icon(painter, "pencil", theme().palette.muted, self.width() - 22, 9, 12)
        painter.end()


class WizardFrame(Page):
    """Steps at the left, the open one in the middle, the plan at the right.

    Signals:
        back_asked: The step before is wanted.
        on_asked: The next step is wanted.
        close_asked: The wizard is to be left.
        save_asked: The draft is to be kept.
        file_dropped (object): A TOML file was dropped; carries its path.
    """

    back_asked = Signal()
    on_asked = Signal()
    close_asked = Signal()
    save_asked = Signal()
    file_dropped = Signal(object)

    def __init__(self, steps: Sequence[StepView]) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAcceptDrops(True)
        self.crumb = Label("", "title", "muted")
        self.name = NameEdit()
        self.which = Label("", "secondary", "muted", elide=False)
        self.plan_button = SecondaryButton("Plan", "chevron-left", size="small")
        close = IconButton("x", "Close", edge=28)
        close.clicked.connect(self.close_asked)
        header = PageHeader()
        header.add_left(self.crumb)
        header.add_left(self.name)
        for widget in (self.plan_button, self.which, close):
            header.add_right(widget)
        self.rail = StepRail([step.name for step in self.steps])
        self.stack = QStackedWidget()
        loading = QWidget()
        waiting = QVBoxLayout(loading)
        waiting.setContentsMargins(16, 18, 16, 18)
        waiting.addWidget(LoadingBlocks())
        waiting.addStretch(1)
        self.stack.addWidget(loading)
        for step in self.steps:
            self.stack.addWidget(ClearScroll(step))
        self.panel = PlanPanel()
        self.panel.setParent(self)
        self.footer = Footer(saves=True)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addWidget(self.stack, 1)
        middle.addWidget(self.panel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(header)
        column.addLayout(middle, 1)
        column.addWidget(self.footer)
        self.drawer = SideDrawer(
            self, middle, self.panel, PANEL_PX, lambda: (header.height(), self.footer.height())
        )
        self.plan_button.hide()
        self.footer.cancel.clicked.connect(self.close_asked)
        self.footer.save.clicked.connect(self.save_asked)
        self.footer.back.clicked.connect(self.back_asked)
        self.footer.next.clicked.connect(self.on_asked)
        self.plan_button.clicked.connect(self.drawer.toggle)
        self.drawer.narrowed.connect(self.plan_button.setVisible)

    @property
    def has_step_before(self) -> bool:
        """Whether Alt+Left means the step before."""
        return False

    def event(self, event: QEvent) -> bool:
        """Take Alt+Left for the step before, while there is one."""
        if self.has_step_before and claims_back(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt+Left and Ctrl+Enter move, Ctrl+S keeps the draft, Esc closes."""
        ctrl = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if ctrl and event.key() == Qt.Key.Key_S and self.footer.save.isEnabled():
            self.save_asked.emit()
            return
        match step_move(event):
            case "back":
                self.back_asked.emit()
            case "on":
                self.on_asked.emit()
            case "close":
                self.close_asked.emit()
            case None:
                super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where the window is narrow, the plan becomes a drawer."""
        super().resizeEvent(event)
        self.drawer.fit()

    def showEvent(self, event: QShowEvent) -> None:
        """As above."""
        super().showEvent(event)
        self.drawer.fit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take one TOML file."""
        if dropped_toml(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Read it."""
        path = dropped_toml(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.file_dropped.emit(path)
