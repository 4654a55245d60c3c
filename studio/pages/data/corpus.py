"""What a dataset's corpus folder tells, read as plain data. Free of Qt.

The studio does not import the code that wrote these files.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import base64
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from studio.pages.data.cleaning_facts import NearReport, StepReport
from studio.storage.rows import DatasetRow
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.status import SPEC_FILE

MANIFEST_FILE = "manifest.json"
STATISTICS_FILE = "statistics.json"
Loaded = TypeVar("Loaded")


class SplitFacts(msgspec.Struct, frozen=True):
    """One side of the split."""

    tokens: int = 0
    documents: int = 0
    bytes: int = 0


class SkippedGroup(msgspec.Struct, frozen=True):
    """Files that were left out for one reason, as the manifest counts them."""

    reason: str = ""
    meaning: str = ""
    level: str = "info"
    count: int = 0
    examples: tuple[str, ...] = ()


class SourceFacts(msgspec.Struct, frozen=True):
    """Where the text came from."""

    description: str = ""
    documents_read: int = 0
    bytes_read: int = 0
    skipped: tuple[SkippedGroup, ...] = ()
    cut_document: str = ""


class AmountFacts(msgspec.Struct, frozen=True):
    """How much of a source is on one side of the split."""

    documents: int = 0
    tokens: int = 0
    bytes: int = 0


class NamedSourceFacts(SourceFacts, frozen=True):
    """One of the sources, and where its text went."""

    name: str = ""
    cleaning: tuple[StepReport, ...] = ()
    train: AmountFacts = AmountFacts()
    validation: AmountFacts = AmountFacts()


class ManifestFacts(msgspec.Struct, frozen=True):
    """What the page needs of a corpus's manifest."""

    name: str = ""
    tokenizer_kind: str = ""
    vocab_size: int = 0
    seed: int = 0
    validation_fraction: float = 0.0
    train: SplitFacts = SplitFacts()
    validation: SplitFacts = SplitFacts()
    source: SourceFacts = SourceFacts()
    """All sources together."""
    sources: tuple[NamedSourceFacts, ...] = ()
    """Each of them; none in a corpus of an old version."""
    near_duplicates: NearReport | None = None
    """What is nearly equal, where it was looked for."""
    fingerprint: str = ""
    tokenizer_fingerprint: str = ""

    @property
    def documents(self) -> int:
        """Documents on both sides."""
        return self.train.documents + self.validation.documents

    @property
    def tokens(self) -> int:
        """Tokens on both sides."""
        return self.train.tokens + self.validation.tokens

    @property
    def bytes(self) -> int:
        """Bytes of text on both sides."""
        return self.train.bytes + self.validation.bytes


class LengthBar(msgspec.Struct, frozen=True):
    """Documents of at least `low` and fewer than `high` tokens."""

    low: float
    high: float
    documents: int


class Crop(msgspec.Struct, frozen=True):
    """What cutting each document to `context` tokens would cost, as shares."""

    context: int
    longer: float
    lost: float


class PackingCost(msgspec.Struct, frozen=True):
    """What one way of packing makes of the training part, as shares."""

    lost: float = 0.0
    """Of the tokens."""
    padding: float = math.nan
    """Of the places in sequences; unknown in statistics of an old version."""
    split: float = math.nan
    """Of the documents; as above."""


class ContextCost(msgspec.Struct, frozen=True):
    """What each way of packing makes of sequences of `context` tokens."""

    context: int
    longer: float
    """Share of documents that are longer."""
    stream: PackingCost = PackingCost()
    best_fit: PackingCost = PackingCost()
    documents: PackingCost = PackingCost()


class EntropyFacts(msgspec.Struct, frozen=True):
    """Entropy of the training part, in nats per token."""

    unigram: float
    bigram: float
    tokens: int
    """So many were counted."""
    of_tokens: int


class NGram(msgspec.Struct, frozen=True):
    """A run of tokens and how often it was counted."""

    text: str
    count: int


class NGrams(msgspec.Struct, frozen=True):
    """The most frequent runs of `n` tokens, the first most."""

    n: int
    total: int = 0
    different: int = 0
    top: tuple[NGram, ...] = ()


class SourceLengths(msgspec.Struct, frozen=True):
    """How long one source's documents are, in tokens."""

    name: str
    bytes_per_token: float = math.nan
    mean_tokens: float = math.nan
    median_tokens: float = math.nan
    longest_tokens: int = 0
    lengths: tuple[LengthBar, ...] = ()


class SampleDocument(msgspec.Struct, frozen=True):
    """The beginning of a training document, token by token."""

    document: int
    title: str
    path: str
    tokens: int
    text_bytes: int = msgspec.field(name="bytes")
    source: str = ""
    data: str = ""
    lengths: tuple[int, ...] = ()

    def pieces(self) -> list[bytes]:
        """The bytes of each token shown."""
        raw = base64.b64decode(self.data)
        pieces: list[bytes] = []
        start = 0
        for length in self.lengths:
            pieces.append(raw[start : start + length])
            start += length
        return pieces


class StatisticsFacts(msgspec.Struct, frozen=True):
    """Figures over all documents."""

    documents: int = 0
    mean_tokens: float = 0.0
    median_tokens: float = 0.0
    longest_tokens: int = 0
    lengths: tuple[LengthBar, ...] = ()
    crops: tuple[Crop, ...] = ()
    """In old files, which have no `contexts`."""
    contexts: tuple[ContextCost, ...] = ()
    sources: tuple[SourceLengths, ...] = ()
    entropy: EntropyFacts | None = None
    ngrams: tuple[NGrams, ...] = ()
    ngram_tokens: int = 0
    """So many tokens were looked at for them."""
    samples: tuple[SampleDocument, ...] = ()

    def cost(self, context: int) -> ContextCost | None:
        """What packing costs at the context length nearest to this one."""
        costs = self.contexts or tuple(
            ContextCost(crop.context, crop.longer, documents=PackingCost(crop.lost))
            for crop in self.crops
        )
        if not costs or context < 1:
            return None
        return min(costs, key=lambda cost: abs(math.log2(cost.context / context)))

    def crop(self, context: int) -> Crop | None:
        """What cropping costs at the context length nearest to this one."""
        cost = self.cost(context)
        return Crop(cost.context, cost.longer, cost.documents.lost) if cost is not None else None


@dataclass(frozen=True)
class CorpusFiles:
    """What lies in a dataset's corpus folder; None for what is not there or cannot be read."""

    manifest: ManifestFacts | None = None
    statistics: StatisticsFacts | None = None
    is_code: bool = False


def read_corpus(dataset: DatasetRow) -> CorpusFiles:
    """Read a dataset's corpus folder; blocks on the disk, so for a worker thread."""
    corpus = dataset.corpus_folder
    return CorpusFiles(
        manifest=read_manifest(dataset),
        statistics=load_json(corpus / STATISTICS_FILE, StatisticsFacts),
        is_code=reads_code(dataset.folder),
    )


def read_manifest(dataset: DatasetRow) -> ManifestFacts | None:
    """A dataset's manifest, or None while there is none that can be read."""
    return load_json(dataset.corpus_folder / MANIFEST_FILE, ManifestFacts)


def reads_code(prepare_folder: Path) -> bool:
    """Whether the dataset's source is program code."""
    try:
        spec = specs.load(prepare_folder / SPEC_FILE)
    except KnownError:
        return False
    if not isinstance(spec, specs.PrepareSpec):
        return False
    return all(_is_code(source) for source in spec.all_sources)


def _is_code(source: specs.Source) -> bool:
    if isinstance(source, specs.PythonLibrary):
        return True
    if not isinstance(source, specs.TextFiles):
        return False
    endings = {suffix.lower().lstrip("*.") for suffix in source.suffixes}
    endings |= {Path(path).suffix.lower().lstrip(".") for path in source.paths} - {""}
    return bool(endings) and endings <= _CODE_ENDINGS


# fmt: off
_CODE_ENDINGS = frozenset((
    "c", "cc", "cpp", "cs", "css", "cxx", "go", "h", "hpp", "java", "js", "json", "jsx",
    "kt", "lua", "m", "php", "pl", "py", "pyi", "r", "rb", "rs", "scala", "sh", "sql",
    "swift", "toml", "ts", "tsx", "xml", "yaml", "yml",
))
# fmt: on


def load_json(path: Path, kind: type[Loaded]) -> Loaded | None:
    """The content of a JSON file; None where it is absent or not what it should be."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None
