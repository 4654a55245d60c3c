"""Sources: what is read, in which order, and an honest word about what is not."""

import os
import socket
import sysconfig
from pathlib import Path

import pytest
from data_for_tests import survey_of

from trainer_core.data.sources import files as sources
from trainer_core.data.sources import reading
from trainer_core.data.sources.reading import NoText, read_text
from trainer_core.data.sources.skipped import EXAMPLES_KEPT, Skipped, printable
from trainer_core.errors import DataError
from trainer_core.spec import PythonLibrary, TextFiles

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def no_tick():
    pass


def read(*paths, suffixes=()):
    """Titles of the documents, and what was left out: {reason: count}."""
    source = TextFiles(paths=tuple(str(path) for path in paths), suffixes=suffixes)
    documents = survey_of(source)
    return titles_of(documents), dict(documents.sources[0].skipped.counts)


def titles_of(documents):
    return [document.title for document in documents.again()]


@pytest.fixture
def books(tmp_path):
    folder = tmp_path / "books"
    (folder / "b").mkdir(parents=True)
    (folder / "a.txt").write_text("first\n")
    (folder / "b" / "deep.txt").write_text("second\n")
    (folder / "c.md").write_text("third\n")
    return folder


# --- text files --------------------------------------------------------------------------------


def test_folders_are_searched_in_the_order_of_their_names(books):
    assert read(books) == (["books/a.txt", "books/b/deep.txt", "books/c.md"], {})


def test_only_chosen_suffixes_are_read_and_the_others_are_counted(books):
    (books / "upper.TXT").write_text("fourth\n")
    expected = ["books/a.txt", "books/b/deep.txt", "books/upper.TXT"]
    for written in (".txt", "txt", "*.txt"):
        assert read(books, suffixes=(written,)) == (expected, {"other_suffix": 1})


def test_a_named_file_is_read_whatever_its_suffix(books):
    assert read(books / "c.md", suffixes=(".txt",)) == (["c.md"], {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\t \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"text with \0 inside", "binary"),
        (b"caf\xe9", "not_utf8"),
        (b"\xff\xfeh\0i\0", "not_utf8"),
        (b"ends in half a letter \xc3", "not_utf8"),
        (b"\xed\xa0\x80 a surrogate", "not_utf8"),
    ],
)
def test_what_is_no_text_is_left_out_for_a_reason(books, content, reason):
    (books / "odd.txt").write_bytes(content)
    titles, counts = read(books)
    assert "books/odd.txt" not in titles
    assert counts == {reason: 1}


def test_text_that_turns_out_to_be_binary_at_its_very_end_is_left_out(books, monkeypatch):
    monkeypatch.setattr(reading, "PART_BYTES", 64)
    (books / "late.txt").write_bytes(b"some words " * 100 + b"\0")
    assert read(books)[1] == {"binary": 1}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "bom.txt").write_bytes("\ufeffhello\r\n".encode())
    assert "".join(read_text(str(tmp_path / "bom.txt"))) == "hello\r\n"


def test_line_ends_and_spaces_stay_as_they_are(tmp_path):
    text = "\r\n one\rtwo\n\n three \t\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert "".join(read_text(str(tmp_path / "a.txt"))) == text


@pytest.mark.parametrize("unit", ["words and spaces ", "漢字 かな\n", "endless", " ", "🙂"])
def test_a_big_file_comes_in_parts_that_join_to_its_text(tmp_path, monkeypatch, unit):
    monkeypatch.setattr(reading, "PART_BYTES", 256)
    text = unit * 6000 + "x"
    (tmp_path / "big.txt").write_bytes(text.encode())
    parts = list(read_text(str(tmp_path / "big.txt")))
    assert "".join(parts) == text
    assert len(parts) > 1
    assert max(map(len, parts)) <= 256 * (reading.UNCUT_PARTS + 1)


def test_hidden_files_and_folders_are_left_alone(books):
    (books / ".secret.txt").write_text("private\n")
    (books / ".git").mkdir()
    (books / ".git" / "config.txt").write_text("private\n")
    assert read(books) == (["books/a.txt", "books/b/deep.txt", "books/c.md"], {"hidden": 2})


def test_a_hidden_folder_is_read_when_it_is_named(tmp_path):
    (tmp_path / ".notes").mkdir()
    (tmp_path / ".notes" / "a.txt").write_text("mine\n")
    assert read(tmp_path / ".notes")[0] == [".notes/a.txt"]


def test_equal_texts_are_read_once(books):
    (books / "z.txt").write_text("first\n")
    (books / "z2.txt").write_bytes(b"\xef\xbb\xbffirst\n")
    assert read(books) == (["books/a.txt", "books/b/deep.txt", "books/c.md"], {"duplicate": 2})


@posix_only
def test_links_that_lead_in_circles_or_nowhere_do_no_harm(books):
    (books / "b" / "up").symlink_to(books)
    (books / "self").symlink_to(books / "self")
    (books / "nowhere.txt").symlink_to(books / "missing")
    assert read(books) == (
        ["books/a.txt", "books/b/deep.txt", "books/c.md"],
        {"reached_twice": 1, "broken_link": 2},
    )


@posix_only
def test_a_folder_that_is_reached_by_two_names_is_read_once(books):
    titles, counts = read(books / "b", books)
    assert titles == ["b/deep.txt", "books/a.txt", "books/c.md"]
    assert counts == {"reached_twice": 1}


@posix_only
def test_links_to_files_and_folders_elsewhere_are_followed(books, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.txt").write_text("linked\n")
    (books / "d").symlink_to(elsewhere)
    assert read(books)[0][-1] == "books/d/x.txt"


@posix_only
def test_pipes_sockets_and_devices_are_never_opened(books, tmp_path, monkeypatch):
    os.mkfifo(books / "pipe.txt")
    (books / "zero.txt").symlink_to("/dev/zero")
    monkeypatch.chdir(books)  # a socket's whole path may be too long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock.txt")
        assert read(books)[1] == {"special": 3}
        assert read(books, books / "pipe.txt")[1] == {"special": 4}


@posix_only
def test_a_pipe_that_took_a_files_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NoText, match="special"):
        list(read_text(str(tmp_path / "pipe")))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_opens_but_cannot_be_read_is_left_out(books):
    (books / "broken.txt").symlink_to("/proc/self/mem")
    assert read(books)[1] == {"unreadable": 1}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is readable here")
def test_files_and_folders_without_permission_are_left_out(books):
    (books / "a.txt").chmod(0)
    (books / "b").chmod(0)
    try:
        assert read(books) == (["books/c.md"], {"unreadable": 2})
    finally:
        (books / "b").chmod(0o700)


def test_a_file_that_is_gone_when_it_is_read_is_left_out(tmp_path):
    with pytest.raises(NoText, match="vanished"):
        list(read_text(str(tmp_path / "gone.txt")))


@posix_only
def test_names_that_are_no_utf8_are_read_and_shown(books):
    odd = os.fsencode(books) + b"/caf\xe9.txt"
    Path(os.fsdecode(odd)).write_text("coffee\n")
    titles, _ = read(books)
    assert [printable(title) for title in titles][3] == "books/caf\\xe9.txt"
    printable(titles[3]).encode()


@pytest.mark.parametrize("named", ["missing.txt", "", "  ", "nul\0inside", "~nobody-has-this-name"])
def test_a_named_path_that_does_not_exist_is_an_error_that_names_it(books, monkeypatch, named):
    monkeypatch.chdir(books)
    with pytest.raises(DataError) as caught:
        read(books, named)
    assert caught.value.field == "source.paths[1]"
    assert named.strip("~\0 ")[:3] in caught.value.what


def test_a_source_without_any_text_says_what_it_found(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\0\0")
    (tmp_path / "b.txt").write_bytes(b"")
    with pytest.raises(DataError, match="1 not text: NUL bytes inside; 1 empty") as caught:
        read(tmp_path)
    assert caught.value.field == "source"
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match="there are no files"):
        read(tmp_path / "void")


def test_the_report_keeps_all_counts_and_the_first_paths():
    skipped = Skipped()
    for number in range(1000):
        skipped.add("binary", f"/data/{number}")
    skipped.add("not_utf8", "/data/x")
    worst, binary = skipped.groups()
    assert (worst.reason, worst.level, worst.count) == ("not_utf8", "warning", 1)
    assert binary.count == 1000
    assert len(binary.examples) == EXAMPLES_KEPT


# --- the Python library ------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small interpreter of our own: a standard library and installed packages inside it."""
    stdlib = tmp_path / "lib"
    packages = stdlib / "site-packages"
    for name in ("json/decoder.py", "os.py", "__pycache__/os.py", "test/bad.py"):
        (stdlib / name).parent.mkdir(parents=True, exist_ok=True)
        (stdlib / name).write_text(f"# {name}\n" * 10)
    for name in ("pkg/core.py", "pkg/data.json", "pkg/.hidden.py", "dist-packages/x.py"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(f"# {name}\n" * 10)
    (stdlib / "test" / "bad.py").write_bytes(b"# \xe9\n")
    monkeypatch.setattr(
        sources.sysconfig,
        "get_path",
        lambda name: str(stdlib if "std" in name else packages),
    )
    monkeypatch.setattr(sources.site, "getsitepackages", lambda: [str(packages)])
    monkeypatch.setattr(sources.site, "ENABLE_USER_SITE", False)
    return stdlib


def test_the_python_library_is_its_own_modules_and_its_packages(library):
    documents = survey_of(PythonLibrary())
    assert set(titles_of(documents)) == {"json/decoder.py", "os.py", "pkg/core.py"}
    assert dict(documents.sources[0].skipped.counts) == {"not_utf8": 1}
    assert all(Path(document.path).is_absolute() for document in documents.again())


def test_the_order_of_the_python_library_follows_from_the_seed(library):
    orders = {
        tuple(file.title for file in sources.list_files(PythonLibrary(), seed, Skipped(), no_tick))
        for seed in range(20)
    }
    assert len(orders) > 5
    again = [sources.list_files(PythonLibrary(), 7, Skipped(), no_tick) for _ in range(2)]
    assert again[0] == again[1]


def test_reading_stops_after_the_wanted_amount_of_text(library):
    assert len(survey_of(PythonLibrary(max_bytes=1))) == 1


def test_this_interpreters_library_is_found():
    roots = [os.path.realpath(root) for root in sources.python_roots()]
    assert os.path.realpath(sysconfig.get_path("stdlib")) in roots
    assert os.path.realpath(sysconfig.get_path("purelib")) in roots
    assert len(set(roots)) == len(roots)
    assert survey_of(PythonLibrary(max_bytes=200_000)).n_bytes >= 200_000
