"""Time and memory of a corpus's statistics: they must not grow with the text.

The text is a small corpus again and again, with 3 % of its tokens changed each time:

    python tests/benchmarks/corpus_statistics.py CORPUS_FOLDER --gb 1
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from trainer_core.data.corpus import TOKENIZER_FOLDER, Corpus, open_corpus
from trainer_core.data.manifest import MANIFEST_NAME
from trainer_core.data.preparing.split import Side
from trainer_core.data.preparing.writer import SHARD_TOKENS, SplitWriter
from trainer_core.data.statistics import write_statistics

SIDES: tuple[Side, Side] = ("train", "validation")
CHANGED = 0.03


def repeated(small: Corpus, folder: Path, n_bytes: float) -> None:
    """Write a corpus of at least so many bytes of text."""
    small.tokenizer.save(folder / TOKENIZER_FOLDER)
    random = np.random.default_rng(0)
    manifest = small.manifest
    times = int(np.ceil(n_bytes / (small.train.n_bytes + small.validation.n_bytes)))
    written = {}
    for side in SIDES:
        split = getattr(small, side)
        tokens = split.tokens()
        writer = SplitWriter(folder, side, manifest.dtype, small.separator, [""], SHARD_TOKENS)
        for _ in range(times):
            change = (random.random(len(tokens)) < CHANGED) & (tokens != small.separator)
            others = random.integers(0, small.separator, len(tokens), dtype=tokens.dtype)
            copy = np.where(change, others, tokens).astype(np.uint32)
            for info in split.documents():
                writer.begin()
                writer.add(copy[info.start + 1 : info.start + info.n_tokens])
                writer.end(info.title, info.path, info.n_bytes, 0, "")
        writer.sync()
        written[side] = writer.finish()
    manifest = msgspec.structs.replace(manifest, **written, sources=())
    manifest = msgspec.structs.replace(manifest, fingerprint=manifest.computed_fingerprint())
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))


def memory_mb() -> dict[str, int]:
    """This process's memory by kind, in MB; pages of files are the system's to take back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) // 1024 for name in ("VmHWM", "RssAnon")}


def measure(folder: Path) -> None:
    """Work out the statistics once, and print what it took."""
    corpus = open_corpus(folder)
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, memory_mb()["RssAnon"])

    thread = threading.Thread(target=watch)
    thread.start()
    begun_s = time.perf_counter()
    found = write_statistics(corpus)
    seconds = time.perf_counter() - begun_s
    done.set()
    thread.join()
    text_bytes = corpus.train.n_bytes + corpus.validation.n_bytes
    print(
        f"{text_bytes / 1e6:8,.0f} MB of text  {found.documents:9,} documents"
        f"  {seconds:6.2f} s  peak {memory_mb()['VmHWM']} MB, {most} MB without pages of files"
    )


def main() -> int:
    """Measure the corpus, then the same text repeated."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("corpus", type=Path, help="a prepared corpus")
    parser.add_argument("--gb", type=float, default=1.0, help="text to make of it, in GB")
    parser.add_argument("--only", action="store_true", help="measure the corpus alone")
    args = parser.parse_args()
    if args.only:
        measure(args.corpus)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, n_bytes in (("small", 1.0), ("large", args.gb * 1e9)):
            folder = Path(scratch) / name
            folder.mkdir()
            repeated(open_corpus(args.corpus), folder, n_bytes)
            # A process of its own: memory that was in use before would hide the peak.
            subprocess.run([sys.executable, __file__, str(folder), "--only"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
