"""The studio's words in the user's language. Knows nothing of Qt.

Texts in the code are English. The widgets hand every fixed text through `tr`, so that a page names
its buttons and headings plainly; sentences with figures in them are templates that call `tr`
themselves. A catalogue is a file `assets/translations/<language>/LC_MESSAGES/hearth.mo`, made by
`packaging/translations.py`; what it does not have stays English.
"""

from __future__ import annotations

import gettext
from pathlib import Path

DOMAIN = "hearth"
CATALOGUES = Path(__file__).resolve().parent.parent / "assets" / "translations"

_catalogue: gettext.NullTranslations = gettext.NullTranslations()


def languages(folder: Path = CATALOGUES) -> list[str]:
    """Languages besides English that there is a catalogue for, such as `de`."""
    return sorted(path.parts[-3] for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))


def use_language(wanted: str = "", folder: Path = CATALOGUES) -> None:
    """Show the studio in a language; widgets that exist already keep their words.

    Args:
        wanted: A language such as `de` or `pt_BR`; empty takes the system's (`LANGUAGE`, `LANG`).
        folder: Where the catalogues lie.
    """
    global _catalogue
    chosen = [wanted] if wanted else None
    try:
        _catalogue = gettext.translation(DOMAIN, folder, chosen, fallback=True)
    except (OSError, ValueError, UnicodeDecodeError):  # a damaged catalogue: English will do
        _catalogue = gettext.NullTranslations()


def tr(text: str, **values: object) -> str:
    """A text in the user's language.

    Args:
        text: In English; with names in braces where values are put in.
        values: By their names.
    """
    translated = _catalogue.gettext(text) if text else text
    return translated.format(**values) if values else translated


def tr_plural(one: str, many: str, n: int, **values: object) -> str:
    """A text in the form that its number takes; see `tr`."""
    translated = _catalogue.ngettext(one, many, n)
    return translated.format(**values) if values else translated
