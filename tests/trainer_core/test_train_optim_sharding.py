"""Optimizers of parameters of which each of two processes has a share."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_sharded_parameters_take_the_same_steps(tmp_path):
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    ranks = [
        subprocess.Popen(
            [sys.executable, HERE / "sharded_steps.py", str(rank), "2", tmp_path / "store"],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=120)[0] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], said
