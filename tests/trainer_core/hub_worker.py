"""Reads datasets of the Hub as a process of its own, which a test can kill.

Orders are settings of `HubDataset`, with `times`: how often to read it, and `scratch`.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from trainer_core.data.sources import fetching, loading, spool
from trainer_core.data.sources.opening import open_source
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Skipped
from trainer_core.errors import KnownError
from trainer_core.spec import HubDataset, convert


def read(order):
    times, scratch = order.pop("times", 1), Path(order.pop("scratch"))
    source = convert(order, HubDataset)
    told, skipped = [], Skipped()
    try:
        opened = open_source(
            source,
            1,
            skipped,
            lambda: None,
            scratch,
            report=lambda phase, done, total, unit: told.append((phase, done, total, unit)),
        )
        found = [once(opened, skipped, source.max_bytes) for _ in range(times)]
    except KnownError as error:
        return {"what": error.what, "safe": error.safe, "do": error.do, "field": error.field}
    return {"found": found, "told": told, "path": opened.files[0].path}


def once(opened, skipped, max_bytes):
    hashed, count, n_bytes = hashlib.sha256(), 0, 0
    for document in opened.documents(opened.files[0], skipped.add, lambda place: None):
        try:
            text = "".join(document.parts)
        except NoText:
            continue
        count += 1
        n_bytes += len(text)
        hashed.update(f"{document.title}\0{text}\0".encode())
        if count % 50 == 0:
            print("read", count, flush=True)
        if 0 < max_bytes <= n_bytes:
            break
    return [count, hashed.hexdigest()]


class Hasty:
    """The module `time`, for a client that waits for seconds between its own tries."""

    def sleep(self, seconds):
        time.sleep(seconds / 50)

    def __getattr__(self, name):
        return getattr(time, name)


def main():
    settings = json.loads(sys.argv[1])
    import datasets
    from huggingface_hub.utils import _http

    _http.time = Hasty()

    datasets.config.STREAMING_READ_RETRY_INTERVAL = 0.05
    datasets.config.STREAMING_READ_MAX_RETRIES = 2
    datasets.config.STREAMING_OPEN_RETRY_INTERVAL = 0.05
    datasets.config.STREAMING_OPEN_MAX_RETRIES = 2
    fetching.FIRST_WAIT_S = 0.05
    fetching.PATIENCE_S = settings.get("patience_s", 20.0)
    loading.OPENING_PATIENCE_S = settings.get("patience_s", 5.0)
    spool._MARK_BYTES = settings.get("mark_bytes", 1 << 16)
    print(json.dumps([read(dict(order)) for order in settings["orders"]]))


if __name__ == "__main__":
    main()
