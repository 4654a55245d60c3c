"""The sheet of a run page in which a person steers the run."""

from __future__ import annotations

from typing import Final, Literal

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from studio.context import Context
from studio.pages.run.steering.hold_form import HoldForm
from studio.pages.run.steering.plan_form import PlanForm
from studio.pages.run.steering.record import RecordView
from studio.pages.run.steering.rewind_form import RewindForm
from studio.runs.model import JobModel
from studio.storage.rows import RunRow
from studio.widgets.scroll import ClearScroll
from studio.widgets.sheet import Sheet
from trainer_core.errors import KnownError, from_os_error
from trainer_core.manners import Manners, read_manners, write_manners

Topic = Literal["change", "extend", "rewind", "hold", "record"]
TITLES: Final[dict[Topic, str]] = {
    "change": "Change the plan",
    "extend": "Extend",
    "rewind": "Rewind",
    "hold": "When to wait",
    "record": "Record",
}


class Steering(QObject):
    """Opens the sheet on one topic at a time and keeps it true while it is open.

    Args:
        context: The studio.
        run: The run.
        model: What is known of it.
        host: The page that the sheet lies over.
        top_px: What stays free above it.

    Signals:
        change_wanted: Another peak or None, another end or None, and why.
        extend_wanted: Another end, another peak or None, and why.
        rewind_wanted: The checkpoint's step, steps to leave out or None, and whether to go on.
    """

    change_wanted = Signal(object, object, str)
    extend_wanted = Signal(int, object, str)
    rewind_wanted = Signal(int, object, bool)

    def __init__(
        self, context: Context, run: RunRow, model: JobModel, host: QWidget, top_px: int
    ) -> None:
        super().__init__(host)
        self._context = context
        self._run = run
        self._model = model
        self._topic: Topic | None = None
        self.sheet = Sheet(host, top_px)
        self.change = PlanForm()
        self.extend = PlanForm(extends=True)
        self.rewind = RewindForm()
        self.hold = HoldForm()
        self.record = RecordView()
        self._views: dict[Topic, QWidget] = {
            "change": ClearScroll(self.change),
            "extend": ClearScroll(self.extend),
            "rewind": ClearScroll(self.rewind),
            "hold": ClearScroll(self.hold),
            "record": self.record,
        }
        self.change.wanted.connect(self._on_change)
        self.extend.wanted.connect(self._on_extend)
        self.rewind.wanted.connect(self._on_rewind)
        self.hold.wanted.connect(self._on_hold)
        self.record.folder_wanted.connect(self._on_folder)
        self.sheet.closed.connect(self._on_closed)

    @property
    def topic(self) -> Topic | None:
        """What the sheet shows, or None while it is closed."""
        return self._topic

    def open(self, topic: Topic, before: int | None = None) -> None:
        """Show a topic.

        Args:
            topic: What about.
            before: For a rewind: to before this step, without its batch.
        """
        self._topic = topic
        if topic == "hold":
            self._read_manners()
        elif topic == "rewind":
            self.rewind.show_model(self._model, before)
        self.sync()
        self.sheet.open_view(self._views[topic], TITLES[topic], self._run.name)
        first = {
            "change": self.change.lr,
            "extend": self.extend.end,
            "rewind": self.rewind.checkpoint,
            "hold": self.hold.conditions.hours,
            "record": self.record.copy,
        }[topic]
        first.setFocus()

    def sync(self) -> None:
        """The model has news."""
        model = self._model
        if self._topic == "change":
            self.change.show_model(model)
        elif self._topic == "extend":
            self.extend.show_model(model)
        elif self._topic == "rewind":
            self.rewind.show_model(model)
        elif self._topic == "record":
            self.record.show_model(model)

    def close(self) -> bool:
        """Close the sheet; False when it was closed."""
        if self._topic is None:
            return False
        self.sheet.close_up()
        return True

    # --- what is wanted ------------------------------------------------------------------------

    def _on_closed(self) -> None:
        self._topic = None
        host = self.sheet.parentWidget()
        if host is not None:
            host.setFocus()  # so that the keys of the page work

    def _on_change(self, lr: float | None, steps: int | None, why: str) -> None:
        self.sheet.close_up()
        self.change_wanted.emit(lr, steps, why)

    def _on_extend(self, lr: float | None, steps: int | None, why: str) -> None:
        self.sheet.close_up()
        if steps is not None:
            self.extend_wanted.emit(steps, lr, why)

    def _on_rewind(self, step: int, skip: tuple[int, int] | None, go_on: bool) -> None:
        self.sheet.close_up()
        self.rewind_wanted.emit(step, skip, go_on)

    # --- manners -------------------------------------------------------------------------------

    def _read_manners(self) -> None:
        folder = self._run.folder
        self._context.tasks.run_op(
            lambda: read_manners(folder), self.hold.show_manners, owner=self, lane="work"
        )

    def _on_hold(self, manners: Manners) -> None:
        folder = self._run.folder

        def write() -> None:
            try:
                write_manners(folder, manners)
            except OSError as error:
                raise from_os_error(error, "keeping when the run waits") from error

        def kept(_none: None) -> None:
            self.hold.show_manners(manners)
            self.sheet.close_up()

        self._context.tasks.run_op(write, kept, self._context.toast, owner=self, lane="work")

    def _on_folder(self) -> None:
        where = str(self._run.folder)
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(where)):
            self._context.toast(
                KnownError(
                    "This computer has no program to show folders.",
                    safe="The run is whole.",
                    do=f"Open {where} yourself.",
                )
            )
