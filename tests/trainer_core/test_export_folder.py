import errno

import pytest

from trainer_core.errors import DiskFullError, KnownError
from trainer_core.export.destination import MARKER, files_in, whole_or_absent, write_marker


def export(destination, files):
    with whole_or_absent(destination) as draft:
        for name, text in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        write_marker(draft, hearth="1", run="r", step=3)


def test_a_finished_export_stands_alone_with_its_marker(tmp_path):
    export(tmp_path / "new" / "model", {"a.txt": "a", "index/b.bin": "b"})
    assert files_in(tmp_path) == (
        "new/model/a.txt",
        f"new/model/{MARKER}",
        "new/model/index/b.bin",
    )


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), whole_or_absent(tmp_path / "model") as draft:
        (draft / "half").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_known_error_and_keeps_the_older_export(tmp_path):
    export(tmp_path / "model", {"a.txt": "old"})
    with pytest.raises(DiskFullError), whole_or_absent(tmp_path / "model"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (tmp_path / "model" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_own_export_is_replaced_whole(tmp_path):
    export(tmp_path / "model", {"a.txt": "old", "gone.txt": "old"})
    export(tmp_path / "model", {"a.txt": "new"})
    assert files_in(tmp_path / "model") == ("a.txt", MARKER)
    assert (tmp_path / "model" / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "model").mkdir()
    export(tmp_path / "model", {"a.txt": "new"})
    assert (tmp_path / "model" / "a.txt").exists()


def test_a_folder_of_the_users_own_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(KnownError, match="not an export of Hearth") as caught:
        export(tmp_path, {"a.txt": "new"})
    assert caught.value.field == "destination"
    assert files_in(tmp_path) == ("thesis.doc",)


def test_an_export_with_files_of_the_users_own_is_refused(tmp_path):
    export(tmp_path / "model", {"a.txt": "old"})
    (tmp_path / "model" / "notes.md").write_text("mine")
    with pytest.raises(KnownError, match=r"such as notes\.md"):
        export(tmp_path / "model", {"a.txt": "new"})
    assert (tmp_path / "model" / "notes.md").read_text() == "mine"


def test_a_file_in_the_place_is_refused(tmp_path):
    (tmp_path / "model").write_text("x")
    with pytest.raises(KnownError, match="is not a folder"):
        export(tmp_path / "model", {"a.txt": "new"})


def test_a_damaged_marker_counts_as_none(tmp_path):
    export(tmp_path / "model", {"a.txt": "old"})
    (tmp_path / "model" / MARKER).write_bytes(b"\xff{")
    with pytest.raises(KnownError, match="not an export"):
        export(tmp_path / "model", {"a.txt": "new"})


def test_an_export_that_a_crash_left_aside_comes_back(tmp_path):
    export(tmp_path / "model", {"a.txt": "old"})
    (tmp_path / "model").rename(tmp_path / ".model.replaced")
    with pytest.raises(RuntimeError), whole_or_absent(tmp_path / "model"):
        raise RuntimeError
    assert (tmp_path / "model" / "a.txt").read_text() == "old"


def test_a_place_that_cannot_be_written_is_a_known_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(KnownError, match="failed"):
        export(tmp_path / "file" / "model", {"a.txt": "new"})
