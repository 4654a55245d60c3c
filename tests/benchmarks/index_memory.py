"""Peak memory of an index build, in a process of its own that is watched from outside.

Run as a program, this builds the index that a `Request` on standard input asks for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from index_text import text_of

from trainer_core.index import build_from
from trainer_core.index.building.build import warm_up

_PERIOD_S = 0.002


@dataclass(frozen=True)
class Request:
    """What to build.

    Attributes:
        sources: As for `text_of`, and so the next two.
        folder: Where the index goes; empty has everything done but the build.
        threads: As for `build_from`.
        memory_limit_bytes: As for `build_from`; 0 sets none.
    """

    sources: list[str]
    n_tokens: int
    vocabulary_folder: str
    folder: str
    threads: int
    memory_limit_bytes: int


@dataclass(frozen=True)
class Peak:
    """The most memory that a process had, in bytes.

    Attributes:
        resident: All of it, with pages of mapped files.
        anonymous: Without pages of mapped files.
    """

    resident: int
    anonymous: int


def peak_of_build(request: Request) -> Peak:
    """How much more memory a build takes than a process that stops just before it."""
    idle = _watched(Request(**{**asdict(request), "folder": ""}))
    busy = _watched(request)
    return Peak(busy.resident - idle.resident, busy.anonymous - idle.anonymous)


def _watched(request: Request) -> Peak:
    child = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(asdict(request)).encode())
    child.stdin.close()
    resident = anonymous = 0
    while child.poll() is None:
        fields = _status_bytes(child.pid)
        resident = max(resident, fields.get("VmHWM", 0))
        anonymous = max(anonymous, fields.get("RssAnon", 0))
        time.sleep(_PERIOD_S)
    if child.returncode:
        raise SystemExit("the build whose memory was to be measured failed")
    return Peak(resident, anonymous)


def _status_bytes(pid: int) -> dict[str, int]:
    """The sizes that the system tells of a process; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    rows = (line.split() for line in lines)
    return {row[0].rstrip(":"): int(row[1]) << 10 for row in rows if row[-1] == "kB"}


def main() -> None:
    """Build what standard input asks for."""
    request = Request(**json.load(sys.stdin))
    text = text_of(request.sources, request.n_tokens, request.vocabulary_folder)
    warm_up(text.tokens.dtype)
    if request.folder:
        build_from(
            text.source(text.tokens.size),
            request.folder,
            threads=request.threads,
            memory_limit_bytes=request.memory_limit_bytes or None,
        )
    time.sleep(2 * _PERIOD_S)  # so that the last peak is seen


if __name__ == "__main__":
    main()
