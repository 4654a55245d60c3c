"""The search of the window: asks the library and the commands, and opens what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from studio.commands import Commands
from studio.context import Context
from studio.widgets.search_popup import Answer, SearchPopup

_FOUND_MAX: Final = 8
_WHERE: Final[dict[str, tuple[str, str]]] = {
    # kind: icon, page
    "project": ("layout-grid", "runs"),
    "run": ("activity", "run"),
    "dataset": ("database", "data"),
}


class Searching(QObject):
    """Finds projects, runs, data and commands by what is typed.

    Args:
        window: The popup lies over it.
        navigate: Opens a page with a target.
        own_commands: What the window itself can do now.
    """

    def __init__(
        self,
        window: QWidget,
        navigate: Callable[[str, object | None], None],
        own_commands: Callable[[], Sequence[Answer]],
    ) -> None:
        super().__init__(window)
        self._navigate = navigate
        self._own_commands = own_commands
        self._context: Context | None = None
        self._commands: Commands | None = None
        self.popup = SearchPopup(window, self._find)
        self.popup.opened.connect(self._on_opened)

    def set_context(self, context: Context) -> None:
        """From now on there is something to find."""
        self._context = context
        self._commands = Commands(context, self._own_commands, self)

    def call_up(self, right: int | None) -> None:
        """Open the popup, with its right edge at a pixel column, or in the middle."""
        if self._commands is not None:
            self._commands.refresh()
            self.popup.call_up(right)

    def _find(self, text: str, show: Callable[[Sequence[Answer]], None]) -> None:
        if self._context is None or self._commands is None:
            return
        library, commands = self._context.library, self._commands

        def found(answers: list[Answer]) -> None:
            offered = commands.offer(text)
            begun = text.strip().casefold()
            first = [
                each
                for each in offered
                if each.title.casefold().startswith(begun)
                or each.title.casefold().endswith(f" {begun}")
            ]
            rest = [each for each in offered if each not in first]
            show([*first, *answers, *rest] if begun else offered)

        self._context.tasks.run_op(
            lambda: [
                Answer(each.title, each.context, *_WHERE[each.kind], each.id)
                for each in library.search(text, limit=_FOUND_MAX)
            ],
            found,
            owner=self.popup,
        )

    def _on_opened(self, answer: Answer) -> None:
        if answer.act is not None:
            answer.act()
        else:
            self._navigate(answer.page, answer.target)
