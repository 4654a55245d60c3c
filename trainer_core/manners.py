"""How a job behaves towards the computer and the people at it: `manners.json` in its folder.

Unlike the spec this file may change while the job runs: the studio writes it whole, and the job
reads it again when it has changed. Nothing in it changes what a training computes.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trainer_core.files import write_whole_file

MANNERS_FILE = "manners.json"

Occasion = Literal["finished", "failed", "guardian", "best"]
"""What a person may want to be told of."""
OCCASIONS: tuple[Occasion, ...] = ("finished", "failed", "guardian", "best")


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """When a training holds by itself: it frees the GPU, waits, and goes on exactly."""

    on_battery: bool = False
    """Hold while the computer runs on its battery."""
    max_temperature_c: Annotated[int, Meta(ge=0, le=120)] = 0
    """Hold when the GPU, or the processor where there is none, is hotter than this, until it is
    ten degrees cooler. 0: never."""
    gpu_wanted: bool = False
    """Hold while another program works the GPU."""
    programs: tuple[str, ...] = ()
    """Hold while a program of one of these names runs, such as a game."""
    hours: tuple[str, str] | None = None
    """Work only between these times of day, such as `("22:00", "07:00")`; None: at any."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """What a job minds besides its spec."""

    conditions: Conditions = Conditions()
    keep_awake: bool = True
    """Whether the computer is kept from sleeping while it works."""
    webhook: str = ""
    """Address that is told of the occasions below; empty: none."""
    occasions: tuple[Occasion, ...] = OCCASIONS
    title: str = ""
    """What people call the job, for messages."""


def read_manners(folder: Path) -> Manners:
    """The manners of a job folder; the usual ones where the file is absent or cannot be used."""
    try:
        return msgspec.json.decode((folder / MANNERS_FILE).read_bytes(), type=Manners)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Manners()


def write_manners(folder: Path, manners: Manners) -> None:
    """Write the manners of a job folder in one step.

    Raises:
        OSError: It cannot be written.
    """
    write_whole_file(folder / MANNERS_FILE, msgspec.json.encode(manners))
