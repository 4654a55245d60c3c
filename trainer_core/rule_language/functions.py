"""The functions of rules: texts to a text, numbers being texts of digits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

_NUMBER = re.compile(r"-?[0-9]{1,100}")
_ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")


class NoResult(Exception):  # noqa: N818 - the one who calls knows the place, and raises `RuleError`
    """A function has no result for these values; the message says why."""


@dataclass(frozen=True)
class Function:
    """A function of rules.

    Attributes:
        name: As rules call it.
        arguments: What stands in its parentheses, such as `text, n`.
        meaning: What it gives, a few words.
        call: Gives it.
        fewest: Arguments that it needs.
        most: Arguments that it takes.
    """

    name: str
    arguments: str
    meaning: str
    call: Callable[..., str]
    fewest: int
    most: int


def _number(text: str) -> int:
    """A text as a number; no text, such as a value of the line before the first, is 0.

    Raises:
        NoResult: It is none.
    """
    if not text:
        return 0
    if not _NUMBER.fullmatch(text):
        raise NoResult(f"{text[:40]!r} is no whole number")
    return int(text)


def _count(text: str) -> int:
    number = _number(text)
    if not 0 <= number <= 1_000:
        raise NoResult(f"{number} is no count from 0 to 1,000")
    return number


def _first(text: str, n: str) -> str:
    return text[: _count(n)]


def _last(text: str, n: str) -> str:
    return text[max(len(text) - _count(n), 0) :]


def _shift(text: str, n: str, alphabet: str = "") -> str:
    """Each character as many places further in its alphabet, which begins again behind its end."""
    alphabets = (alphabet,) if alphabet else _ALPHABETS
    by = _number(n)

    def moved(character: str) -> str:
        for letters in alphabets:
            if character in letters:
                return letters[(letters.index(character) + by) % len(letters)]
        return character

    return "".join(map(moved, text))


def _rotate(text: str, n: str) -> str:
    by = _number(n) % len(text) if text else 0
    return text[by:] + text[:by]


def _replace(text: str, these: str, by: str) -> str:
    if len(these) != len(by):
        raise NoResult(f"{these[:40]!r} and {by[:40]!r} are not equally long")
    return text.translate(str.maketrans(these, by))


def _quotient(a: str, b: str) -> str:
    if not _number(b):
        raise NoResult("nothing can be divided by 0")
    return str(_number(a) // _number(b))


def _remainder(a: str, b: str) -> str:
    if not _number(b):
        raise NoResult("nothing can be divided by 0")
    return str(_number(a) % _number(b))


def _occurrences(text: str, part: str) -> str:
    if not part:
        raise NoResult("an empty part is everywhere")
    return str(text.count(part))


def _sorted(text: str) -> str:
    return "".join(sorted(text))


def _unique(text: str) -> str:
    return "".join(dict.fromkeys(text))


def _sum(*numbers: str) -> str:
    return _in_bounds(sum(map(_number, numbers)))


def _product(*numbers: str) -> str:
    return _in_bounds(math.prod(map(_number, numbers)))


def _in_bounds(number: int) -> str:
    if abs(number) >= 10**100:
        raise NoResult("the number has more than 100 digits")
    return str(number)


def _difference(a: str, b: str) -> str:
    return _in_bounds(_number(a) - _number(b))


def _smallest(*numbers: str) -> str:
    return str(min(map(_number, numbers)))


def _largest(*numbers: str) -> str:
    return str(max(map(_number, numbers)))


def _same(a: str, b: str, then: str, otherwise: str) -> str:
    return then if a == b else otherwise


def _compare(a: str, b: str) -> str:
    one, other = _number(a), _number(b)
    return "<" if one < other else ">" if one > other else "="


MANY = 20
"""The most values of a function that takes any number of them."""

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function("copy", "text", "the same once more", str, 1, 1),
        Function("reverse", "text", "from its end to its beginning", lambda text: text[::-1], 1, 1),
        Function("sort", "text", "its characters by the alphabet", _sorted, 1, 1),
        Function("unique", "text", "each character where it first stands", _unique, 1, 1),
        Function("upper", "text", "in capitals", str.upper, 1, 1),
        Function("lower", "text", "in small letters", str.lower, 1, 1),
        Function("first", "text, n", "its first n characters", _first, 2, 2),
        Function("last", "text, n", "its last n characters", _last, 2, 2),
        Function("rotate", "text, n", "its first n characters moved to its end", _rotate, 2, 2),
        Function(
            "shift",
            "text, n, alphabet",
            "each character n places further in an alphabet; without one, letters and digits",
            _shift,
            2,
            3,
        ),
        Function("replace", "text, these, by", "each of these, its partner for it", _replace, 3, 3),
        Function("length", "text", "how many characters it has", lambda text: str(len(text)), 1, 1),
        Function("count", "text, part", "how often the part stands in it", _occurrences, 2, 2),
        Function("sum", "a, b, ...", "numbers added up", _sum, 1, MANY),
        Function("difference", "a, b", "a less b", _difference, 2, 2),
        Function("product", "a, b, ...", "numbers multiplied", _product, 1, MANY),
        Function("quotient", "a, b", "how often b goes into a", _quotient, 2, 2),
        Function("remainder", "a, b", "what is left of a then", _remainder, 2, 2),
        Function("smallest", "a, b, ...", "the smallest of the numbers", _smallest, 1, MANY),
        Function("largest", "a, b, ...", "the largest of the numbers", _largest, 1, MANY),
        Function("compare", "a, b", "`<`, `=` or `>`, as the two numbers are", _compare, 2, 2),
        Function("same", "a, b, yes, no", "yes where a is b, else no", _same, 4, 4),
    )
}
"""Every function by its name; rules call it with texts, which for numbers are their digits."""
