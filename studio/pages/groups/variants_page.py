"""Plans a group: the same run with several seeds, or over values of one or two settings."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.groups.form import VariantsForm
from studio.pages.page import MARGIN_PX, Page, PageHeader
from studio.runs.grouping import Base, make_group, read_base
from studio.runs.manners import read_defaults
from studio.runs.variants import Axes, ValuesError, Variant, expand, group_name, swept, value_text
from studio.storage.library import GroupRow
from studio.widgets import figures
from studio.widgets.card import Card, Panel
from studio.widgets.conditions_form import ConditionsForm
from studio.widgets.controls import IconButton, LineEdit, PrimaryButton, QuietButton
from studio.widgets.empty import EmptyState
from studio.widgets.field import Field
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part
from studio.widgets.scroll import ClearScroll
from studio.widgets.table import Column, DataTable, Row
from trainer_core.manners import Conditions

_FORM_PX = 470


class VariantsPage(Page):
    """From one run to a group of them. Its target is the id of the run."""

    nav_key = "runs"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._base: Base | None = None
        self._run_id: int | None = None
        self._variants: tuple[Variant, ...] = ()
        self._axes = Axes(())
        self._named = False
        self._busy = False
        self._lay_out()

    # --- the page ------------------------------------------------------------------------------

    def open(self, target: object | None) -> None:
        """Plan a group from a run."""
        if isinstance(target, int):
            self._run_id, self._base, self._named = target, None, False
            self._variants = ()
            self._show_footer("")

    def target(self) -> object | None:
        """The run."""
        return self._run_id

    def shown(self) -> None:
        """Read the run's settings."""
        library, run_id = self._context.library, self._run_id
        if run_id is None:
            self._context.navigate("runs", "all")
        elif self._base is None:
            self._context.tasks.run_op(
                lambda: (read_base(library, run_id), read_defaults(library).conditions),
                self._on_read,
                self._on_refused,
                owner=self,
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves, Ctrl+Enter puts the runs into the queue."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self._leave()
        elif enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.go_on()
        else:
            super().keyPressEvent(event)

    def go_on(self) -> None:
        """Make the runs and have them wait in the queue."""
        base = self._base
        if base is None or self._busy or not self.start.isEnabled():
            return
        library, variants, axes = self._context.library, self._variants, self._axes
        name = self.name.text().strip() or group_name(base.run.name, axes)
        conditions = self.conditions.value()
        self._busy = True
        self._show_footer("")
        self._context.tasks.run_op(
            lambda: make_group(
                library,
                base.run.project_id,
                base.run.dataset_id,
                name,
                axes,
                variants,
                conditions,
            ),
            self._on_made,
            self._on_not_made,
            owner=self,
        )

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        header = PageHeader()
        self._crumb = Label("", "title", "muted")
        header.add_left(self._crumb)
        close = IconButton("x", "Close", edge=28)
        close.clicked.connect(self._leave)
        header.add_right(close)
        column.addWidget(header)
        body = QHBoxLayout()
        body.setContentsMargins(MARGIN_PX, 20, MARGIN_PX, 20)
        body.setSpacing(12)
        scroll = ClearScroll(self._left())
        scroll.setFixedWidth(_FORM_PX)
        body.addWidget(scroll)
        body.addWidget(self._right(), 1)
        column.addLayout(body, 1)
        column.addWidget(self._footer())

    def _left(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(12)
        form = Card(padding=16, spacing=8)
        self.form = VariantsForm()
        self.form.changed.connect(self._on_changed)
        form.body.addWidget(self.form)
        column.addWidget(form)
        about = Card(padding=16, spacing=8)
        self.name = LineEdit("", name="Name of the group")
        self.name.setMaxLength(120)
        self.name.textEdited.connect(self._on_name_edited)
        about.body.addWidget(Field("Name of the group", self.name))
        column.addWidget(about)
        holding = Card(padding=16, spacing=8)
        holding.body.addWidget(card_title("When they run"))
        self.conditions = ConditionsForm()
        self.conditions.changed.connect(self._on_changed)
        holding.body.addWidget(self.conditions)
        column.addWidget(holding)
        column.addStretch(1)
        return holder

    def _right(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._preview_title = Label("", "title")
        self._preview_hint = Label("", "secondary", "muted", wrap=True)
        column.addWidget(self._preview_title)
        column.addWidget(self._preview_hint)
        self.table = DataTable(
            (
                Column("run", "Run", 160, 3, "strong", sortable=False),
                Column("values", "Settings", 140, 3, "mono", sortable=False),
                Column("seed", "Seed", 90, style="mono", right=True, sortable=False),
            ),
            single_click=False,
            name="Runs of the group",
        )
        column.addWidget(self.table, 1)
        self._nothing = EmptyState("No run yet: the form at the left says why.", "")
        column.addWidget(self._nothing, 1)
        return holder

    def _footer(self) -> Panel:
        footer = Panel("bg1", top_line=True)
        footer.setFixedHeight(64)
        row = QHBoxLayout(footer)
        row.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        row.setSpacing(12)
        cancel = QuietButton("Cancel")
        cancel.clicked.connect(self._leave)
        self._why = Label("", "secondary", "danger", align=Qt.AlignmentFlag.AlignRight)
        self.start = PrimaryButton("Put them into the queue", "clock")
        self.start.clicked.connect(self.go_on)
        self.start.setEnabled(False)
        row.addWidget(cancel)
        row.addWidget(self._why, 1)
        row.addWidget(self.start)
        return footer

    # --- reactions -----------------------------------------------------------------------------

    def _on_read(self, found: tuple[Base, Conditions]) -> None:
        self._base, conditions = found
        base = self._base
        self.conditions.set_value(conditions)
        self._crumb.set_parts(
            Part(f"{base.project}  /  {base.run.name}"),
            Part("  /  ", tone="muted"),
            Part("Seeds and sweeps", tone="text"),
        )
        self.form.set_spec(base.spec)
        self._on_changed()

    def _on_refused(self, error: Exception) -> None:
        self._context.toast(error)
        self._leave()

    def _on_name_edited(self, text: str) -> None:
        self._named = bool(text.strip())

    def _on_changed(self) -> None:
        """Bring the runs at the right in step with the form."""
        base = self._base
        if base is None:
            return
        problem = self.conditions.problem
        try:
            self._axes = self.form.axes()
            self._variants = expand(base.spec, base.run.name, self._axes)
        except ValuesError as error:
            self._variants, problem = (), error.what
            self.form.show_problem(error)
        if self._variants and not self._named:
            self.name.setText(group_name(base.run.name, self._axes))
        self._show_preview(base)
        self._show_footer(problem)

    def _show_preview(self, base: Base) -> None:
        count = len(self._variants)
        self.table.setVisible(bool(count))
        self._nothing.setVisible(not count)
        self._preview_title.set_text(figures.plural(count, "run") if count else "")
        facts = base.run.facts
        step_s = facts.elapsed_s / facts.step if facts.state == "finished" and facts.step else 0.0
        words = "One after the other, the seeds of a setting together."
        if count and step_s > 0 and not self._changes_the_work():
            # By the step: the end of the run may have been changed, theirs is as first planned.
            all_s = figures.duration(count * step_s * base.spec.budget.steps)
            words += f" At the pace of {base.run.name} about {all_s} for all of them."
        self._preview_hint.set_text(words if count else "")
        self.table.set_rows(
            [
                Row(
                    place,
                    {
                        "run": variant.name,
                        "values": ", ".join(
                            f"{swept(path).name.lower()} {value_text(value)}"
                            for path, value in variant.values.items()
                        )
                        or "as they are",
                        "seed": str(variant.seed),
                    },
                )
                for place, variant in enumerate(self._variants)
            ]
        )

    def _changes_the_work(self) -> bool:
        """Whether a varied setting makes runs longer or shorter."""
        heavy = ("budget.", "model.n_", "model.context", "model.family", "precision")
        return any(path.startswith(heavy) for path in self._axes.values)

    def _show_footer(self, problem: str) -> None:
        library = self._context.library
        obstacle = library.read_only_reason if library.read_only else problem
        self._why.set_text(obstacle)
        self.start.setEnabled(bool(self._variants) and not obstacle and not self._busy)

    def _on_made(self, group: GroupRow) -> None:
        self._busy, self._base = False, None
        if self._context.queue is not None:
            self._context.queue.refresh()
        self._context.navigate("group", group.id)

    def _on_not_made(self, error: Exception) -> None:
        self._busy = False
        self._show_footer("")
        self._context.toast(error)

    def _leave(self) -> None:
        run_id, self._base = self._run_id, None
        self._context.navigate(*(("run", run_id) if run_id is not None else ("runs", "all")))
