"""The theme: colours as the design names them, readable, and switched live."""

import logging

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontInfo, QGuiApplication, QPalette

from studio.palette import DARK, LIGHT, contrast
from studio.theme import ASSETS, font, icon, line_height, pixmap, theme
from studio.widgets.label import Label

BOTH = pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)


@pytest.fixture
def installed(qapp):
    theme().install(qapp)
    before = theme().mode
    yield theme()
    theme().set_mode(before)


@BOTH
def test_text_is_readable_on_every_ground(palette):
    for ground in (palette.bg0, palette.bg1, palette.bg2, palette.bg3):
        assert contrast(palette.text, ground) >= 4.5, ground
    for ground in (palette.bg0, palette.bg1, palette.bg2):
        assert contrast(palette.muted, ground) >= 4.5, ground
        assert contrast(palette.accent, ground) >= 4.5, ground


@BOTH
def test_every_role_is_readable_as_foreground_and_on_its_soft_ground(palette):
    for name in ("accent", "ok", "warn", "danger", "info", "neutral"):
        role = palette.role(name)
        assert contrast(role.fg, palette.bg1) >= 4.5, name
        least = 4.5 if name != "neutral" else 4.4
        assert contrast(role.on_soft, role.soft) >= least, name


@BOTH
def test_words_on_buttons_and_heat_are_readable(palette):
    assert contrast(palette.ink, palette.fill) >= 4.5
    for step in palette.heat:
        if step.background is not None:
            assert contrast(step.text, step.background) >= 4.5, step


@pytest.mark.parametrize(
    ("length", "start"), [(0, 0), (3, 0), (4, 4), (7, 4), (8, 8), (16, 16), (31, 16), (99, 32)]
)
def test_match_heat_has_steps_and_no_values_between(length, start):
    assert DARK.heat_for(length).length == start


def test_contrast_knows_its_ends():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#777777") == pytest.approx(1.0)


def test_switching_the_theme_recolours_the_application_at_once(installed, qapp, qtbot):
    installed.set_mode("dark")
    label = Label("hello", "heading")
    qtbot.addWidget(label)
    dark = label.grab().toImage()
    with qtbot.waitSignal(installed.changed):
        installed.set_mode("light")
    assert installed.palette is LIGHT
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == LIGHT.bg0
    disabled = QPalette.ColorGroup.Disabled
    assert qapp.palette().color(disabled, QPalette.ColorRole.Text).name() == LIGHT.faint
    assert LIGHT.bg2 in qapp.styleSheet() and DARK.bg2 not in qapp.styleSheet()
    assert label.grab().toImage() != dark


def test_setting_the_same_theme_again_says_nothing(installed, qtbot):
    installed.set_mode("dark")
    with qtbot.assertNotEmitted(installed.changed):
        installed.set_mode("dark")


def test_a_system_that_does_not_say_gets_the_dark_theme(installed):
    installed.set_mode("light")
    installed.set_mode("system")
    scheme = QGuiApplication.styleHints().colorScheme()
    assert installed.palette is (LIGHT if scheme == Qt.ColorScheme.Light else DARK)


@pytest.mark.parametrize(
    ("role", "family", "size"),
    [("body", "Inter", 13), ("title", "Inter", 15), ("mono", "JetBrains Mono", 12)],
)
def test_the_bundled_fonts_are_used_in_their_sizes(installed, role, family, size):
    found = QFontInfo(font(role))
    assert found.family() == family
    assert found.pixelSize() == size
    assert line_height(role) > size


def test_every_weight_of_a_role_is_a_real_face(installed):
    assert QFontInfo(font("strong")).weight() == 500
    assert QFontInfo(font("heading")).weight() == 600


def test_every_icon_can_be_drawn_in_a_colour(installed, caplog):
    with caplog.at_level(logging.WARNING):
        for path in sorted((ASSETS / "icons").glob("*.svg")):
            picture = pixmap(path.stem, "#ff0000", 16).toImage()
            colours = {picture.pixelColor(x, y).alpha() for x in range(16) for y in range(16)}
            assert max(colours) > 0, path.stem
    assert not icon("play").isNull()


def test_every_bundled_file_has_its_licence():
    licences = {path.name for path in (ASSETS / "licences").iterdir()}
    assert {"Inter-OFL.txt", "JetBrainsMono-OFL.txt", "Lucide-ISC.txt", "README.md"} <= licences
    families = {path.name.split("-")[0] for path in (ASSETS / "fonts").glob("*.ttf")}
    assert families == {"Inter", "JetBrainsMono"}
