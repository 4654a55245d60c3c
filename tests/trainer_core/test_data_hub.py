"""Datasets of the Hub over a network that breaks: read whole, once, and from where it ended."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_for_tests import COMMIT, REPO, LocalHub

ROWS, GROUP, FILES = 240, 20, 2


def text_of(file, row):
    """Some 12 kB that do not pack well; a few rows have no text."""
    if row % 50 == 7:
        return None
    draw = random.Random(f"{file} {row}")
    return f"file {file} row {row} " + draw.randbytes(6_000).hex()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    (folder / "data").mkdir()
    for file in range(FILES):
        texts = [text_of(file, row) for row in range(ROWS)]
        table = pa.table({"id": list(range(ROWS)), "text": texts})
        path = folder / "data" / f"train-{file:05}-of-{FILES:05}.parquet"
        pq.write_table(table, path, row_group_size=GROUP)
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: large\n  data_files: data/train-*\n"
        "- config_name: small\n  data_files: data/train-00001-*\n---\n"
    )
    return folder


@pytest.fixture
def hub(dataset):
    server = LocalHub(dataset)
    yield server
    server.close()


@pytest.fixture(scope="module")
def expected():
    hashed, count = hashlib.sha256(), 0
    rows = ((file, row) for file in range(FILES) for row in range(ROWS))
    for number, (file, row) in enumerate(rows, 1):
        text = text_of(file, row)
        if text is not None:
            count += 1
            hashed.update(f"tales row {number}\0{text}\0".encode())
    return [count, hashed.hexdigest()]


def order(tmp_path, **settings):
    return {"repo": REPO, "subset": "large", "scratch": str(tmp_path / "scratch"), **settings}


def test_a_stream_that_breaks_again_and_again_is_read_whole_and_once(hub, tmp_path, expected):
    hub.breaks = [300_000, 500_000, 0, 1_200_000, 100_000, 700_000]
    (read,) = hub.read(tmp_path / "home", order(tmp_path, times=2))
    assert read["found"] == [expected, expected]
    assert read["path"] == f"hf://datasets/{REPO}@{COMMIT}"
    assert hub.breaks == []
    served = hub.served
    hub.is_gone = True
    (again,) = hub.read(tmp_path / "home", order(tmp_path))
    assert again["found"] == [expected], "what is whole on the disk needs no network"
    assert hub.served == served


@pytest.mark.slow
def test_a_killed_stream_goes_on_where_it_ended(hub, tmp_path, expected):
    hub.delay_s = 0.01
    process = hub.start(tmp_path / "home", order(tmp_path))
    for line in process.stdout:
        if line == "read 250\n":
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.delay_s = 0.0
    time.sleep(0.3)
    hub.served = 0
    hub.paths.clear()
    (read,) = hub.read(tmp_path / "home", order(tmp_path))
    assert read["found"] == [expected]
    size = sum(file.stat().st_size for file in hub.folder.rglob("*.parquet"))
    assert hub.served < 0.6 * size, "what was kept is not read once more, not even of one file"


@pytest.mark.slow
def test_a_network_that_stays_away_is_an_error_and_what_was_read_is_kept(hub, tmp_path, expected):
    hub.delay_s = 0.02
    process = hub.start(tmp_path / "home", order(tmp_path), patience_s=1.0)
    for line in process.stdout:
        if line == "read 100\n":
            break
    hub.is_gone = True
    out, err = process.communicate(timeout=60)
    assert "is not downloaded again" in out.splitlines()[-1], err
    assert "Connect to the internet" in out.splitlines()[-1]
    hub.is_gone, hub.delay_s = False, 0.0
    (read,) = hub.read(tmp_path / "home", order(tmp_path))
    assert read["found"] == [expected]


def test_a_dataset_of_json_lines_goes_on_as_well(tmp_path):
    (tmp_path / "hub").mkdir()
    hashed = hashlib.sha256()
    for file in range(2):
        lines = [json.dumps({"text": text_of(file, row), "row": row}) for row in range(60)]
        (tmp_path / "hub" / f"train-{file}.jsonl").write_text("\n".join(lines) + "\n")
    rows = [text_of(file, row) for file in range(2) for row in range(60)]
    for number, text in enumerate(rows, 1):
        if text is not None:
            hashed.update(f"tales row {number}\0{text}\0".encode())
    server = LocalHub(tmp_path / "hub")
    try:
        wanted = order(tmp_path, subset="", field="text")
        first, whole = server.read(tmp_path / "home", {**wanted, "max_bytes": 500_000}, wanted)
        assert first["found"][0][0] == 42
        assert whole["found"] == [[len(rows) - rows.count(None), hashed.hexdigest()]]
    finally:
        server.close()


def test_wrong_names_are_told_with_what_there_is(hub, tmp_path):
    nothing, subset, none, split, revision, column, first = hub.read(
        tmp_path / "home",
        order(tmp_path, repo="org/nothing"),
        order(tmp_path, subset="medium"),
        order(tmp_path, subset=""),
        order(tmp_path, split="tests"),
        order(tmp_path, revision="v9"),
        order(tmp_path, field="body"),
        order(tmp_path, max_bytes=30_000),
    )
    assert nothing["field"] == "source.repo"
    assert "org/nothing" in nothing["what"]
    for wrong in (subset, none):
        assert wrong["field"] == "source.subset"
        assert "large" in wrong["what"]
        assert "small" in wrong["what"]
    assert split["field"] == "source.split"
    assert "train" in split["what"]
    assert revision["field"] == "source.revision"
    assert "v9" in revision["what"]
    assert column["field"] == "source.field"
    assert "id, text" in column["do"]
    assert first["found"][0][0] == 3


def test_a_download_tells_its_bytes_and_goes_on_after_a_break(hub, tmp_path, expected):
    hub.delay_s = 0.01
    wanted = order(tmp_path, streaming=False)
    process = hub.start(tmp_path / "home", wanted, patience_s=0.2)
    blobs = tmp_path / "home" / "hub" / "datasets--org--tales" / "blobs"
    deadline = time.monotonic() + 60
    while sum(file.stat().st_size for file in blobs.glob("*")) < 1_500_000:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.served = 0
    (read,) = hub.read(tmp_path / "home", wanted)
    assert read["found"] == [expected]
    size = sum(file.stat().st_size for file in hub.folder.rglob("*.parquet"))
    assert hub.served < size - 500_000, "half a file is not begun anew"
    phases, done, totals, units = zip(*read["told"], strict=True)
    assert set(phases) == {"downloading"}
    assert set(totals) == {size}
    assert set(units) == {"bytes"}
    assert list(done) == sorted(done)
    assert 1_000_000 < done[0] <= size


@pytest.mark.slow
def test_a_job_that_is_killed_again_and_again_gives_the_corpus_of_one_that_was_not(hub, tmp_path):
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'verb = "prepare"\n[tokenizer]\nkind = "bytes"\n[source]\nkind = "hub_dataset"\n'
        f'repo = "{REPO}"\nsubset = "large"\n'
    )

    def job(*command):
        return subprocess.Popen(
            [sys.executable, "-m", "trainer_core", *map(str, command)],
            env=hub.environment(tmp_path / "home"),
            stdout=subprocess.DEVNULL,
        )

    assert job("start", spec, tmp_path / "whole").wait(120) == 0
    spool = tmp_path / "killed" / "corpus.partial" / "sources"
    process, kills = job("start", spec, tmp_path / "killed"), 0
    hub.delay_s = 0.02
    for wanted in (1_000_000, 3_000_000):
        deadline = time.monotonic() + 60
        while sum(file.stat().st_size for file in spool.glob("*.texts")) < wanted:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        process = job("resume", tmp_path / "killed")
    hub.delay_s = 0.0
    assert process.wait(120) == 0
    assert kills == 2
    whole, killed = (tmp_path / name / "corpus" for name in ("whole", "killed"))
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(killed) for path in killed.rglob("*") if path.is_file())
    for file in files:
        assert (whole / file).read_bytes() == (killed / file).read_bytes(), file
    assert not spool.exists()
