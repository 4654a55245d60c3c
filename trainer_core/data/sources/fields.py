"""Which field of a record, or column of a table, holds the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_core.data.sources.reading import NoText

# The names in use, the surest first.
_USUAL = (
    *("text", "content", "contents", "body", "document", "story", "article", "passage"),
    *("raw_content", "markdown", "code"),
)


def usual_field(names: Sequence[str]) -> str | None:
    """The one of these names that usually stands for the text, whatever its case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[usual] for usual in _USUAL if usual in by_lower), None)


def column_with_text(names: Sequence[str], wanted: str) -> str:
    """The column that holds the text: the wanted one, the usual one, or the only one.

    Args:
        names: The columns that may hold text.
        wanted: What the user asked for; empty finds it.

    Raises:
        NoText: There is none.
    """
    found = wanted if wanted in names else None
    if not wanted:
        found = names[0] if len(names) == 1 else usual_field(names)
    if found is None:
        raise NoText("no_field")
    return found


class TextField:
    """The text of one record after another.

    A usual name is taken for all records that follow; where a record has none, its only string is
    its text.

    Args:
        wanted: The field's name; empty finds it.
    """

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._found = wanted

    def text_of(self, record: Any) -> str:  # noqa: ANN401 - whatever JSON or a dataset gives
        """The text of a record, which may be a plain string itself.

        Raises:
            NoText: It has none.
        """
        if isinstance(record, str) and not self._wanted:
            return record
        if not isinstance(record, Mapping):
            raise NoText("no_record")
        return text_in(record.get(self._found or self._find(record), ...))

    def _find(self, record: Mapping[str, Any]) -> str:
        strings = [name for name, value in record.items() if isinstance(value, str)]
        self._found = usual_field(strings) or ""
        # A text that is missing in this record must not be taken for its address, say.
        return self._found or usual_field([*record]) or column_with_text(strings, "")


def text_in(value: Any) -> str:  # noqa: ANN401 - whatever JSON or a table gives
    """The value of a field as text; `...` stands for a field that is not there.

    Raises:
        NoText: It is not there, empty, or no text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise NoText("not_utf8") from None
    if value is ...:
        raise NoText("no_field")
    raise NoText("empty" if value is None else "no_string")
