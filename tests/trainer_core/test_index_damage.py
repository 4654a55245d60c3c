"""Damage to an index: each file and each kind is named, and no lookup ever ends the process."""

import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from index_for_tests import source_of

from trainer_core.errors import IndexFileError, KnownError
from trainer_core.index import build_from, open_index, store

VOCAB_SIZE = 40
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # of <linux/prctl.h> and <linux/capability.h>


def text_of(n, seed):
    """Few tokens, stretches that come again, documents behind separators; as a list."""
    random = np.random.default_rng(seed)
    piece = random.integers(1, VOCAB_SIZE, 200)
    parts = [[0]]
    while sum(map(len, parts)) < n:
        begin = random.integers(0, 180)
        parts.append(piece[begin : begin + random.integers(3, 20)])
        if random.random() < 0.1:
            parts.append([0])
    return np.concatenate(parts)[:n]


def build(folder, seed=1):
    train, held_out = text_of(6000, seed), text_of(600, seed + 1)
    train[-1] = held_out[-1] = 1
    source = source_of(
        train,
        np.flatnonzero(train == 0),
        held_out,
        np.flatnonzero(held_out == 0),
        vocab_size=VOCAB_SIZE,
    )
    build_from(source, folder, range_entries=1500)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An index of several key ranges; nobody changes it."""
    folder = tmp_path_factory.mktemp("whole") / "index"
    build(folder)
    assert len(open_index(folder).manifest.ranges) > 2
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "index"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_named(folder, path, **settings):
    """Opening is refused, and the message has the file, what is safe, and what to do."""
    with pytest.raises(IndexFileError) as caught:
        open_index(folder, **settings)
    assert str(path) in caught.value.what
    assert caught.value.safe and caught.value.do


@contextlib.contextmanager
def damaged(path, data):
    """A file with other content, or none, for a while."""
    good = path.read_bytes()
    path.unlink()  # readers of the old file keep it
    if data is not None:
        path.write_bytes(data)
    yield
    path.write_bytes(good)


# --- named -------------------------------------------------------------------------------------


def test_each_file_that_is_cut_off_grown_or_missing_is_named(folder):
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        # Behind the manifest's last bracket stands a line end.
        for data in (good[:-2], good[: len(good) // 2], b"", good + b"\0", None):
            with damaged(path, data):
                assert_named(folder, path.name if data is None else path)
    open_index(folder, verify=True)


def test_each_file_with_another_byte_anywhere_is_named_by_verify(folder):
    random = np.random.default_rng(5)
    for path in sorted(folder.iterdir()):
        good = path.read_bytes()
        for place in (0, len(good) - 1, *random.integers(0, len(good), 4)):
            flipped = bytearray(good)
            flipped[place] ^= 1 << int(random.integers(0, 8))
            if path.name == store.MANIFEST_NAME and same_manifest(flipped, good):
                continue
            with damaged(path, bytes(flipped)):
                assert_named(folder, path, verify=True)
    open_index(folder, verify=True)


def same_manifest(one, other):
    """Whether two manifests say the same, such as with another blank between two words."""
    with contextlib.suppress(ValueError):
        return json.loads(one) == json.loads(other)
    return False


def test_files_that_changed_places_are_named_by_verify(folder):
    first, second = folder / "train-length.bin", folder / "train-marks.bin"
    one, other = first.read_bytes(), second.read_bytes()
    assert len(one) == len(other) and one != other
    first.write_bytes(other)
    second.write_bytes(one)
    assert_named(folder, first, verify=True)


def test_a_folder_in_the_place_of_a_file_is_named(folder):
    for path in sorted(folder.iterdir()):
        with damaged(path, None):
            path.mkdir()
            assert_named(folder, path.name)
            path.rmdir()


def test_an_edited_manifest_is_named_whatever_was_edited(folder):
    path = folder / store.MANIFEST_NAME
    fields = json.loads(path.read_bytes())
    for name, value in fields.items():
        for other in (other_than(value), None, "nonsense"):
            with damaged(path, json.dumps({**fields, name: other}).encode()):
                assert_named(folder, path)
        without = {key: fields[key] for key in fields if key != name}
        with damaged(path, json.dumps(without).encode()):
            assert_named(folder, path)
    for garbage in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"\0" * 100, b"[" * 100_000):
        with damaged(path, garbage):
            assert_named(folder, path)


def other_than(value):
    if isinstance(value, int):
        return value + 1
    return value[:-1] if value else "other"


def test_a_manifest_that_lies_under_a_sound_seal_is_refused(folder):
    manifest = store.read_manifest(folder)
    ranges, files = manifest.ranges, manifest.files
    change = msgspec.structs.replace
    lies = [
        {"n_tokens": manifest.n_tokens + 1},
        {"n_tokens": 0},
        {"n_tokens": -5},
        {"n_documents": manifest.n_documents - 1},
        {"n_documents": 0},
        {"vocab_size": VOCAB_SIZE - 1},
        {"vocab_size": 0},
        {"dtype": "uint32"},
        {"max_length": 0},
        {"max_length": 65},
        {"separator": -1},
        {"separator": VOCAB_SIZE},
        {"ranges": ()},
        {"ranges": (change(ranges[0], stop_token=ranges[0].stop_token + 1), *ranges[1:])},
        {"ranges": (ranges[0], change(ranges[1], first_rank=0), *ranges[2:])},
        {"ranges": (change(ranges[0], first_token=-1), *ranges[1:])},
        {"ranges": ranges[1:]},
        {"ranges": ranges[:-1]},
        {"ranges": ranges[::-1]},
        {"ranges": (ranges[0], *ranges)},
        {"ranges": (change(ranges[0], entries=ranges[0].entries + 1), *ranges[1:])},
        {"files": ()},
        {"files": files[1:]},
        {"files": (*files, change(files[0], name="../index/../../outside"))},
        {"files": (*files, change(files[0], name="absent.bin"))},
        {"files": (change(files[0], size_bytes=-1), *files[1:])},
    ]
    for lie in lies:
        store.write_manifest(folder, change(manifest, **lie))
        with pytest.raises(IndexFileError) as caught:
            open_index(folder)
        assert str(folder) in caught.value.what, lie
    store.write_manifest(folder, manifest)
    open_index(folder, verify=True)


# --- what does not belong together -------------------------------------------------------------


def test_an_index_of_another_corpus_or_tokenizer_is_refused_by_name(folder):
    for what in ("corpus", "tokenizer"):
        with pytest.raises(IndexFileError, match=f"another {what}"):
            open_index(folder, **{f"{what}_fingerprint": "other"})


def test_files_of_another_index_are_named(folder, tmp_path):
    build(tmp_path / "other", seed=9)
    for path in sorted((tmp_path / "other").iterdir()):
        ours = folder / path.name
        if path.name == store.MANIFEST_NAME or not ours.exists():
            continue
        with damaged(ours, path.read_bytes()):
            assert_named(folder, ours, verify=True)


def test_a_folder_that_holds_something_else_is_left_alone(folder):
    (folder / "diary.txt").write_text("dear diary")
    before = contents(folder)
    with pytest.raises(IndexFileError, match="something else"):
        build(folder)
    assert contents(folder) == before
    assert open_index(folder, verify=True).n_tokens == 6000


# --- lookups on what was not verified ----------------------------------------------------------

DAMAGED_LOOKUPS = """
import faulthandler, sys
from pathlib import Path
import numpy as np
from trainer_core.errors import IndexFileError
from trainer_core.index import held_out_features, open_index

faulthandler.enable()
folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(seed)
text = np.fromfile(folder / "tokens.bin", "<u2")
queries = [text[max(end - 40, 0) : end] for end in random.integers(1, text.size, count)]
queries += [random.integers(0, 60, 12) for _ in range(count // 4)] + [[0], [1], [39], [65535]]
held_out = np.concatenate([[0], text[-5 * count :]]).astype(np.uint16)

def possible(match):
    assert 0 <= match.length <= 32 and -1 <= match.position < text.size - 1, match
    assert 0 <= match.count < text.size and 0 <= match.next < 65536, match

def use(index):
    for match in index.lookup_batch(queries):
        possible(match)
    stream = index.stream()
    for query in queries:
        possible(index.lookup(query))
        index.count(query)
        index.count(query[-2:])
        for position in index.occurrences(query, 5):
            index.document_at(int(position))
        index.continuations(query, 5)
    for token in held_out:
        stream.advance(int(token))
    held_out_features(index, held_out, [0])
    for features in (index.train_features(), index.validation_features()):
        features.count.sum(), features.same_document.sum()

def kinds(good):
    n = len(good)
    yield b"\\0" * n
    yield b"\\xff" * n
    yield good[::-1]
    yield random.bytes(n)
    for share in (0.001, 0.05):
        wrong = np.frombuffer(good, np.uint8).copy()
        places = random.integers(0, n, max(int(n * share), 1))
        wrong[places] = random.integers(0, 256, places.size)
        yield wrong.tobytes()
    cut = int(random.integers(0, n))
    yield good[:cut] + b"\\0" * (n - cut)  # what a crash of the computer may leave
    yield good[cut:] + good[:cut]
    if n % 8 == 0:  # numbers that rise, so that nobody sees from them that they are wrong
        numbers = np.frombuffer(good, np.int64)
        for low, high in ((0, 1), (numbers.min(), numbers.max() + 1)):
            wrong = np.sort(random.integers(low, high, numbers.size))
            wrong[0], wrong[-1] = numbers[0], numbers[-1]
            yield wrong.tobytes()

opened = 0
for path in sorted(folder.glob("*.bin")):
    good = path.read_bytes()
    for number, data in enumerate(kinds(good)):
        print(path.name, number, flush=True)
        path.write_bytes(data)
        try:
            use(open_index(folder))
            opened += 1
        except IndexFileError as error:
            assert str(folder) in error.what, error.what
    path.write_bytes(good)
use(open_index(folder, verify=True))
print("opened", opened)
"""


def run(script, *arguments, without_numba="0", **settings):
    """A script in a process of its own, with what it prints and what it dies of."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "HEARTH_NO_NUMBA": without_numba},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        **settings,
    )


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("without_numba", "queries"), [("0", 80), ("1", 4)])
def test_lookups_in_a_damaged_index_never_end_the_process(folder, without_numba, queries):
    done = run(DAMAGED_LOOKUPS, folder, 7, queries, without_numba=without_numba)
    assert done.returncode == 0, done.stdout[-3000:]
    opened = int(done.stdout.split()[-1])
    assert opened > 20  # damage that no size tells: it is the lookups that have to stand it


# --- where nothing can be written --------------------------------------------------------------

READ_ONLY = """
import sys
from pathlib import Path
from trainer_core.errors import KnownError
from trainer_core.index import open_index
from test_index_damage import build

home = Path(sys.argv[1])
index = open_index(home / "index", verify=True)
assert index.lookup([0]).length == 1
for place in ("index", "new", "below/new"):
    try:
        build(home / place)
    except KnownError as error:
        print(error.what)
    else:
        raise SystemExit("a build wrote into a folder that cannot be written")
"""


def without_power_over_permissions():
    """Take from a process about to start what lets root write where nobody may."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


@pytest.mark.skipif(sys.platform != "linux", reason="root is held to permissions on Linux alone")
def test_a_read_only_folder_can_be_read_and_a_build_there_is_a_known_error(folder, tmp_path):
    before = contents(folder)
    for path in (*folder.iterdir(), folder, tmp_path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run(READ_ONLY, tmp_path, preexec_fn=without_power_over_permissions)
    tmp_path.chmod(0o755)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count("Permission denied") == 3, done.stdout
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_an_index_that_cannot_be_read_is_named(folder, monkeypatch):
    def denied(path, *_arguments, **_settings):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(np, "memmap", denied)
    with pytest.raises(KnownError, match=r"tokens\.bin.*Permission denied"):
        open_index(folder)
