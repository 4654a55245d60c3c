"""A text several times larger than its memory limit: the build keeps to it and changes no byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer_core.index import open_index
from trainer_core.index.compiled import COMPILED

LIMIT_BYTES = 32 << 20
ON_TOP_BYTES = 100 << 20
"""What a build may take whatever its limit: what waits to be written, and the threads' stacks."""
N_TOKENS = 12_000_000
VOCAB_SIZE = 20_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
    pytest.mark.skipif(not COMPILED, reason="without numba everything is in memory"),
]


def quoting_text(folder):
    """Tokens as frequent as words are, half of them quoted from before, in a file."""
    random = np.random.default_rng(4)
    text = np.minimum(random.zipf(1.2, N_TOKENS), VOCAB_SIZE - 1).astype(np.uint16)
    size = 500
    for begin in range(2 * size, N_TOKENS - size, 2 * size):
        quoted = random.integers(0, begin - size)
        text[begin : begin + size] = text[quoted : quoted + size]
    text[::3_000] = 0
    np.save(folder / "text.npy", text)


BUILD = """
import json, sys, threading, time
from pathlib import Path
import numpy as np
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.build import build, warm_up
from trainer_core.index.building.source import IndexSource

def anonymous_bytes():
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10

def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], anonymous_bytes())

folder, name, limit_bytes, vocab_size = sys.argv[1:]
warm_up(np.dtype(np.uint16))
tokens = np.load(Path(folder) / "text.npy", mmap_mode="r")
held_out = np.array(tokens[:1000])
starts = np.flatnonzero(held_out == 0)
source = IndexSource(
    tokens, np.flatnonzero(tokens == 0), held_out, starts, int(vocab_size), 0, "corpus", "tokenizer"
)
before = anonymous_bytes()
peak, done = [before], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
built = build(source, Path(folder) / name, Settings(32, int(limit_bytes), 2, 5_000_000))
done.set()
watcher.join()
print(json.dumps({"peak_bytes": peak[0] - before, "chunks": built.chunks}))
"""


def build_watched(folder, name, limit_bytes):
    """Build in a process of its own; its peak of memory that no file is behind, and its chunks."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder), name, str(limit_bytes), str(VOCAB_SIZE)],
        env={**os.environ, "PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here}"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_text_larger_than_the_limit_is_built_within_it_to_the_same_bytes(tmp_path):
    quoting_text(tmp_path)
    small = build_watched(tmp_path, "small", LIMIT_BYTES)
    large = build_watched(tmp_path, "large", 1 << 40)
    index = open_index(tmp_path / "small", verify=True)
    assert index.size_bytes > 4 * LIMIT_BYTES
    assert (large["chunks"], small["chunks"] > 3) == (1, True)
    assert large["peak_bytes"] > 6 * LIMIT_BYTES > LIMIT_BYTES + ON_TOP_BYTES
    assert small["peak_bytes"] < LIMIT_BYTES + ON_TOP_BYTES, small
    assert index.fingerprint == open_index(tmp_path / "large", verify=True).fingerprint
