"""Collects the studio's texts for translators, and makes catalogues of what they send back.

    .venv/bin/python packaging/translations.py collect          # assets/translations/hearth.pot
    .venv/bin/python packaging/translations.py compile          # every .po there into its .mo

A translator copies `hearth.pot` to `<language>/LC_MESSAGES/hearth.po` beside it and fills it in.
Texts are the arguments of `tr` and `tr_plural`, and the fixed texts that widgets translate
themselves: these are found by the names of the widgets.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "assets" / "translations"
TRANSLATE = {"tr", "tr_plural", "plural"}
WIDGETS = {
    *(
        "Button",
        "PrimaryButton",
        "SecondaryButton",
        "DangerButton",
        "QuietButton",
        "LinkButton",
        "IconButton",
    ),
    *("Label", "card_title", "Field", "ChoiceCard", "CheckBox", "Toggle", "Slider", "Segmented"),
    *("LineEdit", "TextEdit", "SearchBox", "Select", "EmptyState", "Tile", "PillLook", "Column"),
    *("Destination", "add", "add_row", "PlanRow"),
}
"""Calls whose fixed texts are translated where they are shown."""
KEYWORDS = {
    *("text", "name", "hint", "tooltip", "placeholder", "sentence", "button", "label", "title"),
    "word",
}
TABLES = {"_DAYS", "_MONTHS"}
"""Names of tuples of texts."""
METHODS = {"set_text", "set_tooltip", "set_hint"}


def texts_of(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Line, text and plural form (or nothing) of each text of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in TABLES:
            words = node.value.elts if isinstance(node.value, ast.Tuple) else []
            yield from ((word.lineno, _text(word), "") for word in words)
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in TRANSLATE:
            words = [one for one in node.args if _text(one)]
            if name == "tr" and words:
                yield node.lineno, _text(words[0]), ""
            elif len(words) > 1:
                yield node.lineno, _text(words[0]), _text(words[1])
            elif words:
                yield node.lineno, _text(words[0]), _text(words[0]) + "s"
        elif name in WIDGETS or name in METHODS:
            for one in _shown(node):
                yield one.lineno, _text(one), ""


def _shown(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a widget that are texts, those in a list of choices among them."""
    given = [*call.args, *(word.value for word in call.keywords if word.arg in KEYWORDS)]
    for one in given:
        if isinstance(one, ast.List | ast.Tuple):
            for pair in one.elts:
                if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 and _text(pair.elts[1]):
                    yield pair.elts[1]
        elif _text(one) and _is_prose(_text(one)):
            yield one


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_prose(text: str) -> bool:
    """Whether a text is for people: names of icons, roles and tones are small single words."""
    return text[:1].isupper() or " " in text


def collect(root: Path = ROOT) -> Catalog:
    """All texts of the studio, each with the places it stands at."""
    catalog = Catalog(project="Hearth", fuzzy=False)
    for path in sorted((root / "studio").rglob("*.py")):
        place = path.relative_to(root).as_posix()
        for line, text, many in texts_of(ast.parse(path.read_text(encoding="utf-8"))):
            catalog.add((text, many) if many else text, locations=[(place, line)])
    return catalog


def compile_all(folder: Path = FOLDER) -> list[Path]:
    """Make a catalogue of each language's texts; where they are."""
    made = []
    for path in sorted(folder.glob("*/LC_MESSAGES/hearth.po")):
        with path.open("rb") as file:
            catalog = read_po(file)
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalog)
        made.append(path.with_suffix(".mo"))
    return made


def main() -> None:
    """Collect or compile."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("collect", "compile"))
    args = parser.parse_args()
    if args.what == "compile":
        for path in compile_all():
            print(path.relative_to(ROOT))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    catalog = collect()
    with (FOLDER / "hearth.pot").open("wb") as file:
        write_po(file, catalog, width=100, sort_output=True, no_location=False)
    print(f"{len(catalog):,} texts")


if __name__ == "__main__":
    main()
