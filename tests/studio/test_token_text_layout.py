"""Tokens become lines: bytes to characters, wrapping, places, backgrounds."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QFont

from studio.widgets.token_lines import LineStyle, TokenLines
from studio.widgets.token_run import Colouring, TextToken, TokenRun, heat_step, token_label


def make_lines(width: float = 400.0, colouring: Colouring = Colouring.HEAT) -> TokenLines:
    colours = [QColor("black")] * 5
    return TokenLines(TokenRun(colouring), LineStyle(QFont(), colours), width)


def words(text: str, match_length: int = 0) -> list[TextToken]:
    parts = text.split(" ")
    return [
        TextToken((" " * (i > 0) + part).encode(), match_length) for i, part in enumerate(parts)
    ]


@pytest.mark.parametrize(
    ("length", "step"), [(0, 0), (3, 0), (4, 1), (7, 1), (8, 2), (15, 2), (16, 3), (31, 3), (32, 4)]
)
def test_heat_has_five_steps(length: int, step: int) -> None:
    assert heat_step(length) == step


def test_a_character_split_over_tokens_shows_with_its_last_byte() -> None:
    run = TokenRun()
    bee = "🐝".encode()
    run.append([TextToken(b"a"), TextToken(bee[:2]), TextToken(bee[2:]), TextToken(b"b")])
    assert run.texts == ["a", "", "🐝", "b"]
    assert run.text == "a🐝b"


def test_an_unfinished_character_is_shown_as_such_at_the_end() -> None:
    run = TokenRun()
    run.append([TextToken(b"a"), TextToken("é".encode()[:1])])
    assert run.texts[-1] == ""
    assert run.finish()
    assert run.texts[-1] == "\ufffd"
    assert not run.finish()


def test_control_characters_are_visible_and_copied_as_they_are() -> None:
    run = TokenRun()
    run.append([TextToken(b"a\r\x0c\x00")])
    assert run.texts == ["a␍␌␀"]
    assert run.text == "a\r\x0c\x00"


def test_a_label_shows_what_cannot_be_seen() -> None:
    assert token_label(b" a\n\t") == "·a↵→"


def test_newlines_and_indentation_stand_as_written(qapp: object) -> None:
    lines = make_lines()
    lines.append(
        [TextToken(b"def f():"), TextToken(b"\n    "), TextToken(b"return"), TextToken(b"\n\n")]
    )
    starts = [line.lefts[line.tokens.index(2)] for line in lines.lines if 2 in line.tokens]
    assert len(lines.lines) == 4
    assert starts[0] > 0
    blank = lines.lines[2]
    assert blank.newline == 3
    assert blank.height == lines.style.blank_height


def test_appending_token_by_token_gives_the_same_lines_as_all_at_once(qapp: object) -> None:
    text = "In a tight ball 🐝 inside the hive and 日本語 keep\n\n    each other warm, " * 12
    tokens = words(text, 5)
    at_once, grown = make_lines(230), make_lines(230)
    at_once.append(tokens)
    for token in tokens:
        grown.append([token])
    assert len(at_once.lines) == len(grown.lines) > 20
    for one, other in zip(at_once.lines, grown.lines, strict=True):
        assert one.tokens == other.tokens
        assert one.top == other.top
        assert one.lefts == pytest.approx(other.lefts, abs=0.6)
        assert one.rights == pytest.approx(other.rights, abs=0.6)
        assert [s.round_right for s in at_once.segments(one)] == [
            s.round_right for s in grown.segments(other)
        ]


def test_every_token_is_found_at_its_own_place(qapp: object) -> None:
    lines = make_lines(200)
    lines.append(words("The queen stays in the middle, where it is about 34 degrees,\nand warm"))
    for token in range(len(lines.run)):
        rect = lines.rects(token)[-1]
        assert lines.token_at(rect.center().x(), rect.center().y()) == token
    assert lines.token_at(-5, 3) == -1
    assert lines.token_at(3, lines.height + 10) == -1


def test_a_newline_can_be_pointed_at(qapp: object) -> None:
    lines = make_lines()
    lines.append([TextToken(b"one"), TextToken(b"\n"), TextToken(b"two")])
    rect = lines.rects(1)[0]
    assert rect.width() > 0
    assert lines.token_at(rect.center().x(), rect.center().y()) == 1


def test_backgrounds_end_where_the_match_changes(qapp: object) -> None:
    lines = make_lines(2000)
    lengths = [0, 4, 5, 6, 4, 5, 0]
    lines.append([TextToken(b" word", length) for length in lengths])
    first, second = lines.segments(lines.lines[0])
    assert first.right == second.left
    assert first.round_left and first.round_right and second.round_left


def test_a_background_over_a_line_break_has_square_ends_there(qapp: object) -> None:
    lines = make_lines(120)
    lines.append([TextToken(b" word", 8 + min(i, 7)) for i in range(8)])
    assert len(lines.lines) > 1
    assert lines.segments(lines.lines[0])[0].round_left
    assert not lines.segments(lines.lines[0])[-1].round_right
    assert not lines.segments(lines.lines[1])[0].round_left


def test_highlight_from_hides_shorter_matches(qapp: object) -> None:
    lines = make_lines()
    lines.run.highlight_from = 8
    lines.append([TextToken(b"a", 7), TextToken(b"b", 8)])
    assert [lines.run.step_of(token) for token in (0, 1)] == [0, 2]


def test_a_token_that_leaves_its_match_is_not_coloured(qapp: object) -> None:
    lines = make_lines()
    lines.append([TextToken(b"a", 20), TextToken(b"b", 21, followed=False)])
    assert [lines.run.step_of(token) for token in (0, 1)] == [3, 0]


def test_boundaries_alternate(qapp: object) -> None:
    lines = make_lines(colouring=Colouring.BOUNDARIES)
    lines.append(words("one two three"))
    assert [segment.step for segment in lines.segments(lines.lines[0])] == [1, 2, 1]


def test_a_run_of_32_matched_tokens_is_verbatim_from_its_first_token() -> None:
    run = TokenRun()
    run.append([TextToken(b" w", min(i, 32), followed=i < 40) for i in range(41)])
    assert all(run.is_verbatim(token) for token in range(40))
    assert not run.is_verbatim(40)
    shorter = TokenRun()
    shorter.append([TextToken(b" w", i) for i in range(32)])
    assert not any(shorter.is_verbatim(token) for token in range(32))
