"""Lines and bombs far larger than the memory that reading them may take."""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if not Path("/proc/self/status").exists():
    pytest.skip("the peak of a process is read from /proc", allow_module_level=True)

GIGABYTE = 10**9
LINE_BYTES = 400 * 10**6
PEAK_BYTES = 300 * 10**6
"""The interpreter with numpy and Arrow, and what reading takes."""
READER = """
import json, re, sys
sys.path.insert(0, sys.argv[2])
from data_for_tests import open_named
from trainer_core.data.sources.reading import NoText
from trainer_core.spec import TextFiles
source = open_named(TextFiles(paths=(sys.argv[1],)))
found = {}
(file,) = source.opened.files
try:
    for document in source.opened.documents(file, source.skipped.add, lambda place: None):
        found[document.title] = sum(len(part) for part in document.parts)
except NoText as error:
    source.skipped.add(error.reason, file.path)
# What `resource` says holds the memory of the process that started this one too.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
print(json.dumps([found, dict(source.skipped.counts), peak]))
"""


def read_alone(path):
    """{title: characters}, {reason: count} and the most memory in bytes of a process."""
    here = Path(__file__)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path), str(here.parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
        cwd=here.parent.parent.parent,
    )
    return json.loads(done.stdout)


@pytest.fixture
def long_line(tmp_path):
    """A file of three lines, of which the second is endless, or nearly."""
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.write(b'{"text": "first"}\n{"text": "')
        for _ in range(LINE_BYTES // 10**6):
            file.write(b"x" * 10**6)
        file.write(b'"}\n{"text": "last"}\n')
    return path


@pytest.mark.slow
def test_an_endless_line_costs_its_record_and_no_memory(long_line):
    found, counts, peak = read_alone(long_line.rename(long_line.with_suffix(".jsonl")))
    assert found == {"long.jsonl line 1": 5, "long.jsonl line 3": 4}
    assert counts == {"too_long": 1}
    assert peak < PEAK_BYTES
    table = long_line.with_suffix(".jsonl").rename(long_line.with_suffix(".csv"))
    found, counts, peak = read_alone(table)
    assert (found, counts) == ({}, {"too_long": 1})
    assert peak < PEAK_BYTES
    plain = table.rename(long_line)
    found, counts, peak = read_alone(plain)
    assert found == {"long": plain.stat().st_size}
    assert counts == {}
    assert peak < PEAK_BYTES


@pytest.mark.slow
def test_bombs_of_gigabytes_are_given_up_in_no_time_and_memory(tmp_path):
    blanks = b" " * 10**7
    packed = gzip.compress(blanks)
    (tmp_path / "bomb.txt.gz").write_bytes(packed * (3 * GIGABYTE // len(blanks)))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as it:
        it.writestr("honest.txt", "an honest text")
        with it.open("bomb.txt", "w", force_zip64=True) as member:
            for _ in range(GIGABYTE // len(blanks)):
                member.write(blanks)
    for name, texts in (("bomb.txt.gz", {}), ("bomb.zip", {"bomb.zip/honest.txt": 14})):
        found, counts, peak = read_alone(tmp_path / name)
        assert found == texts
        assert counts == {"bomb": 1}
        assert peak < PEAK_BYTES
