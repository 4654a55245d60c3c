"""A damaged library is no dead end: the window offers to rebuild it, and does."""

from __future__ import annotations

from studio.app import Studio
from studio.storage.library import Library
from studio.widgets.empty import ErrorCard
from trainer_core import spec as specs


def test_the_button_rebuilds_the_library_from_the_folders(qapp, qtbot, tmp_path):
    run = tmp_path / "runs" / "plain"
    run.mkdir(parents=True)
    (run / "spec.toml").write_text(specs.to_toml(specs.TrainSpec(corpus="elsewhere")))
    (tmp_path / "hearth.db").write_bytes(b"not a database at all" * 200)
    studio = Studio(qapp, tmp_path)
    qtbot.addWidget(studio.window)
    studio.start()

    def cards() -> list[ErrorCard]:
        return studio.window.stack.currentWidget().findChildren(ErrorCard)

    qtbot.waitUntil(lambda: bool(cards()), timeout=10_000)
    cards()[0].clicked.emit()
    qtbot.waitUntil(lambda: studio.window.current_page == "home", timeout=10_000)
    studio.close()
    with Library.open(tmp_path) as library:
        assert [row.name for row in library.runs()] == ["plain"]
    assert len(list(tmp_path.glob("hearth.db.damaged-*"))) == 1
