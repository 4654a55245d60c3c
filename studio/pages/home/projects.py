"""Project cards in a grid that has four, three or two columns."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.home.facts import RESUMABLE, ProjectSummary, bar_role, state_look
from studio.theme import theme
from studio.widgets import figures
from studio.widgets.buttons import LinkButton
from studio.widgets.card import Card, Hairline
from studio.widgets.focus import KeyboardFocus
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.pill import Pill
from studio.widgets.pressable import HoverLight
from studio.widgets.progress import ProgressLine
from studio.widgets.sparkline import Sparkline

_LEAST_WIDTH_PX = 276
_GAP_PX = 12


class _Footer(QWidget):
    """The last line of a card: progress and finish, a way on, or what went wrong."""

    link_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._alert = IconLabel("triangle-alert", "danger", 14)
        self._bar = ProgressLine()
        self._bar.setFixedWidth(64)
        self._share = Label("", "mono", "muted", elide=False)
        self._text = Label("", "secondary", "muted")
        self._finish = Label("", "secondary", "muted", elide=False)
        self.link = LinkButton("")
        self.link.clicked.connect(self.link_clicked)
        row.addWidget(self._alert)
        row.addWidget(self._bar, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._share)
        row.addWidget(self._text, 1)
        row.addWidget(self._finish)
        row.addWidget(self.link)
        self.setFixedHeight(20)

    def show_summary(self, summary: ProjectSummary) -> None:
        run = summary.shown
        state = run.facts.state if run is not None else ""
        failed = run is not None and state == "failed" and bool(run.facts.problem)
        under_way = run is not None and not failed and state != "finished"
        self._alert.setVisible(failed)
        self._bar.setVisible(under_way)
        self._share.setVisible(under_way)
        self._finish.setVisible(summary.finish_s is not None)
        self._text.set_text("")
        self._text.set_tone("danger" if failed else "muted")
        if run is None:
            self._text.set_text("Nothing trained yet")
        elif failed:
            self._text.set_text(run.facts.problem)
        elif state == "finished":
            ended = figures.day(run.facts.ended_s or run.created_s)
            self._text.set_text(f"{figures.duration(run.facts.elapsed_s)}, {ended}")
        else:
            self._show_progress(summary, state)
        is_trained = run is not None and run.kind == "train"
        self._show_link(state, has_run=run is not None, is_trained=is_trained)

    def _show_progress(self, summary: ProjectSummary, state: str) -> None:
        if summary.shown is None:
            return
        share = summary.shown.facts.share_done
        role = bar_role(state)
        self._bar.set_share(share)
        self._bar.set_colour({"accent": "fill", "neutral": "muted"}.get(role, role))
        self._share.set_text(figures.percent(share))
        if summary.finish_s is not None:
            clock = figures.weekday_clock(summary.finish_s)
            self._finish.set_parts("finishes  ", Part(clock, "mono", "text"))

    def _show_link(self, state: str, *, has_run: bool, is_trained: bool) -> None:
        word, icon = "", ""
        if not has_run:
            word, icon = "New run", "plus"
        elif state == "finished":
            word = "Try in playground" if is_trained else "Compare"
        elif state in RESUMABLE and self._alert.isHidden():
            word, icon = "Resume", "play"
        self.link.set_text(word)
        self.link.set_icon(icon)
        self.link.setVisible(bool(word))


class ProjectCard(HoverLight, KeyboardFocus, Card):
    """A project.

    Signals:
        opened(int): The card was clicked, or Enter pressed on it; carries the project's id.
        link_clicked(int): The link in its last line was.
        menu_requested(int, QPoint): Carries the id and a global point.
    """

    focus_radius = 8.0
    opened = Signal(int)
    link_clicked = Signal(int)
    menu_requested = Signal(int, QPoint)

    def __init__(self, project_id: int) -> None:
        super().__init__(padding=16, spacing=0)
        self.project_id = project_id
        self._name = Label("", "title")
        self._pill = Pill("finished")
        self._subtitle = Label("", "secondary", "muted")
        self._spark = Sparkline()
        self._loss = Label(figures.MISSING, "tile", elide=False)
        self._bits = Label(figures.MISSING, "mono", elide=False)
        self._footer = _Footer()
        self._footer.link_clicked.connect(lambda: self.link_clicked.emit(project_id))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._lay_out()

    def show_summary(self, summary: ProjectSummary) -> None:
        """Show a project's figures."""
        run = summary.shown
        self._name.set_text(summary.project.name)
        self._subtitle.set_text(summary.subtitle)
        self._pill.setVisible(run is not None)
        if run is not None:
            facts = run.facts
            self._pill.set_state(state_look(facts))
            failed = facts.state in ("failed", "killed")
            colour = "s6" if failed else f"s{run.color_slot % 6 + 1}"
            self._spark.set_series(facts.sparkline, facts.share_done, colour)
        else:
            self._spark.set_series((), 0.0, "s1")
        self._loss.set_text(figures.loss(summary.best_loss))
        self._bits.set_text(figures.loss(summary.bits_per_byte))
        self._footer.show_summary(summary)
        state = state_look(run.facts).word if run is not None else "no runs"
        self.setAccessibleName(
            f"{summary.project.name}, {state}, best validation loss {self._loss.text()}"
        )

    def border_colour(self) -> str:
        """Brighter under the pointer."""
        return theme().palette.line2 if self._hovered else theme().palette.line

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open."""
        inside = self.rect().contains(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and inside:
            self.opened.emit(self.project_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space open."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit(self.project_id)
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Actions."""
        self.menu_requested.emit(self.project_id, event.globalPos())

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._name, 1)
        head.addWidget(self._pill)
        self.body.setContentsMargins(16, 13, 16, 10)
        self.body.addLayout(head)
        self.body.addWidget(self._subtitle)
        self.body.addSpacing(16)
        self.body.addWidget(self._spark)
        self.body.addSpacing(8)
        figures_row = QHBoxLayout()
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(Label("Best validation loss", "label", "muted"))
        left.addWidget(self._loss)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addStretch(1)
        right.addWidget(self._bits, 0, Qt.AlignmentFlag.AlignRight)
        right.addWidget(
            Label("bits per byte", "label", "muted", elide=False), 0, Qt.AlignmentFlag.AlignRight
        )
        figures_row.addLayout(left, 1)
        figures_row.addLayout(right)
        self.body.addLayout(figures_row)
        self.body.addSpacing(10)
        self.body.addWidget(Hairline())
        self.body.addSpacing(10)
        self.body.addWidget(self._footer)


class ProjectGrid(QWidget):
    """The cards. A card stays the same widget while its project is shown.

    Signals:
        opened(int), link_clicked(int), menu_requested(int, QPoint): As of the cards.
    """

    opened = Signal(int)
    link_clicked = Signal(int)
    menu_requested = Signal(int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: dict[int, ProjectCard] = {}
        self._order: list[int] = []
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(_GAP_PX)

    @property
    def columns(self) -> int:
        """How many cards stand side by side."""
        return self._columns

    def card(self, project_id: int) -> ProjectCard | None:
        """The card of a project."""
        return self._cards.get(project_id)

    def show_summaries(self, summaries: Sequence[ProjectSummary]) -> None:
        """Show these projects in this order."""
        order = [summary.project.id for summary in summaries]
        for gone in set(self._cards) - set(order):
            card = self._cards.pop(gone)
            self._grid.removeWidget(card)
            card.deleteLater()
        for summary in summaries:
            self._card_for(summary.project.id).show_summary(summary)
        if order != self._order:
            self._order = order
            self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the number of columns."""
        super().resizeEvent(event)
        wanted = (self.width() + _GAP_PX) // (_LEAST_WIDTH_PX + _GAP_PX)
        wanted = min(max(wanted, 2), 4)
        if wanted != self._columns:
            self._columns = wanted
            self._place()

    def _card_for(self, project_id: int) -> ProjectCard:
        if project_id not in self._cards:
            card = ProjectCard(project_id)
            card.opened.connect(self.opened)
            card.link_clicked.connect(self.link_clicked)
            card.menu_requested.connect(self.menu_requested)
            self._cards[project_id] = card
        return self._cards[project_id]

    def _place(self) -> None:
        columns = self._columns or 4
        for column in range(4):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        for place, project_id in enumerate(self._order):
            self._grid.addWidget(self._cards[project_id], place // columns, place % columns)
