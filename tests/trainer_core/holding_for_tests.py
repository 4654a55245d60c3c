"""Waiting until a training in a thread does what it should."""

import contextlib
import time

from trainer_core.errors import KnownError
from trainer_core.status import read_status

PATIENCE_S = 120.0


def wait_for(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_held(folder):
    with contextlib.suppress(KnownError):
        return read_status(folder).held is not None
    return False
