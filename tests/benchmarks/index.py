"""How fast the longest-match index is built and asked, and what room it takes.

    .venv/bin/python tests/benchmarks/index.py --tokens 50e6 --source /usr/share /usr/lib/python3

Prints one table: medians of some runs on one core and on all, and beside them what they should be
on real text of 50 million tokens. Machines differ and are noisy: the first row says what
`numpy.sort` takes in the same minutes. Tokens are kept in `hearth-benchmark` in the folder for
temporary files, by the arguments that they were made with, so that a second run does not tokenise
again; remove it when the files below a source have changed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import index_builds as builds
import index_lookups as lookups
from index_memory import Request, peak_of_build
from index_table import Results, as_json, print_table
from index_text import Text, text_of

from trainer_core.index.building.build import warm_up

VOCABULARY = Path(__file__).parents[3] / "shared" / "data" / "gpt2"


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=float, default=10e6, help="training tokens")
    parser.add_argument(
        "--source", nargs="+", required=True, help="text files and folders, or tokens as one .npy"
    )
    parser.add_argument(
        "--vocab",
        default=str(VOCABULARY) if VOCABULARY.is_dir() else "",
        help="folder with GPT-2's vocab.bpe and encoder.json; without one, a vocabulary is learned",
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs to take the medians of")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="what 'all cores' means"
    )
    parser.add_argument("--folder", help="where indexes are written; by default a temporary one")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def measure(text: Text, args: argparse.Namespace, home: Path) -> Results:
    """Everything, `args.repeat` times, what is short-lived noise spread over all figures."""
    results = Results(text.tokens.size)
    warm_up(text.tokens.dtype)
    builds.warm_up(text)
    cores = [("one", 1)] if args.threads == 1 else [("one", 1), ("all", args.threads)]
    for number in range(args.repeat):
        results.add(builds.yardstick(text.tokens.size))
        results.add(builds.features(text))
        for name, threads in cores:
            for step in (builds.in_memory, builds.merge):
                results.add(step(text, threads), name)
            for step in (builds.to_disk, builds.in_chunks, builds.append):
                results.add(step(text, threads, home / "index"), name)
            request = Request(
                args.source, text.tokens.size, args.vocab, str(home / "watched"), threads, 0
            )
            peak = peak_of_build(request)
            results.add(
                {
                    "peak": peak.resident / text.tokens.size,
                    "peak_anonymous": peak.anonymous / text.tokens.size,
                },
                name,
            )
        results.add(lookups.warm(text, home / "index", seed=number))
        results.add(lookups.cold(text, home / "index", seed=number))
    results.add(lookups.sizes(home / "index", text.tokens.size))
    return results


def main() -> None:
    """Measure and print."""
    args = arguments()
    text = text_of(args.source, int(args.tokens), args.vocab)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="hearth-benchmark-") as home:
        results = measure(text, args, Path(home))
    about = {
        "tokens": text.tokens.size,
        "held_out_tokens": text.held_out.size,
        "vocab_size": text.vocab_size,
        "documents": text.document_start.size,
        "source": text.origin,
        "runs": args.repeat,
        "threads": args.threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    if args.json:
        print(json.dumps({**about, "figures": as_json(results)}, indent=2))
        return
    print(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in about.items()))
    print_table(results)


if __name__ == "__main__":
    main()
