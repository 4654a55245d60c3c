"""How quickly a library of 200 projects and 2,000 runs opens, lists, finds and changes.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/library.py

Times are medians of several tries, in milliseconds; the page's are from the click to the paint.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "studio"))

PROJECTS, RUNS, TRIES = 200, 2_000, 9
_INSERT = (
    "INSERT INTO run (project_id, dataset_id, name, folder, color_slot, created_s, archived, tags,"
    " starred, state, step, total_steps, tokens_seen, total_tokens, elapsed_s, val_loss, best_loss,"
    " started_s, sparkline, kind, problem) VALUES (?, 1, ?, ?, ?, ?, 0, ?, ?, 'finished', 9, 9, 9,"
    " 9, 60.0, ?, ?, ?, ?, 'train', '')"
)


def fill(home: Path) -> None:
    """Make a home with that many projects and runs, each run with a folder."""
    from studio.storage.library import Library

    choose = random.Random(1)
    with Library.open(home) as library:
        for number in range(PROJECTS):
            library.add_project(f"Project {number}")
        library.add_dataset("Slice")
    rows = []
    for number in range(RUNS):
        (home / "runs" / f"r{number}").mkdir(parents=True)
        tags = choose.sample(["baseline", "seed", "paper"], choose.randrange(3))
        line = np.linspace(9, 3, 64, dtype="<f4").tobytes()
        rows.append(
            (
                number * PROJECTS // RUNS + 1,
                f"run-{number}",
                f"runs/r{number}",
                number % 6,
                1.7e9 + number,
                json.dumps(tags),
                number % 10 == 0,
                3 + choose.random(),
                3 + choose.random(),
                1.7e9 + number,
                line,
            )
        )
    with sqlite3.connect(home / "hearth.db") as raw:
        raw.executemany(_INSERT, rows)


def median_ms(act: Callable[[], object]) -> float:
    """How long something takes."""
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 1)


def storage_figures(home: Path) -> dict[str, float]:
    """The library without a window."""
    from studio.pages.runs.reading import read_catalogue
    from studio.storage.library import Library

    figures = {"open": median_ms(lambda: Library.open(home).close())}
    with Library.open(home) as library:
        ids = [run.id for run in library.runs()[:100]]
        figures["runs"] = median_ms(lambda: library.runs(archived=True))
        figures["catalogue"] = median_ms(lambda: read_catalogue(library))
        figures["search"] = median_ms(lambda: library.search("run 19"))
        figures["tag 100 runs"] = median_ms(
            lambda: library.put_back_runs(library.tag_runs(ids, add=["new"]))
        )

        def there_and_back() -> None:
            library.trash_runs(ids[:10])
            library.restore_runs(ids[:10])

        figures["trash 10 runs and restore them"] = median_ms(there_and_back)
    return figures


def page_figures(home: Path) -> dict[str, float]:
    """The pages, made once and opened again and again."""
    from page_for_tests import open_studio
    from PySide6.QtWidgets import QApplication

    from studio.pages.home.page import HomePage
    from studio.pages.runs.page import RunsPage

    app = QApplication.instance() or QApplication([])
    figures = {}
    with open_studio(app, home) as (context, _seen):

        def until(done: Callable[[], object]) -> None:
            while not done():
                app.processEvents()
                time.sleep(0.0005)

        runs, front = RunsPage(context), HomePage(context)
        for page in (runs, front):
            page.resize(1240, 840)
            page.show()

        def open_runs() -> None:
            runs._loaded = False
            runs.open("all")
            runs.shown()
            until(lambda: runs._loaded)
            runs.repaint()

        def open_home() -> None:
            front._shelf = None
            front.shown()
            until(lambda: front._shelf is not None)
            front.repaint()

        figures["runs page"] = median_ms(open_runs)
        figures["home page"] = median_ms(open_home)
        figures["filter by a word"] = median_ms(
            lambda: (runs.list.filters.search.setText("run-19"), runs.list.filters.search.clear())
        )
        figures["sort by loss"] = median_ms(lambda: runs.list.table.sort_by("val_loss"))
        front.hidden()
        runs.hidden()
    return figures


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        fill(home)
        print(json.dumps(storage_figures(home) | page_figures(home), indent=1))


if __name__ == "__main__":
    main()
