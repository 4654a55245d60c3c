"""The job spec: what each verb is asked to do, in one schema that TOML files and the studio share.

Every range stands in the type, every relation between fields in `__post_init__`; msgspec reports
either with the path of the field. A default stands here and nowhere else.
"""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import tomli_w
from msgspec import UNSET, Meta, UnsetType

from trainer_core.errors import SpecError

Positive = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0.0, lt=1.0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MATCH_LENGTH_MAX = 64
"""The longest match length that an index can be asked to tell apart, in tokens."""

INDEX_MEMORY_MIN = 64 << 20
"""The least memory that an index build can be asked to keep to, in bytes."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings that belong together; unknown keys are errors, not surprises."""


# --- prepare -----------------------------------------------------------------------------------


class PythonLibrary(Section, frozen=True, kw_only=True, tag="python_library", tag_field="kind"):
    """The running interpreter's standard library and installed packages."""

    name: str = ""
    """What the source is called in reports; empty gives it a number."""
    max_bytes: Annotated[int, Meta(ge=0, description="Stop after this much text; 0 reads all.")] = 0


class TextFiles(Section, frozen=True, kw_only=True, tag="text_files", tag_field="kind"):
    """Files with text, and folders that are searched for them.

    Plain UTF-8 text of any kind, JSON lines and `.json` arrays, `.csv` and `.tsv`, Parquet, HTML
    and EPUB; each also packed by gzip, bzip2, xz or Zstandard, or in a `.zip` or `.tar`.
    """

    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    suffixes: tuple[str, ...] = ()
    """Only files with these endings, such as `.txt`; empty takes every file with text."""
    field: str = ""
    """The field of a record or the column of a table that holds the text; empty finds it."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class HubDataset(Section, frozen=True, kw_only=True, tag="hub_dataset", tag_field="kind"):
    """A dataset of the Hugging Face Hub, or a folder with data files that is laid out like one."""

    repo: Annotated[str, Meta(min_length=1)]
    """Its name, such as `HuggingFaceFW/fineweb`, or the path of the folder."""
    subset: str = ""
    """Which of its subsets (configurations), such as `sample-10BT`; empty takes the usual one."""
    split: Annotated[str, Meta(min_length=1)] = "train"
    field: str = ""
    """The column that holds the text; empty finds it."""
    revision: str = ""
    """Branch, tag or commit; empty takes the newest."""
    streaming: bool = True
    """Read over the network up to `max_bytes`, and keep the text only until the corpus is written;
    off downloads everything for good, and goes on where an earlier download ended."""
    max_bytes: Annotated[int, Meta(ge=0, description="Stop after this much text; 0 reads all.")] = 0
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class SavedDataset(Section, frozen=True, kw_only=True, tag="saved_dataset", tag_field="kind"):
    """A folder that the library `datasets` wrote with `save_to_disk`."""

    path: Annotated[str, Meta(min_length=1)]
    split: str = ""
    """Which split, where the folder has several; empty takes `train`, or the first."""
    field: str = ""
    """The column that holds the text; empty finds it."""
    max_bytes: Annotated[int, Meta(ge=0, description="Stop after this much text; 0 reads all.")] = 0
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


class TokenFiles(Section, frozen=True, kw_only=True, tag="token_files", tag_field="kind"):
    """Files of GPT-2's token ids, two bytes each, as nanoGPT and llm.c write them.

    They are read as the text that they stand for, document by document, so that any tokenizer can
    follow; GPT-2's gives the same ids again.
    """

    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    """The files, and folders that are searched for `.bin` files."""
    vocabulary_folder: str = ""
    """Folder with `vocab.bpe` and `encoder.json`; empty lets tiktoken fetch or find them."""
    name: str = ""
    """What the source is called in reports; empty gives it a number."""


Source = PythonLibrary | TextFiles | TokenFiles | HubDataset | SavedDataset


class ByteTokenizer(Section, frozen=True, kw_only=True, tag="bytes", tag_field="kind"):
    """One token per byte and one separator: 257 tokens."""


class BpeTokenizer(Section, frozen=True, kw_only=True, tag="bpe", tag_field="kind"):
    """Byte-level byte-pair encoding, learned from the training part of this corpus."""

    vocab_size: Annotated[int, Meta(ge=258, le=200_000)] = 4096
    sample_bytes: Annotated[int, Meta(ge=1)] = 10_000_000
    """How much of the training text the merges are learned from, in bytes."""


class Gpt2Tokenizer(Section, frozen=True, kw_only=True, tag="gpt2", tag_field="kind"):
    """GPT-2's 50,257 tokens, through tiktoken."""

    vocabulary_folder: str = ""
    """Folder with `vocab.bpe` and `encoder.json`; empty lets tiktoken fetch or find them."""


class CorpusTokenizer(Section, frozen=True, kw_only=True, tag="corpus", tag_field="kind"):
    """The tokenizer of another corpus, so that both have the same tokens.

    A corpus that grows needs it: an own tokenizer learned anew would be another one.
    """

    corpus: str
    """The corpus folder, or the job folder that holds it."""


Tokenizer = ByteTokenizer | BpeTokenizer | Gpt2Tokenizer | CorpusTokenizer


class PrepareSpec(Section, frozen=True, kw_only=True, tag="prepare", tag_field="verb"):
    """Read text, split it by document, tokenise it, and write a corpus."""

    source: Source | UnsetType = UNSET
    """The one source; several are `sources`."""
    sources: tuple[Source, ...] = ()
    """Sources that are read one after another. One that is added at the end leaves the training
    text before it as it was."""
    tokenizer: Tokenizer = BpeTokenizer()
    name: str = "corpus"
    validation_fraction: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.05
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: There is no source, or two have one name; the message names the field.
        """
        if (self.source is UNSET) == (not self.sources):
            raise ValueError("sources needs at least one source, or `source` the only one")
        names = self.source_names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"sources has two of the name {name!r}")

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """Every source, in order, however many there are."""
        return self.sources if isinstance(self.source, UnsetType) else (self.source,)

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called in reports."""
        numbered = enumerate(self.all_sources, 1)
        return tuple(source.name or f"source {number}" for number, source in numbered)


# --- index -------------------------------------------------------------------------------------


class IndexSpec(Section, frozen=True, kw_only=True, tag="index", tag_field="verb"):
    """Build the longest-match index over the training part of a corpus."""

    corpus: str
    """The corpus folder that `prepare` wrote."""
    max_length: Annotated[int, Meta(ge=1, le=MATCH_LENGTH_MAX)] = 32
    """Matches are followed back this many tokens at most."""
    older_index: str = ""
    """An index over the beginning of this training text: what is new is added to a copy of it.
    Where the text begins otherwise, it is ignored."""
    memory_limit_bytes: Annotated[int, Meta(ge=0)] = 0
    """Memory for what grows with the text; 0 takes half of what is free. Less takes longer, and
    gives the same index."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """How many sort; 0 takes one for each core."""

    def __post_init__(self) -> None:
        """Hold the memory limit to what a build can work with.

        Raises:
            ValueError: It is too small.
        """
        if 0 < self.memory_limit_bytes < INDEX_MEMORY_MIN:
            raise ValueError(
                f"memory_limit_bytes {self.memory_limit_bytes} is below {INDEX_MEMORY_MIN}"
            )


# --- answers from the index --------------------------------------------------------------------


class AskedIndex(Section, frozen=True, kw_only=True):
    """Which index is asked, and the corpus that its text is read from."""

    index: str
    """The index folder, or the job folder that holds one."""
    corpus: str = ""
    """The corpus folder; empty takes the one that the job's settings name."""


class LookupSpec(AskedIndex, frozen=True, kw_only=True, tag="lookup", tag_field="verb"):
    """Find a text's end in the training text: what followed it, and where."""

    text: Annotated[str, Meta(min_length=1, max_length=100_000)]
    top: Annotated[int, Meta(ge=0, le=1000)] = 10
    """How many continuations to give at most."""
    sources: Annotated[int, Meta(ge=0, le=1000)] = 5
    """How many places in documents to give at most."""


class DuplicatesSpec(AskedIndex, frozen=True, kw_only=True, tag="duplicates", tag_field="verb"):
    """Measure how much of the training text is there more than once, and name the worst of it."""

    top: Annotated[int, Meta(ge=0, le=1000)] = 10
    """How many passages and groups of equal documents to give at most."""


class ContaminationSpec(
    AskedIndex, frozen=True, kw_only=True, tag="contamination", tag_field="verb"
):
    """Say which held-out or benchmark texts stand in the training text."""

    paths: tuple[str, ...] = ()
    """Text files, one text each, and `.jsonl` files, one text a line; none takes the corpus's own
    held-out documents."""
    field: Annotated[str, Meta(min_length=1)] = "text"
    """Name of the text within a line of a `.jsonl` file."""
    least_tokens: Annotated[int, Meta(ge=0, le=MATCH_LENGTH_MAX)] = 0
    """Overlaps of fewer tokens do not count; 0 takes 13, or what makes up 50 bytes if that is more,
    as far as the index tells such lengths apart."""
    top: Annotated[int, Meta(ge=0)] = 100
    """How many texts to list at most, those with most in common first."""


class ValueSpec(AskedIndex, frozen=True, kw_only=True, tag="value", tag_field="verb"):
    """Measure on held-out text how often matches name the next token, and what more text brings."""

    positions: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_000
    """Held-out positions that the curve against the amount of training text is measured at; with
    10,000 a share is known to one percentage point, 19 times out of 20."""


# --- train -------------------------------------------------------------------------------------


class ModelConfig(Section, frozen=True, kw_only=True):
    """Shape of the transformer; the architecture is Llama's, so plain models export as it."""

    vocab_size: Annotated[int, Meta(ge=2, le=1_000_000)] = 257
    context_length: Annotated[int, Meta(ge=2, le=131_072)] = 256
    n_layer: Annotated[int, Meta(ge=1, le=256)] = 4
    n_head: Annotated[int, Meta(ge=1, le=256)] = 4
    n_kv_head: Annotated[int, Meta(ge=0, le=256)] = 0
    """Key and value heads; 0 takes as many as `n_head`."""
    n_embd: Annotated[int, Meta(ge=2, le=65_536)] = 128
    n_inner: Annotated[int, Meta(ge=0, le=262_144)] = 0
    """Width of the SwiGLU layer; 0 takes 8/3 of `n_embd`, rounded up to a multiple of 32."""
    tie_embeddings: bool = True
    rope_theta: Annotated[float, Meta(gt=0.0)] = 10_000.0
    norm_eps: Annotated[float, Meta(gt=0.0, lt=1.0)] = 1e-5
    match_input: bool = False
    """Feed what followed the longest match in the training text to the model."""
    match_length_max: Annotated[int, Meta(ge=1, le=MATCH_LENGTH_MAX)] = 32

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}")
        if self.head_size % 2:
            raise ValueError(f"n_embd / n_head is {self.head_size}; rotary positions need it even")
        if self.n_head % self.kv_heads:
            raise ValueError(f"n_head {self.n_head} is not a multiple of n_kv_head {self.kv_heads}")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        """Number of key and value heads in force."""
        return self.n_kv_head or self.n_head

    @property
    def inner(self) -> int:
        """Width of the SwiGLU layer in force."""
        return self.n_inner or 32 * math.ceil(self.n_embd * 8 / 3 / 32)


class OptimizerConfig(Section, frozen=True, kw_only=True):
    """AdamW with warm-up and cosine decay.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    """

    lr: Annotated[float, Meta(gt=0.0, le=10.0)] = 3e-3
    """Peak learning rate. The default suits a few million parameters and batches of 4k tokens."""
    lr_floor: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.1
    """Final learning rate as a share of the peak."""
    warmup_steps: Annotated[int, Meta(ge=0)] = 50
    weight_decay: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.1
    """Decay of matrices; norms and biases have none."""
    beta1: Fraction = 0.9
    beta2: Fraction = 0.95
    eps: Annotated[float, Meta(gt=0.0)] = 1e-8
    clip_norm: Annotated[float, Meta(ge=0.0)] = 1.0
    """Gradients are scaled down to this norm; 0 leaves them as they are."""


class BudgetConfig(Section, frozen=True, kw_only=True):
    """How long to train."""

    steps: Positive = 1000
    batch_size: Positive = 16
    """Sequences in one step."""


class EvaluationConfig(Section, frozen=True, kw_only=True):
    """When and on how much held-out text to measure."""

    every_steps: Positive = 100
    max_tokens: Annotated[int, Meta(ge=1)] = 65_536
    """Held-out tokens per validation, always the same ones."""
    sample_prompts: tuple[str, ...] = ()
    """Continued at each checkpoint, with the same seed."""
    sample_tokens: Annotated[int, Meta(ge=1, le=4096)] = 64


class CheckpointConfig(Section, frozen=True, kw_only=True):
    """When to save and what to keep. The last and the best checkpoint are always kept."""

    every_steps: Positive = 200
    keep: Positive = 4
    """How many of the newest checkpoints stay."""


class TrainSpec(Section, frozen=True, kw_only=True, tag="train", tag_field="verb"):
    """Train a model on a corpus, with or without its index."""

    corpus: str
    index: str = ""
    """The index folder; needed when `model.match_input` is on."""
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    budget: BudgetConfig = BudgetConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 on a GPU or processor that multiplies it natively, and fp32 elsewhere. Weights
    and optimizer are fp32 either way."""
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    """CPU threads; 0 takes one per core."""
    seed: Seed = 1337

    def __post_init__(self) -> None:
        """Hold the relations between the sections.

        Raises:
            ValueError: Two settings contradict each other; the message names them.
        """
        if self.model.match_input and not self.index:
            raise ValueError("model.match_input is on, but no index is given")
        if self.optimizer.warmup_steps >= self.budget.steps:
            raise ValueError(
                f"optimizer.warmup_steps {self.optimizer.warmup_steps} leaves nothing of"
                f" budget.steps {self.budget.steps}"
            )


# --- the rest ----------------------------------------------------------------------------------


class EvaluateSpec(Section, frozen=True, kw_only=True, tag="evaluate", tag_field="verb"):
    """Measure a checkpoint on the held-out text, by match length."""

    run: str
    """Job folder of the training."""
    checkpoint: str = "best"
    """`best`, `last`, or a step number."""
    index: Literal["as_trained", "off"] = "as_trained"
    max_tokens: Annotated[int, Meta(ge=1)] = 1_000_000


class GenerateSpec(Section, frozen=True, kw_only=True, tag="generate", tag_field="verb"):
    """Serve a checkpoint: text with matches, over the job's socket."""

    run: str
    checkpoint: str = "best"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    idle_minutes: Annotated[float, Meta(gt=0.0)] = 30.0
    """The process ends after this long without a request."""


class ExportSpec(Section, frozen=True, kw_only=True, tag="export", tag_field="verb"):
    """Write a checkpoint as a Hugging Face model folder."""

    run: str
    destination: str
    checkpoint: str = "best"


class TourSpec(Section, frozen=True, kw_only=True, tag="tour", tag_field="verb"):
    """The whole main job on this computer's Python library, plain and with the index."""

    budget_s: Annotated[float, Meta(ge=10.0, le=86_400.0)] = 180.0
    """How long the whole tour may take, in seconds."""
    steps: Annotated[int, Meta(ge=0)] = 0
    """Steps per model; 0 measures the computer and takes what fits the budget."""
    max_bytes: Annotated[int, Meta(ge=0)] = 24_000_000
    """How much of the Python library to read; 0 reads all."""
    seed: Seed = 1337


JobSpec = (
    PrepareSpec
    | IndexSpec
    | LookupSpec
    | DuplicatesSpec
    | ContaminationSpec
    | ValueSpec
    | TrainSpec
    | EvaluateSpec
    | GenerateSpec
    | ExportSpec
    | TourSpec
)

VERBS: dict[str, type[Section]] = {
    "prepare": PrepareSpec,
    "index": IndexSpec,
    "lookup": LookupSpec,
    "duplicates": DuplicatesSpec,
    "contamination": ContaminationSpec,
    "value": ValueSpec,
    "train": TrainSpec,
    "evaluate": EvaluateSpec,
    "generate": GenerateSpec,
    "export": ExportSpec,
    "tour": TourSpec,
}

SpecT = TypeVar("SpecT", bound=msgspec.Struct)

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_OWN_MESSAGE = re.compile(r"(?P<field>[a-z][a-z0-9_.]*) ")  # msgspec's own start with a capital
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")


def _spec_error(error: Exception, where: str) -> SpecError:
    """The error of a decoder, with the field's path told apart from the message."""
    text = str(error)
    found = _PATH.search(text)
    message = _PATH.sub("", text)
    inner = _OWN_MESSAGE.match(message) or _UNKNOWN_FIELD.match(message)
    parts = (found["path"] if found else "", inner["field"] if inner else "")
    path = ".".join(part for part in parts if part)
    subject = f"`{path}` in {where}" if path else where[:1].upper() + where[1:]
    return SpecError(
        f"{subject} cannot be used: {message}.",
        safe="Nothing was started.",
        do="Correct the setting and try again.",
        field=path,
    )


def convert(data: object, kind: type[SpecT], where: str = "the settings") -> SpecT:
    """Build one section or one verb's spec from plain values, checking every range.

    Args:
        data: Dicts, lists, strings and numbers, as TOML or the wizard give them.
        kind: The `Section` to build.
        where: What the data came from, for the message.

    Raises:
        SpecError: With the path of the first field at fault.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _spec_error(error, where) from None


def from_builtins(data: object, where: str = "the settings") -> JobSpec:
    """Build a job spec from plain values; its `verb` says which kind it is.

    Raises:
        SpecError: With the path of the first field at fault.
    """
    try:
        spec: JobSpec = msgspec.convert(data, JobSpec)
    except msgspec.ValidationError as error:
        raise _spec_error(error, where) from None
    return spec


def from_toml(text: str, where: str = "the settings") -> JobSpec:
    """Read a job spec from TOML text.

    Raises:
        SpecError: The text is no TOML, or a field is wrong; the error has its path.
    """
    try:
        data = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise _spec_error(error, where) from None
    return from_builtins(data, where)


def to_toml(spec: Section) -> str:
    """The spec as TOML text with every default written out."""
    return tomli_w.dumps(msgspec.to_builtins(spec))


def load(path: Path) -> JobSpec:
    """Read a job spec from a TOML file.

    Raises:
        SpecError: The file is absent, unreadable, no UTF-8, no TOML, or a field is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError(
            f"{path} is not UTF-8 text.", safe="Nothing was started.", do="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise SpecError(
            f"{path} cannot be read: {error.strerror}.",
            safe="Nothing was started.",
            do="Check the path.",
        ) from None
    return from_toml(text, str(path))


def verb_of(spec: Section) -> str:
    """The verb that carries out this spec, such as `train`."""
    tag = spec.__struct_config__.tag
    if not isinstance(tag, str):
        raise TypeError(f"{type(spec).__name__} is a section, not a job")
    return tag
