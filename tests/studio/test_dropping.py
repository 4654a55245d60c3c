"""Files and folders that are dropped on the window."""

from __future__ import annotations

import pytest
from job_folders import FakeJob
from page_for_tests import open_studio
from PySide6.QtCore import QMimeData, QPoint, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from synthetic_runs import train_spec

from studio.dropping import land
from studio.pages.compare.target import ImportLog
from studio.pages.data.request import AddPaths
from studio.pages.wizard.target import WizardTarget
from studio.storage.library import Library
from studio.window import MainWindow
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.spec import ExportSpec, PrepareSpec, TextFiles

LOG = "".join(f"iter {i}: loss {4 - i / 10}, time 10.00ms\n" for i in range(9))


@pytest.fixture
def library(private_home):
    opened = Library.open(private_home)
    yield opened
    opened.close()


def make_run(folder):
    job = FakeJob(folder, train_spec(300))
    job.close()
    checkpoint = folder / "checkpoints" / "step-00000200"
    checkpoint.mkdir(parents=True)
    (checkpoint / "manifest.json").write_text("{}")
    return checkpoint


def test_a_checkpoint_leads_to_its_run(library):
    row = library.add_run(library.add_project("Bees").id, "index")
    checkpoint = make_run(row.folder)
    for path in (checkpoint, checkpoint / "manifest.json", row.folder, row.folder / "spec.toml"):
        found = land([path], library)
        assert (found.page, found.target) == ("run", row.id)


def test_a_run_that_nobody_knows_is_taken_up(library, tmp_path):
    checkpoint = make_run(tmp_path / "old-run")
    found = land([checkpoint], library)
    assert found.page == "run"
    row = library.run(found.target)
    assert row.folder == tmp_path / "old-run" and row.name == "old-run"
    assert land([checkpoint], library).target == row.id


def test_an_exported_folder_leads_to_its_run(library, private_home):
    row = library.add_run(library.add_project("Bees").id, "index")
    destination = private_home / "exports" / "index-step-5"
    destination.mkdir(parents=True)
    job = private_home / "exports" / "jobs" / "index-step-5"
    job.mkdir(parents=True)
    spec = ExportSpec(run=str(row.folder), destination=str(destination))
    (job / "spec.toml").write_text(specs.to_toml(spec))
    assert land([destination], library).target == row.id


def test_settings_go_where_they_belong(library, tmp_path):
    train = tmp_path / "mine.toml"
    train.write_text(specs.to_toml(train_spec(300)))
    assert land([train], library).target == WizardTarget(toml=train)
    prepare = tmp_path / "data.toml"
    prepare.write_text(specs.to_toml(PrepareSpec(source=TextFiles(paths=("a.txt",)))))
    assert land([prepare], library).target == AddPaths((str(prepare),))
    broken = tmp_path / "broken.toml"
    broken.write_text("verb = [")
    assert land([broken], library).target == WizardTarget(toml=broken)
    export = tmp_path / "export.toml"
    export.write_text(specs.to_toml(ExportSpec(run="a", destination="b")))
    with pytest.raises(KnownError, match="export"):
        land([export], library)


def test_logs_are_told_from_texts(library, tmp_path):
    log, text = tmp_path / "train.log", tmp_path / "book.txt"
    log.write_text(LOG)
    text.write_text("Call me Ishmael.\n" * 20)
    assert land([log], library).target == ImportLog(log)
    assert land([text], library).target == AddPaths((str(text),))
    assert land([text, text], library).target == AddPaths((str(text), str(text)))
    with pytest.raises(KnownError, match="one by one"):
        land([log, text], library)
    with pytest.raises(KnownError, match="cannot be found"):
        land([tmp_path / "gone"], library)


def drop(window, *paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where = window.rect().center()
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(QPoint(where), Qt.DropAction.CopyAction, mime, buttons, keys)
    window.dragEnterEvent(entered)
    assert entered.isAccepted() and window._drop_hint.isVisible()
    window.dropEvent(QDropEvent(where.toPointF(), Qt.DropAction.CopyAction, mime, buttons, keys))
    assert not window._drop_hint.isVisible()


def test_a_log_dropped_anywhere_is_looked_at_on_the_compare_page(
    qapp, qtbot, private_home, tmp_path
):
    log = tmp_path / "train.log"
    log.write_text(LOG)
    with open_studio(qapp, private_home) as (context, seen):
        window = MainWindow(QSettings(str(private_home / "w.ini"), QSettings.Format.IniFormat))
        qtbot.addWidget(window)
        window.set_context(context)
        window.navigate("runs", "all")
        window.show()
        drop(window, log)
        qtbot.waitUntil(lambda: window.current_page == "compare", timeout=20_000)
        sheet = window.page("compare").sheet
        qtbot.waitUntil(lambda: sheet.view is sheet.form, timeout=20_000)
        assert sheet.source.path == log
        drop(window, tmp_path / "gone.log")
        qtbot.waitUntil(lambda: len(window.toasts.cards) == 1, timeout=20_000)
        assert not seen.errors
