"""The playground over a real socket: write, stop, go on, point, read, lose the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from model_for_tests import WORDS, ScriptedServer, add_run, choice_of, place
from page_for_tests import Seen, open_studio
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.playground.page import PlaygroundPage
from studio.pages.playground.servers import PlaygroundTarget
from studio.widgets.empty import ErrorCard
from trainer_core.protocol import Cancel, FindSources, Generate

Studio = tuple[Context, Seen]
TEXT = "".join(WORDS)


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def server(studio: Studio) -> Iterator[ScriptedServer]:
    library = studio[0].library
    run = add_run(library)
    made = ScriptedServer(studio[0].home, choice_of(library, run))
    yield made
    made.close()


@pytest.fixture
def page(qtbot: QtBot, studio: Studio) -> Iterator[PlaygroundPage]:
    made = PlaygroundPage(studio[0])
    qtbot.addWidget(made)
    made.resize(1240, 840)
    made.show()
    made.shown()
    qtbot.waitUntil(lambda: made._was_read)
    yield made
    made.writer.close()


def write(qtbot: QtBot, page: PlaygroundPage, prompt: str = "What do bees do?") -> None:
    page.prompt.set_text(prompt)
    page.writer.generate()
    qtbot.waitUntil(lambda: not page.writer.busy, timeout=10_000)


def asked(server: ScriptedServer, kind: type) -> list:
    return [message for message in server.asked if isinstance(message, kind)]


def error_card(page: PlaygroundPage) -> ErrorCard:
    found = page.output.findChild(ErrorCard)
    assert isinstance(found, ErrorCard)
    return found


# --- nothing to ask ---------------------------------------------------------------------------


def test_without_a_checkpoint_a_run_is_offered(
    qtbot: QtBot, studio: Studio, page: PlaygroundPage
) -> None:
    assert page.output.view == "empty"
    assert not page.prompt.generate.isEnabled()
    page.output.empty_clicked.emit()
    assert studio[1].places == [("wizard", None)]


def test_a_run_without_a_checkpoint_is_not_mistaken_for_another(
    qtbot: QtBot, studio: Studio, server: ScriptedServer, page: PlaygroundPage
) -> None:
    run = add_run(studio[0].library, steps=(), name="young")
    page.open(run.id)
    page.shown()
    qtbot.waitUntil(lambda: page._choice is None)
    assert page.output.view == "empty"
    assert not page.prompt.generate.isEnabled()
    page.output.empty_clicked.emit()
    assert studio[1].places == [("run", run.id)]
    assert page.chooser.isEnabled()


# --- writing ----------------------------------------------------------------------------------


def test_the_best_checkpoint_answers_unless_another_is_chosen(
    qtbot: QtBot, studio: Studio, server: ScriptedServer, page: PlaygroundPage
) -> None:
    assert page._choice is not None and page._choice.step == 100
    assert page._choice.tags == "best"
    page.open(PlaygroundTarget(page._choice.run_id, 200))
    page.shown()
    qtbot.waitUntil(lambda: page._choice is not None and page._choice.step == 200)
    assert page.target() == PlaygroundTarget(page._choice.run_id, 200)


def test_a_text_is_streamed_with_what_it_took(
    qtbot: QtBot, studio: Studio, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    assert page.output.text.text() == TEXT
    assert page.output._ended.text() == "Stopped at max tokens"
    assert page.output._count.text().startswith("9 tokens in 0.5")
    assert page.output._rate.text() == "18 tokens/s"
    assert "11" in page.shares._words.text()  # one of nine tokens goes on with a match of eight
    [request] = asked(server, Generate)
    assert request.prompt == "What do bees do?"
    assert request.max_tokens == page.sampling.request(1, "").max_tokens  # type: ignore[union-attr]
    assert [row.text for row in studio[0].library.prompts()] == ["What do bees do?"]
    assert page.prompt.generate.text() == "Regenerate"


def test_settings_go_with_the_request_and_the_seed_must_be_one(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    page.sampling._sliders["temperature"].setValue(0)
    page.sampling._sliders["top_k"].setValue(7)
    page.sampling.use_index.setChecked(False)
    page.sampling.seed.setText("20,417")
    write(qtbot, page)
    [request] = asked(server, Generate)
    assert (request.temperature, request.top_k, request.seed) == (0.0, 7, 20_417)
    assert not request.use_index
    page.sampling.seed.setText("dice")
    page.writer.generate()
    assert not page.writer.busy
    assert page.sampling.seed.property("invalid")


def test_esc_stops_and_keeps_what_was_written(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    server.hold.clear()
    page.prompt.set_text("What do bees do?")
    qtbot.keyClick(page.prompt.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(page.writer.tokens) == 8)
    assert page.prompt.stop.isEnabled()
    qtbot.keyClick(page.prompt.edit, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not page.writer.busy)
    assert asked(server, Cancel)
    assert page.output.text.text() == "".join(WORDS[:8])
    assert page.output._ended.text() == "Stopped"


def test_continue_goes_on_from_the_whole_text(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    page.output.go_on.click()
    qtbot.waitUntil(lambda: not page.writer.busy)
    assert asked(server, Generate)[1].prompt == f"What do bees do?{TEXT}"
    assert page.output.text.text() == TEXT * 2
    assert page.output._count.text().startswith("18 tokens in 1.0")


def test_what_is_absent_is_said(qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage) -> None:
    server.note = "The index was built with another tokenizer."
    server.hold.clear()
    page.writer.generate()
    qtbot.waitUntil(lambda: page.output._note.text() == server.note)
    server.hold.set()
    qtbot.waitUntil(lambda: not page.writer.busy)


def test_earlier_prompts_come_back(
    qtbot: QtBot, studio: Studio, server: ScriptedServer, page: PlaygroundPage
) -> None:
    for prompt in ("one", "two", "one"):
        write(qtbot, page, prompt)
    offered: list[list[str]] = []
    page.prompt.offer = offered.append  # type: ignore[method-assign,assignment]
    page.prompt.earlier.click()
    qtbot.waitUntil(lambda: offered != [])
    assert offered == [["one", "two"]]


# --- pointing ---------------------------------------------------------------------------------


def test_the_token_that_is_meant_has_a_popover_and_source_cards(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    at = page.output.text.token_rect(5).center()
    qtbot.mouseMove(page.output.text.viewport(), at)
    qtbot.waitUntil(page.pointer.popover.isVisible)
    qtbot.waitUntil(lambda: len(page.sources.cards) == 1)
    assert asked(server, FindSources)[0].token_index == 5
    assert page.pointer.popover._matched.text() == "matched 5 tokens"
    assert "6 occurrences in 5 documents" in page.pointer.popover._occurrences.text()
    assert page.sources._counts.text() == "3 matched tokens, 6 places, 5 documents"
    assert page.sources._more.text() == "5 more places"
    page.pointer.popover.grab()


def test_leaving_the_text_keeps_the_cards_within_reach(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    page.output.text._set_hovered(5)
    qtbot.waitUntil(lambda: len(page.sources.cards) == 1)
    page.output.text._set_hovered(-1)
    assert not page.pointer.popover.isVisible()
    assert len(page.sources.cards) == 1


def test_keys_move_and_pin(qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage) -> None:
    write(qtbot, page)
    text = page.output.text
    text.setFocus()
    for _ in range(4):
        qtbot.keyClick(text, Qt.Key.Key_Right)
    qtbot.keyClick(text, Qt.Key.Key_P)
    assert text.pinned == 3
    assert page.sources._follows.text() == "pinned"
    qtbot.waitUntil(page.pointer.popover.isVisible)
    qtbot.keyClick(text, Qt.Key.Key_Escape)
    assert text.pinned == -1
    assert page.sources._follows.text() == "follows the pointer"


def test_a_token_without_a_match_asks_nobody(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    page.output.text._set_hovered(0)
    qtbot.waitUntil(page.pointer.popover.isVisible)
    qtbot.wait(200)
    assert asked(server, FindSources) == []
    assert "the model's own" in page.sources._sentence.text()


def test_a_new_text_forgets_the_token(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    page.output.text.set_pinned(5)
    qtbot.waitUntil(lambda: len(page.sources.cards) == 1)
    write(qtbot, page)
    assert page.sources.cards == []
    assert not page.pointer.popover.isVisible()


# --- documents --------------------------------------------------------------------------------


def test_a_card_opens_its_document_at_the_spot(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage, tmp_path: Path
) -> None:
    path = tmp_path / "apiary.txt"
    story = "What do the bees do? They shiver their flight muscles to produce heat.\n"
    path.write_text("Line.\n" * 50 + story, encoding="utf-8")
    server.places = (place(str(path), before="What do the bees do?"),)
    write(qtbot, page)
    page.output.text._set_hovered(5)
    qtbot.waitUntil(lambda: len(page.sources.cards) == 1)
    page.sources.cards[0].open_requested.emit(page.sources.cards[0].place)
    view = page.sources.document
    qtbot.waitUntil(lambda: "Line." in view.text.toPlainText())
    marked = [mark.cursor.selectedText() for mark in view.text.extraSelections()]
    assert marked == [" They shiver their", " flight"]
    assert view._note.isHidden()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert not page.sources.shows_document
    assert len(page.sources.cards) == 1


def test_a_document_that_is_gone_is_shown_from_the_corpus(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage, tmp_path: Path
) -> None:
    server.places = (place(str(tmp_path / "gone.txt")),)
    write(qtbot, page)
    page.output.text._set_hovered(5)
    qtbot.waitUntil(lambda: len(page.sources.cards) == 1)
    page.sources.cards[0].open_requested.emit(page.sources.cards[0].place)
    view = page.sources.document
    qtbot.waitUntil(lambda: "shiver" in view.text.toPlainText())
    assert "The file is gone" in view._note.text()


# --- what goes wrong --------------------------------------------------------------------------


def test_a_server_that_dies_while_writing_leaves_the_text(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    server.hold.clear()
    page.writer.generate()
    qtbot.waitUntil(lambda: len(page.writer.tokens) == 8)
    server.die()
    qtbot.waitUntil(lambda: not page.writer.busy, timeout=10_000)
    assert page.output.text.text() == "".join(WORDS[:8])
    assert "ended without a word" in page.output._note.text()
    assert page.prompt.generate.isEnabled()


def test_a_checkpoint_that_cannot_be_loaded_is_told_with_a_way_on(
    qtbot: QtBot, studio: Studio, page: PlaygroundPage
) -> None:
    run = add_run(studio[0].library)  # its checkpoint folders are empty
    page.open(run.id)
    page.shown()
    qtbot.waitUntil(lambda: page._choice is not None)
    page.writer.generate()
    assert page.output.view == "loading"
    qtbot.waitUntil(lambda: page.output.view == "error", timeout=60_000)
    assert not page.writer.busy
    assert error_card(page).what.text()


def test_a_checkpoint_that_was_deleted_makes_room_for_another(
    qtbot: QtBot, studio: Studio, page: PlaygroundPage
) -> None:
    run = add_run(studio[0].library)
    page.open(PlaygroundTarget(run.id, 100))
    page.shown()
    qtbot.waitUntil(lambda: page._choice is not None)
    page._choice.folder.rmdir()  # type: ignore[union-attr]
    page.writer.generate()
    qtbot.waitUntil(lambda: page.output.view == "error", timeout=60_000)
    assert "step-00000100" in error_card(page).what.text()
    error_card(page).clicked.emit()
    qtbot.waitUntil(lambda: page._choice is not None and page._choice.step == 200)
    assert page.output.view == "empty"


def test_settings_are_remembered(
    qtbot: QtBot, studio: Studio, server: ScriptedServer, page: PlaygroundPage
) -> None:
    page.sampling._sliders["top_k"].setValue(7)
    page.sampling.seed.setText("5")
    page.hidden()
    again = PlaygroundPage(studio[0])
    qtbot.addWidget(again)
    assert again.sampling.sampling().top_k == 7
    assert again.sampling.seed_value() == 5


def test_copy_takes_the_generated_text(
    qtbot: QtBot, server: ScriptedServer, page: PlaygroundPage
) -> None:
    write(qtbot, page)
    page.output.copy.click()
    assert QGuiApplication.clipboard().text() == TEXT


def test_export_writes_prompt_and_text(
    qtbot: QtBot, studio: Studio, server: ScriptedServer, page: PlaygroundPage, tmp_path: Path
) -> None:
    write(qtbot, page)
    page._export(str(tmp_path / "text.txt"))
    qtbot.waitUntil((tmp_path / "text.txt").exists)
    qtbot.waitUntil(lambda: (tmp_path / "text.txt").read_text() == f"What do bees do?{TEXT}")
    page._export(str(tmp_path / "no" / "such" / "folder.txt"))
    qtbot.waitUntil(lambda: studio[1].errors != [])


def test_the_sources_become_a_drawer_in_a_narrow_window(page, qtbot):
    page.resize(1400, 800)
    page.drawer.fit()
    assert not page.sources.isHidden()
    assert page.sources_button.isHidden()
    page.resize(1180, 720)
    page.drawer.fit()
    assert page.sources.isHidden()
    assert not page.sources_button.isHidden()
    page.sources_button.click()
    assert page.drawer.is_open
    assert page.sources.geometry().right() == page.width() - 1
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.drawer.is_open
    page.resize(1400, 800)
    page.drawer.fit()
    assert not page.sources.isHidden()
