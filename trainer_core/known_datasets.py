"""Datasets of the Hugging Face Hub that are known to be good to begin with."""

from __future__ import annotations

from dataclasses import dataclass

from trainer_core.spec import HubDataset

# Where the Hub keeps a copy as tables of datasets that came with a program of their own.
_AS_TABLES = "refs/convert/parquet"


@dataclass(frozen=True)
class KnownDataset:
    """A dataset with the settings that read it.

    Attributes:
        title: The name that people know it by.
        summary: What is in it, one line.
        tokens: GPT-2 tokens or so; 0 where nobody says.
        licence: As the dataset's page states it, by its SPDX name where it has one.
        source: The settings.
    """

    title: str
    summary: str
    tokens: int
    licence: str
    source: HubDataset


KNOWN_DATASETS: tuple[KnownDataset, ...] = (
    KnownDataset(
        "TinyStories",
        "Short stories in the words of a small child, written by GPT-3.5 and GPT-4.",
        470_000_000,
        "CDLA-Sharing-1.0",
        HubDataset(repo="roneneldan/TinyStories", field="text"),
    ),
    KnownDataset(
        "FineWeb-Edu, 10B sample",
        "Web pages that teach something, picked by a classifier.",
        10_000_000_000,
        "ODC-By-1.0",
        HubDataset(repo="HuggingFaceFW/fineweb-edu", subset="sample-10BT", field="text"),
    ),
    KnownDataset(
        "FineWeb, 10B sample",
        "English web pages, cleaned and without duplicates.",
        10_000_000_000,
        "ODC-By-1.0",
        HubDataset(repo="HuggingFaceFW/fineweb", subset="sample-10BT", field="text"),
    ),
    KnownDataset(
        "smollm-corpus, Cosmopedia v2",
        "Textbooks, stories and articles written by Mixtral.",
        28_000_000_000,
        "ODC-By-1.0",
        HubDataset(repo="HuggingFaceTB/smollm-corpus", subset="cosmopedia-v2", field="text"),
    ),
    KnownDataset(
        "smollm-corpus, FineWeb-Edu",
        "FineWeb-Edu once more, without duplicates.",
        220_000_000_000,
        "ODC-By-1.0",
        HubDataset(repo="HuggingFaceTB/smollm-corpus", subset="fineweb-edu-dedup", field="text"),
    ),
    KnownDataset(
        "OpenWebText",
        "Web pages that Reddit's users linked to; an open copy of GPT-2's text.",
        9_000_000_000,
        "CC0-1.0",
        HubDataset(repo="Skylion007/openwebtext", revision=_AS_TABLES, field="text"),
    ),
    KnownDataset(
        "BookCorpus",
        "Sentences of unpublished novels, one a row, in their order.",
        1_000_000_000,
        "unknown",
        HubDataset(repo="bookcorpus/bookcorpus", revision=_AS_TABLES, field="text"),
    ),
)
