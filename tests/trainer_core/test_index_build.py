"""Building an index: key ranges, chunks, memory limits, resuming, adding documents."""

import dataclasses
import errno
import os
import shutil
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from index_for_tests import grown_corpus, source_of

from trainer_core.errors import DiskFullError, IndexFileError, KnownError
from trainer_core.files import draft_beside, replaced_beside
from trainer_core.index import (
    append_documents,
    build_from,
    build_index,
    open_index,
    store,
)
from trainer_core.index.building import assembly, budget
from trainer_core.index.building import source as reading
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.budget import Need, cut_chunks
from trainer_core.index.building.build import build, source_of_corpus
from trainer_core.index.building.draft import STEPS_FILE, Draft
from trainer_core.index.building.growing import GrowingFile
from trainer_core.index.compiled import COMPILED
from trainer_core.index_plan import expected_bytes


def text_of(size, vocab_size=9, seed=3, dtype=np.uint16):
    """Documents that quote each other, as tokens and where each begins."""
    random = np.random.default_rng(seed)
    text = np.zeros(size, dtype=np.int64)
    done = 1
    while done < size:
        fresh = random.integers(1, vocab_size, random.integers(1, 40))
        begin = random.integers(0, done)
        quoted = text[begin : begin + random.integers(1, 90)]
        piece = np.concatenate([quoted[quoted > 0], fresh, [0] * (random.random() < 0.5)])
        text[done : done + piece.size] = piece[: size - done]
        done += piece.size
    return text.astype(dtype), np.flatnonzero(text == 0)


def some_source(size=600, vocab_size=9, dtype=np.uint16):
    text, starts = text_of(size, vocab_size, dtype=dtype)
    held_out, held_out_starts = text_of(150, vocab_size, seed=8, dtype=dtype)
    return source_of(text, starts, held_out, held_out_starts, dtype=dtype, vocab_size=vocab_size)


def test_ranges_divide_the_vocabulary_and_never_a_token():
    bounds = np.array([0, 3, 3, 10, 11, 12, 12])
    ranges = store.cut_ranges(bounds, 4)
    assert [(r.first_token, r.stop_token) for r in ranges] == [(0, 2), (2, 3), (3, 6)]
    assert [(r.first_rank, r.entries) for r in ranges] == [(0, 3), (3, 7), (10, 2)]
    assert len(store.cut_ranges(bounds, 12)) == 1


def test_key_ranges_change_nothing_but_the_files(tmp_path):
    source = some_source()
    build_from(source, tmp_path / "one")
    build_from(source, tmp_path / "many", range_entries=100)
    one, many = open_index(tmp_path / "one"), open_index(tmp_path / "many", verify=True)
    assert len(many.manifest.ranges) > 4
    joined = [
        (tmp_path / "many" / store.range_file("sorted", number)).read_bytes()
        for number in range(len(many.manifest.ranges))
    ]
    assert b"".join(joined) == (tmp_path / "one" / "sorted-000.bin").read_bytes()
    for context in ([1, 2], [0, 3], [8, 8, 1]):
        assert one.lookup(context) == many.lookup(context)


@pytest.mark.parametrize(("dtype", "vocab_size"), [(np.uint16, 9), (np.uint32, 70_000)])
@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 66, 5_000])
def test_the_expected_size_is_the_size(tmp_path, dtype, vocab_size, size):
    source = some_source(size, vocab_size, dtype)
    manifest = build_from(source, tmp_path / "index")
    expected = expected_bytes(size, 150, source.document_start.size, vocab_size)
    assert expected == sum(entry.size_bytes for entry in manifest.files)


# --- chunks ------------------------------------------------------------------------------------


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize(
    ("limit_bytes", "threads", "range_entries"),
    [(40_000, 1, 1 << 28), (30_000, 2, 500), (9_000, 1, 200), (3_000, 1, 1 << 28)],
)
def test_chunks_and_threads_change_no_byte(tmp_path, dtype, limit_bytes, threads, range_entries):
    source = some_source(2_000, dtype=dtype)
    build_from(source, tmp_path / "one", range_entries=range_entries, threads=1)
    settings = Settings(32, limit_bytes, threads, range_entries)
    built = build(source, tmp_path / "many", settings)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert built.chunks > 1 or not COMPILED
    assert not built.resumed
    assert not built.appended


@pytest.mark.parametrize("max_length", [1, 2, 7, 64])
def test_chunks_of_one_long_document_meet_in_it(tmp_path, max_length):
    text = np.concatenate([[0], np.tile(np.arange(1, 30) % 8 + 1, 40)])
    source = source_of(text, [0], vocab_size=9)
    build_from(source, tmp_path / "one", max_length=max_length)
    build_from(source, tmp_path / "many", max_length=max_length, memory_limit_bytes=8_000)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


@pytest.mark.parametrize("largest_share", [0.0001, 0.05, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("n_tokens", [1, 1_000, 50_000_000, 2_000_000_000])
def test_a_text_that_fits_is_one_chunk(n_tokens, largest_share):
    need = Need(
        dtype="uint16", text_bytes=0, vocab_size=300, largest_share=largest_share, threads=1
    )
    chunks, _ = cut_chunks(0, n_tokens, need, 1 << 40)
    assert chunks == ((0, n_tokens),)


def test_less_memory_makes_more_chunks_that_keep_to_it():
    need = Need(dtype="uint16", text_bytes=0, vocab_size=50_257, largest_share=0.05, threads=2)
    counts = []
    for limit_mb in (100_000, 3_000, 1_000, 500):
        chunks, work_entries = cut_chunks(0, 300_000_000, need, limit_mb << 20)
        assert [first for first, _ in chunks[1:]] == [stop for _, stop in chunks[:-1]]
        assert (chunks[0][0], chunks[-1][1]) == (0, 300_000_000)
        assert need.bytes_for(chunks[0][1], work_entries) <= limit_mb << 20
        counts.append(len(chunks))
    assert counts[0] == 1
    assert counts == sorted(set(counts))


def test_the_automatic_limit_is_half_of_what_is_free_in_a_container_too(tmp_path, monkeypatch):
    free = 8 << 30
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(budget, "_CONTAINER", tmp_path)
    assert budget.automatic_limit() == 4 << 30
    (tmp_path / "memory.current").write_text(f"{1 << 30}\n")
    for written, expected in (("max", 4 << 30), (str(3 << 30), 1 << 30), ("9", 256 << 20)):
        (tmp_path / "memory.max").write_text(written + "\n")
        assert budget.automatic_limit() == expected


# --- going on ----------------------------------------------------------------------------------


class EndedError(Exception):
    """What ends a build in the middle."""


@pytest.fixture
def resumable(monkeypatch):
    monkeypatch.setattr(assembly, "RESUMABLE_TOKENS", 0)


needs_steps = pytest.mark.skipif(not COMPILED, reason="builds without numba have one step")


def end_after(monkeypatch, count):
    """Let so many steps be finished; then an exception ends the build."""
    finish, left = Draft.finish, [count]

    def counted(self, step, files):
        if not left[0]:
            raise EndedError(step)
        left[0] -= 1
        finish(self, step, files)

    monkeypatch.setattr(Draft, "finish", counted)


def noted_steps(monkeypatch):
    """The steps that a build finishes from now on."""
    finish, names = Draft.finish, []

    def noted(self, step, files):
        names.append(step)
        finish(self, step, files)

    monkeypatch.setattr(Draft, "finish", noted)
    return names


def steps_of(folder):
    lines = (draft_beside(folder) / STEPS_FILE).read_bytes().splitlines()
    return [line.split(b'"')[3].decode() for line in lines]


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


# --- a corpus on disk --------------------------------------------------------------------------


def test_a_corpus_in_many_shards_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK_TOKENS", 500)
    corpus = grown_corpus(tmp_path, 12, shard_tokens=700)
    assert len(corpus.manifest.train.shards) > 5
    of_corpus = source_of_corpus(corpus.folder)
    assert not isinstance(of_corpus.tokens, np.ndarray)
    build(of_corpus, tmp_path / "parts", Settings())
    build_from(dataclasses.replace(of_corpus, tokens=corpus.train.tokens()), tmp_path / "joined")
    assert contents(tmp_path / "parts") == contents(tmp_path / "joined")


# --- adding documents --------------------------------------------------------------------------


def beginning_of(source, documents):
    """A source's first documents, under another name and with other held-out text."""
    stop = int(source.document_start[documents])
    return dataclasses.replace(
        source,
        tokens=source.tokens[:stop],
        document_start=source.document_start[:documents],
        validation_tokens=source.validation_tokens[:3],
        validation_document_start=source.validation_document_start[:1],
        corpus_fingerprint=f"first {documents}",
    )


APPENDING = Settings(32, None, 1, 300, append_to="what is there")


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("limit_bytes", [None, 12_000])
def test_an_index_that_is_appended_to_is_what_a_new_one_is(tmp_path, dtype, limit_bytes):
    source = some_source(1_500, dtype=dtype)
    build_from(source, tmp_path / "new", range_entries=300)
    settings = dataclasses.replace(APPENDING, memory_limit_bytes=limit_bytes)
    last = source.document_start.size - 1
    build_from(beginning_of(source, 2), tmp_path / "index", range_entries=100)
    for documents in (3, last // 2, last):
        built = build(beginning_of(source, documents), tmp_path / "index", settings)
        assert built.appended == COMPILED
        assert open_index(tmp_path / "index", verify=True).manifest.n_documents == documents
    built = build(source, tmp_path / "index", settings)
    assert contents(tmp_path / "index") == contents(tmp_path / "new")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["index", "new"]


def test_a_corpus_that_only_validates_otherwise_is_appended_too(tmp_path):
    source = some_source()
    other = dataclasses.replace(
        source, validation_tokens=source.tokens[:40], validation_document_start=np.array([0])
    )
    starts = source.document_start[source.document_start < 40]
    other = dataclasses.replace(other, validation_document_start=starts)
    build_from(source, tmp_path / "index", range_entries=300)
    build(other, tmp_path / "index", APPENDING)
    build_from(other, tmp_path / "new", range_entries=300)
    assert contents(tmp_path / "index") == contents(tmp_path / "new")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tokenizer_fingerprint": "other"}, "another tokenizer"),
        ({"vocab_size": 10}, "another vocabulary"),
        ({"tokens": "shorter"}, "shorter"),
        ({"tokens": "other"}, "another text"),
        ({"document_start": "other"}, "other places"),
    ],
)
def test_what_is_no_continuation_is_refused_and_built_anew_when_it_may_be(tmp_path, change, why):
    source = some_source()
    build_from(beginning_of(source, 4), tmp_path / "index")
    before = contents(tmp_path / "index")
    if change.get("tokens") == "shorter":
        other = beginning_of(source, 3)
    elif change.get("tokens") == "other":
        tokens = source.tokens.copy()
        tokens[1] = tokens[1] % 8 + 1
        other = dataclasses.replace(source, tokens=tokens)
    elif "document_start" in change:
        tokens = source.tokens.copy()
        tokens[1] = 0
        starts = np.sort(np.append(source.document_start, 1))
        other = dataclasses.replace(source, tokens=tokens, document_start=starts)
    else:
        other = dataclasses.replace(source, **change)
    with pytest.raises(IndexFileError, match=why):
        build(other, tmp_path / "index", APPENDING)
    assert contents(tmp_path / "index") == before
    settings = Settings(append_to="what fits")
    assert not build(other, tmp_path / "index", settings).appended
    build_from(other, tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")


def test_a_damaged_index_is_not_appended_to(tmp_path):
    source = some_source()
    build_from(beginning_of(source, 4), tmp_path / "index")
    path = tmp_path / "index" / "train-next.bin"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(IndexFileError, match=r"train-next\.bin"):
        build(source, tmp_path / "index", APPENDING)
    assert not build(source, tmp_path / "index", Settings(append_to="what fits")).appended
    open_index(tmp_path / "index", verify=True)


@needs_steps
def test_appending_that_is_ended_behind_any_step_goes_on_there(tmp_path, monkeypatch, resumable):
    source = some_source(900)
    build_from(source, tmp_path / "new", range_entries=300)
    build_from(beginning_of(source, 5), tmp_path / "old", range_entries=300)
    settings = dataclasses.replace(APPENDING, memory_limit_bytes=14_000)
    count, done = 0, False
    while not done:
        folder = tmp_path / f"index-{count}"
        shutil.copytree(tmp_path / "old", folder)
        with monkeypatch.context() as patched:
            end_after(patched, count)
            try:
                build(source, folder, settings)
                done = True
            except EndedError:
                assert contents(folder) == contents(tmp_path / "old")
        if not done:
            built = build(source, folder, settings)
            assert built.appended
            assert built.resumed == (count > 0)
        assert contents(folder) == contents(tmp_path / "new")
        count += 1
    assert count > 10


def test_a_corpus_that_has_grown_is_appended(tmp_path):
    corpora = [grown_corpus(tmp_path, count) for count in (40, 60, 75)]
    assert corpora[0].train.n_documents < corpora[1].train.n_documents
    build_index(corpora[0].folder, tmp_path / "index")
    append_documents(corpora[1].folder, tmp_path / "index")
    build_index(corpora[2].folder, tmp_path / "index")
    build_index(corpora[2].folder, tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")
    with pytest.raises(IndexFileError, match="shorter"):
        append_documents(corpora[0].folder, tmp_path / "index")
    with pytest.raises(IndexFileError, match="no index"):
        append_documents(corpora[0].folder, tmp_path / "absent")


def test_an_index_that_a_killed_build_had_set_aside_is_appended_to(tmp_path):
    corpora = [grown_corpus(tmp_path, count) for count in (40, 60)]
    build_index(corpora[0].folder, tmp_path / "index")
    (tmp_path / "index").rename(replaced_beside(tmp_path / "index"))
    append_documents(corpora[1].folder, tmp_path / "index")
    build_index(corpora[1].folder, tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")
