"""Builds of an index that are ended, damaged or short of room: nothing lost, nothing half valid."""

import dataclasses
import errno
import os
import shutil

import numpy as np
import pytest
from index_builds import (
    EndedError,
    contents,
    end_after,
    needs_steps,
    noted_steps,
    some_source,
    steps_of,
)

from trainer_core.errors import DiskFullError, KnownError
from trainer_core.files import draft_beside
from trainer_core.index import build_from
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.build import build
from trainer_core.index.building.draft import STEPS_FILE
from trainer_core.index.building.growing import GrowingFile
from trainer_core.index.compiled import COMPILED


@needs_steps
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_a_build_that_is_ended_behind_any_step_goes_on_there(
    tmp_path, monkeypatch, resumable, dtype
):
    source = some_source(900, dtype=dtype)
    settings = Settings(32, 20_000, 1, 300)
    build(source, tmp_path / "whole", settings)
    expected = contents(tmp_path / "whole")
    count = 0
    while True:
        folder = tmp_path / f"index-{count}"
        with monkeypatch.context() as patched:
            end_after(patched, count)
            try:
                build(source, folder, settings)
                break
            except EndedError as ended:
                next_step = str(ended)
        assert not folder.exists()
        done = [step for step in steps_of(folder) if not step.startswith("drop")]
        assert len(done) == count
        with monkeypatch.context() as patched:
            begun = noted_steps(patched)
            built = build(source, folder, settings)
        assert built.resumed == (count > 0)
        assert begun[0] == next_step
        assert not set(begun) & set(done)
        assert contents(folder) == expected
        assert not draft_beside(folder).exists()
        count += 1
    assert count > 15


@needs_steps
def test_a_build_of_something_else_starts_over(tmp_path, monkeypatch, resumable):
    source = some_source(900)
    with monkeypatch.context() as patched:
        end_after(patched, 5)
        with pytest.raises(EndedError):
            build(source, tmp_path / "index", Settings(32, 20_000, 1, 300))
    other = dataclasses.replace(source, tokens=source.tokens.copy())
    other.tokens[5] = 3 if other.tokens[5] != 3 else 4
    assert 5 not in other.document_start
    assert not build(other, tmp_path / "index", Settings(32, 20_000, 1, 300)).resumed
    build_from(other, tmp_path / "again", range_entries=300)
    assert contents(tmp_path / "index") == contents(tmp_path / "again")


@needs_steps
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_work_is_done_again(tmp_path, monkeypatch, resumable, damage):
    source, settings = some_source(900), Settings(32, 20_000, 1, 300)
    build(source, tmp_path / "whole", settings)
    with monkeypatch.context() as patched:
        end_after(patched, 9)
        with pytest.raises(EndedError):
            build(source, tmp_path / "index", settings)
    draft = draft_beside(tmp_path / "index")
    before = steps_of(tmp_path / "index")
    path = sorted(draft.glob("work-sorted-1-sorted-*"))[0]
    good = path.read_bytes()
    path.write_bytes(
        {"flip": bytes([good[0] ^ 1]) + good[1:], "cut": good[:1], "remove": b""}[damage]
    )
    if damage == "remove":
        path.unlink()
    with monkeypatch.context() as patched:
        end_after(patched, 0)
        with pytest.raises(EndedError):
            build(source, tmp_path / "index", settings)
    after = steps_of(tmp_path / "index")
    assert after == before[: before.index("sort 1 0")]
    build(source, tmp_path / "index", settings)
    assert contents(tmp_path / "index") == contents(tmp_path / "whole")


@needs_steps
def test_a_list_of_steps_that_is_cut_off_is_read_up_to_there(tmp_path, monkeypatch, resumable):
    source, settings = some_source(900), Settings(32, 20_000, 1, 300)
    build(source, tmp_path / "whole", settings)
    with monkeypatch.context() as patched:
        end_after(patched, 4)
        with pytest.raises(EndedError):
            build(source, tmp_path / "index", settings)
    path = draft_beside(tmp_path / "index") / STEPS_FILE
    path.write_bytes(path.read_bytes()[:-4])
    assert build(source, tmp_path / "index", settings).resumed
    assert contents(tmp_path / "index") == contents(tmp_path / "whole")


def test_a_short_build_that_is_ended_leaves_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        end_after(patched, 1)
        with pytest.raises(EndedError):
            build_from(some_source(900), tmp_path / "index", memory_limit_bytes=20_000)
    assert list(tmp_path.iterdir()) == []


# --- full disks --------------------------------------------------------------------------------


def writes_of(source, folder, settings, monkeypatch, fail_at=None):
    """Build while counting the writes to files; one of them finds the disk full."""
    append, count = GrowingFile.append, [0]

    def counted(self, data):
        count[0] += 1
        if count[0] == fail_at:
            append(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        append(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(GrowingFile, "append", counted)
        build(source, folder, settings)
    return count[0]


def test_a_disk_that_is_full_at_any_write_leaves_what_was_there(tmp_path, monkeypatch, resumable):
    source, settings = some_source(500), Settings(32, 15_000, 1, 300)
    build_from(some_source(300), tmp_path / "index")
    before = contents(tmp_path / "index")
    total = writes_of(source, tmp_path / "other", settings, monkeypatch)
    for number in range(1, total + 1):
        with pytest.raises(DiskFullError):
            writes_of(source, tmp_path / "index", settings, monkeypatch, fail_at=number)
        assert contents(tmp_path / "index") == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "other"]
    assert total > (20 if COMPILED else 10)


def test_a_disk_without_enough_room_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 99))
    with pytest.raises(DiskFullError, match="free"):
        build_from(some_source(), tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_a_known_error(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(KnownError, match="permission"):
        build_from(some_source(), tmp_path / "locked" / "index")


def test_a_folder_that_refuses_files_is_a_known_error(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(type(tmp_path), "mkdir", refuse)
    with pytest.raises(KnownError, match="permissions"):
        build_from(some_source(), tmp_path / "locked" / "index")
