"""A group of runs: mean and spread of each setting, and whether the differences are real."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QPoint, QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from studio.context import Context
from studio.pages.groups.plot import IntervalPlot, Line
from studio.pages.home.facts import figure, run_row
from studio.pages.page import Page, PageHeader, ScrollBody
from studio.palette import RoleName
from studio.runs.grouping import Cell as GroupCell
from studio.runs.grouping import GroupFacts, difference_words, read_group
from studio.widgets import figures
from studio.widgets.card import Card
from studio.widgets.cells import Cell
from studio.widgets.controls import SecondaryButton
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.menu import Menu
from studio.widgets.pill import PILLS, PillLook
from studio.widgets.table import Column, DataTable, Row

_REFRESH_MS: Final = 500
_VERDICTS: Final = {
    "real": PillLook("Real", "check", "ok"),
    "noise": PillLook("Noise", "activity", "neutral"),
    "too_few": PillLook("Too few runs", "clock", "warn"),
}
_CELLS: Final = (
    Column("setting", "Setting", 150, 3, "strong", sortable=False),
    Column("runs", "Done", 70, style="mono", right=True, sortable=False),
    Column("mean", "Mean loss", 92, style="mono", right=True, sortable=False),
    Column(
        "sd",
        "Spread",
        80,
        style="mono",
        right=True,
        sortable=False,
        tooltip="Standard deviation between seeds",
    ),
    Column(
        "interval",
        "95 % interval",
        130,
        style="mono_muted",
        right=True,
        sortable=False,
        tooltip="Where the mean over many seeds is, by Student's t",
    ),
    Column("change", "Change", 92, style="mono", right=True, sortable=False),
    Column("verdict", "Verdict", 130, sortable=False),
)
_RUNS: Final = (
    Column("run", "Run", 150, 3, "strong"),
    Column("setting", "Setting", 120, 2, "muted"),
    Column("seed", "Seed", 74, style="mono", right=True),
    Column("state", "State", 112),
    Column("progress", "Progress", 158, style="mono"),
    Column("best", "Best loss", 84, style="mono", right=True),
    Column("time", "Time", 112, style="mono", right=True),
)


class GroupPage(Page):
    """A group. Its target is the group's id."""

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._group_id: int | None = None
        self._base = 0
        self._facts: GroupFacts | None = None
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self._read)
        self._lay_out()
        context.keeper.run_remembered.connect(self._on_news)
        if context.queue is not None:
            context.queue.changed.connect(self._on_news)

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Show a group."""
        if isinstance(target, int) and target != self._group_id:
            self._group_id, self._base, self._facts = target, 0, None

    def target(self) -> object | None:
        """The group."""
        return self._group_id

    def shown(self) -> None:
        """Read it."""
        self._read()

    def hidden(self) -> None:
        """Out of sight nothing is read."""
        self._refresh.stop()

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PageHeader()
        self._crumb = Label("", "title", "muted")
        self._count = Label("", "secondary", "muted", elide=False)
        header.add_left(self._crumb)
        header.add_left(self._count)
        self.compare = SecondaryButton("Compare", "chart-no-axes-column")
        self.compare.clicked.connect(self._on_compare)
        self.more = SecondaryButton("More seeds or values", "plus")
        self.more.clicked.connect(self._on_more)
        header.add_right(self.compare)
        header.add_right(self.more)
        column.addWidget(header)
        body = ScrollBody()
        body.column.addWidget(self._make_card())
        self.cells = DataTable(_CELLS, fit_rows=True, single_click=False, name="Settings")
        self.cells.menu_requested.connect(self._on_cell_menu)
        self.cells.row_activated.connect(self._on_base_chosen)
        body.column.addWidget(self.cells)
        self._how = Label("", "label", "muted", wrap=True)
        body.column.addWidget(self._how)
        title = QHBoxLayout()
        title.setContentsMargins(0, 8, 0, 0)
        title.addWidget(Label("Runs", "title"))
        title.addStretch(1)
        body.column.addLayout(title)
        self.runs = DataTable(_RUNS, fit_rows=True, name="Runs of the group")
        self.runs.row_activated.connect(lambda key: self._context.navigate("run", key))
        body.column.addWidget(self.runs)
        body.column.addStretch(1)
        column.addWidget(body, 1)

    def _make_card(self) -> Card:
        card = Card(padding=16, spacing=8)
        card.body.addWidget(card_title("Best validation loss"))
        self.headline = Label("", "body", wrap=True)
        card.body.addWidget(self.headline)
        legend = Label("", "label", "muted")
        legend.set_text("Dots are runs, bars the 95 % interval of their mean.")
        card.body.addWidget(legend)
        card.body.addSpacing(4)
        self.plot = IntervalPlot()
        card.body.addWidget(self.plot)
        return card

    # --- content -------------------------------------------------------------------------------

    def _read(self) -> None:
        library, group_id, base = self._context.library, self._group_id, self._base
        if group_id is None:
            self._context.navigate("runs", "all")
            return
        self._context.tasks.run_op(
            lambda: read_group(library, group_id, base),
            self._on_read,
            self._on_refused,
            owner=self,
        )

    def _on_read(self, facts: GroupFacts) -> None:
        if facts.group.id != self._group_id:
            return
        self._facts = facts
        self._base = facts.base
        group = facts.group
        self._crumb.set_parts(
            Part(facts.project), Part("  /  ", tone="muted"), Part(group.name, tone="text")
        )
        self._count.set_text(f"{facts.finished} of {figures.plural(len(facts.runs), 'run')} done")
        self.plot.set_lines([self._line(place) for place in range(len(facts.cells))])
        self.headline.set_text(headline(facts))
        self.cells.set_rows([self._cell_row(place) for place in range(len(facts.cells))])
        self.cells.setVisible(len(facts.cells) > 1)
        self._how.set_text(
            "A difference is real when chance alone would show one as large in fewer than 1 of 20"
            " trials; with several settings each has to be clearer (Holm). Double-click a setting"
            " to set the others against it."
            if len(facts.cells) > 1
            else ""
        )
        self._how.setVisible(len(facts.cells) > 1)
        self.runs.set_rows(self._run_rows())
        self.compare.setEnabled(any(run.facts.best_loss is not None for run in facts.runs))
        self.more.setEnabled(bool(facts.runs) and not self._context.library.read_only)

    def _line(self, place: int) -> Line:
        facts = self._facts
        if facts is None:
            return Line("")
        cell = facts.cells[place]
        found = cell.spread
        return Line(
            _name(cell, facts),
            tuple(cell.losses.values()),
            found.mean if found else None,
            found.low if found else None,
            found.high if found else None,
            place == facts.base and len(facts.cells) > 1,
        )

    def _cell_row(self, place: int) -> Row:
        facts = self._facts
        if facts is None:
            return Row(place)
        cell = facts.cells[place]
        found, change = cell.spread, cell.difference
        base = _name(facts.cells[facts.base], facts)
        cells: dict[str, Cell | str] = {
            "setting": _name(cell, facts),
            "runs": f"{len(cell.losses)} / {len(cell.runs)}",
            "mean": figure(figures.loss(found.mean), found.mean, 6) if found else figures.MISSING,
            "sd": figure(f"{found.sd:.4f}", found.sd, 6)
            if found and found.sd is not None
            else Cell(figures.MISSING, tooltip="needs two seeds"),
            "interval": f"{found.low:.3f} – {found.high:.3f}"
            if found and found.low is not None and found.high is not None
            else figures.MISSING,
        }
        if place == facts.base:
            cells["change"] = Cell("base", style="muted")
        elif change is not None:
            role: RoleName = "ok" if change.mean < 0 else "danger"
            cells["change"] = Cell(
                f"{change.mean:+.3f}", role=role if change.verdict == "real" else None
            )
            words = difference_words(change, base)
            cells["verdict"] = Cell(pill=_VERDICTS[change.verdict], tooltip=words)
        return Row(place, cells)

    def _run_rows(self) -> list[Row]:
        facts = self._facts
        if facts is None:
            return []
        queue = self._context.queue
        waits = {entry.folder for entry in queue.entries} if queue is not None else set()
        rows = []
        for cell in facts.cells:
            for run in cell.runs:
                made = run_row(run, "")
                cells = dict(made.cells)
                seed = facts.seeds[run.id]
                cells["seed"] = Cell(str(seed), sort=float(seed))
                cells["setting"] = cell.label or "as they are"
                cells["best"] = figure(figures.loss(run.facts.best_loss), run.facts.best_loss, 6)
                if run.folder in waits:
                    cells["state"] = Cell(pill=PILLS["queued"])
                rows.append(Row(run.id, cells))
        return rows

    # --- reactions -----------------------------------------------------------------------------

    def _on_refused(self, error: Exception) -> None:
        self._group_id = None
        self._context.toast(error)
        self._context.navigate("runs", "all")

    def _on_news(self, _run_id: int = 0) -> None:
        if self.isVisible() and not self._refresh.isActive():
            self._refresh.start()

    def _on_base_chosen(self, place: object) -> None:
        if isinstance(place, int):
            self._base = place
            self._read()

    def _on_cell_menu(self, place: object, at: QPoint) -> None:
        menu = Menu(self)
        menu.add(
            "Set the others against this",
            partial(self._on_base_chosen, place),
            "chart-no-axes-column",
            enabled=place != self._base,
        )
        menu.open_at(at)

    def _on_compare(self) -> None:
        """One run of each setting, then the next: the page for comparing takes what it can show."""
        facts = self._facts
        if facts is None:
            return
        chosen: list[int] = []
        for turn in range(max((len(cell.runs) for cell in facts.cells), default=0)):
            for cell in facts.cells:
                if turn < len(cell.runs) and cell.runs[turn].facts.best_loss is not None:
                    chosen.append(cell.runs[turn].id)
        self._context.navigate("compare", tuple(chosen))

    def _on_more(self) -> None:
        if self._facts is not None and self._facts.runs:
            self._context.navigate("variants", self._facts.runs[0].id)


def headline(facts: GroupFacts) -> str:
    """What a group says, in a sentence or two."""
    measured = [cell for cell in facts.cells if cell.spread is not None]
    if not measured:
        return "No run is finished yet."
    if len(facts.cells) == 1:
        return _seeds_words(measured[0])
    base = facts.cells[facts.base]
    best = min(measured, key=lambda cell: cell.spread.mean if cell.spread else 0.0)
    if best is base:
        rivals = [cell for cell in measured if cell is not base]
        if not rivals:
            return "Only one setting has a finished run so far."
        best = min(rivals, key=lambda cell: cell.spread.mean if cell.spread else 0.0)
        lead = f"{_capital(_name(base, facts))} is lowest so far; next comes {_name(best, facts)}."
    else:
        lead = f"{_capital(_name(best, facts))} is lowest so far."
    if best.difference is None:
        return lead
    return f"{lead} {difference_words(best.difference, _name(base, facts))}"


def _seeds_words(cell: GroupCell) -> str:
    found = cell.spread
    if found is None or found.sd is None or found.low is None or found.high is None:
        return "One seed is done: a second one shows how much chance does."
    half = (found.high - found.low) / 2
    return (
        f"{figures.loss(found.mean)} ± {half:.3f} over {found.n} seeds. They differ by"
        f" {found.sd:.4f} (standard deviation): a change smaller than that needs more than one seed"
        " to be seen."
    )


def _name(cell: GroupCell, facts: GroupFacts) -> str:
    """What a setting is called: its values alone where only one setting is varied."""
    if not cell.values:
        return f"{figures.plural(len(cell.runs), 'seed')}"
    return cell.label


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
