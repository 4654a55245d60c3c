"""How fast and in how much memory text becomes a corpus; and loader figures are in data_loader.py.

    python tests/benchmarks/data.py shared/data/gpt2
        Tokens a second of a whole preparation (reading twice, hashing, splitting, writing, syncing,
        all but the statistics) on one and two cores, against `encode_ordinary_batch` of tiktoken
        alone on the same texts in memory. Large documents, small ones, and large ones with near
        duplicates looked for.
    python tests/benchmarks/data.py shared/data/gpt2 --text-gb 2
        Peak memory of preparing a quarter and the whole of so much text, without and with the
        statistics at the end.

The text is the Python library's. Each case is a process of its own on cores of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer_core.data.preparing import build
from trainer_core.data.preparing.build import build_corpus, open_sources
from trainer_core.data.sources.reading import NoText
from trainer_core.data.tokenizers.gpt2 import load
from trainer_core.data.tokenizers.kinds import RankTokenizer
from trainer_core.spec import (
    ByteTokenizer,
    CleaningConfig,
    Gpt2Tokenizer,
    PrepareSpec,
    PythonLibrary,
    TextFiles,
)

SMALL_BYTES = 800
"""Of a small document: a short story, a comment, a question with its answer."""
_PERIOD_S = 0.02
_ROW = "{:<10} {:>5} {:>12} {:>14} {:>14} {:>8}"


def library_texts(max_bytes: int) -> Iterator[str]:
    """The Python library's files, as `prepare` reads them."""
    spec = PrepareSpec(source=PythonLibrary(max_bytes=max_bytes))
    with tempfile.TemporaryDirectory() as scratch:
        source = open_sources(spec, Path(scratch) / "s", build.no_report)[0].opened
    n_bytes = 0
    for file in source.files:
        for document in source.documents(file, lambda *_: None, lambda _: None):
            try:
                text = "".join(document.parts)
            except NoText:
                continue
            n_bytes += len(text.encode())
            yield text
        if n_bytes >= max_bytes:
            return


def write_large(folder: Path, max_bytes: int) -> None:
    """One file for each document."""
    for number, text in enumerate(library_texts(max_bytes)):
        (folder / f"{number:05}.py").write_text(text, encoding="utf-8", newline="")


def write_small(folder: Path, max_bytes: int) -> None:
    """Many documents, each one line of JSON."""
    with (folder / "small.jsonl").open("w", encoding="utf-8") as file:
        for text in library_texts(max_bytes):
            for start in range(0, len(text), SMALL_BYTES):
                part = text[start : start + SMALL_BYTES]
                if part.strip():
                    file.write(json.dumps({"text": part}, ensure_ascii=False) + "\n")


def write_varied(folder: Path, n_bytes: int) -> None:
    """The library over and over; each copy has its number in every tenth line."""
    texts = list(library_texts(200_000_000))
    done, copy = 0, 0
    while done < n_bytes:
        for number, text in enumerate(texts):
            lines = text.split("\n")
            lines[::10] = [f"{line} # {copy}" for line in lines[::10]]
            data = "\n".join(lines).encode()
            place = folder / f"{copy:03}"
            place.mkdir(exist_ok=True)
            (place / f"{number:05}.py").write_bytes(data)
            done += len(data)
            if done >= n_bytes:
                return
        copy += 1


def texts_in(folder: Path) -> list[str]:
    """The documents that `prepare` finds in a folder."""
    small = folder / "small.jsonl"
    if small.exists():
        return [json.loads(line)["text"] for line in small.open(encoding="utf-8")]
    return [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())]


# --- one case, in a process of its own --------------------------------------------------------


def run_case(case: dict[str, Any]) -> dict[str, float]:
    """Do what a case asks for; its seconds, tokens and bytes."""
    folder, vocabulary = Path(case["folder"]), case["vocabulary"]
    if case["what"] == "tiktoken":
        encoding = RankTokenizer("gpt2", load(vocabulary, lambda: None))._encoding
        texts = texts_in(folder)
        encoding.encode_ordinary("warm up")
        cores = len(os.sched_getaffinity(0))
        began_s = time.perf_counter()
        found = encoding.encode_ordinary_batch(texts, num_threads=cores)
        return {"seconds": time.perf_counter() - began_s, "tokens": sum(map(len, found))}
    if case["statistics"] == "no":
        setattr(build, "write_statistics", lambda *_: None)  # noqa: B010 - not of its interface
    bytes_alone = case["what"] == "bytes"
    tokenizer = ByteTokenizer() if bytes_alone else Gpt2Tokenizer(vocabulary_folder=vocabulary)
    paths = tuple(case.get("paths", str(folder)).split("\n"))
    cleaning = CleaningConfig(near_duplicates=case["near"])
    spec = PrepareSpec(source=TextFiles(paths=paths), tokenizer=tokenizer, cleaning=cleaning)
    began: dict[str, float] = {}

    def report(phase: str, *_: object) -> None:
        began.setdefault(phase, time.perf_counter())

    with tempfile.TemporaryDirectory(dir=folder.parent) as home:
        began_s = time.perf_counter()
        corpus = build_corpus(spec, Path(home) / "corpus", report=report)
        end_s = time.perf_counter()
        sides = (corpus.train, corpus.validation)
        tokens = sum(side.n_tokens - side.n_documents for side in sides)
        return {
            "seconds": end_s - began_s,
            "tokens": tokens,
            "bytes": sum(side.n_bytes for side in sides),
            "reading_s": began["tokenising"] - began_s,
            "tokenising_s": began["hashing"] - began["tokenising"],
            "saving_s": end_s - began["hashing"],
        }


def in_process(case: dict[str, Any], cores: int) -> tuple[dict[str, float], int]:
    """A case on so many cores: what it found, and the peak of its own memory in bytes."""
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, chosen),
    ) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _anonymous_bytes(process.pid))
            time.sleep(_PERIOD_S)
        assert process.stdout is not None
        return json.loads(process.stdout.read()), peak


def _anonymous_bytes(pid: int) -> int:
    """Memory without pages of files."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


# --- tables -----------------------------------------------------------------------------------


def speed(home: Path, vocabulary: str, max_bytes: int, all_cores: list[int], repeats: int) -> None:
    """Print the table of tokens a second."""
    print(_ROW.format("documents", "cores", "tokens", "tiktoken/s", "prepare/s", "share"))
    for name, write in (("large", write_large), ("small", write_small), ("near", None)):
        folder = home / ("large" if write is None else name)
        if write is not None:
            folder.mkdir()
            write(folder, max_bytes)
        for cores in all_cores:
            found: dict[str, list[dict[str, float]]] = {"tiktoken": [], "prepare": []}
            for _ in range(repeats):
                for what, into in found.items():
                    case = {"what": what, "folder": str(folder), "vocabulary": vocabulary}
                    case |= {"statistics": "no", "near": "off" if write else "report"}
                    into.append(in_process(case, cores)[0])
            alone, whole = (
                statistics.median(one["tokens"] / one["seconds"] for one in runs)
                for runs in found.values()
            )
            tokens = int(found["prepare"][0]["tokens"])
            row = (f"{tokens:,}", f"{alone:,.0f}", f"{whole:,.0f}", f"{whole / alone:.2f}")
            print(_ROW.format(name, cores, *row), flush=True)
            last = found["prepare"][-1]
            parts = ("reading_s", "tokenising_s", "saving_s")
            print("   ", ", ".join(f"{part} {last[part]:.2f}" for part in parts), flush=True)


def memory(home: Path, vocabulary: str, text_gb: float, what: str) -> None:
    """Print the peak of the memory for a quarter and all of the text."""
    print(f"{'GB':>6} {'statistics':>10} {'MB anonymous, at most':>24} {'seconds':>8}")
    folder = home / "text"
    folder.mkdir()
    write_varied(folder, int(text_gb * 1e9))
    copies = sorted(folder.iterdir())
    cores = len(os.sched_getaffinity(0))
    for share, with_statistics in ((0.25, "no"), (1.0, "no"), (1.0, "yes")):
        taken = copies[: max(round(share * len(copies)), 1)]
        case = {"what": what, "folder": str(folder), "vocabulary": vocabulary}
        case |= {"paths": "\n".join(map(str, taken)), "statistics": with_statistics, "near": "off"}
        found, peak = in_process(case, cores)
        row = f"{found['bytes'] / 1e9:>6.2f} {with_statistics:>10} {peak / 1e6:>24,.0f}"
        print(f"{row} {found['seconds']:>8.0f}", flush=True)


def main() -> None:
    """Read the arguments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocabulary", nargs="?", help="folder with GPT-2's vocabulary")
    parser.add_argument("--mb", type=float, default=48.0, help="text for the speed, in megabytes")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--text-gb", type=float, help="show the memory on so much text")
    parser.add_argument("--bytes", action="store_true", help="bytes for tokens: much faster")
    parser.add_argument("--scratch", type=Path, help="folder for texts and corpora")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(run_case(json.loads(asked.case))))
        return
    with tempfile.TemporaryDirectory(dir=asked.scratch) as home:
        if asked.text_gb:
            what = "bytes" if asked.bytes else "prepare"
            memory(Path(home), asked.vocabulary, asked.text_gb, what)
        else:
            speed(Path(home), asked.vocabulary, int(asked.mb * 1e6), asked.cores, asked.repeats)


if __name__ == "__main__":
    main()
