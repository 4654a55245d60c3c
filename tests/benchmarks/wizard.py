"""How long a change takes in the wizard until the whole plan is in step and painted.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/wizard.py

A real studio context over a small dataset; 40 changes of the budget on each step, in ms. The Plan
panel has 100 ms.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "studio"))

from page_for_tests import add_read_dataset, open_studio, write_texts
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from studio.pages.wizard.page import WizardPage
from studio.pages.wizard.target import WizardTarget

CHANGES = 40


def wait(milliseconds: int) -> None:
    """Let the page live."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def main() -> int:
    """Measure all steps."""
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with open_studio(app, home) as (context, _):
            dataset = add_read_dataset(context.library, write_texts(Path(folder) / "texts", 120))
            page = WizardPage(context)
            page.resize(1240, 900)
            page.show()
            page.open(WizardTarget(dataset_id=dataset.id))
            page.shown()
            while page.stack.currentIndex() == 0:
                wait(50)
            page._on_draft_changed(page._draft.with_setting("model.context_length", 16))
            if page._plan.spec is None:
                raise RuntimeError(page._plan.obstacle)
            print(f"{'step':14}{'in step: median':>17}{'worst':>8}{'with paint: median':>20}")
            for step in page.steps:
                measure(page, step.name)
                page.go_on() if step is not page.steps[-1] else None
            page.close()
    return 0


def measure(page: WizardPage, name: str) -> None:
    """One step."""
    shown, painted = [], []
    for number in range(CHANGES):
        draft = page._draft.with_tokens(20_000.0 + 500 * number)
        start = time.perf_counter()
        page._on_draft_changed(draft)
        shown.append((time.perf_counter() - start) * 1000)
        page.grab()
        painted.append((time.perf_counter() - start) * 1000)
        if number % 10 == 9:
            wait(20)
    median = statistics.median
    print(f"{name:14}{median(shown):14.1f} ms{max(shown):6.1f} {median(painted):17.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
