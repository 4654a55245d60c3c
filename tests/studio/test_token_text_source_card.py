"""A source card shows a place and asks for its document."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.theme import theme
from studio.widgets.source_card import Excerpt, HeatChip, SourceCard, excerpt_parts
from trainer_core.protocol import SourcePlace


def place(**changes: object) -> SourcePlace:
    values: dict[str, object] = {
        "document": 2_318_604,
        "title": "Wintering a small apiary",
        "path": "apiary.txt",
        "position": 412,
        "document_tokens": 1187,
        "before": "what do the bees do?",
        "matched": " They shiver",
        "following": " stored",
        "after": " during the summer.",
    }
    return SourcePlace(**(values | changes))  # type: ignore[arg-type]


def test_the_space_before_a_match_is_not_coloured() -> None:
    before, matched, following, after = excerpt_parts(place(), keep_lines=False)
    assert (before, matched) == ("… what do the bees do? ", "They shiver")
    assert (following, after) == ("stored", " during the summer. …")


def test_long_surroundings_are_cut_at_words() -> None:
    words = "word " * 60
    before, matched, _, after = excerpt_parts(
        place(before=words, after=f" {words}", matched="x" * 900), keep_lines=False
    )
    assert before.startswith("… word") and len(before) < 100
    assert after.endswith("word …") and len(after) < 100
    assert len(matched) < 400 and " … " in matched


def test_prose_is_shown_on_one_line_and_code_as_written() -> None:
    code = place(before="if x:\n", matched="    y", following="\n  ", after="z\r\n")
    assert excerpt_parts(code, keep_lines=True) == ("… if x:\n    ", "y", "↵", "\n  z …")
    before, _, following, after = excerpt_parts(code, keep_lines=False)
    assert (before, following, after) == ("… if x:  ", "↵", "z …")


@pytest.mark.parametrize("following", ["", " ", "\t", "\n\n", "🐝"])
def test_any_following_token_has_a_label(following: str) -> None:
    label = excerpt_parts(place(following=following), keep_lines=False)[2]
    assert label.isspace() is False
    assert bool(label) is bool(following)


def test_an_excerpt_is_as_high_as_its_lines(qtbot: QtBot, qapp: QApplication) -> None:
    theme().install(qapp)
    excerpt = Excerpt(place(after=" word" * 40), 17, code=False)
    qtbot.addWidget(excerpt)
    assert excerpt.heightForWidth(120) > excerpt.heightForWidth(480) > 0
    excerpt.resize(200, excerpt.heightForWidth(200))
    excerpt.grab()


def test_a_click_or_enter_asks_for_the_document(qtbot: QtBot, qapp: QApplication) -> None:
    theme().install(qapp)
    card = SourceCard(place(), 17)
    qtbot.addWidget(card)
    card.resize(320, 160)
    card.show()
    with qtbot.waitSignal(card.open_requested) as asked:
        qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert asked.args == [card.place]
    with qtbot.waitSignal(card.open_requested):
        qtbot.keyClick(card, Qt.Key.Key_Return)


def test_a_chip_cuts_a_very_long_token(qtbot: QtBot, qapp: QApplication) -> None:
    theme().install(qapp)
    chip = HeatChip()
    qtbot.addWidget(chip)
    chip.show_token("=" * 80, 3)
    assert chip.sizeHint().width() < 180
    assert chip.toolTip() == "=" * 80
    chip.grab()
