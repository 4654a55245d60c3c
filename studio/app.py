"""Starts the studio: theme, window, then the library; and ends it without touching the jobs."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QMessageLogContext,
    QSettings,
    Qt,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from studio import places
from studio.language import use_language
from studio.theme import Mode, pixmap, theme
from studio.widgets import figures
from studio.widgets.device_panel import DeviceSampler
from studio.window import MainWindow
from trainer_core.errors import from_os_error

if TYPE_CHECKING:
    from studio.context import Context
    from studio.storage.library import Library
    from studio.storage.rebuild import RebuildReport
    from studio.tasks import Tasks

LOG_FILE = "studio.log"
SETTINGS_FILE = "studio.ini"
_log = logging.getLogger("studio")


class Studio:
    """The running studio: everything that lives as long as the window.

    Args:
        app: The application, made by the caller.
        home: The data home; made when absent.

    Raises:
        OSError: The home cannot be made.
    """

    def __init__(self, app: QApplication, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.settings = QSettings(str(home / SETTINGS_FILE), QSettings.Format.IniFormat)
        use_language(str(self.settings.value("language", "")))
        theme().set_mode(_mode(self.settings.value("theme", "system")))
        theme().install(app)
        app.setWindowIcon(QIcon(pixmap("hearth", theme().palette.text, 64)))
        self.window = MainWindow(self.settings)
        self.device = DeviceSampler()
        self.device.sampled.connect(self.window.nav.device.show_reading)
        self.context: Context | None = None
        self._tasks: Tasks | None = None
        self._counter: QTimer | None = None
        self._closed = False
        self.window.closed.connect(self.close)

    def start(self) -> None:
        """Show the window, then open the library behind it."""
        self.window.painted.connect(self._on_painted, Qt.ConnectionType.QueuedConnection)
        self.window.show()
        # A window that starts minimised or covered is never painted.
        QTimer.singleShot(UNPAINTED_MS, self._on_painted)

    def close(self) -> None:
        """End the threads and give the library back. Jobs go on. May be called twice."""
        self._closed = True
        self.device.close()
        if self._counter is not None:
            self._counter.stop()
        if self.context is not None:
            if self.context.tray is not None:
                self.context.tray.close()
            self.context.watcher.close()
            self.context.supervisor.close()
        if self._tasks is not None:
            self._tasks.close()
        if self.context is not None:
            self.context.library.close()
            self.context = None

    def show_bug(self, error: BaseException) -> None:
        """Log an exception that nobody took and show it; the window lives on."""
        _log.error("uncaught", exc_info=error)
        self.window.show_error(error)

    def _on_painted(self) -> None:
        if self._tasks is None and not self._closed:
            self._load()

    def _load(self, *, rebuild: bool = False) -> None:
        from studio.tasks import Tasks

        if self._tasks is None:
            self._tasks = Tasks()
            self.device.start()
        self._tasks.run_op(
            lambda: self._open_library(rebuild=rebuild),
            self._on_library_opened,
            self._on_library_refused,
        )

    def _open_library(self, *, rebuild: bool) -> Library:
        from studio.storage.library import Library

        return Library.open(self.home, rebuild=rebuild)

    def _on_library_opened(self, library: Library) -> None:
        from studio.context import Context
        from studio.keeper import Keeper
        from studio.notify import Notifier, trainings_at_work
        from studio.pages.wizard.waiting import WaitingRuns
        from studio.queue import Queue
        from studio.rules import RuleRuns
        from studio.runs.supervisor import Supervisor
        from studio.tasks import JobWatcher
        from studio.tour import Tour
        from studio.tray import Tray
        from studio.undo import UndoStack

        tasks = self._tasks
        if tasks is None:
            raise RuntimeError("a library came without tasks")
        supervisor = Supervisor(self.home)
        watcher = JobWatcher(on_tick=supervisor.reap)
        keeper = Keeper(library, tasks, watcher)
        tour = Tour(self.home, library, tasks, watcher, supervisor, keeper)
        rules = RuleRuns(self.home, library, tasks, watcher, supervisor, keeper, self.window)
        undo = UndoStack(tasks, self.window)
        queue = Queue(library, tasks, watcher, supervisor, keeper, undo, self.window)
        notifier = Notifier(
            library,
            tasks,
            watcher,
            keeper,
            self.settings,
            self.window.isActiveWindow,
            self.window,
        )
        tray = Tray(self.window, self.settings, lambda: trainings_at_work(watcher, notifier))
        notifier.wanted.connect(tray.show_message)
        tray.run_wanted.connect(lambda run_id: self.window.navigate("run", run_id))
        tray.pause_wanted.connect(lambda folder: tasks.follow(supervisor.pause(folder)))
        rules.run_begun.connect(lambda run_id: self.window.navigate("run", run_id))
        self.context = Context(
            home=self.home,
            library=library,
            tasks=tasks,
            watcher=watcher,
            supervisor=supervisor,
            keeper=keeper,
            theme=theme(),
            settings=self.settings,
            navigate=self.window.navigate,
            toast=self.window.show_error,
            undo=undo,
            tour=tour,
            rules=rules,
            queue=queue,
            notifier=notifier,
            tray=tray,
            search=self.window.call_up_search,
            say=self.window.toasts.say,
        )
        if library.rebuilt is not None and library.rebuilt.runs + library.rebuilt.datasets:
            self.window.toasts.say(rebuilt_words(library.rebuilt))
        keeper.follow_all()
        tour.look()
        rules.look()
        queue.look()
        WaitingRuns.of(self.context).look()
        self.window.set_context(self.context)
        self.window.open_last()
        self._count()
        self._counter = QTimer(self.window)
        self._counter.timeout.connect(self._count)
        self._counter.start(COUNT_PERIOD_MS)
        self.window.page_shown.connect(lambda _key: self._count())

    def _on_library_refused(self, error: Exception) -> None:
        from studio.storage.database import DamagedLibraryError

        if isinstance(error, DamagedLibraryError):
            self.window.show_start_error(
                error, lambda: self._load(rebuild=True), "Rebuild the library"
            )
        else:
            self.window.show_start_error(error, self._load)

    def _count(self) -> None:
        """Refresh the numbers in the navigation."""
        context = self.context
        if context is None or self.window.isMinimized():
            return
        library = context.library

        def show(counts: tuple[int, int]) -> None:
            self.window.nav.set_count("home", counts[0])
            self.window.nav.set_count("data", counts[1])
            running = sum(model.alive and model.verb == "train" for model in context.watcher.models)
            self.window.nav.set_count("runs", running, live=True)

        context.tasks.run_op(
            lambda: (library.count_projects(), library.count_datasets()), show, owner=self.window
        )


def rebuilt_words(report: RebuildReport) -> str:
    """What came of making the library anew from the folders."""
    found = [
        figures.plural(report.runs, "run") if report.runs else "",
        figures.plural(report.datasets, "dataset") if report.datasets else "",
    ]
    return f"Found in the folders and put into the library: {' and '.join(filter(None, found))}."


COUNT_PERIOD_MS = 2000
UNPAINTED_MS = 500


def _mode(value: object) -> Mode:
    return "dark" if value == "dark" else "light" if value == "light" else "system"


# --- borders -------------------------------------------------------------------------------------


def _log_to(home: Path) -> logging.Handler:
    """Send the log of everything to the home's log file; the caller ends it."""
    handler = logging.FileHandler(home / LOG_FILE, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin
    return handler


def _on_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    levels = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.WARNING,
    }
    logging.getLogger("qt").log(levels.get(kind, logging.ERROR), "%s", message)


def _take_uncaught(studio: Studio) -> None:
    """Send what nobody caught to the log and to the window, from any thread."""

    def on_exception(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        studio.show_bug(error.with_traceback(trace))

    def on_thread_exception(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value or args.exc_type()
        _log.error("uncaught in thread %s", args.thread, exc_info=error)
        QTimer.singleShot(0, studio.window, lambda: studio.window.show_error(error))

    sys.excepthook = on_exception
    threading.excepthook = on_thread_exception


# --- the command line ----------------------------------------------------------------------------


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hearth", description="Train your own language model at home."
    )
    parser.add_argument("--home", type=Path, help="data home, in place of HEARTH_HOME")
    parser.add_argument("--page", help="page to open first, such as runs")
    parser.add_argument(
        "--report", action="store_true", help="print start-up figures as JSON once a page is shown"
    )
    parser.add_argument(
        "--quit-after-paint", action="store_true", help="end once a page is shown and painted"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the studio until its window is closed; returns the exit status."""
    args = _arguments(sys.argv[1:] if argv is None else argv)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    if not isinstance(app, QApplication):
        raise RuntimeError("the studio needs a QApplication")
    app.setApplicationName("Hearth")
    app.setDesktopFileName("hearth")
    home = args.home.expanduser().absolute() if args.home else places.data_home()
    try:
        studio = Studio(app, home)
        handler = _log_to(home)
    except OSError as error:
        print(from_os_error(error, "opening the data home"), file=sys.stderr)
        return 3
    before = qInstallMessageHandler(_on_qt_message)
    _take_uncaught(studio)
    measured = None  # a connection to a method does not keep its object alive: this name does
    if args.report or args.quit_after_paint:
        measured = _StartReport(studio, report=args.report, leave=args.quit_after_paint)
    if args.page:
        studio.window.navigate(args.page)
    studio.start()
    status = app.exec()
    studio.close()
    del measured
    qInstallMessageHandler(before)
    logging.getLogger().removeHandler(handler)
    handler.close()
    return status


class _StartReport:
    """Measures the start: seconds from the birth of the process to the first paint and page."""

    def __init__(self, studio: Studio, *, report: bool, leave: bool) -> None:
        self._studio = studio
        self._report = report
        self._leave = leave
        self._painted_s = 0.0
        studio.window.painted.connect(self._on_painted)
        studio.window.page_shown.connect(self._on_page_shown)

    def _on_painted(self) -> None:
        self._painted_s = time.time()

    def _on_page_shown(self, _key: str) -> None:
        # One turn of the event loop later the page has been painted.
        QTimer.singleShot(0, self._studio.window, self._finish)

    def _finish(self) -> None:
        self._studio.window.repaint()
        shown_s = time.time()
        import psutil  # only now: reading it takes time of its own

        born_s = time.time() - _age_s()
        figures = {
            "first_paint_s": round(self._painted_s - born_s, 3),
            "page_shown_s": round(shown_s - born_s, 3),
            "rss_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
            "torch": "torch" in sys.modules,
            "page": self._studio.window.current_page,
            "pid": os.getpid(),
        }
        if self._report:
            print(json.dumps(figures), flush=True)
        if self._leave:
            self._studio.window.close()


def _age_s() -> float:
    """Seconds since this process was born."""
    if sys.platform == "linux":
        # psutil counts from a boot time in whole seconds: too coarse for a start below one.
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks_per_s = os.sysconf("SC_CLK_TCK")
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks_per_s
    else:
        import psutil

        age_s = time.time() - psutil.Process().create_time()
    return age_s
