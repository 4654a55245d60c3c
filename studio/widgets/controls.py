"""Every control in one place, for pages to import from."""

from studio.widgets.buttons import (
    Button,
    DangerButton,
    IconButton,
    LinkButton,
    PrimaryButton,
    QuietButton,
    SecondaryButton,
)
from studio.widgets.choices import CheckBox, Segmented, Slider, Toggle
from studio.widgets.inputs import ComboBox, LineEdit, SearchBox, TextEdit

__all__ = [
    "Button",
    "CheckBox",
    "ComboBox",
    "DangerButton",
    "IconButton",
    "LineEdit",
    "LinkButton",
    "PrimaryButton",
    "QuietButton",
    "SearchBox",
    "SecondaryButton",
    "Segmented",
    "Slider",
    "TextEdit",
    "Toggle",
]
