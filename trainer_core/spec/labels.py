"""Names, explanations and sources of settings, as people read them."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from dataclasses import dataclass
from typing import get_type_hints

from msgspec import Meta

from trainer_core.spec.section import Section


@dataclass(frozen=True)
class Label:
    """What a person is told about a setting.

    Attributes:
        title: Its name, a few words.
        description: What it does, one sentence.
        source: Where its default comes from.
    """

    title: str
    description: str
    source: str


def labels(section: type[Section]) -> dict[str, Label]:
    """The labels of all fields of a section that have one, by field."""
    hints = get_type_hints(section, include_extras=True)
    found: dict[str, Label] = {}
    for field in section.__struct_fields__:
        for meta in getattr(hints[field], "__metadata__", ()):
            if isinstance(meta, Meta) and meta.title:
                source = (meta.extra or {}).get("source", "")
                found[field] = Label(meta.title, meta.description or "", source)
    return found
