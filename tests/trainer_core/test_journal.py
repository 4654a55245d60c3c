"""The journal: whatever happens to the file, a clean prefix of records comes back."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core import journal
from trainer_core.errors import JobFolderError
from trainer_core.journal import JournalWriter, read_records
from trainer_core.records import Ended, JobStarted, MatchBucket, Noted, Progress, Validated

RECORDS = [
    JobStarted(time_s=1.0, verb="train", pid=7, host="home", version="1"),
    Progress(time_s=2.0, phase="reading", done=3, total=9, unit="files"),
    Validated(
        time_s=3.0,
        step=10,
        tokens_seen=640,
        loss=2.5,
        bits_per_byte=1.25,
        tokens=64,
        best=True,
        buckets=(MatchBucket(low=0, high=3, tokens=64, loss=2.5),),
    ),
    Noted(time_s=4.0, level="warning", title="Löffel 🥄", text="a\nb", step=3),
    Ended(time_s=5.0, state="finished", exit_code=0),
]


@pytest.fixture
def no_fsync(monkeypatch):
    """Waiting for the disk is not what a test of hundreds of files is about."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def write_all(path):
    with JournalWriter(path) as writer:
        for record in RECORDS:
            writer.append(record)
    return path.read_bytes()


def test_records_come_back_as_they_were_written(tmp_path):
    write_all(tmp_path / "j")
    assert read_records(tmp_path / "j")[0] == RECORDS


def test_reading_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "j"
    seen = []
    offset = 0
    with JournalWriter(path) as writer:
        for record in RECORDS:
            writer.append(record, sync=False)
            new, offset = read_records(path, offset)
            seen += new
    assert seen == RECORDS


def test_an_absent_journal_has_no_records(tmp_path):
    assert read_records(tmp_path / "none") == ([], 0)


def test_every_truncation_leaves_a_clean_prefix_that_can_be_written_on(tmp_path, no_fsync):
    whole = write_all(tmp_path / "j")
    path = tmp_path / "cut"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        before, _ = read_records(path)
        assert before == RECORDS[: len(before)]
        with JournalWriter(path) as writer:
            writer.append(RECORDS[-1])
        assert read_records(path)[0] == [*before, RECORDS[-1]]
    assert not list(tmp_path.glob("*.damaged")), "a torn tail is no damage"


def test_every_flipped_byte_leaves_a_clean_prefix(tmp_path, no_fsync):
    whole = write_all(tmp_path / "j")
    path = tmp_path / "flipped"
    for at in range(len(journal.HEADER), len(whole)):
        data = bytearray(whole)
        data[at] ^= 0x40
        path.write_bytes(data)
        found, _ = read_records(path)
        assert found == RECORDS[: len(found)]
        assert len(found) < len(RECORDS)


def test_what_a_damaged_record_hides_is_set_aside(tmp_path):
    path = tmp_path / "journal.bin"
    data = bytearray(write_all(path))
    data[len(journal.HEADER) + 12] ^= 1
    path.write_bytes(data)
    JournalWriter(path).close()
    assert (tmp_path / "journal.damaged").read_bytes() == bytes(data[len(journal.HEADER) :])


def test_a_newer_version_is_refused_and_untouched(tmp_path):
    path = tmp_path / "j"
    data = bytearray(write_all(path))
    data[len(journal.MAGIC)] = journal.VERSION + 1
    path.write_bytes(data)
    for touch in (read_records, JournalWriter):
        with pytest.raises(JobFolderError, match="newer version"):
            touch(path)
    assert path.read_bytes() == data


def test_another_kind_of_file_is_refused_and_untouched(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b"GIF89a, and more")
    with pytest.raises(JobFolderError, match="not a journal"):
        JournalWriter(path)
    assert path.read_bytes() == b"GIF89a, and more"


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200))
def test_no_garbage_behind_the_header_raises(tmp_path_factory, garbage):
    path = tmp_path_factory.mktemp("garbage") / "j"
    path.write_bytes(journal.HEADER + garbage)
    read_records(path)
    with JournalWriter(path) as writer:
        writer.append(RECORDS[0])
    assert read_records(path)[0][-1] == RECORDS[0]


def test_a_full_disk_raises_and_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "j"
    writer = JournalWriter(path)
    writer.append(RECORDS[0])
    before = path.read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[: len(data) // 2]))
    with pytest.raises(OSError, match="No space left"):
        writer.append(RECORDS[1])
    monkeypatch.undo()
    assert path.read_bytes() == before
    writer.append(RECORDS[1])
    writer.close()
    assert read_records(path)[0] == RECORDS[:2]


def test_random_bytes_of_a_real_journal_never_raise(tmp_path):
    whole = write_all(tmp_path / "j")
    rng = random.Random(3)
    path = tmp_path / "r"
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(journal.HEADER), len(data))] = rng.randrange(256)
        path.write_bytes(data)
        found, _ = read_records(path)
        assert found == RECORDS[: len(found)]
