"""Rules to begin with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """Rules with a title.

    Attributes:
        title: A few words.
        text: The rules.
    """

    title: str
    text: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        "Letters and what to do with them",
        """\
# A word, a sign that says what to do with it, and the result.
letter = "a".."f"
let word = letter * 4..8
line "copied"    = word "=" => word ";"
line "backwards" = word "<" => reverse(word) ";"
line "sorted"    = word "^" => sort(word) ";"
""",
    ),
    Example(
        "The larger number",
        """\
# Which of two numbers is larger?
let a = 0..999
let b = 0..999
line "larger" = a " or " b "? " => largest(a, b) "."
""",
    ),
    Example(
        "Counting on",
        """\
# Each line goes on where the line before ended; small steps are more frequent.
let step = 1 : 3 | 2 : 2 | 5
let total = remainder(sum(before.total, step), 100)
line "total" = "+" step " " => total ";"
""",
    ),
    Example(
        "A little grammar",
        """\
# Sentences, and who was meant. Nothing is asked of the second kind of line.
name = "Ada" | "Ben" | "Cleo"
thing = "a ball" | "a kite" | "two books"
let giver = name
let taker = name
let gift = thing
line "who gave" = giver " gives " taker " " gift ". Giver? " => giver "."
line "who has it" = giver " gives " taker " " gift ". Holder? " => taker "."
line : 0.5 = name " sleeps."
""",
    ),
)
