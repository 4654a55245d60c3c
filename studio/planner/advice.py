"""What to know before the start: what cannot work, what is unwise, and a way out in one click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["info", "warn", "danger"]


@dataclass(frozen=True)
class Fix:
    """A way out of a plan that cannot work, or is unwise.

    Attributes:
        label: What the button says, such as `Keep 2 checkpoints`.
        values: New settings by their path in the spec, such as `{"checkpoint.keep": 2}`.
    """

    label: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Advice:
    """Something to know before the start. `title` is a sentence that stands first, in bold.

    Attributes:
        level: `danger` where the plan cannot work.
        title: The sentence.
        text: What follows from it.
        field: Path of the setting that it is about, or empty.
        fixes: Ways out, the best first.
    """

    level: Level
    title: str
    text: str = ""
    field: str = ""
    fixes: tuple[Fix, ...] = ()
