"""Takes the README's pictures: the real studio on a real tour, each page in both themes.

Run it with the project's own environment; without a screen Qt's offscreen platform draws the same:

    QT_QPA_PLATFORM=offscreen .venv/bin/python packaging/screenshots.py

The tour (about three minutes) is taken into a home of its own, unless `--home` names one that has a
finished tour already.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from studio.app import Studio
from studio.pages.data.adding.cleaning_form import CleaningForm
from studio.pages.data.adding.flow import AddFlow
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.data.lab.page import LabPage
from studio.pages.data.lab.target import LabTarget
from studio.pages.data.request import AddForm
from studio.pages.playground.page import PlaygroundPage
from studio.pages.wizard.batch_table import BatchCard
from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.target import WizardTarget
from studio.runs.tour import find_tour, new_tour, register_tour
from studio.storage.library import Library
from studio.theme import Mode, theme
from trainer_core.spec import DataConfig, InspectSpec
from trainer_core.status import read_status

ROOT = Path(__file__).resolve().parent.parent
SIZE = (1440, 900)
PROMPT = "def read_json(path):\n"
SETTLE_MS = 1500
MODES: tuple[Mode, ...] = ("dark", "light")


@dataclass(frozen=True)
class Shot:
    """One picture: where to go, and what to do there before it is taken."""

    name: str
    page: str
    target: object = None
    prepare: Callable[[Studio], None] = lambda studio: None
    settle_ms: int = SETTLE_MS


def take_the_tour(home: Path, minutes: float) -> Path:
    """A finished tour in this home.

    Raises:
        subprocess.CalledProcessError: The tour failed.
    """
    Library.open(home).close()  # a home without a library would take the tour for lost runs
    folder = find_tour(home) or new_tour(home)
    if read_status(folder).state != "finished":
        command = [sys.executable, "-m", "trainer_core", "tour", str(folder)]
        subprocess.run([*command, "--minutes", str(minutes)], check=True)
    return folder


def wait(milliseconds: int) -> None:
    """Let the studio live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Let the studio live until something holds.

    Raises:
        TimeoutError: It did not come to hold.
    """
    for _ in range(int(seconds * 20)):
        if condition():
            return
        wait(50)
    raise TimeoutError("the studio did not get there")


def write_text(studio: Studio) -> None:
    """Let the playground write, and pin a word that the training text had before."""
    page = studio.window.page("playground")
    if not isinstance(page, PlaygroundPage):
        raise TypeError("the playground is not open")
    page.prompt.set_text(PROMPT)
    page.writer.generate()
    wait_until(lambda: len(page.writer.tokens) > 0 and not page.writer.busy, 120)
    written = page.writer.tokens

    def backed(token: int) -> int:
        return written[token].match_length if written[token].followed else 0

    longest = max(range(len(written) // 2 + 1), key=backed)
    page.output.text.set_pinned(longest)
    page.output.text.show_token(longest)


def look_at_the_text(studio: Studio) -> None:
    """Go on to the preview of the Python library, with a cleaning step switched on."""
    flow = studio.window.findChild(AddFlow)
    if not isinstance(flow, AddFlow):
        raise TypeError("no data is being added")
    flow.go_on()
    wait_until(lambda: flow.preview.preview is not None, 60)


def compare_tokenizers(studio: Studio) -> None:
    """Compare the tokenizers that the lab proposes."""
    page = studio.window.page("lab")
    if not isinstance(page, LabPage):
        raise TypeError("the tokenizer lab is not open")
    page.setup.started.emit()
    wait_until(lambda: page.stack.currentWidget() is page.results, 120)


def to_the_budget(studio: Studio) -> None:
    """Go on in the wizard to the step that has most to show."""
    page = studio.window.page("wizard")
    if not isinstance(page, WizardPage):
        raise TypeError("the wizard is not open")
    for _ in range(5):
        page.go_on()
        wait(300)
    measure = page.findChild(BatchCard).measure
    if measure.text() == "Measure":  # else the first theme's picture has measured already
        measure.click()
        wait_until(lambda: measure.isVisible() and measure.text() == "Measure again", 240)


def shots(library_home: Path) -> Iterator[Shot]:
    """Every page, with what the tour left."""
    library = Library.open(library_home)
    runs = {run.name: run.id for run in library.runs()}
    row = library.datasets()[0]
    dataset = row.id
    library.close()
    batches = InspectSpec(
        corpus=str(row.corpus_folder),
        index=str(row.index_path or ""),
        data=DataConfig(packing="best_fit"),
    )
    with_index = runs["with-index"]
    yield Shot("home", "home")
    yield Shot("run", "run", with_index)
    yield Shot("data", "data", dataset)
    cleaning = CleaningForm(repair_unicode=True, whitespace=True, near_duplicates="report")
    yield Shot("add-data", "data", AddForm(cleaning=cleaning), look_at_the_text)
    yield Shot("batches", "batches", BatchesTarget(batches, row.name), settle_ms=3000)
    yield Shot("lab", "lab", LabTarget(dataset), compare_tokenizers)
    yield Shot("compare", "compare", tuple(runs.values()))
    yield Shot("playground", "playground", with_index, write_text, 2500)
    yield Shot("wizard", "wizard", WizardTarget(dataset_id=dataset), to_the_budget)
    yield Shot("runs", "runs")
    yield Shot("settings", "settings")


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--home", type=Path, help="a data home with or without a tour")
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "screenshots")
    parser.add_argument("--minutes", type=float, default=3.0, help="time for the tour")
    parser.add_argument("--only", help="take only the pictures with this name")
    args = parser.parse_args()
    home = args.home or Path(tempfile.mkdtemp(prefix="hearth-screenshots-"))
    folder = take_the_tour(home, args.minutes)
    library = Library.open(home)
    register_tour(library, folder, read_status(folder).children)
    library.close()
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = [shot for shot in shots(home) if args.only in (None, shot.name)]

    app = QApplication(sys.argv[:1])
    studio = Studio(app, home)
    studio.window.resize(*SIZE)
    studio.start()
    wait_until(lambda: studio.window.current_page != "", 20)
    for shot in wanted:
        studio.window.navigate(shot.page, shot.target)
        wait(SETTLE_MS)
        shot.prepare(studio)
        for mode in MODES:
            theme().set_mode(mode)
            wait(shot.settle_ms)
            path = args.out / f"{shot.name}-{mode}.png"
            studio.window.grab().save(str(path))
            print(path)
    studio.window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
