"""How fast the studio starts and how much memory it takes; run it on an idle computer.

    .venv/bin/python tests/benchmarks/startup.py [--runs 7] [--home FOLDER]

Targets: first paint under 1.0 s once warm, resident memory under 200 MB, torch never imported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile


def start(home: str) -> dict[str, float | bool]:
    """One start to the first page; what the studio reports of it."""
    command = [sys.executable, "-m", "studio", "--home", home, "--report", "--quit-after-paint"]
    environment = {"QT_QPA_PLATFORM": "offscreen", **os.environ}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    report: dict[str, float | bool] = json.loads(done.stdout)
    return report


def main() -> None:
    """Start the studio some times and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--home", default=None, help="a data home; empty and new by default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        home = args.home or empty
        cold = start(home)
        warm = [start(home) for _ in range(args.runs)]
    print(f"first start: painted after {cold['first_paint_s']:.2f} s")
    for key, label in (
        ("first_paint_s", "first paint, s"),
        ("page_shown_s", "page with content, s"),
        ("rss_mb", "resident, MB"),
    ):
        values = [float(report[key]) for report in warm]
        print(
            f"{label:22} median {statistics.median(values):7.2f}"
            f"   {min(values):7.2f} to {max(values):7.2f}"
        )
    print("torch imported:", any(report["torch"] for report in [cold, *warm]))


if __name__ == "__main__":
    main()
