"""What was changed in the library and can be taken back: Ctrl+Z, and Ctrl+Shift+Z again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from trainer_core.errors import DiskFullError

if TYPE_CHECKING:
    from studio.tasks import Tasks

MOST = 100
"""How many changes are remembered."""


@dataclass(frozen=True)
class Announcement:
    """What the window tells of a change.

    Args:
        text: What was done, such as "3 runs moved to the trash"; empty: what was told before is no
            longer so.
        button: Word of the way back, or of doing it again; empty for none.
        action: What the button does.
    """

    text: str
    button: str = ""
    action: Callable[[], object] | None = None


class _Change:
    """One change. `done` belongs to the database thread, where its functions run in turn."""

    def __init__(
        self, label: str, do: Callable[[], object], undo: Callable[[], object], *, quiet: bool
    ) -> None:
        self.label = label
        self.quiet = quiet
        self._do = do
        self._undo = undo
        self._done = False

    def run(self) -> None:
        """Make the change."""
        self._do()
        self._done = True

    def take_back(self) -> None:
        """Take it back; one that has failed has nothing to take back."""
        if self._done:
            self._undo()
            self._done = False


class UndoStack(QObject):
    """Changes, the newest last. All of them run on the database thread, one after another.

    Signals:
        changed: The library holds something else: a change was made, undone or made again.
        announced(Announcement): Something to tell the user.
    """

    changed = Signal()
    announced = Signal(object)

    def __init__(self, tasks: Tasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._made: list[_Change] = []
        self._undone: list[_Change] = []

    def do(
        self,
        label: str,
        do: Callable[[], object],
        undo: Callable[[], object],
        *,
        quiet: bool = False,
    ) -> None:
        """Make a change that can be taken back.

        Args:
            label: What was done, in the past tense, such as "Run renamed".
            do: Makes it; runs on the database thread, again for each redo.
            undo: Takes it back, there too.
            quiet: Say nothing when it is made: the page shows it. Undoing it is told all the same.
        """
        change = _Change(label, do, undo, quiet=quiet)
        self._made.append(change)
        del self._made[:-MOST]
        self._undone.clear()
        self._run(change, change.run, lambda: self._tell_made(change))

    def undo(self) -> None:
        """Take the newest change back; does nothing when there is none."""
        if not self._made:
            return
        change = self._made.pop()
        self._undone.append(change)
        self._run(change, change.take_back, lambda: self._tell_undone(change))

    def redo(self) -> None:
        """Make the change again that was undone last; does nothing when there is none."""
        if not self._undone:
            return
        change = self._undone.pop()
        self._made.append(change)
        self._run(change, change.run, lambda: self._tell_made(change, again=True))

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; empty for nothing."""
        return self._made[-1].label if self._made else ""

    @property
    def redo_label(self) -> str:
        """What `redo` would make again; empty for nothing."""
        return self._undone[-1].label if self._undone else ""

    def forget(self) -> None:
        """Forget all changes, such as after the trash was emptied: there is no way back."""
        self._made.clear()
        self._undone.clear()

    # --- parts ---------------------------------------------------------------------------------

    def _run(self, change: _Change, op: Callable[[], None], tell: Callable[[], None]) -> None:
        def done(_none: None) -> None:
            self.changed.emit()
            tell()

        def failed(error: Exception) -> None:
            if isinstance(error, DiskFullError) and change in self._undone:
                # With room again it can be undone: it goes back to where it was.
                self._undone.remove(change)
                self._made.append(change)
            else:
                self._forget_one(change)
            self._tasks.failed.emit(error)
            self.changed.emit()

        self._tasks.run_op(op, done, failed, owner=self)

    def _forget_one(self, change: _Change) -> None:
        for stack in (self._made, self._undone):
            if change in stack:
                stack.remove(change)

    def _tell_made(self, change: _Change, *, again: bool = False) -> None:
        if not self._made or self._made[-1] is not change:
            return
        if change.quiet and not again:
            self.announced.emit(Announcement(""))
        else:
            self.announced.emit(Announcement(change.label, "Undo", self._only(change, self.undo)))

    def _tell_undone(self, change: _Change) -> None:
        if self._undone and self._undone[-1] is change:
            text = f"Undone: {change.label[:1].lower()}{change.label[1:]}"
            self.announced.emit(Announcement(text, "Redo", self._only(change, self.redo)))

    def _only(self, change: _Change, act: Callable[[], None]) -> Callable[[], None]:
        """The act, as long as it still concerns this change: the button may be pressed late."""

        def press() -> None:
            newest = self._made if act == self.undo else self._undone
            if newest and newest[-1] is change:
                act()

        return press
