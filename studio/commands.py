"""What the search can do besides finding: everything that a button does, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from studio.context import Context
from studio.language import tr
from studio.pages.compare.target import ImportLog
from studio.pages.queue.offer import start_or_wait
from studio.storage.rows import RunRow
from studio.theme import Mode
from studio.widgets.nav import DESTINATIONS
from studio.widgets.search_popup import Answer

OFFERED_MAX: Final = 6
"""Commands beside what was found."""
RUNS_MAX: Final = 60
"""Runs at rest that can be resumed by name: the newest ones."""
_BUSY: Final = frozenset({"starting", "running", "compiling", "validating", "saving", "waiting"})
_RESUMABLE: Final = frozenset({"paused", "stopped", "failed", "killed", "unborn"})
_THEMES: Final[tuple[tuple[Mode, str, str], ...]] = (
    ("dark", "Dark theme", "night colours appearance"),
    ("light", "Light theme", "day colours appearance"),
    ("system", "Theme of the system", "colours appearance follow"),
)


class Commands(QObject):
    """Everything that can be done from anywhere.

    Args:
        context: The studio.
        extra: Further answers of the window, such as going back.
    """

    def __init__(
        self, context: Context, extra: Callable[[], Sequence[Answer]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._extra = extra
        self._runs: tuple[RunRow, ...] = ()

    def refresh(self) -> None:
        """Learn the names of the runs; called when the search opens."""
        library = self._context.library
        self._context.tasks.run_op(library.runs, self._on_runs, owner=self)

    def offer(self, text: str) -> list[Answer]:
        """Commands that hold every word of a text, best first; the usual ones for none."""
        wanted = text.casefold().split()
        if not wanted:
            return [*self._of_runs_at_work(), *self._usual()][:8]
        scored = []
        for answer in self._all():
            title = answer.title.casefold()
            everything = f"{title} {answer.words}".casefold()
            if all(word in everything for word in wanted) and _asked_for(answer, wanted):
                begins = title.startswith(" ".join(wanted))
                words = all(any(w.startswith(word) for w in title.split()) for word in wanted)
                rank = 0 if begins or title.endswith(f" {' '.join(wanted)}") else 1 if words else 2
                # One word alone rather means a place than something to do with a certain run.
                scored.append((len(wanted) == 1 and answer.target is not None, rank, answer))
        scored.sort(key=lambda each: each[:2])
        return [answer for *_, answer in scored][:OFFERED_MAX]

    # --- what there is -------------------------------------------------------------------------

    def _all(self) -> Iterator[Answer]:
        yield from self._usual()
        yield from self._of_runs_at_work()
        yield from self._of_runs_at_rest()
        yield from self._places()
        yield from self._themes()
        yield from self._extra()
        tray = self._context.tray
        quit_ = QApplication.closeAllWindows if tray is None else tray.quit
        yield _done("Quit", "x", quit_, words="close exit leave", keys="")

    def _usual(self) -> Iterator[Answer]:
        go = self._context.navigate
        if self._context.library.read_only:
            return
        yield _done("New run", "plus", partial(go, "wizard", None), words="train", keys="Ctrl+N")
        yield _done("Add data", "database", partial(go, "data", "add"), words="dataset text read")
        log = partial(go, "compare", ImportLog())
        yield _done("Import a log", "file-text", log, words="curves reference tensorboard csv")

    def _places(self) -> Iterator[Answer]:
        for number, place in enumerate(DESTINATIONS, 1):
            title = f"{tr('Go to')} {tr(place.title)}"
            go = partial(self._context.navigate, place.key, None)
            yield _done(title, place.icon, go, words="open page show", keys=f"Ctrl+{number}")

    def _themes(self) -> Iterator[Answer]:
        for mode, title, words in _THEMES:
            if self._context.theme.mode != mode:
                yield _done(title, "settings-2", partial(self._set_theme, mode), words=words)

    def _of_runs_at_work(self) -> Iterator[Answer]:
        names = {row.folder: row for row in self._runs}
        if self._context.library.read_only:
            return
        for model in self._context.watcher.models:
            row = names.get(model.folder)
            if row is None or model.verb != "train" or model.state not in _BUSY:
                continue
            pause, save = partial(self._pause, row), partial(self._checkpoint, row)
            yield _done(f"{tr('Pause')} {row.name}", "pause", pause, run=row)
            title = f"{tr('Save a checkpoint of')} {row.name}"
            yield _done(title, "save", save, words="checkpoint", run=row)

    def _of_runs_at_rest(self) -> Iterator[Answer]:
        models = {model.folder: model for model in self._context.watcher.models}
        for row in self._runs[:RUNS_MAX]:
            add = partial(self._context.navigate, "compare", row.id)
            yield _done(f"{tr('Compare')} {row.name}", "compare", add, run=row)
            if row.kind == "train" and not self._context.library.read_only:
                title = f"{tr('Seeds and sweeps of')} {row.name}"
                vary = partial(self._context.navigate, "variants", row.id)
                yield _done(title, "dices", vary, words="vary again", run=row)
            model = models.get(row.folder)
            state = row.facts.state if model is None else model.state
            if state in _RESUMABLE and row.kind == "train" and not self._context.library.read_only:
                go_on = partial(self._resume, row)
                title = f"{tr('Resume')} {row.name}"
                yield _done(title, "play", go_on, words="continue", run=row)

    # --- doing it ------------------------------------------------------------------------------

    def _pause(self, row: RunRow) -> None:
        self._context.navigate("run", row.id)
        self._follow(row, self._context.supervisor.pause(row.folder))

    def _checkpoint(self, row: RunRow) -> None:
        self._follow(row, self._context.supervisor.checkpoint_now(row.folder))

    def _follow(self, row: RunRow, future: object) -> None:
        context = self._context
        context.tasks.follow(
            future,  # type: ignore[arg-type]  # of several kinds; the outcome is not looked at
            lambda _done: context.watcher.look_now(row.folder),
            context.toast,
            owner=self,
        )

    def _resume(self, row: RunRow) -> None:
        context = self._context

        def resumed(_pid: int) -> None:
            context.keeper.follow(row)
            context.watcher.look_now(row.folder)

        def resume() -> None:
            context.tasks.run_op(
                lambda: context.supervisor.resume(row.folder),
                resumed,
                context.toast,
                owner=self,
                lane="work",
            )

        context.navigate("run", row.id)
        window = QApplication.activeWindow()
        if window is None:
            resume()
        else:
            start_or_wait(context, window, row, resume, window.geometry().center())

    def _set_theme(self, mode: Mode) -> None:
        self._context.settings.setValue("theme", mode)
        self._context.theme.set_mode(mode)

    def _on_runs(self, rows: Sequence[RunRow]) -> None:
        self._runs = tuple(rows)


def _asked_for(answer: Answer, wanted: Sequence[str]) -> bool:
    """Whether a command on a run was asked for, and not the run itself."""
    if answer.target is None:
        return True
    verbs = [answer.title.casefold().split()[0], *answer.words.split()]
    return any(verb.startswith(word) for verb in verbs for word in wanted)


def _done(
    title: str,
    icon: str,
    act: Callable[[], object],
    *,
    words: str = "",
    keys: str = "",
    run: RunRow | None = None,
) -> Answer:
    target = None if run is None else run.id
    return Answer(tr(title), "", icon, "", target, words=words, keys=keys, act=act)
