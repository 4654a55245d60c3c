"""A plan as a command that starts it without the studio. Free of Qt."""

from __future__ import annotations

import sys

from studio.storage.slugs import slug
from trainer_core import spec as specs
from trainer_core.spec import TrainSpec

_END = "END_OF_SETTINGS"


def shell_command(spec: TrainSpec, name: str, *, windows: bool = sys.platform == "win32") -> str:
    """Lines for a terminal that write the settings to a file and train by them.

    Args:
        spec: What to train.
        name: Of the run; file and folder are called like it.
        windows: For PowerShell; else for a POSIX shell.
    """
    base = slug(name, "run")
    toml = specs.to_toml(spec).rstrip("\n")
    start = f"hearth-core start {base}.toml {base}"
    if windows:
        write = f'[IO.File]::WriteAllText("$PWD\\{base}.toml", $settings)'
        return f"$settings = @'\n{toml}\n'@\n{write}\n{start}\n"
    return f"cat > {base}.toml <<'{_END}'\n{toml}\n{_END}\n{start}\n"
