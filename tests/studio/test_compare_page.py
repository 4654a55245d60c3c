from __future__ import annotations

import msgspec
import pytest
from job_folders import FakeJob, dead_pid
from page_for_tests import open_studio
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from synthetic_runs import records_for, step_rows, train_spec

from studio.pages.compare.page import SETTING, ComparePage
from trainer_core.records import Ended


@pytest.fixture
def studio(qapp, private_home):
    with open_studio(qapp, private_home) as opened:
        yield opened


def add_run(context, name, *, index=True, level=0.0, corpus="data/bees/corpus"):
    projects = context.library.projects()
    project = projects[0] if projects else context.library.add_project("Bees")
    row = context.library.add_run(project.id, name)
    spec = msgspec.structs.replace(train_spec(300, index=index, every=30), corpus=corpus)
    job = FakeJob(row.folder, spec)
    job.begin(1_763_000_000.0, dead_pid())
    rows = step_rows(1, 300, index=index, level=level)
    job.write(*records_for(rows, spec, gain=0.1 if index else 0.0)[1:])
    job.write(Ended(time_s=1_763_000_100.0, state="finished", exit_code=0, step=300))
    job.steps.append(rows)
    job.close()
    return row


def open_page(qtbot, studio, target=None, runs=0):
    page = ComparePage(studio[0])
    page.navigate_requested.connect(lambda *place: studio[1].places.append(place))
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open(target)
    page.shown()
    qtbot.waitUntil(lambda: len(page._runs) == runs and page._remembered)
    return page


def test_without_runs_there_is_one_sentence_and_one_button(qtbot, studio):
    page = open_page(qtbot, studio)
    assert page.empty.isVisible() and not page.body.isVisible()


def test_runs_are_drawn_against_the_plain_one(qtbot, studio):
    plain = add_run(studio[0], "plain-4m", index=False, level=0.3)
    index = add_run(studio[0], "index-4m")
    page = open_page(qtbot, studio, [index.id, plain.id], runs=2)
    assert page.base.row.id == plain.id
    assert page.settings.compared_to.text() == "compared to plain-4m"
    page.chart.link.pin(150 * 4096)
    box = page.chart.canvas._cross(page.chart.canvas.frame()).box
    assert box.title.endswith("tokens") and box.change_title == "to plain"
    assert [row.name for row in box.rows] == ["index", "plain"]
    assert box.rows[0].change.startswith("-") and box.rows[1].change == ""
    assert len(page.gains.bars._gains.rows) == 7
    assert not page.grab().isNull()
    assert not studio[1].errors


def test_a_right_click_chooses_the_base_and_it_is_remembered(qtbot, studio):
    plain = add_run(studio[0], "plain-4m", index=False, level=0.3)
    index = add_run(studio[0], "index-4m")
    page = open_page(qtbot, studio, [index.id, plain.id], runs=2)
    page.chips.chips[0].base_wanted.emit()
    assert page.base.row.id == index.id
    qtbot.waitUntil(
        lambda: studio[0].library.setting(SETTING, [0]) == [index.id, index.id, plain.id]
    )
    again = open_page(qtbot, studio, None, runs=2)
    assert again.base.row.id == index.id
    only = open_page(qtbot, studio, (plain.id,), runs=1)
    assert [run.row.id for run in only._runs] == [plain.id]


def test_a_run_is_added_and_left_out(qtbot, studio):
    first, second = add_run(studio[0], "a"), add_run(studio[0], "b", level=0.1)
    page = open_page(qtbot, studio, [first.id], runs=1)
    assert page.gains._reason.isVisible()
    page.open(second.id)
    qtbot.waitUntil(lambda: len(page._runs) == 2)
    chip = page.chips.chips[0]
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton, pos=chip.rect().center())
    assert len(page._runs) == 2
    cross = chip.rect().center()
    cross.setX(chip.width() - 12)
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton, pos=cross)
    qtbot.waitUntil(lambda: [run.row.id for run in page._runs] == [second.id])


def test_never_more_than_six(qtbot, studio):
    rows = [add_run(studio[0], f"run-{i}", level=i / 10) for i in range(7)]
    page = open_page(qtbot, studio, [row.id for row in rows], runs=6)
    assert not page.chips.add.isVisible()
    assert len({run.slot for run in page._lines}) == 6


def test_different_tokenizers_show_bits_per_byte_only(qtbot, studio):
    first = add_run(studio[0], "bees")
    second = add_run(studio[0], "wasps", corpus="data/wasps/corpus")
    page = open_page(qtbot, studio, [first.id, second.id], runs=2)
    assert page.chart.title == "Bits per byte" and not page.chart.bits.isEnabled()
    assert "different tokenizers" in page._foot.text()


def test_the_axis_and_the_toggle_change_what_is_shown(qtbot, studio):
    plain = add_run(studio[0], "plain-4m", index=False)
    index = add_run(studio[0], "index-4m")
    page = open_page(qtbot, studio, [plain.id, index.id], runs=2)
    page.chart.mode._choose(2)
    assert page.chart.content.x_title == "training time"
    page.chart.canvas.redraw()
    assert page.chart.canvas.frame().x.high == pytest.approx(60, rel=0.05)
    before = len(page.settings.table.model.columns)
    page.settings.only.setChecked(False)
    assert len(page.settings.table.model.columns) > before
    page.settings.table.row_activated.emit(plain.id)
    assert page._other_id == plain.id


def test_a_run_whose_folder_is_gone_says_so(qtbot, studio):
    row = studio[0].library.add_run(studio[0].library.add_project("Bees").id, "gone")
    page = open_page(qtbot, studio, [row.id], runs=1)
    assert "gone:" in page._foot.text()


def test_the_comparison_becomes_a_picture(qtbot, studio, tmp_path):
    first, second = add_run(studio[0], "a"), add_run(studio[0], "b", level=0.1)
    page = open_page(qtbot, studio, [first.id, second.id], runs=2)
    page.files.write("png", tmp_path / "c.png")
    page.files.write("svg", tmp_path / "c.svg")
    qtbot.waitUntil(lambda: (tmp_path / "c.svg").exists() and (tmp_path / "c.png").exists())
    assert QImage(str(tmp_path / "c.png")).width() > 2000


def test_keys_of_the_page(qtbot, studio):
    first, second = add_run(studio[0], "a"), add_run(studio[0], "b", level=0.1)
    page = open_page(qtbot, studio, [first.id, second.id], runs=2)
    qtbot.keyClick(page.chart.canvas, Qt.Key.Key_L)
    assert page.chart.link.log and page.chart.log_x.isChecked()
    qtbot.keyClick(page.chart.canvas, Qt.Key.Key_L)
    qtbot.keyClick(page.chart.canvas, Qt.Key.Key_Plus)
    assert page.chart.link.zoomed
    qtbot.keyClick(page.chart.canvas, Qt.Key.Key_0)
    assert not page.chart.link.zoomed
    qtbot.keyClick(page.chart.canvas, Qt.Key.Key_Right)
    assert page.chart.link.pinned
    spoken = page.chart.canvas.accessibleDescription()
    assert "tokens" not in spoken and spoken.count(",") >= 1 and "a " in spoken
    qtbot.keyClick(page.chart.canvas, Qt.Key.Key_Escape)
    assert not page.chart.link.pinned
    chip = page.chips.chips[1]
    chip.setFocus()
    qtbot.keyClick(chip, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: [run.row.id for run in page._runs] == [first.id])
