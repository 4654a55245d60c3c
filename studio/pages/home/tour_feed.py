"""Keeps the tour card up to date and carries out what its buttons ask for."""

from __future__ import annotations

import threading
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer

from studio.context import Context
from studio.device import DeviceFacts, read_facts
from studio.pages.home.tour import TourCard
from studio.pages.home.tour_facts import TourView, finished, interrupted, offer, running
from studio.runs.python_library import PythonLibrarySize, count_python_library
from studio.runs.tour import TourRows
from studio.tour import Tour

_TICK_MS = 1000


class TourFeed(QObject):
    """Between the tour and its card.

    Args:
        context: The studio.
        card: Shown or hidden by this.
        parent: The page.
    """

    def __init__(self, context: Context, card: TourCard, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._tour = context.tour
        self._card = card
        self._size: PythonLibrarySize | None = None
        self._device: DeviceFacts | None = None
        self._counting = False
        self._active = False
        self._share = 0.0
        self._stopped = threading.Event()
        self._ticker = QTimer(self)
        self._ticker.setInterval(_TICK_MS)
        self._ticker.timeout.connect(self._show)
        card.asked.connect(self._on_asked)
        if self._tour is not None:
            self._tour.changed.connect(self._on_tour_changed)

    def set_active(self, active: bool) -> None:
        """Draw only while the page is visible."""
        self._active = active
        if active:
            self._stopped.clear()
            self._show()
        else:
            self._stopped.set()  # closing the window must not wait for a count
            self._ticker.stop()

    # --- drawing ---

    def _on_tour_changed(self) -> None:
        if self._active:
            self._show()

    def _show(self) -> None:
        tour = self._tour
        view = self._view(tour) if tour is not None else None
        self._card.setVisible(view is not None)
        if view is None or tour is None:
            self._ticker.stop()
            return
        self._card.show_view(self._steady(view))
        if tour.state == "running" and not self._ticker.isActive():
            self._ticker.start()
        elif tour.state != "running":
            self._ticker.stop()
        if tour.state == "offered":
            self._count()

    def _steady(self, view: TourView) -> TourView:
        """The view with a share that never falls: each phase of a job begins anew."""
        if view.share is None:
            self._share = 0.0
            return view
        self._share = max(self._share, view.share)
        return replace(view, share=self._share)

    def _view(self, tour: Tour) -> TourView | None:
        state, model = tour.state, tour.model
        if self._context.library.read_only and state in ("offered", "interrupted"):
            return None  # it is started in the window that may write
        if state == "offered":
            return offer(self._size, self._device)
        if state == "running":
            return running(model, tour.child, tour.child_model)
        if state == "interrupted" and model is not None:
            return interrupted(model)
        if state == "finished" and tour.result is not None:
            return finished(tour.result)
        return None

    def _count(self) -> None:
        """Count the Python files of this computer, once, in the background."""
        if self._counting or self._size is not None:
            return
        self._counting = True
        stopped = self._stopped.is_set

        def look() -> tuple[DeviceFacts, PythonLibrarySize] | None:
            found = read_facts(), count_python_library(stopped)
            return None if stopped() else found

        self._context.tasks.run_op(look, self._on_counted, owner=self, lane="work")

    def _on_counted(self, found: tuple[DeviceFacts, PythonLibrarySize] | None) -> None:
        self._counting = False
        if found is not None:
            self._device, self._size = found
        self._on_tour_changed()

    # --- buttons ---

    def _on_asked(self, action: str) -> None:
        tour = self._tour
        if tour is None:
            return
        plain = {
            "start": tour.start,
            "resume": tour.resume,
            "stop": tour.stop,
            "hide": tour.hide,
            "watch": self._watch,
            "compare": self._compare,
            "playground": self._try,
        }
        plain[action]()

    def _watch(self) -> None:
        rows, child = self._tour_rows()
        run = rows.with_index if rows and child == "with-index" else rows.plain if rows else None
        if run is not None:
            self._context.navigate("run", run.id)

    def _compare(self) -> None:
        rows, _ = self._tour_rows()
        if rows and rows.plain and rows.with_index:
            self._context.navigate("compare", (rows.with_index.id, rows.plain.id))

    def _try(self) -> None:
        rows, _ = self._tour_rows()
        if rows and rows.with_index:
            self._context.navigate("playground", rows.with_index.id)

    def _tour_rows(self) -> tuple[TourRows | None, str]:
        """The tour's parts in the library, and the folder of the part that is at work."""
        tour = self._tour
        if tour is None:
            return None, ""
        return tour.rows, tour.child.folder if tour.child is not None else ""
