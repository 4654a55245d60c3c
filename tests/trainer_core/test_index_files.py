"""The index folder: whole or absent, self-contained, and every damage is named."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
from index_for_tests import as_rows, index_of, source_of

from trainer_core.errors import DiskFullError, IndexFileError
from trainer_core.index import build_from, build_index, open_index, store
from trainer_core.index.lookups.portable import needed_files, open_portable_index

TRAIN = [0, 1, 2, 3, 4, 0, 1, 2, 3, 5, 0, 2, 3]
STARTS = [0, 5, 10]
SOURCE = source_of(TRAIN, STARTS, [0, 1, 2, 3], [0])


@pytest.fixture
def folder(tmp_path):
    index_of(tmp_path / "index", SOURCE)
    return tmp_path / "index"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_manifest_lists_every_file_with_its_size(folder):
    index = open_index(folder, verify=True)
    listed = {entry.name: entry.size_bytes for entry in index.manifest.files}
    there = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert listed == {name: size for name, size in there.items() if name != store.MANIFEST_NAME}
    assert index.size_bytes == sum(there.values())
    assert index.max_length == 32
    assert index.n_tokens == len(TRAIN)
    assert index.corpus_fingerprint == "corpus"
    assert index.tokenizer_fingerprint == "tokenizer"


def test_two_builds_write_the_same_bytes(folder, tmp_path):
    index_of(tmp_path / "again", SOURCE)
    assert contents(tmp_path / "again") == contents(folder)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_the_folder_written_without_numba_is_the_same(tmp_path, dtype):
    random = np.random.default_rng(3)
    text = np.tile(random.integers(1, 9, 150), 3)
    text[::70] = 0
    starts = np.flatnonzero(text == 0)
    np.save(tmp_path / "text.npy", text.astype(dtype))
    np.save(tmp_path / "starts.npy", starts)
    script = """
import sys
import numpy as np
from index_for_tests import index_of, source_of
text, starts = np.load("text.npy"), np.load("starts.npy")
index_of(sys.argv[1], source_of(text, starts, text[:200], starts[starts < 200], dtype=text.dtype,
         vocab_size=9))
"""
    (tmp_path / "script.py").write_text(script)
    for name, without in (("compiled", "0"), ("plain", "1")):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(
            [sys.executable, "script.py", name],
            env={**environment, "HEARTH_NO_NUMBA": without},
            cwd=tmp_path,
            check=True,
        )
    assert contents(tmp_path / "compiled") == contents(tmp_path / "plain")


def test_a_copied_folder_stands_by_itself(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(folder)
    assert open_index(tmp_path / "copy", verify=True).lookup([1, 2, 3]).count == 2


def test_the_portable_reader_needs_only_the_files_that_it_names(folder, tmp_path):
    (tmp_path / "few").mkdir()
    for name in needed_files(json.loads((folder / "manifest.json").read_text())):
        shutil.copy(folder / name, tmp_path / "few" / name)
    assert open_portable_index(tmp_path / "few").lookup([1, 2, 3])[:2] == (3, 5)


def test_the_portable_reader_refuses_what_it_cannot_read(folder):
    path = folder / "sorted-000.bin"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="cut off"):
        open_portable_index(folder)
    rewrite_manifest(folder, version=99)
    with pytest.raises(ValueError, match="another index format"):
        open_portable_index(folder)


# --- whole or absent ---------------------------------------------------------------------------


def test_a_build_that_is_ended_leaves_nothing(tmp_path):
    class EndedError(Exception):
        pass

    for phase in ("reading", "sorting", "writing", "making", "matching"):

        def end(said, done, total, unit, phase=phase):
            if said.startswith(phase):
                raise EndedError

        with pytest.raises(EndedError):
            build_from(SOURCE, tmp_path / "index", progress=end)
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_index_that_was_there(folder, tmp_path):
    before = contents(folder)

    def full(phase, done, total, unit):
        if phase.startswith("writing"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DiskFullError):
        build_from(source_of([0, 1, 1], [0]), folder, progress=full)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_build_replaces_the_index_that_was_there(folder, tmp_path):
    build_from(source_of([0, 1, 1], [0]), folder)
    assert open_index(folder, verify=True).n_tokens == 3
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_build_never_replaces_anything_but_an_index(folder, tmp_path):
    (folder / "diary.txt").write_text("dear diary")
    before = contents(folder)
    with pytest.raises(IndexFileError, match="something else"):
        build_from(SOURCE, folder)
    assert contents(folder) == before
    (tmp_path / "file").write_text("text")
    with pytest.raises(IndexFileError, match="something else"):
        build_from(SOURCE, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"


def test_what_a_killed_build_left_is_cleared_and_a_set_aside_index_comes_back(folder, tmp_path):
    (tmp_path / ".index.writing").mkdir()
    (tmp_path / ".index.writing" / "tokens.bin").write_bytes(b"half")
    folder.rename(tmp_path / ".index.replaced")
    with pytest.raises(IndexFileError):  # the new build fails, so the old index must be back
        build_from(
            source_of([0, 1, 1], [0]),
            folder,
            progress=lambda *_: (_ for _ in ()).throw(IndexFileError("ended")),
        )
    assert open_index(folder, verify=True).n_tokens == len(TRAIN)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


KILLED = """
import sys, time
import numpy as np
from index_for_tests import index_of, source_of
text = np.tile(np.arange(40) % 39, 3000)
starts = np.flatnonzero(text == 0)
source = source_of(text, starts, vocab_size=40)
print("ready", flush=True)
while True:
    index_of("index", source)
"""


@pytest.mark.timeout(120)
def test_an_index_is_whole_or_absent_after_kill_9(tmp_path):
    (tmp_path / "script.py").write_text(KILLED)
    random = np.random.default_rng(11)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "script.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if (tmp_path / "index").exists():
            assert open_index(tmp_path / "index", verify=True).n_tokens == 120_000
    build_from(SOURCE, tmp_path / "index")
    assert open_index(tmp_path / "index", verify=True).n_tokens == len(TRAIN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "script.py"]


# --- what cannot be indexed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (source_of([0, 1, 0, 2], [0]), "separators"),
        (source_of([1, 2], [0]), "separators"),
        (source_of([0, 9], [0]), "outside the vocabulary"),
        (source_of([], []), "empty"),
        (source_of([0, 1], [0], [0, 0], [0]), "held-out"),
    ],
)
def test_a_corpus_that_breaks_its_own_rules_is_refused(tmp_path, source, why):
    with pytest.raises(IndexFileError, match=why):
        build_from(source, tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


def test_a_match_length_out_of_range_is_refused(tmp_path):
    for max_length in (0, 65):
        with pytest.raises(ValueError, match="max_length"):
            build_from(SOURCE, tmp_path / "index", max_length=max_length)


# --- damage ------------------------------------------------------------------------------------


def refused(folder, **settings):
    with pytest.raises(IndexFileError) as caught:
        open_index(folder, **settings)
    assert caught.value.what
    assert caught.value.safe
    assert caught.value.do
    return caught.value


def rewrite_manifest(folder, **changes):
    path = folder / store.MANIFEST_NAME
    fields = json.loads(path.read_text())
    fields.update(changes)
    path.write_text(json.dumps(fields))


def test_a_folder_without_an_index_says_so(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        assert "There is no index" in refused(folder).what
    (tmp_path / "file").write_text("text")
    assert "There is no index" in refused(tmp_path / "file").what


def test_a_newer_index_is_refused(folder):
    rewrite_manifest(folder, version=store.INDEX_VERSION + 1)
    error = refused(folder)
    assert "newer version" in error.what
    assert "Update" in error.do


def test_an_index_of_an_older_format_is_refused_and_can_be_replaced(folder):
    manifest = {"version": 1, "n_tokens": len(TRAIN)}
    (folder / store.MANIFEST_NAME).write_text(json.dumps(manifest))
    (folder / "sorted-000.bin").rename(folder / "sorted.bin")
    error = refused(folder)
    assert "older version" in error.what
    assert "again" in error.do
    index_of(folder, SOURCE)
    assert not (folder / "sorted.bin").exists()


@pytest.mark.parametrize("name", [store.TOKENS_FILE, "sorted-000.bin", "train-next.bin"])
def test_a_file_that_is_cut_off_or_missing_is_named(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    assert str(path) in refused(folder).what
    path.unlink()
    error = refused(folder)
    assert str(path) in error.what
    assert "missing" in error.what


def test_a_flipped_bit_in_any_file_is_found_and_named_by_verify(folder):
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        if not good:
            continue
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 4
        path.write_bytes(flipped)
        assert str(path) in refused(folder, verify=True).what
        path.write_bytes(good)
    open_index(folder, verify=True)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": "one"}', '{"version": 1}', "\udcff", "null"]
)
def test_a_manifest_that_is_no_manifest_is_named(folder, text):
    path = folder / store.MANIFEST_NAME
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert str(path) in refused(folder).what


def test_a_manifest_that_was_edited_is_refused(folder):
    rewrite_manifest(folder, max_length=16)
    assert "fingerprint" in refused(folder).what


def test_a_sealed_manifest_that_fits_nothing_is_refused(folder):
    manifest = store.read_manifest(folder)
    short = msgspec.structs.replace(manifest, n_tokens=manifest.n_tokens + 1)
    store.write_manifest(folder, short)
    assert "contradicts itself" in refused(folder).what
    unlisted = msgspec.structs.replace(manifest, files=manifest.files[1:])
    store.write_manifest(folder, unlisted)
    assert "does not list" in refused(folder).what


def test_an_index_of_another_corpus_or_tokenizer_is_refused(folder):
    assert "another corpus" in refused(folder, corpus_fingerprint="other").what
    assert "another tokenizer" in refused(folder, tokenizer_fingerprint="other").what
    open_index(folder, corpus_fingerprint="corpus", tokenizer_fingerprint="tokenizer")


def test_damaged_positions_give_wrong_answers_at_worst(folder):
    path = folder / "sorted-000.bin"
    path.write_bytes(b"\xff" * path.stat().st_size)
    index = open_index(folder)
    for context in ([1, 2, 3], [0], [2]):
        assert index.lookup(context).length <= len(context)
        assert index.count(context) >= 0
        index.occurrences(context)
        index.continuations(context)


@pytest.mark.parametrize("name", [store.BUCKETS_FILE, store.DOCUMENTS_FILE])
def test_damaged_ranks_and_starts_are_refused(folder, name):
    path = folder / name
    numbers = np.frombuffer(path.read_bytes(), "<i8").copy()
    numbers[-2] = 1 << 40
    path.write_bytes(numbers.tobytes())
    assert str(path) in refused(folder).what


def test_a_corpus_folder_gives_the_index_of_its_tokens(tmp_path):
    from tiny_run import make_corpus

    from trainer_core.spec import ByteTokenizer

    corpus = make_corpus(tmp_path, ByteTokenizer())
    phases = []
    build_index(
        corpus.folder, tmp_path / "index", max_length=8, progress=lambda *said: phases.append(said)
    )
    index = open_index(
        tmp_path / "index",
        verify=True,
        corpus_fingerprint=corpus.fingerprint,
        tokenizer_fingerprint=corpus.tokenizer.fingerprint,
    )
    assert index.n_tokens == corpus.train.n_tokens
    assert len(index.train_features()) == corpus.train.n_tokens
    assert len(index.validation_features()) == corpus.validation.n_tokens
    finished = [phase for phase, done, total, _ in phases if done == total]
    assert list(dict.fromkeys(finished)) == [
        "reading the training text",
        "sorting the training text",
        "writing the index",
        "making the tables for lookups",
        "matching the held-out text",
    ]
    position = int(index.occurrences(corpus.tokenizer.encode("pussy"))[0])
    assert index.document_at(position) == corpus.train.document_at(position)
    assert as_rows(index.train_features())[0][0] == 0
