"""What the window costs with long runs and many of them; run it on an idle computer.

    QT_QPA_PLATFORM=offscreen .venv/bin/python tests/benchmarks/studio.py [--parts frames open …]

Each part runs in a process of its own and is held against its target; the exit status is 1 when one
is missed. The window is 1440 × 900, drawn by Qt's software rasteriser.

- frames: four charts of four series of 1,000,000 steps, 20 steps a second appended, while following
  the newest step and while a person zooms, drags and points. p99 of
  the time that the window needs before it can take the next event.
- page: the same for the whole studio on the page of a real run folder that another process extends.
- open: a run of 1,000,000 steps in the studio, from the click until all charts are drawn; memory.
- start: 200 projects and 2,000 runs: first paint, page with content.
- days: two days of 864,000 steps in a minute, with two resumes: memory, and every step compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parents[1])  # this file is called like the package that it measures
sys.path.append(str(HERE))

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np
import psutil

from studio.__main__ import share_memory

STEPS = 1_000_000
DAYS_STEPS = 864_000
PROJECTS, RUNS = 200, 2_000
LIVE_S = 20.0
Figures = dict[str, float]

TARGETS: dict[str, dict[str, tuple[str, float]]] = {
    "frames": {
        "following p99": ("ms", 16.0),
        "zoomed p99": ("ms", 16.0),
        "zooming p99": ("ms", 16.0),
    },
    "page": {"following p99": ("ms", 16.0), "zooming p99": ("ms", 16.0)},
    "open": {"opened": ("s", 0.5), "resident": ("MB", 300.0), "most resident": ("MB", 300.0)},
    "start": {"first paint": ("s", 1.0), "home": ("s", 1.5), "runs page": ("s", 0.5)},
    "days": {
        "steps lost": ("", 0.0),
        "resident": ("MB", 300.0),
        "growth beyond the figures": ("MB", 10.0),
    },
}


def main() -> int:
    """Measure the parts and hold each against its target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--one", choices=list(PARTS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if args.one:
        share_memory()
        print(json.dumps(PARTS[args.one]()))
        return 0
    missed = False
    for part in args.parts:
        done = subprocess.run(
            [sys.executable, __file__, "--one", part], stdout=subprocess.PIPE, text=True, check=True
        )
        found: Figures = json.loads(done.stdout.splitlines()[-1])
        for name, value in found.items():
            unit, target = TARGETS[part].get(name, ("", np.inf))
            over = value > target
            missed |= over
            words = "" if target == np.inf else f"target {target:g}{' MISSED' if over else ''}"
            print(f"{part:7} {name:28} {value:12,.2f} {unit:3} {words}", flush=True)
    return 1 if missed else 0


# --- the parts -----------------------------------------------------------------------------------


def measure_frames() -> Figures:
    """Turns of the event loop with sixteen series of a million steps."""
    from PySide6.QtCore import QTimer
    from window_frames import Board, Hand, live
    from window_runs import step_rows

    from studio.runs.series import StepSeries
    from studio.theme import theme

    app = _app()
    theme().install(app)
    table = StepSeries()
    for first in range(1, STEPS + 1, 100_000):
        table.append(step_rows(first, 100_000))
    board = Board(table)
    board.resize(1440, 900)
    board.show()
    board.sync()
    live(1.0)
    timer = QTimer()

    def append() -> None:  # what a poll four times a second brings at 20 steps a second
        table.append(step_rows(table.n + 1, 5))
        board.sync()

    timer.timeout.connect(append)
    timer.start(250)
    found: Figures = {}
    found |= _turns("following", LIVE_S, Hand(board.charts, zooms=False))
    board.link.show_range(400_000, 600_000)
    live(0.5)
    found |= _turns("zoomed", LIVE_S, Hand(board.charts, zooms=False))
    found |= _turns("zooming", LIVE_S, Hand(board.charts, zooms=True))
    found["steps at the end"] = len(board.feeds[0].timeline)
    return found


def measure_page() -> Figures:
    """The same in the whole studio, with a run folder that another process extends."""
    from window_frames import Hand, live

    with _home() as home:
        run_id, folder = _add_run(home, STEPS, 2 * STEPS)
        writer = _writer(folder, STEPS, STEPS + 100_000, 20.0)
        try:
            with _studio(home) as studio:
                view, _ = _open_run(studio, run_id)
                charts = view.charts.charts
                live(1.0)
                found = _turns("following", LIVE_S, Hand(charts, zooms=False))
                found |= _turns("zooming", LIVE_S, Hand(charts, zooms=True))
                found["steps taken in"] = view.model.step - STEPS
        finally:
            writer.kill()
            writer.wait()
    return found


def measure_open() -> Figures:
    """From the click on a run until all its charts are drawn; memory, and the most it ever took."""
    from window_frames import live

    with _home() as home:
        run_id, _ = _add_run(home, STEPS, STEPS)
        with _studio(home) as studio:
            before = _resident_mb()
            _, opened_s = _open_run(studio, run_id)
            live(1.0)
            return {
                "opened": opened_s,
                "resident before": before,
                "resident": _resident_mb(),
                "most resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
            }


def measure_start() -> Figures:
    """The start with a large library: medians of five."""
    from window_frames import live_until

    with _home() as home:
        _fill_library(home)
        reports = []
        for _ in range(6):
            command = [sys.executable, "-m", "studio", "--home", str(home)]
            done = subprocess.run(
                [*command, "--report", "--quit-after-paint"],
                capture_output=True,
                text=True,
                check=True,
                cwd=HERE.parents[1],
            )
            reports.append(json.loads(done.stdout))
        found = {
            "first paint": statistics.median(each["first_paint_s"] for each in reports[1:]),
            "home": statistics.median(each["page_shown_s"] for each in reports[1:]),
            "resident": statistics.median(each["rss_mb"] for each in reports[1:]),
        }
        with _studio(home) as studio:
            began = time.perf_counter()
            studio.window.navigate("runs", "all")
            live_until(lambda: _runs_listed(studio) >= RUNS, 60)
            found["runs page"] = time.perf_counter() - began
        return found


def measure_days() -> Figures:
    """Two days of training played in about a minute, with the page open."""
    from window_frames import live, live_until

    from trainer_core.metrics import read_rows
    from trainer_core.status import STEPS_FILE

    with _home() as home:
        run_id, folder = _add_run(home, 1_000, DAYS_STEPS)
        writer = _writer(folder, 1_000, DAYS_STEPS, 0.0)
        with _studio(home) as studio:
            view, _ = _open_run(studio, run_id)
            grown: list[tuple[int, float]] = []

            def look() -> bool:
                held = _held_mb(view)
                grown.append((view.model.step, _resident_mb() - held))
                return view.model.step >= DAYS_STEPS

            live_until(look, 300)
            live(2.0)
            writer.wait()
            resident = _resident_mb()
            rows = read_rows(folder / STEPS_FILE)
            lost = _differences(view.model.steps, rows)
            lost += _differences(view.charts.steps, rows)
            settled = [each for step, each in grown if step > DAYS_STEPS // 4]
            tenth = max(len(settled) // 10, 1)
            return {
                "steps": view.model.step,
                "steps lost": lost,
                "validations": len(view.model.validations),
                "held by figures": _held_mb(view),
                "resident": resident,
                "growth beyond the figures": statistics.median(settled[-tenth:])
                - statistics.median(settled[:tenth]),
            }


PARTS: dict[str, Callable[[], Figures]] = {
    "frames": measure_frames,
    "page": measure_page,
    "open": measure_open,
    "start": measure_start,
    "days": measure_days,
}


# --- what they share -----------------------------------------------------------------------------


def _app():
    from PySide6.QtWidgets import QApplication

    return QApplication.instance() or QApplication([])


def _turns(name: str, seconds: float, hand) -> Figures:
    from window_frames import FrameMeter, live, percentiles_ms

    meter = FrameMeter()
    live(seconds)
    spans = meter.stop()
    hand.rest()
    return {f"{name} {key}": value for key, value in percentiles_ms(spans).items()}


@contextmanager
def _home():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _add_run(home: Path, steps: int, total: int) -> tuple[int, Path]:
    """A run of so many steps; made by another process, so that its memory is not counted."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as others:
        return others.submit(_make_run, home, steps, total).result()


def _make_run(home: Path, steps: int, total: int) -> tuple[int, Path]:
    from window_runs import write_run

    from studio.storage.library import Library
    from studio.storage.rows import RunFacts

    library = Library.open(home)
    project = library.add_project("Long runs")
    row = library.add_run(project.id, "two-days")
    library.remember_run(row.id, RunFacts(state="paused", step=steps, total_steps=total))
    library.close()
    write_run(row.folder, steps, total)
    return row.id, row.folder


def _fill_library(home: Path) -> None:
    from studio.storage.library import Library
    from studio.storage.rows import RunFacts

    library = Library.open(home)
    for number in range(PROJECTS):
        project = library.add_project(f"Project {number:03}")
        for place in range(RUNS // PROJECTS):
            run = library.add_run(project.id, f"run-{number:03}-{place}")
            facts = RunFacts(
                state="finished",
                step=10_000 + place,
                total_steps=10_000 + place,
                best_loss=3.0 + place / 100,
                started_s=1_763_157_240.0 + number,
            )
            library.remember_run(run.id, facts)
    library.close()


def _writer(folder: Path, first: int, last: int, pace: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "window_runs.py"), str(folder), str(first), str(last)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    return subprocess.Popen([*command, str(pace)], env=environment)


@contextmanager
def _studio(home: Path):
    from window_frames import live, live_until

    from studio.app import Studio

    studio = Studio(_app(), home)
    studio.window.resize(1440, 900)
    studio.start()
    live_until(lambda: studio.context is not None, 30)
    live(1.0)
    try:
        yield studio
    finally:
        studio.window.close()
        studio.close()


def _open_run(studio, run_id: int):
    """The run's view, and seconds until all its charts were drawn with everything on disk."""
    from window_frames import live_until

    began = time.perf_counter()
    studio.window.navigate("run", run_id)

    def drawn() -> bool:
        view = getattr(studio.window.page("run"), "view", None)
        return bool(view and view.model.caught_up and view.model.step and view.charts.queue.idle)

    live_until(drawn, 60)
    return studio.window.page("run").view, time.perf_counter() - began


def _runs_listed(studio) -> int:
    from PySide6.QtWidgets import QTableView

    tables = studio.window.page("runs").findChildren(QTableView)
    return max((table.model().rowCount() for table in tables if table.model()), default=0)


def _resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def _held_mb(view) -> float:
    """What the run's own figures take as they come in: they are what is kept, so they may grow."""
    model, charts = view.model, view.charts
    held = model.steps.n * (3 * 8 + 6 * 4) + model.system.n * (2 * 8 + 9 * 4)
    for line in [*charts.steps.lines.values(), *charts.system.lines.values()]:
        values = len(line.pyramid)
        held += values * 4 + 2 * values * 4 / 7 + 2 * values  # extremes of 8, 64, …; sums of 8
    held += len(charts.system.timeline) * 3 * 8
    return held / 1e6


def _differences(held, rows) -> int:
    """Steps of a file that are not held as they stand there."""
    if hasattr(held, "timeline"):
        names = {name: line.pyramid.values for name, line in held.lines.items()}
    else:
        names = {name: held.column(name) for name in rows.dtype.names}
    wrong = np.zeros(len(rows), bool)
    for name, column in names.items():
        short = len(column) != len(rows)
        equal = np.array_equal(column, rows[name].astype(column.dtype), equal_nan=True)
        if short:
            return abs(len(column) - len(rows))
        if not equal:
            wrong |= column != rows[name].astype(column.dtype)
    return int(wrong.sum())


if __name__ == "__main__":
    sys.exit(main())
