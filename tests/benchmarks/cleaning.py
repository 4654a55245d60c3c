"""Cleaning: MB/s of each step, what near duplicates add to a preparation, memory of grouping.

    python tests/benchmarks/cleaning.py [steps] [prepare] [group]

The text is this computer's Python library. `steps` reads it through one step at a time; `prepare`
prepares it with an own tokenizer, or GPT-2's where `--gpt2` names the folder of its vocabulary,
near duplicates off, reported and removed; `group` groups made-up signatures, one in ten nearly
equal to another.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from trainer_core.data.cleaning.near import PERMUTATIONS, Signature, first_of_its_kind
from trainer_core.data.cleaning.source import cleaned
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources.opening import open_source
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Skipped
from trainer_core.spec import (
    BpeTokenizer,
    CleaningConfig,
    Gpt2Tokenizer,
    PrepareSpec,
    PythonLibrary,
)

STEPS = {
    "reading alone": CleaningConfig(),
    "repair_unicode": CleaningConfig(repair_unicode=True),
    "normalise NFKC": CleaningConfig(normalise="NFKC"),
    "whitespace": CleaningConfig(whitespace=True),
    "length": CleaningConfig(min_characters=10),
    "exclude": CleaningConfig(exclude=("text:" + 32 * "0",)),
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def nothing(*_: object) -> None:
    """What is left out does not matter here."""


def steps(n_bytes: int) -> None:
    for name, config in [*STEPS.items(), ("near duplicates", CleaningConfig())]:
        source = PythonLibrary(max_bytes=n_bytes)
        with tempfile.TemporaryDirectory() as scratch:
            opened = open_source(source, 1337, Skipped(), lambda: None, Path(scratch))
            clean = cleaned(opened, config)
            done, begun = 0, time.perf_counter()
            for file in clean.files:
                for document in clean.documents(file, nothing, nothing):
                    signature = Signature() if name == "near duplicates" else None
                    try:
                        for part in document.parts:
                            done += len(part.encode())
                            if signature is not None:
                                signature.add(part)
                    except NoText:
                        continue
                    if signature is not None:
                        signature.digest()
                if done >= n_bytes:
                    break
            seconds = time.perf_counter() - begun
        print(f"{name:16} {done / 1e6 / seconds:8.1f} MB/s, peak {peak_mb():.0f} MB", flush=True)


def prepare(n_bytes: int, gpt2: str) -> None:
    own = BpeTokenizer(vocab_size=4096, sample_bytes=4_000_000)
    for wish in ("off", "report", "remove", "off", "report"):
        spec = PrepareSpec(
            source=PythonLibrary(max_bytes=n_bytes),
            tokenizer=Gpt2Tokenizer(vocabulary_folder=gpt2) if gpt2 else own,
            cleaning=CleaningConfig(near_duplicates=wish),
        )
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            corpus = build_corpus(spec, Path(folder) / "corpus")
            seconds = time.perf_counter() - begun
            near = corpus.manifest.near_duplicates
        found = f", {near.documents} near duplicates of {near.kinds}" if near else ""
        print(f"prepare, {wish:7} {seconds:6.1f} s, peak {peak_mb():.0f} MB{found}", flush=True)


def group(n_documents: int) -> None:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signatures"
        signatures = np.memmap(path, "<u4", "w+", shape=(n_documents, PERMUTATIONS))
        for at in range(0, n_documents, 10_000):
            part = signatures[at : at + 10_000]
            part[:] = rng.integers(0, 2**32, part.shape, np.uint32)
            half = len(part) // 10
            part[half : 2 * half] = part[:half]
            part[half : 2 * half, :8] += 1
        signatures.flush()
        before, begun = peak_mb(), time.perf_counter()
        first = first_of_its_kind(np.memmap(path, "<u4", "r").reshape(-1, PERMUTATIONS), 0.8, float)
        seconds = time.perf_counter() - begun
    later = int((first != np.arange(n_documents)).sum())
    print(
        f"group, {n_documents:,} documents: {seconds:.1f} s, {later:,} near duplicates,"
        f" peak {peak_mb():.0f} MB of which mapped up to"
        f" {4 * PERMUTATIONS * n_documents / 2**20:.0f} MB, before {before:.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["steps", "prepare", "group"])
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--gpt2", default="", metavar="FOLDER")
    parser.add_argument("--documents", type=int, default=1_000_000)
    args = parser.parse_args()
    if "steps" in args.parts:
        steps(args.megabytes * 1_000_000)
    if "prepare" in args.parts:
        prepare(args.megabytes * 1_000_000, args.gpt2)
    if "group" in args.parts:
        group(args.documents)


if __name__ == "__main__":
    main()
