"""What a chart shows, in plain values: lines, points, limits, notes. Colours are palette names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from studio.charts.axis import Unit
from studio.charts.lines import Line, Timeline

Shape = Literal["dot", "diamond"]


@dataclass
class Curve:
    """A line and how it is drawn.

    Attributes:
        line: The series.
        colour: Palette field, such as `s1` or `raw_loss`.
        name: What the value box calls it.
        smooth: Mean of this many values; 0 draws the values themselves.
        strong: Drawn about two pixels wide.
        band: Where a pixel stands for many values, draw their mean, and their extremes faintly.
        dash: Dash and gap in pixels; None is solid.
        in_box: Whether the value box lists it.
        ring: Whether the crosshair puts a ring on it.
        end_label: Written beside its last point; empty writes nothing.
    """

    line: Line
    colour: str
    name: str = ""
    smooth: int = 0
    strong: bool = False
    band: bool = False
    dash: tuple[int, int] | None = None
    in_box: bool = True
    ring: bool = True
    end_label: str = ""


@dataclass
class Ribbon:
    """An area between two lines, behind all curves, such as the spread of several runs.

    Attributes:
        low: Its lower edge.
        high: Its upper edge; on the same timeline.
        colour: Palette field.
    """

    low: Line
    high: Line
    colour: str


@dataclass
class Points:
    """Marks at steps, such as validations or checkpoints.

    Attributes:
        timeline: Turns their steps into positions.
        steps: Step of each mark.
        values: Height of each mark; empty puts all of them at the lower edge.
        colour: Palette field.
        name: What the value box calls them; empty leaves them out of it.
        shape: Dot or diamond.
        best: Index of the mark that gets a ring and a label; None has none.
        filled: Whether each diamond is solid; a hollow one otherwise. Empty means none is.
    """

    timeline: Timeline
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    colour: str = "s2"
    name: str = ""
    shape: Shape = "dot"
    best: int | None = None
    best_label: str = ""
    filled: list[bool] = field(default_factory=list)


@dataclass
class Limit:
    """A dashed horizontal line that something should not cross, or cannot.

    Attributes:
        value: Its height.
        label: What it is.
        colour: Palette field, or a role of which the foreground is taken.
        place: Where the label stands: above the line at its left or right end, or below its left.
    """

    value: float
    label: str = ""
    colour: str = "danger"
    place: Literal["left", "right", "below"] = "left"


@dataclass
class Note:
    """Something that happened at a step and is written into the chart.

    Attributes:
        step: When.
        value: Height that it points at.
        text: What is written.
        boxed: Whether the text stands in a box of the warning colours.
    """

    step: int
    value: float
    text: str
    boxed: bool = False


@dataclass(frozen=True)
class Flag:
    """Something that was done to the run at a step: a line from top to bottom, named at the top.

    Attributes:
        step: When.
        label: What, in a word or two.
        colour: Palette field or role.
    """

    step: int
    label: str
    colour: str = "info"


@dataclass
class Strip:
    """Heading of a narrow chart in a stack: name, figure at the crosshair, remark at the right."""

    name: str
    remark: str = ""
    digits: int = 1


@dataclass
class Content:
    """All that one chart shows.

    Attributes:
        timeline: Turns the steps of notes into positions.
        log_y: Whether the vertical axis is logarithmic.
        floor: Lower end of the vertical axis; None follows the data.
        y_ticks: Values with a grid line; empty takes round ones.
        value_digits: Decimals in value boxes; None writes whole numbers with separators.
        x_labels: Whether the horizontal axis is written.
        boxed: Whether the crosshair shows values in a box.
        empty: Said when there is nothing to draw.
    """

    timeline: Timeline
    curves: list[Curve] = field(default_factory=list)
    ribbons: list[Ribbon] = field(default_factory=list)
    points: list[Points] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    log_y: bool = False
    floor: float | None = None
    y_ticks: tuple[float, ...] = ()
    y_unit: Unit = "number"
    value_digits: int | None = 3
    x_labels: bool = True
    boxed: bool = True
    strip: Strip | None = None
    empty: str = "Nothing measured yet"
    x_title: str = ""
    right_margin: int = 12
