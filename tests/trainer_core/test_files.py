import errno
import hashlib
import os
import stat

import pytest

from trainer_core.files import (
    append_whole,
    draft_beside,
    put_back,
    put_in_place,
    replaced_beside,
    sync_tree,
    write_hashed,
    write_whole_file,
)


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def a_folder(path, word):
    path.mkdir()
    (path / "word").write_text(word)
    return path


def test_a_file_is_written_and_replaced_without_leftovers(tmp_path):
    path = tmp_path / "a.json"
    write_whole_file(path, b"first\r\n")
    write_whole_file(path, b"second\n")
    assert path.read_bytes() == b"second\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_older_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_whole_file(path, b"older")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole_file(path, b"newer")
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_a_secret_is_for_its_user_alone_even_where_it_replaces_an_open_file(tmp_path):
    path = tmp_path / "owner.json"
    path.write_text("{}")
    path.chmod(0o644)
    write_whole_file(path, b"secret", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_pieces_are_counted_and_hashed_and_each_is_written_before_the_next_is_made(tmp_path):
    path = tmp_path / "pieces"
    order = []

    def pieces():
        for piece in (b"ab", b"", b"cde"):
            yield memoryview(piece)
            order.append(piece)

    assert write_hashed(path, pieces()) == (5, hashlib.sha256(b"abcde").hexdigest())
    assert path.read_bytes() == b"abcde"
    assert order == [b"ab", b"", b"cde"]
    with pytest.raises(FileExistsError):
        write_hashed(path, pieces())


def test_an_append_that_comes_out_short_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"head")
    descriptor = os.open(path, os.O_RDWR)
    write = os.write
    try:
        append_whole(descriptor, b"+row")
        monkeypatch.setattr(os, "write", lambda where, data: write(where, data[:2]))
        with pytest.raises(OSError, match="No space"):
            append_whole(descriptor, b"+lost")
    finally:
        os.close(descriptor)
    assert path.read_bytes() == b"head+row"


def test_a_finished_folder_takes_the_place_of_an_older_one(tmp_path):
    folder = a_folder(tmp_path / "index", "older")
    draft = a_folder(draft_beside(folder), "newer")
    sync_tree(draft)
    put_in_place(draft, folder)
    assert (folder / "word").read_text() == "newer"
    assert list(tmp_path.iterdir()) == [folder]


def test_the_older_folder_comes_back_when_the_new_one_cannot_be_renamed(tmp_path):
    folder = a_folder(tmp_path / "index", "older")
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "nothing", folder)
    assert (folder / "word").read_text() == "older"
    assert list(tmp_path.iterdir()) == [folder]


def test_after_a_crash_between_the_renames_the_older_folder_is_put_back(tmp_path):
    folder = tmp_path / "index"
    a_folder(replaced_beside(folder), "older")
    put_back(folder)
    assert (folder / "word").read_text() == "older"
    put_back(folder)  # nothing to do
    a_folder(replaced_beside(folder), "oldest")
    put_back(folder)  # a whole one stands: it is left alone
    assert (folder / "word").read_text() == "older"
