"""Step and system logs: dense rows that survive half writes and resumes."""

import numpy as np
import pytest

from trainer_core.errors import JobFolderError
from trainer_core.metrics import STEP_DTYPE, SYSTEM_DTYPE, StepLog, SystemLog, read_rows


def rows(first, count):
    made = np.zeros(count, STEP_DTYPE)
    made["step"] = np.arange(first, first + count)
    made["loss"] = np.linspace(4, 2, count)
    return made


def test_rows_come_back_from_any_row_on(tmp_path):
    log = StepLog(tmp_path / "s")
    log.append(rows(1, 10))
    log.append(rows(11, 5))
    assert log.rows == 15
    assert read_rows(tmp_path / "s")["step"].tolist() == list(range(1, 16))
    assert read_rows(tmp_path / "s", 12)["step"].tolist() == [13, 14, 15]
    assert len(read_rows(tmp_path / "s", 99)) == 0


def test_an_absent_file_has_no_rows(tmp_path):
    assert len(read_rows(tmp_path / "none")) == 0


def test_a_half_written_row_is_cut_off(tmp_path):
    path = tmp_path / "s"
    log = StepLog(path)
    log.append(rows(1, 3))
    log.close()
    with path.open("ab") as file:
        file.write(b"\1" * (STEP_DTYPE.itemsize - 1))
    assert len(read_rows(path)) == 3
    log = StepLog(path)
    log.append(rows(4, 1))
    assert read_rows(path)["step"].tolist() == [1, 2, 3, 4]


def test_rows_that_are_not_dense_are_cut_off(tmp_path):
    path = tmp_path / "s"
    log = StepLog(path)
    log.append(rows(1, 5))
    log.append(np.zeros(2, STEP_DTYPE))  # what a power cut may leave
    log.close()
    assert StepLog(path).rows == 5


def test_truncate_forgets_later_steps_and_refuses_missing_ones(tmp_path):
    log = StepLog(tmp_path / "s")
    log.append(rows(1, 10))
    log.truncate(4)
    assert read_rows(tmp_path / "s")["step"].tolist() == [1, 2, 3, 4]
    with pytest.raises(JobFolderError, match="ends at step 4"):
        log.truncate(5)


def test_a_file_of_another_kind_is_refused(tmp_path):
    SystemLog(tmp_path / "y").close()
    with pytest.raises(JobFolderError):
        StepLog(tmp_path / "y")
    with pytest.raises(JobFolderError):
        read_rows(tmp_path / "y", 0, STEP_DTYPE)
    assert len(read_rows(tmp_path / "y", 0, SYSTEM_DTYPE)) == 0
