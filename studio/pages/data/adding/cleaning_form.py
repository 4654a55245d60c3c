"""The cleaning of text as it is typed, and the settings that follow from it. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from studio.pages.typed import parse, parse_percent, percent_text
from trainer_core.spec import CleaningConfig

NormalForm = Literal["", "NFC", "NFKC"]
NearDuplicates = Literal["off", "report", "remove"]
_USUAL = CleaningConfig()


@dataclass(frozen=True)
class CleaningForm:
    """What is done to the text, as `CleaningConfig` says it; figures are typed.

    Attributes:
        repair_unicode: Undo wrong decoding.
        normalise: Unicode normal form.
        whitespace: Tidy line ends and empty lines.
        min_characters: Shorter documents are left out; empty keeps them.
        max_characters: Longer documents are left out; empty keeps them.
        hook: A Python file with a function `clean`.
        exclude: Documents that are left out.
        near_duplicates: What is done with nearly equal documents. New data has them counted: a
            held-out document with a near copy in the training part makes a loss look too good.
        similarity: From which on they are, in percent.
    """

    repair_unicode: bool = False
    normalise: NormalForm = ""
    whitespace: bool = False
    min_characters: str = ""
    max_characters: str = ""
    hook: str = ""
    exclude: tuple[str, ...] = ()
    near_duplicates: NearDuplicates = "report"
    similarity: str = percent_text(_USUAL.similarity)


def cleaning_data(form: CleaningForm) -> dict[str, Any]:
    """The settings of the cleaning as plain values, to be checked with the rest of the spec."""
    return {
        "repair_unicode": form.repair_unicode,
        "normalise": form.normalise,
        "whitespace": form.whitespace,
        "min_characters": parse(form.min_characters) if form.min_characters.strip() else 0,
        "max_characters": parse(form.max_characters) if form.max_characters.strip() else 0,
        "hook": form.hook.strip(),
        "exclude": list(form.exclude),
        "near_duplicates": form.near_duplicates,
        "similarity": parse_percent(form.similarity),
    }


def cleaning_form(config: CleaningConfig) -> CleaningForm:
    """The form that gives this cleaning."""
    return CleaningForm(
        repair_unicode=config.repair_unicode,
        normalise=config.normalise,
        whitespace=config.whitespace,
        min_characters=f"{config.min_characters:,}" if config.min_characters else "",
        max_characters=f"{config.max_characters:,}" if config.max_characters else "",
        hook=config.hook,
        exclude=config.exclude,
        near_duplicates=config.near_duplicates,
        similarity=percent_text(config.similarity),
    )
