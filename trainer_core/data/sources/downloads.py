"""A dataset that is downloaded for good, and how far that is, by what lies on the disk of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainer_core.data.sources.files import Tick
from trainer_core.spec import HubDataset

Report = Callable[[str, float, float, str], None]
"""Told the phase, how much is done, of how much, and the unit; may raise to give up."""

_LOOK_S = 0.5
_PATHS_AT_ONCE = 500
_ON_HUB = re.compile(r"hf://datasets/(?P<repo>[^@]+)@(?P<revision>[^/]+)/(?P<path>.+)")


class Download:
    """Fetches a dataset into the cache of the Hub's client, which goes on with half a file.

    Args:
        source: Which dataset.
    """

    def __init__(self, source: HubDataset) -> None:
        self._source = source
        self._wanted: dict[str, int] = {}
        """Bytes of each file, by the name that the cache gives it."""
        self._looked_s = 0.0

    def load(self) -> Any:  # noqa: ANN401 - a Dataset
        """Download what is not there yet; gives the split. It may take days."""
        import datasets

        source = self._source
        revision = source.revision or None
        builder = datasets.load_dataset_builder(
            source.repo, source.subset or None, revision=revision
        )
        self._wanted = _sizes(builder.config.data_files or {})
        return datasets.load_dataset(
            source.repo, source.subset or None, split=source.split, revision=revision
        )

    def watched(self, tick: Tick, report: Report | None) -> Tick:
        """A tick that also tells how much is there."""

        def told() -> None:
            tick()
            wanted = self._wanted
            if report is None or not wanted or time.monotonic() - self._looked_s < _LOOK_S:
                return
            self._looked_s = time.monotonic()
            total = sum(wanted.values())
            report("downloading", min(self._done_bytes(wanted), total), total, "bytes")

        return told

    def _done_bytes(self, wanted: dict[str, int]) -> int:
        from huggingface_hub import constants

        folder = "datasets--" + self._source.repo.replace("/", "--")
        return sum(
            size
            for name, size in _files_in(Path(constants.HF_HUB_CACHE) / folder / "blobs")
            if name.partition(".")[0] in wanted
        )


def _files_in(folder: Path) -> list[tuple[str, int]]:
    try:
        with os.scandir(folder) as found:
            return [(entry.name, entry.stat().st_size) for entry in found]
    except OSError:  # none yet, or one was renamed meanwhile; the next look sees it
        return []


def _sizes(data_files: dict[str, Sequence[str]]) -> dict[str, int]:
    """Bytes of a dataset's files on the Hub, by the names that the cache gives them."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    sizes: dict[str, int] = {}
    found = [
        match for files in data_files.values() for each in files if (match := _ON_HUB.match(each))
    ]
    for at in range(0, len(found), _PATHS_AT_ONCE):
        some = found[at : at + _PATHS_AT_ONCE]
        infos = HfApi().get_paths_info(
            some[0]["repo"],
            [match["path"] for match in some],
            repo_type="dataset",
            revision=some[0]["revision"],
        )
        for file in infos:
            if isinstance(file, RepoFile):
                sizes[file.lfs.sha256 if file.lfs else file.blob_id] = file.size
    return sizes
