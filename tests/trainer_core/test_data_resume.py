"""A preparation that was interrupted goes on, and gives what an uninterrupted one gives."""

import errno
import json
import os
import random
import subprocess
import sys

import pytest
from data_for_tests import zip_of

from trainer_core import spec as specs
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing import build, growing, tokenise
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import DataError
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    CleaningConfig,
    PrepareSpec,
    TextFiles,
)

TOKENS_IN_A_SHARD = 3000


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(tokenise, "BATCH_BYTES", 3000)
    # Noting every document waits for the disk thousands of times; no power fails in these tests.
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def sources(tmp_path):
    """Three sources: files good and bad, records of which some are left out, one book."""
    rng = random.Random(4)
    words = ["ant", "bee", "cow", "dog", "eel", "fox", "gnu", "hen"]

    def text(n):
        return " ".join(rng.choice(words) for _ in range(n)) + "\n"

    files = tmp_path / "files"
    files.mkdir()
    for n in range(20):
        (files / f"{n:02}.txt").write_text(text(20 + 7 * n))
    (files / "03-binary.txt").write_bytes(b"\0")
    (files / "05-twin.txt").write_bytes((files / "05.txt").read_bytes())
    (files / "06.zip").write_bytes(zip_of({f"{n}.txt": text(30).encode() for n in range(9)}))
    rows = [{"text": text(25)} if n % 7 else {"other": 1} for n in range(60)]
    rows[11] = rows[10]
    records = tmp_path / "rows.jsonl"
    records.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    book = tmp_path / "book.txt"
    book.write_text("".join(text(12) for _ in range(150)))
    return files, records, book


def spec(sources, **settings):
    settings.setdefault("tokenizer", BpeTokenizer(vocab_size=300))
    named = tuple(TextFiles(paths=(str(path),), name=path.stem) for path in sources)
    return PrepareSpec(sources=named, validation_fraction=0.1, **settings)


def content_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Interrupted(Exception):  # noqa: N818 - not an error here
    pass


def attempt(wanted, folder, *, phase="", end_after=None, say=lambda *_: None):
    """Prepare with a note after every document; says whether it came to the end.

    It is interrupted at one of the reports, of all or of one phase.
    """
    reports = 0

    def report(now, *_):
        nonlocal reports
        reports += phase in ("", now)
        if reports == end_after:
            raise Interrupted

    try:
        build_corpus(
            wanted,
            folder,
            report=report,
            say=say,
            shard_tokens=TOKENS_IN_A_SHARD,
            note_every_s=0.0,
        )
    except Interrupted:
        return False
    return True


@pytest.fixture
def whole(sources, tmp_path):
    build_corpus(spec(sources), tmp_path / "whole", shard_tokens=TOKENS_IN_A_SHARD)
    return content_of(tmp_path / "whole")


MOMENTS = [
    ("looking for files", 1),
    *(("reading", n) for n in (1, 9, 30, 31, 60, 70, 80)),
    ("learning the tokenizer", 1),
    *(("tokenising", n) for n in (1, 2, 5, 11, 16, 20)),
    ("hashing", 1),
    ("counting tokens", 2),
    ("saving", 2),
]


@pytest.mark.parametrize(("phase", "end_after"), MOMENTS)
def test_an_interrupted_preparation_gives_what_an_uninterrupted_one_gives(
    sources, tmp_path, whole, phase, end_after
):
    assert not attempt(spec(sources), tmp_path / "c", phase=phase, end_after=end_after)
    assert not (tmp_path / "c").exists()
    said = []
    assert attempt(spec(sources), tmp_path / "c", say=lambda *what: said.append(what[0]))
    assert content_of(tmp_path / "c") == whole
    assert not (tmp_path / "c.partial").exists()
    if (phase, end_after) not in MOMENTS[:2]:
        assert said == ["Going on where the work was interrupted"]


CLEANING = CleaningConfig(
    whitespace=True,
    normalise="NFC",
    min_characters=90,
    near_duplicates="remove",
    similarity=0.5,
)


@pytest.mark.parametrize(
    ("phase", "end_after"),
    [("reading", 10), ("reading", 40), ("comparing documents", 3), ("tokenising", 6)],
)
def test_what_cleaning_has_counted_and_compared_is_kept_too(sources, tmp_path, phase, end_after):
    for name in ("04", "12"):
        text = (sources[0] / f"{name}.txt").read_text()
        (sources[0] / f"{name}-near.txt").write_text(text.replace(" ", "  \n", 3) + "and more\n")
    wanted = spec(sources, cleaning=CLEANING)
    assert attempt(wanted, tmp_path / "straight")
    manifest = open_corpus(tmp_path / "straight").manifest
    assert {step.step for step in manifest.sources[0].cleaning} >= {"whitespace", "length"}
    assert manifest.near_duplicates.documents == 2
    assert not attempt(wanted, tmp_path / "c", phase=phase, end_after=end_after)
    assert attempt(wanted, tmp_path / "c")
    assert content_of(tmp_path / "c") == content_of(tmp_path / "straight")


def test_one_that_is_interrupted_again_and_again_gives_the_same(sources, tmp_path, whole):
    rng = random.Random(8)
    attempts = 1
    # Each session passes over the records that are read, or it would never come to an end.
    while not attempt(spec(sources), tmp_path / "c", end_after=rng.randint(62, 70)):
        attempts += 1
        assert attempts < 100
    assert attempts > 2
    assert content_of(tmp_path / "c") == whole


CHILD = """
import sys
from pathlib import Path
from trainer_core import spec
from trainer_core.data.preparing import tokenise
from trainer_core.data.preparing.build import build_corpus
tokenise.BATCH_BYTES = 3000
wanted = spec.load(Path(sys.argv[1]))
report = lambda phase, *_: print(phase, flush=True)
build_corpus(wanted, Path(sys.argv[2]), report=report, shard_tokens=3000, note_every_s=0.0)
"""


def test_a_process_killed_at_any_moment_loses_no_work_and_changes_nothing(sources, tmp_path, whole):
    (tmp_path / "spec.toml").write_text(specs.to_toml(spec(sources)))
    rng = random.Random(2)
    kills = 0
    for _ in range(4):
        command = [sys.executable, "-c", CHILD, str(tmp_path / "spec.toml"), str(tmp_path / "c")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(rng.randint(10, 80)):
                if not process.stdout.readline():
                    break
            process.kill()
        kills += process.returncode < 0
        assert not (tmp_path / "c").exists() or content_of(tmp_path / "c") == whole
    assert kills >= 2
    if not (tmp_path / "c").exists():
        assert attempt(spec(sources), tmp_path / "c")
    assert content_of(tmp_path / "c") == whole
    open_corpus(tmp_path / "c", verify=True)


@pytest.mark.parametrize("room_bytes", [0, 100, 2000, 9000, 20_000])
def test_work_goes_on_when_a_full_disk_has_room_again(
    sources, tmp_path, whole, monkeypatch, room_bytes
):
    append = growing.GrowingFile.append
    left = room_bytes

    def append_while_there_is_room(file, data):
        nonlocal left
        left -= len(data)
        if left < 0:
            append(file, data[: len(data) // 2])  # a full disk takes a part
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.path))
        append(file, data)

    monkeypatch.setattr(growing.GrowingFile, "append", append_while_there_is_room)
    with pytest.raises(OSError, match="No space"):
        attempt(spec(sources), tmp_path / "c")
    assert not (tmp_path / "c").exists()
    monkeypatch.undo()
    assert attempt(spec(sources), tmp_path / "c")
    assert content_of(tmp_path / "c") == whole


@pytest.mark.parametrize("phase", ["reading", "tokenising"])
def test_changed_files_and_settings_begin_it_anew_and_say_so(sources, tmp_path, phase):
    when = {"phase": phase, "end_after": 15}
    assert not attempt(spec(sources), tmp_path / "c", **when)
    with (sources[0] / "01.txt").open("a") as file:
        file.write("more\n")
    said = []
    other = spec(sources, tokenizer=ByteTokenizer())
    for wanted, why in ((spec(sources), "Files of the sources"), (other, "The settings")):
        said.clear()
        attempt(wanted, tmp_path / "c", say=lambda *what: said.append(what), **when)
        assert [(title, text.startswith(why)) for title, text in said] == [("Beginning anew", True)]
    assert attempt(other, tmp_path / "c")
    assert attempt(other, tmp_path / "straight")
    assert content_of(tmp_path / "c") == content_of(tmp_path / "straight")


@pytest.mark.parametrize(
    "damaged",
    [
        "survey/documents.bin",
        "survey/files.bin",
        "corpus/train/tokens-00000.bin",
        "corpus/tokenizer/ranks.tiktoken",
        "journal.json",
    ],
)
def test_work_that_was_lost_or_damaged_is_done_again(sources, tmp_path, whole, damaged):
    assert not attempt(spec(sources), tmp_path / "c", phase="counting tokens", end_after=1)
    path = tmp_path / "c.partial" / damaged
    path.write_bytes(path.read_bytes()[:7])
    said = []
    assert attempt(spec(sources), tmp_path / "c", say=lambda *what: said.append(what[0]))
    assert "Going on where the work was interrupted" not in said[1:]
    assert content_of(tmp_path / "c") == whole


def test_documents_that_change_before_and_behind_the_interruption_are_left_out_once(
    sources, tmp_path, monkeypatch
):
    """The survey has their texts; the last reading, which is interrupted, finds other ones."""
    monkeypatch.setattr(build, "files_hash", lambda _: "")
    assert not attempt(spec(sources), tmp_path / "c", phase="tokenising", end_after=1)
    for name in ("08.txt", "19.txt"):
        (sources[0] / name).write_text("another text\n")
    for end_after in (3, 6):
        assert not attempt(spec(sources), tmp_path / "c", phase="tokenising", end_after=end_after)
    assert attempt(spec(sources), tmp_path / "c")
    corpus = open_corpus(tmp_path / "c", verify=True)
    changed = [g for g in corpus.manifest.source.skipped if g.reason == "changed"]
    assert [(group.count, len(group.examples)) for group in changed] == [(2, 2)]


def test_cleaning_that_lets_nothing_through_is_named(sources, tmp_path):
    wanted = spec(sources, cleaning=CleaningConfig(min_characters=10**6))
    with pytest.raises(DataError, match="shorter than chosen") as caught:
        build_corpus(wanted, tmp_path / "c")
    assert caught.value.field == "cleaning"


def test_an_error_in_the_data_leaves_nothing(tmp_path):
    (tmp_path / "empty.txt").write_text(" ")
    with pytest.raises(DataError, match="no usable text"):
        build_corpus(spec([tmp_path / "empty.txt"]), tmp_path / "c")
    assert not list(tmp_path.glob("c*"))
