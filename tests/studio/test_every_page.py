"""Every page in a window of the least size: nothing nameless, nothing cut off, all by keyboard."""

from __future__ import annotations

import dataclasses

import pytest
from job_folders import FakeJob, dead_pid
from page_for_tests import add_read_dataset, open_studio, write_texts
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QScrollBar,
    QWidget,
)
from synthetic_runs import records_for, step_rows, train_spec

from studio import window as window_module
from studio.pages.compare.import_facts import facts_of_folder
from studio.pages.data.batches.target import BatchesTarget
from studio.pages.data.lab.target import LabTarget
from studio.widgets.choices import Segmented
from studio.widgets.label import Label
from studio.widgets.table import TableView
from studio.widgets.table_paint import text_room
from studio.window import MainWindow
from trainer_core.records import Ended
from trainer_core.spec import InspectSpec

SIZE = (1180, 720)
LONG = "a run with a name that is much longer than the column that it stands in"
PAGES = (
    "home",
    "runs",
    "run",
    "data",
    "add",
    "batches",
    "lab",
    "variants",
    "group",
    "playground",
    "compare",
    "settings",
    "wizard",
)


@dataclasses.dataclass
class Home:
    """A window on a home that has something of everything."""

    window: MainWindow
    run_ids: list[int]
    group_id: int
    dataset: object

    def target(self, page):
        if page in ("run", "variants"):
            return page, self.run_ids[0]
        if page == "group":
            return "group", self.group_id
        if page == "compare":
            return "compare", self.run_ids
        if page == "add":
            return "data", "add"
        if page == "runs":
            return "runs", "all"
        if page == "batches":
            spec = InspectSpec(corpus=str(self.dataset.corpus_folder))
            return "batches", BatchesTarget(spec, self.dataset.name)
        if page == "lab":
            return "lab", LabTarget(self.dataset.id)
        return page, None


def add_run(library, project, name, *, index=True, level=0.0, steps=300, group=None):
    row = library.add_run(project.id, name, group_id=group)
    spec = train_spec(steps, index=index, every=30)
    job = FakeJob(row.folder, spec)
    job.begin(1_763_000_000.0, dead_pid())
    rows = step_rows(1, steps, index=index, level=level)
    job.write(*records_for(rows, spec, gain=0.1 if index else 0.0)[1:])
    job.write(Ended(time_s=1_763_000_100.0, state="finished", exit_code=0, step=steps))
    job.steps.append(rows)
    job.close()
    library.remember_run(row.id, facts_of_folder(row.folder))
    return row.id


@pytest.fixture(scope="module")
def home(qapp, tmp_path_factory):
    folder = tmp_path_factory.mktemp("every-page")
    with open_studio(qapp, folder / "home") as (context, _seen):
        library = context.library
        project = library.add_project("Bees and how they keep warm in the winter")
        runs = [add_run(library, project, LONG), add_run(library, project, "plain", index=False)]
        group = library.add_group(project.id, "seeds of bees", "seeds", {"seed": (1, 2)}).id
        for number in (1, 2):
            add_run(library, project, f"seed-{number}", level=number / 10, group=group)
        dataset = add_read_dataset(library, write_texts(folder / "texts"))
        settings = QSettings(str(folder / "w.ini"), QSettings.Format.IniFormat)
        window = MainWindow(settings)
        window.set_context(dataclasses.replace(context, navigate=window.navigate))
        window.setMinimumSize(400, 300)
        window.resize(*SIZE)
        window.show()
        window.activateWindow()
        yield Home(window, runs, group, dataset)
        window.close()
        window.deleteLater()
        qapp.processEvents()


def shown(qtbot, home, page):
    """Open a page and wait until it has come to rest."""
    home.window.navigate(*home.target(page))
    qtbot.wait(400)
    return home.window


def controls(window):
    kinds = (
        QAbstractButton,
        QAbstractItemView,
        QAbstractSlider,
        QComboBox,
        QLineEdit,
        QPlainTextEdit,
        Segmented,
    )
    for widget in window.findChildren(QWidget):
        if widget.isVisible() and not isinstance(widget, QScrollBar):
            focusable = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
            if isinstance(widget, kinds) or focusable:
                yield widget


def name_of(widget):
    text = getattr(widget, "text", None)
    return widget.accessibleName() or (text() if callable(text) else "")


def path_of(widget):
    names = []
    while widget is not None:
        names.append(type(widget).__name__)
        widget = widget.parentWidget()
    return " < ".join(names[:5])


@pytest.mark.parametrize("page", PAGES)
def test_all_of_a_page_is_named_whole_and_reached_by_tab(qtbot, home, page):
    look_over(qtbot, shown(qtbot, home, page))


def test_every_page_of_the_window_is_looked_over():
    assert set(window_module.PAGES) <= {*PAGES}


def test_so_is_every_step_of_a_new_run(qtbot, home):
    window = shown(qtbot, home, "wizard")
    wizard, seen = window.page("wizard"), set()
    for _ in range(8):
        look_over(qtbot, window)
        seen.add(wizard.current_step)
        wizard.go_on()
        qtbot.wait(300)
    assert len(seen) >= 6


def look_over(qtbot, window):
    """Fail with everything that is wrong in what the window shows once it has come to rest."""
    for _ in range(50):  # a busy computer takes a while to lay a page out
        found = problems(window)
        if not any(found.values()):
            return
        qtbot.wait(200)
    assert not any(found.values()), "\n".join(
        f"{what}: {each}" for what, all_of in found.items() for each in all_of
    )


def problems(window):
    return {
        "nameless": [path_of(each) for each in controls(window) if not name_of(each).strip()],
        "cut off": cut_off(window),
        "missed by Tab": missed_by_tab(window),
    }


def cut_off(window):
    """Texts that are squeezed, or that run out of what they are seen through."""
    cut = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or widget.visibleRegion().isEmpty():
            continue
        where = f"{name_of(widget)!r} {path_of(widget)}"
        needed = 0
        if isinstance(widget, Label) and not widget._elide and not widget._wrap:
            needed = widget.sizeHint().width()
        elif isinstance(widget, QAbstractButton | Segmented | QComboBox):
            needed = widget.minimumSizeHint().width()
        if widget.width() < needed:
            cut.append(f"squeezed: {where}")
        if isinstance(widget, QAbstractButton | Segmented | QComboBox | Label | QLineEdit):
            right = widget.mapTo(window, widget.rect().topRight()).x()
            if right > edge_of(widget, window):
                cut.append(f"runs out: {where}")
        if isinstance(widget, TableView):
            cut += cut_figures(widget)
    return cut


def cut_figures(view):
    """Figures in a table that are elided: words may be, numbers never."""
    model = view.model()
    return [
        f"elided: {cell.text!r} in {column.title!r} {path_of(view)}"
        for at, column in enumerate(model.columns)
        for row in range(model.rowCount())
        if (cell := model.cell(model.index(row, at))).text
        and (cell.style or column.style) in ("mono", "mono_muted")
        and not view.isColumnHidden(at)
        and (room := text_room(cell, column, view.columnWidth(at)))[0] > room[1] + 1
    ]


def edge_of(widget, window):
    """The right edge of what the widget is seen through."""
    parent = widget.parentWidget()
    edge = window.width()
    while parent is not None and parent is not window:
        if isinstance(parent, QScrollArea):
            viewport = parent.viewport()
            edge = min(edge, viewport.mapTo(window, viewport.rect().topRight()).x())
        parent = parent.parentWidget()
    return edge


def missed_by_tab(window):
    """Controls that Tab does not come to."""
    wanted = {
        widget
        for widget in controls(window)
        if widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    }
    reached = set()
    for _ in range(3 * len(wanted) + 20):
        reached.add(window.focusWidget())
        window.focusNextChild()
    return [f"{name_of(each)!r} {path_of(each)}" for each in wanted - reached]
