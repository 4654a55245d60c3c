"""A run of several processes holds as one, and ends as one meanwhile."""

import time

import numpy as np
import pytest
from distributed_for_tests import finish, output_of, running, several_spec, wait_until
from train_for_tests import ended, journal, make_corpus, rows

from trainer_core import protocol
from trainer_core.manners import Conditions, Manners, write_manners
from trainer_core.records import Held, Released
from trainer_core.status import read_status


def at_another_hour():
    """Hours that are not now."""
    hour = time.localtime().tm_hour
    return Conditions(hours=(f"{(hour + 3) % 24:02}:00", f"{(hour + 4) % 24:02}:00"))


@pytest.mark.slow
def test_all_hold_go_on_and_pause_together(tmp_path):
    spec = several_spec(make_corpus(tmp_path / "data"), steps=1500)
    reference = finish(tmp_path / "reference", spec)
    folder = tmp_path / "run"
    with running(folder, spec) as launcher:
        for pauses in (False, True):
            write_manners(folder, Manners(conditions=at_another_hour()))
            wait_until(lambda: read_status(folder).held is not None, launcher)
            status = read_status(folder)
            assert status.state == "waiting"
            assert "it works only between" in status.held.reason
            assert status.checkpoints[-1].step == status.held.step
            if pauses:
                protocol.send_command(folder, protocol.Pause())
                continue
            write_manners(folder, Manners())
            wait_until(lambda: read_status(folder).held is None, launcher)
        output_of(launcher)
    assert (ended(folder).state, ended(folder).step) == ("paused", status.held.step)
    held, released = journal(folder, Held), journal(folder, Released)
    assert [each.step for each in held] == [each.step for each in released]
    write_manners(folder, Manners())
    finish(folder, spec)
    np.testing.assert_array_equal(rows(folder)["loss"], rows(reference)["loss"])
