"""How long a large log of another program takes to import, and to go out as event files.

Run it with the project's own environment: `python tests/benchmarks/importing.py`.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from studio.runs.importing.keep import write_reference
from studio.runs.importing.sources import look, reference_for
from studio.runs.tensorboard import write_events
from studio.runs.whole import read_whole

STEPS = 1_000_000


def timed(what: str, work: Callable[[], object]) -> object:
    """Run something and print its seconds, and the most memory so far."""
    began = time.perf_counter()
    made = work()
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<44} {took:7.2f} s   peak {peak:5.0f} MiB")
    return made


def kept(source: object, folder: Path) -> Path:
    """Keep a source in a new folder."""
    folder.mkdir()
    write_reference(folder, source.curves, reference_for(source))  # type: ignore[attr-defined]
    return folder


def main() -> None:
    """A nanoGPT log, a table and event files, each of a million steps."""
    place = Path(tempfile.mkdtemp(prefix="hearth-importing-"))
    log, table = place / "train.log", place / "train.csv"
    with log.open("w") as file:
        file.write("tokens per iteration will be: 12,288\n")
        file.writelines(
            f"iter {i}: loss {3 + 5 / (1 + i / 5000):.4f}, time 100.00ms, mfu 5.00%\n"
            for i in range(STEPS)
        )
    with table.open("w") as file:
        file.write("step,loss,lr,grad_norm\n")
        file.writelines(
            f"{i},{3 + 5 / (1 + i / 5000):.4f},0.001,0.5\n" for i in range(1, STEPS + 1)
        )
    source = timed("log, read", lambda: look(log))
    folder = timed("log, kept", lambda: kept(source, place / "from-log"))
    timed("table, read", lambda: look(table))
    model = timed("run, read", lambda: read_whole(folder))  # type: ignore[arg-type]
    timed("run, written as event file", lambda: write_events(place / "tb", model))  # type: ignore[arg-type]
    timed("event file, read with every checksum", lambda: look(place / "tb"))
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
