"""The colours of Hearth, dark and light, by the names that painting uses. Knows nothing of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RoleName = Literal["accent", "ok", "warn", "danger", "info", "neutral"]


@dataclass(frozen=True)
class Role:
    """A meaning that has a colour: as a foreground, as a soft ground, and as text on that."""

    fg: str
    soft: str
    on_soft: str


@dataclass(frozen=True)
class HeatStep:
    """How a token is shown whose match is at least `length` tokens long."""

    length: int
    background: str | None
    text: str


@dataclass(frozen=True)
class Palette:
    """Every colour of one theme as `#rrggbb`."""

    name: Literal["dark", "light"]
    bg0: str
    """Window."""
    bg1: str
    """Panels and cards."""
    bg2: str
    """Inputs, popovers, hovered rows."""
    bg3: str
    """Selected entries and the tracks of sliders and progress lines."""
    line: str
    line2: str
    """Borders of controls."""
    grid: str
    text: str
    muted: str
    faint: str
    """Disabled text and checkbox borders only: too weak for anything that must be read."""
    accent: str
    fill: str
    ink: str
    """Text and icons on `fill`."""
    accent_soft: str
    on_accent_soft: str
    ok: Role
    warn: Role
    danger: Role
    info: Role
    s1: str
    s2: str
    s3: str
    s4: str
    s5: str
    s6: str
    raw_loss: str
    heat: tuple[HeatStep, ...]
    """Steps from the shortest match to the longest; no interpolation between them."""

    @property
    def is_dark(self) -> bool:
        """Whether text is light on a dark ground."""
        return self.name == "dark"

    @property
    def series(self) -> tuple[str, ...]:
        """The six series colours; a run keeps its slot everywhere."""
        return (self.s1, self.s2, self.s3, self.s4, self.s5, self.s6)

    def role(self, name: RoleName) -> Role:
        """The colours of a meaning; `neutral` is grey."""
        if name == "accent":
            return Role(self.accent, self.accent_soft, self.on_accent_soft)
        if name == "neutral":
            return Role(self.muted, self.bg3, self.muted)
        roles = {"ok": self.ok, "warn": self.warn, "danger": self.danger, "info": self.info}
        return roles[name]

    def heat_for(self, match_length: int) -> HeatStep:
        """How to show a token with a match of this many tokens."""
        found = self.heat[0]
        for step in self.heat:
            if match_length >= step.length:
                found = step
        return found


DASHES: tuple[tuple[int, int] | None, ...] = (None, (8, 4), (6, 3), (2, 3), (8, 4), (6, 3))
"""Dash and gap in pixels for each series slot, so that runs differ by more than colour."""

DARK = Palette(
    name="dark",
    bg0="#161412",
    bg1="#1d1a17",
    bg2="#26221e",
    bg3="#302a25",
    line="#352f29",
    line2="#4b4239",
    grid="#2a2520",
    text="#ece5dc",
    muted="#a3978a",
    faint="#7a6f63",
    accent="#ff8a3d",
    fill="#ff8a3d",
    ink="#1c1006",
    accent_soft="#3a2617",
    on_accent_soft="#ffa366",
    ok=Role("#7fc98f", "#1f2e22", "#7fc98f"),
    warn=Role("#f0c24b", "#332a14", "#f0c24b"),
    danger=Role("#f2665c", "#3a1f1c", "#ff8a80"),
    info=Role("#6fb1e0", "#1b2a36", "#8cc4ec"),
    s1="#fa8f3e",
    s2="#4aa3ec",
    s3="#58e6c2",
    s4="#f3ea74",
    s5="#b065aa",
    s6="#948b80",
    raw_loss="#75492b",
    heat=(
        HeatStep(0, None, "#ece5dc"),
        HeatStep(4, "#33281f", "#ece5dc"),
        HeatStep(8, "#543218", "#f6e9dc"),
        HeatStep(16, "#8a4715", "#fff3e6"),
        HeatStep(32, "#ff8a3d", "#1c1006"),
    ),
)

LIGHT = Palette(
    name="light",
    bg0="#f4eee4",
    bg1="#fffcf7",
    bg2="#f3ece1",
    bg3="#e9e0d2",
    line="#e0d6c7",
    line2="#c6b9a6",
    grid="#eee6da",
    text="#2a231c",
    muted="#6a5e51",
    faint="#8f8374",
    accent="#b04505",
    fill="#c2500a",
    ink="#ffffff",
    accent_soft="#fbe6d3",
    on_accent_soft="#9c3d04",
    ok=Role("#2b7540", "#e0f0e2", "#246237"),
    warn=Role("#846000", "#faedc9", "#6e5000"),
    danger=Role("#b8302a", "#fbe1dd", "#9f2620"),
    info=Role("#1b659f", "#deecf7", "#175786"),
    s1="#d95f02",
    s2="#1f5fae",
    s3="#00936a",
    s4="#6b4e00",
    s5="#b0609a",
    s6="#4a4640",
    raw_loss="#efc49a",
    heat=(
        HeatStep(0, None, "#2a231c"),
        HeatStep(4, "#faecd9", "#2a231c"),
        HeatStep(8, "#f7d0a3", "#2a231c"),
        HeatStep(16, "#ee9f57", "#2a231c"),
        HeatStep(32, "#b04505", "#ffffff"),
    ),
)


def contrast(foreground: str, background: str) -> float:
    """Contrast ratio of two colours, 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio".
    """
    lighter, darker = sorted((_luminance(foreground), _luminance(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 to 1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
