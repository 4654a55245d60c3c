"""What every page is handed: where things are kept, and how to reach the rest of the studio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.theme import Theme

if TYPE_CHECKING:
    from PySide6.QtCore import QSettings

    from studio.keeper import Keeper
    from studio.notify import Notifier
    from studio.queue import Queue
    from studio.rules import RuleRuns
    from studio.runs.supervisor import Supervisor
    from studio.storage.library import Library
    from studio.tasks import JobWatcher, Tasks
    from studio.tour import Tour
    from studio.tray import Tray
    from studio.undo import UndoStack


@dataclass(frozen=True)
class Context:
    """The studio from the point of view of a page.

    Args:
        home: The data home.
        library: Projects, datasets and runs. Its methods are called on the database thread
            only, through `tasks.run_op`.
        tasks: Background work.
        watcher: Live models of jobs.
        supervisor: Starts and stops jobs.
        keeper: Follows runs until they rest; told of each run that is started or resumed.
        theme: The look in force.
        settings: What belongs to this window alone, such as the theme; works while read-only.
        navigate: Opens a page by key with a target.
        toast: Shows an error above the page without leaving it.
        undo: Changes of the library that can be taken back are made through it.
        tour: The newest tour; None in a studio that takes none.
        rules: The rule tasks at work; None in a studio that starts none.
        queue: Trainings that wait for each other; None in a studio that has none.
        notifier: Tells the desktop of trainings; None in a studio that tells nothing.
        tray: The icon in the system tray; None in a studio without one.
        say: Shows a note above the page for a while.
        search: Calls up the search, with its right edge at a pixel column of the window.
    """

    home: Path
    library: Library
    tasks: Tasks
    watcher: JobWatcher
    supervisor: Supervisor
    keeper: Keeper
    theme: Theme
    settings: QSettings
    navigate: Callable[[str, object | None], None]
    toast: Callable[[BaseException], None]
    undo: UndoStack
    tour: Tour | None = None
    rules: RuleRuns | None = None
    queue: Queue | None = None
    notifier: Notifier | None = None
    tray: Tray | None = None
    search: Callable[[int | None], None] = lambda _right: None
    say: Callable[[str], object] = lambda _text: None
