"""Every kind of source, opened and described."""

from __future__ import annotations

from pathlib import Path

from trainer_core.data.sources.downloads import Report
from trainer_core.data.sources.files import Tick, describe_files, open_files, path_of_user
from trainer_core.data.sources.generators import LineSource, describe_lines
from trainer_core.data.sources.hub import open_hub_dataset
from trainer_core.data.sources.protocol import OpenSource
from trainer_core.data.sources.rows import describe_rows, is_saved_dataset, open_saved_dataset
from trainer_core.data.sources.skipped import Skipped, printable
from trainer_core.data.sources.token_files import describe_token_files, open_token_files
from trainer_core.errors import DataError
from trainer_core.spec import (
    HubDataset,
    OwnRules,
    PythonLibrary,
    RuleLines,
    SavedDataset,
    Source,
    TextFiles,
    TokenFiles,
)


def open_source(
    source: Source,
    seed: int,
    skipped: Skipped,
    tick: Tick,
    scratch: Path,
    field: str = "source",
    report: Report | None = None,
) -> OpenSource:
    """A source with its files, or what stands for them, in a fixed order.

    Args:
        source: Which source.
        seed: Orders the files of the Python library, and draws lines that rules make.
        skipped: Takes what is left out.
        tick: Called often; may raise to give up.
        scratch: Folder for what comes over the network, until the corpus is written; what an
            earlier attempt left there is used. Made if it is needed.
        field: Path of the source in the settings, for messages.
        report: Told how far a download is.

    Raises:
        DataError: Something that the user named does not exist or cannot be reached.
    """
    if isinstance(source, RuleLines | OwnRules):
        return LineSource(source, seed, field)
    if isinstance(source, HubDataset):
        return open_hub_dataset(source, tick, field, scratch, report)
    if isinstance(source, SavedDataset):
        return open_saved_dataset(source, tick, field)
    if isinstance(source, TokenFiles):
        return open_token_files(source, skipped, tick, field)
    if isinstance(source, TextFiles):
        saved = [path for path in source.paths if is_saved_dataset(path_of_user(path))]
        if saved and len(source.paths) > 1:
            raise _not_among_files(saved[0], field)
        if saved:
            found = SavedDataset(path=saved[0], field=source.field, name=source.name)
            return open_saved_dataset(found, tick, field)
    return open_files(source, seed, skipped, tick, field)


def _not_among_files(path: str, field: str) -> DataError:
    return DataError(
        f"{printable(path)} was saved by the library `datasets`; it is no folder of text files.",
        safe="Nothing was written.",
        do="Take it out of these paths, and add it as a source of its own.",
        field=f"{field}.paths",
    )


def describe(source: Source) -> str:
    """The source in a few words, for the manifest and the model card."""
    if isinstance(source, PythonLibrary | TextFiles):
        return describe_files(source)
    if isinstance(source, TokenFiles):
        return describe_token_files(source)
    if isinstance(source, RuleLines | OwnRules):
        return describe_lines(source)
    return describe_rows(source)
