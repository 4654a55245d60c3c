"""The window: navigation, pages made when first opened, history, keys, notes and errors."""

from __future__ import annotations

import importlib
import logging
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QSettings, QSize, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.context import Context
from studio.history import History, Place
from studio.pages.page import Page
from studio.searching import Searching
from studio.undo import Announcement
from studio.widgets.drop_hint import DropHint
from studio.widgets.empty import ErrorCard, LoadingBlocks
from studio.widgets.keys_sheet import KeysSheet
from studio.widgets.nav import DESTINATIONS, NavRail
from studio.widgets.notice import Notice
from studio.widgets.paint import repaint_on_theme
from studio.widgets.search_button import SearchButton
from studio.widgets.search_popup import Answer, right_edge
from studio.widgets.toast import Toasts

COLLAPSE_BELOW_PX = 1320
DEFAULT_SIZE_PX = (1440, 900)
MINIMUM_SIZE_PX = (1180, 720)
DROP_WORDS = (
    "Drop settings of a run, texts to learn from, a checkpoint, or the log of another program"
)

PAGES: dict[str, str] = {
    # Imported when first opened: the window is painted before anything heavy is read.
    "home": "studio.pages.home.page:HomePage",
    "runs": "studio.pages.runs.page:RunsPage",
    "run": "studio.pages.run.page:RunPage",
    "data": "studio.pages.data.page:DataPage",
    "batches": "studio.pages.data.batches.page:BatchesPage",
    "lab": "studio.pages.data.lab.page:LabPage",
    "playground": "studio.pages.playground.page:PlaygroundPage",
    "variants": "studio.pages.groups.variants_page:VariantsPage",
    "group": "studio.pages.groups.page:GroupPage",
    "compare": "studio.pages.compare.page:ComparePage",
    "settings": "studio.pages.settings.page:SettingsPage",
    "wizard": "studio.pages.wizard.page:WizardPage",
}
_REMEMBERED = {destination.key for destination in DESTINATIONS}
_log = logging.getLogger(__name__)


class MainWindow(QWidget):
    """The one window of the studio. Until `set_context` it shows that it is loading.

    Args:
        settings: Where geometry and the last page are kept.

    Signals:
        painted: The window was painted for the first time.
        page_shown(str): A page was opened; carries its key.
        closed: The window is closing.
    """

    painted = Signal()
    page_shown = Signal(str)
    closed = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self._settings = settings
        self._context: Context | None = None
        self._pages: dict[str, Page] = {}
        self._current = ""
        self._history = History()
        self._wanted: Place | None = None
        self._was_painted = False
        self.setWindowTitle("Hearth")
        self.setAcceptDrops(True)
        self.nav = NavRail()
        self.notice = Notice()
        self.stack = QStackedWidget()
        self._lay_out()
        self.toasts = Toasts(self.stack)
        self._searching = Searching(self, self.navigate, self._own_commands)
        self.search = self._searching.popup
        self.keys = KeysSheet(self)
        self._drop_hint = DropHint(self.stack, 0, DROP_WORDS)
        self.nav.chosen.connect(self.navigate)
        self._add_shortcuts()
        self._restore_geometry()
        repaint_on_theme(self)

    # --- content ---

    def set_context(self, context: Context) -> None:
        """Take up work: from now on pages can be opened."""
        self._context = context
        self._searching.set_context(context)
        context.tasks.failed.connect(self.show_error)
        context.undo.announced.connect(self._on_announced)
        if context.library.read_only:
            self.notice.show_text(
                f"{context.library.read_only_reason} You can look at everything here,"
                " but changes are made there.",
                "lock",
            )

    def show_start_error(
        self, error: BaseException, retry: Callable[[], None], button: str = "Try again"
    ) -> None:
        """Say why the library cannot be opened, in place of a page; the button is the way on."""
        card = ErrorCard(error, _details(error), button=button)
        card.clicked.connect(retry)
        self._show_alone(card)

    def navigate(self, page: str, target: object | None = None) -> None:
        """Open a page.

        Args:
            page: A key of `PAGES`.
            target: What to show there, such as a run's id.

        Before the library is open the wish is kept.
        """
        if self._context is None:
            self._wanted = Place(page, target)
            return
        self._history.go(Place(page, target))
        self._open(page, target)

    def go_back(self) -> None:
        """Open what was shown before."""
        place = self._history.back()
        if place is not None:
            self._open(place.page, place.target)

    def go_forward(self) -> None:
        """Undo going back."""
        place = self._history.forward()
        if place is not None:
            self._open(place.page, place.target)

    @property
    def current_page(self) -> str:
        """Key of the page that is shown."""
        return self._current

    def page(self, key: str) -> Page | None:
        """A page that was opened before."""
        return self._pages.get(key)

    def open_last(self) -> None:
        """Open what was asked for meanwhile, else what was open at the last close."""
        if self._wanted is not None:
            self.navigate(self._wanted.page, self._wanted.target)
            return
        wanted = str(self._settings.value("window/page", "home"))
        run = str(self._settings.value("window/run", ""))
        if run.isdecimal():
            self.navigate("run", int(run))
            return
        self.navigate(wanted if wanted in _REMEMBERED else "home")

    def show_error(self, error: BaseException) -> None:
        """Show an error above the page; bugs come with their traceback."""
        self.toasts.add(error, _details(error))

    def call_up_search(self, right: int | None = None) -> None:
        """Open the search, with its right edge at a pixel column or at the page's own button."""
        page = self._pages.get(self._current)
        button = page.findChild(SearchButton) if page is not None else None
        self._searching.call_up(right_edge(button) if right is None and button else right)

    # --- Qt ---

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow window has a narrow navigation."""
        super().resizeEvent(event)
        self.nav.set_collapsed(self.width() < COLLAPSE_BELOW_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell of the first paint, once it is on its way to the screen."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            self.painted.emit()

    def changeEvent(self, event: QEvent) -> None:
        """A page need not work while the window is minimised."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and self._current in self._pages:
            page = self._pages[self._current]
            page.hidden() if self.isMinimized() else page.shown()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember place and size. Jobs go on."""
        self._settings.setValue("window/geometry", self.saveGeometry())
        if self._current in self._pages:
            nav_key = self._pages[self._current].nav_key or self._current
            self._settings.setValue("window/page", nav_key)
            target = self._pages[self._current].target()
            shows_run = self._current == "run" and isinstance(target, int)
            self._settings.setValue("window/run", target if shows_run else "")
            self._pages[self._current].hidden()
        self._settings.sync()
        self.closed.emit()
        super().closeEvent(event)

    # --- parts ---

    def _lay_out(self) -> None:
        self.content = QWidget()
        self.content.setMinimumSize(*MINIMUM_SIZE_PX)
        frame = QScrollArea()  # scrolls only on a screen that is too small for the window
        frame.setWidgetResizable(True)
        frame.setFrameShape(QFrame.Shape.NoFrame)
        frame.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        frame.setWidget(self.content)
        self.content.setAutoFillBackground(False)
        frame.viewport().setAutoFillBackground(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        row = QHBoxLayout(self.content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.notice)
        right.addWidget(self.stack, 1)
        row.addWidget(self.nav)
        row.addLayout(right, 1)
        loading = QWidget()
        column = QVBoxLayout(loading)
        column.setContentsMargins(24, 72, 24, 24)
        column.addWidget(LoadingBlocks(rows=5, height=88))
        column.addStretch(1)
        self.stack.addWidget(loading)

    def _add_shortcuts(self) -> None:
        def bind(keys: str, action: Callable[[], object]) -> None:
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(action)

        for number, destination in enumerate(DESTINATIONS, 1):
            bind(f"Ctrl+{number}", partial(self.navigate, destination.key))
        bind("Ctrl+K", self.call_up_search)
        bind("Ctrl+N", lambda: self.navigate("wizard"))
        bind("Ctrl+Z", self._undo)
        bind("Ctrl+Shift+Z", self._redo)
        bind("F1", self.keys.call_up)
        bind("Alt+Left", self.go_back)
        bind("Alt+Right", self.go_forward)

    def _undo(self) -> None:
        if self._context is not None:
            self._context.undo.undo()

    def _redo(self) -> None:
        if self._context is not None:
            self._context.undo.redo()

    def _on_announced(self, told: Announcement) -> None:
        self.toasts.say(told.text, told.button, told.action)

    def _restore_geometry(self) -> None:
        self.setMinimumSize(_on_screen(MINIMUM_SIZE_PX))
        kept = self._settings.value("window/geometry")
        if not (isinstance(kept, QByteArray) and self.restoreGeometry(kept)):
            self.resize(_on_screen(DEFAULT_SIZE_PX))

    def _open(self, key: str, target: object | None) -> None:
        try:
            page = self._pages.get(key) or self._make(key)
            if self._current and self._current != key and self._current in self._pages:
                self._pages[self._current].hidden()
            self._current = key
            self.stack.setCurrentWidget(page)
            self.nav.set_current(page.nav_key or key)
            page.open(target)
            page.shown()
        except Exception as error:  # noqa: BLE001 - a broken page must not take the window with it
            _log.exception("the page %s could not be opened", key)
            self._current = key
            self._show_alone(ErrorCard(error, _details(error)))
        self.toasts.raise_()
        self.page_shown.emit(key)

    def _make(self, key: str) -> Page:
        module, _, name = PAGES[key].partition(":")
        made = getattr(importlib.import_module(module), name)(self._context)
        if not isinstance(made, Page):
            raise TypeError(f"{PAGES[key]} is not a page")
        made.navigate_requested.connect(self.navigate)
        self._pages[key] = made
        self.stack.addWidget(made)
        return made

    def _show_alone(self, card: ErrorCard) -> None:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(24, 24, 24, 24)
        column.addWidget(card)
        column.addStretch(1)
        self.stack.addWidget(holder)
        self.stack.setCurrentWidget(holder)

    # --- search ---

    def _own_commands(self) -> list[Answer]:
        """What the window itself can do."""
        made = [
            Answer(
                "Keys", "", "info", "", None, "help shortcuts keyboard", "F1", self.keys.call_up
            ),
            Answer("Back", "", "arrow-left", "", None, "before", "Alt+Left", self.go_back),
        ]
        undo = None if self._context is None else self._context.undo
        if undo is not None and undo.undo_label:
            title = f"Undo: {undo.undo_label}"
            made.append(Answer(title, "", "refresh-cw", "", None, "", "Ctrl+Z", self._undo))
        return made

    # --- drag and drop ---

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take local files and folders wherever no page takes them."""
        if self._context is not None and any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self._drop_hint.show_hint(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing hovers any more."""
        self._drop_hint.show_hint(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Find out what was dropped, and open the page that takes it."""
        self._drop_hint.show_hint(False)
        event.acceptProposedAction()
        urls = event.mimeData().urls()
        self.take_paths([Path(url.toLocalFile()) for url in urls if url.isLocalFile()])

    def take_paths(self, paths: Sequence[Path]) -> None:
        """Open the page that takes these files or folders."""
        if self._context is None or not paths:
            return
        from studio.dropping import Landing, land

        library = self._context.library

        def landed(found: Landing) -> None:
            self.navigate(found.page, found.target)

        self._context.tasks.run_op(
            lambda: land(paths, library), landed, self.show_error, owner=self, lane="work"
        )


def _on_screen(wanted: tuple[int, int]) -> QSize:
    """A size, or what a smaller screen has: a window must never be larger than its screen."""
    size, screen = QSize(*wanted), QGuiApplication.primaryScreen()
    return size if screen is None else size.boundedTo(screen.availableSize())


def _details(error: BaseException) -> str:
    """The traceback of a bug; nothing for what the user can act on."""
    from trainer_core.errors import KnownError

    if isinstance(error, KnownError):
        return ""
    return "".join(traceback.format_exception(error))
