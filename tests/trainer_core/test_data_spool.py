"""What came over the network, kept on the disk: whole, or up to where it was made sure of."""

import resource
import signal

import pytest

from trainer_core.data.sources.spool import Row, Spool
from trainer_core.errors import DataError


def rows_of(*texts):
    return [Row(number, text) for number, text in enumerate(texts, 1)]


def test_a_spool_gives_what_was_kept_and_goes_on_behind_it(tmp_path):
    kept = Spool(tmp_path, "here")
    kept.begin("v1", 90)
    kept.add([Row(1, "one \ud83d"), Row(2, None, "no_field")], {"at": 2})
    kept.save()
    again = Spool(tmp_path, "here")
    assert (again.mark.state, again.mark.rows, again.mark.expected_bytes) == ({"at": 2}, 2, 90)
    again.add([Row(3, "")], {"at": 3}, is_whole=True)
    assert list(Spool(tmp_path, "here").rows()) == [
        Row(1, "one \ud83d"),
        Row(2, None, "no_field"),
        Row(3, ""),
    ]
    assert Spool(tmp_path, "here").mark.is_whole
    assert list(Spool(tmp_path, "elsewhere").rows()) == []


def test_a_spool_that_nothing_was_put_into_leaves_nothing(tmp_path):
    kept = Spool(tmp_path / "new", "here")
    assert list(kept.rows()) == []
    assert not (tmp_path / "new").exists()


def test_rows_of_another_version_are_forgotten(tmp_path):
    kept = Spool(tmp_path, "here")
    kept.begin("v1", 0)
    kept.add(rows_of("old"), 1)
    kept.begin("v1", 0)
    assert list(kept.rows()) == rows_of("old")
    kept.begin("v2", 0)
    assert list(kept.rows()) == []


def test_what_was_not_made_sure_of_is_dropped(tmp_path):
    kept = Spool(tmp_path, "here")
    kept.begin("v1", 0)
    kept.add(rows_of("sure"), 1)
    kept.save()
    kept.add([Row(2, "lost with the power")], 2)
    again = Spool(tmp_path, "here")
    assert list(again.rows()) == rows_of("sure")
    assert again.mark.state == 1


@pytest.mark.parametrize("damage", ["no mark", "no texts", "a broken mark"])
def test_a_damaged_spool_begins_anew(tmp_path, damage):
    kept = Spool(tmp_path, "here")
    kept.begin("v1", 0)
    kept.add(rows_of("one", "two"), 1)
    kept.save()
    (mark,), (texts,) = tmp_path.glob("*.json"), tmp_path.glob("*.texts")
    if damage == "no mark":
        mark.unlink()
    elif damage == "no texts":
        texts.write_bytes(b"")
    else:
        mark.write_text('{"origin": 3')
    assert list(Spool(tmp_path, "here").rows()) == []


def test_a_spool_that_loses_its_end_is_a_known_error(tmp_path):
    kept = Spool(tmp_path, "here")
    kept.begin("v1", 0)
    kept.add(rows_of("one", "two"), 1)
    (texts,) = tmp_path.glob("*.texts")
    texts.write_bytes(texts.read_bytes()[:30])
    with pytest.raises(DataError, match="could not be read again"):
        list(kept.rows())


def test_a_full_disk_keeps_what_was_made_sure_of(tmp_path):
    kept = Spool(tmp_path, "here")
    kept.begin("v1", 0)
    kept.add(rows_of("one"), 1)
    kept.save()
    used = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, used[1]))
    try:
        with pytest.raises(OSError):
            kept.add([Row(2, "x" * 1_000_000)], 2)
        assert list(kept.rows()) == rows_of("one")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, used)
        signal.signal(signal.SIGXFSZ, previous)
    assert list(Spool(tmp_path, "here").rows()) == rows_of("one")
    again = Spool(tmp_path, "here")
    again.add([Row(2, "two")], 2)
    assert list(again.rows()) == rows_of("one", "two")
