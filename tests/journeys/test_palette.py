"""A real window: the palette of commands by keys alone, and a screen that is scaled to 200 %."""

import configparser
import time

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.slow]


def kept(desktop, section, key):
    settings = configparser.ConfigParser()
    settings.read(desktop.home / "studio.ini")
    return settings[section][key]


def test_the_palette_changes_the_theme_and_leads_to_a_page(desktop):
    desktop.start_studio()
    for words in ("light theme", "go to settings"):
        desktop.key("ctrl+k")
        time.sleep(0.5)
        desktop.xdotool("type", "--delay", "30", words)
        time.sleep(1.0)
        desktop.key("Return")
        time.sleep(0.5)
    assert desktop.close_studio() == 0
    assert kept(desktop, "General", "theme") == "light"
    assert kept(desktop, "window", "page") == "settings"


def test_at_twice_the_scale_the_window_is_no_larger_than_the_screen(desktop):
    desktop.environment["QT_SCALE_FACTOR"] = "2"
    desktop.start_studio()
    geometry = desktop.xdotool("getwindowgeometry", "--shell", desktop.window)
    size = dict(line.split("=") for line in geometry.splitlines() if "=" in line)
    assert int(size["WIDTH"]) <= 1440 and int(size["HEIGHT"]) <= 900
    assert desktop.close_studio() == 0
