"""Where Hearth keeps its data on this computer."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "HEARTH_HOME"


def data_home() -> Path:
    """The home folder: `HEARTH_HOME` if it is set, else the system's place for user data."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("Hearth", appauthor=False)
