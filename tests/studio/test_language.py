"""Every fixed text passes through the catalogue, and a catalogue can be made of them all."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("babel", reason="babel makes catalogues; it is not installed here")

from studio.language import languages, tr, tr_plural, use_language
from studio.widgets.buttons import IconButton, PrimaryButton
from studio.widgets.choices import Segmented
from studio.widgets.figures import plural, weekday_clock
from studio.widgets.label import Label
from studio.widgets.nav import NavRail
from studio.widgets.pill import Pill

TOOL = Path(__file__).parents[2] / "packaging" / "translations.py"


@pytest.fixture(scope="module")
def tool():
    found = importlib.util.spec_from_file_location("translations", TOOL)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def brackets(tool, tmp_path):
    """A language in which every text of the studio stands in brackets."""
    catalog = tool.collect()
    for message in list(catalog):
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            made = tuple(f"[{form}]" for form in forms)
            message.string = made if len(made) > 1 else made[0]
    path = tmp_path / "xx" / "LC_MESSAGES" / "hearth.po"
    path.parent.mkdir(parents=True)
    from babel.messages.pofile import write_po

    catalog.locale = "de"  # two forms of plural
    with path.open("wb") as file:
        write_po(file, catalog)
    assert tool.compile_all(tmp_path) == [path.with_suffix(".mo")]
    use_language("xx", tmp_path)
    yield tmp_path
    use_language("en", tmp_path)


def test_texts_are_english_without_a_catalogue(tmp_path):
    use_language("xx", tmp_path)
    assert tr("Runs") == "Runs"
    assert tr("{n} steps left", n=4) == "4 steps left"
    assert tr_plural("run", "runs", 2) == "runs"
    assert languages(tmp_path) == []


def test_a_damaged_catalogue_leaves_english(tmp_path):
    path = tmp_path / "xx" / "LC_MESSAGES" / "hearth.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no catalogue at all")
    use_language("xx", tmp_path)
    assert tr("Runs") == "Runs"


def test_widgets_show_the_language_in_force(qtbot, brackets):
    assert languages(brackets) == ["xx"]
    nav = NavRail()
    qtbot.addWidget(nav)
    names = [
        child.accessibleName()
        for child in nav.findChildren(object)
        if hasattr(child, "isCheckable")
    ]
    assert "[Runs]" in names
    for widget, word in (
        (Label("Plan", "title"), "[Plan]"),
        (PrimaryButton("New run"), "[New run]"),
    ):
        qtbot.addWidget(widget)
        assert widget.text() == word
    icon = IconButton("x", "Close")
    pill = Pill("finished")
    chosen = Segmented([("steps", "Steps"), ("tokens", "Tokens")])
    for widget in (icon, pill, chosen):
        qtbot.addWidget(widget)
    assert pill.accessibleName() == "[Finished]"
    assert icon.toolTip() == "[Close]"
    assert "[Steps]" in chosen.accessibleName()
    assert chosen.current == "steps"
    assert weekday_clock(0.0).startswith("[")
    assert plural(2, "run") == "2 [runs]"


def test_what_the_user_named_stays(qtbot, brackets):
    label = Label("index-163m")
    qtbot.addWidget(label)
    assert label.text() == "index-163m"
