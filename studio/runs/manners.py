"""What the user wants every training to mind: the settings, and how they come into its folder.

Free of Qt. Functions here touch the library and the disk: call them in the library's thread.
"""

from __future__ import annotations

import contextlib

import msgspec

from studio.runs.waiting import change_manners, entries_of
from studio.storage.library import Library, RunRow
from trainer_core.errors import KnownError
from trainer_core.manners import MANNERS_FILE, Conditions, Manners
from trainer_core.records import END_STATES
from trainer_core.status import SPEC_FILE

SETTING = "trainings/manners"


def read_defaults(library: Library) -> Manners:
    """What new trainings mind; the usual where nothing was chosen."""
    kept = library.setting(SETTING, dict[str, object]())
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(kept, Manners, strict=False)
    return Manners()


def write_defaults(library: Library, manners: Manners) -> None:
    """Keep what new trainings mind, and tell those that are at work or wait.

    Conditions are for new trainings alone: each has its own from then on.

    Raises:
        KnownError: The library cannot be written.
    """
    before = read_defaults(library)
    library.set_setting(SETTING, msgspec.to_builtins(manners))
    awake = manners.keep_awake if manners.keep_awake != before.keep_awake else None
    with contextlib.suppress(KnownError):
        waits = {entry.folder for entry in entries_of(library.home)}
        for run in library.runs(archived=True):
            if run.facts.state not in END_STATES | {"killed"} or str(run.folder) in waits:
                with contextlib.suppress(KnownError):  # its folder is gone, say
                    fit_run(library, run, keep_awake=awake)


def fit_run(
    library: Library,
    run: RunRow,
    conditions: Conditions | None = None,
    *,
    keep_awake: bool | None = None,
) -> None:
    """Write into a run's folder what the user wants trainings to mind.

    Args:
        library: Knows the settings.
        run: A training whose spec is frozen; another kind is left alone.
        conditions: When it holds; None leaves its own.
        keep_awake: Whether the computer stays awake for it; None leaves its own, and takes what
            new trainings do where it has none.

    Raises:
        KnownError: It cannot be written.
    """
    if run.kind != "train" or not (run.folder / SPEC_FILE).exists():
        return
    wanted = read_defaults(library)
    changes: dict[str, object] = {
        "webhook": wanted.webhook,
        "occasions": wanted.occasions,
        "title": run.name,
    }
    if keep_awake is None and not (run.folder / MANNERS_FILE).exists():
        keep_awake = wanted.keep_awake
    if keep_awake is not None:
        changes["keep_awake"] = keep_awake
    if conditions is not None:
        changes["conditions"] = conditions
    change_manners(run.folder, **changes)
