"""Building an index: key ranges, chunks, memory limits, resuming, adding documents."""

import dataclasses
import errno
import os

import numpy as np
import pytest
from index_for_tests import source_of

from trainer_core.errors import DiskFullError, IndexFileError
from trainer_core.files import draft_beside
from trainer_core.index import assembly, build_from, open_index, store
from trainer_core.index.assembly import Settings
from trainer_core.index.budget import Need, cut_chunks
from trainer_core.index.build import build
from trainer_core.index.compiled import COMPILED
from trainer_core.index.draft import STEPS_FILE, Draft
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
        piece = np.concatenate([quoted[quoted > 0], fresh, [0] * (random.random() < 0.2)])
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
        begun = []
        with monkeypatch.context() as patched:
            finish = Draft.finish
            patched.setattr(
                Draft, "finish", lambda self, *of: (begun.append(of[0]), finish(self, *of))[1]
            )
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
    if 5 in other.document_start:
        pytest.fail("the test changes a separator")
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
