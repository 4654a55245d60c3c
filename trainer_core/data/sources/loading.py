"""Work of the library `datasets` in the background: it cannot be interrupted, the job can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from trainer_core.data.sources.failures import Failures, raised_by_the_library
from trainer_core.data.sources.fetching import with_patience
from trainer_core.data.sources.files import Tick

OPENING_PATIENCE_S = 20.0
"""Less than for rows: who has just started something sits there and waits."""
_POLL_S = 0.1


def in_background(
    load: Callable[[], Any],
    tick: Tick,
    failures: Failures,
    setting: str,
    patience_s: float | None = None,
) -> Any:  # noqa: ANN401 - whatever `load` gives
    """What `load` gives, tried again for a while where the network is to blame.

    Args:
        load: Asks the library.
        tick: Called several times a second; may raise to give up.
        failures: Makes the errors.
        setting: The setting that is likeliest at fault.
        patience_s: How long to try; usually as long as somebody waits before the screen.

    Raises:
        DataError: What the library raised, in words for the user.
        DiskFullError: There is no room.
    """
    import datasets

    datasets.disable_progress_bars()
    loading = _Loading(load, OPENING_PATIENCE_S if patience_s is None else patience_s)
    loading.start()
    try:
        while loading.is_alive():
            tick()
            loading.join(_POLL_S)
    finally:
        loading.stop.set()
    if isinstance(loading.error, raised_by_the_library()):
        raise failures.error_of(loading.error, setting) from None
    if loading.error is not None:
        raise loading.error
    return loading.result


class _Loading(threading.Thread):
    """Loads in the background and keeps what came of it."""

    def __init__(self, load: Callable[[], Any], patience_s: float) -> None:
        super().__init__(name="load-dataset", daemon=True)
        self.result: Any = None
        self.error: Exception | None = None
        self.stop = threading.Event()
        self._load, self._patience_s = load, patience_s

    def run(self) -> None:
        try:
            self.result = with_patience(self._load, self.stop, self._patience_s)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error
