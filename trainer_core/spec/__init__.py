"""The job spec: what each verb is asked to do, in one schema that TOML files and the studio share.

Every range stands in the type, every relation between fields in `__post_init__`; msgspec reports
either with the path of the field. A default stands here and nowhere else.
"""

from trainer_core.spec.cleaning import CleaningConfig
from trainer_core.spec.data import DataConfig, InspectSpec, Mix, Packing
from trainer_core.spec.index import (
    AskedIndex,
    ContaminationSpec,
    DuplicatesSpec,
    IndexSpec,
    LookupSpec,
    ValueSpec,
)
from trainer_core.spec.jobs import VERBS, JobSpec, QueueSpec, RulesSpec, TourSpec, verb_of
from trainer_core.spec.labels import Label, labels
from trainer_core.spec.model import Family, ModelConfig
from trainer_core.spec.optimizer import OptimizerConfig
from trainer_core.spec.prepare import DumpSpec, PrepareSpec, PreviewSpec, TokenizersSpec
from trainer_core.spec.probe import ProbeSpec
from trainer_core.spec.reading import SpecT, convert, from_builtins, from_toml, load, to_toml
from trainer_core.spec.section import (
    INDEX_MEMORY_MIN,
    MATCH_LENGTH_MAX,
    Fraction,
    Positive,
    Section,
    Seed,
)
from trainer_core.spec.sources import (
    HubDataset,
    OwnRules,
    PythonLibrary,
    RuleLines,
    SavedDataset,
    Source,
    TaskName,
    TextFiles,
    TokenFiles,
)
from trainer_core.spec.tokenizers import (
    BpeTokenizer,
    ByteTokenizer,
    CorpusTokenizer,
    Gpt2Tokenizer,
    Pretokenizer,
    SavedTokenizer,
    TiktokenTokenizer,
    Tokenizer,
    TokenizerFile,
)
from trainer_core.spec.train import (
    BudgetConfig,
    CheckpointConfig,
    DistributedConfig,
    EvaluationConfig,
    GuardConfig,
    Precision,
    TrainSpec,
    ValidationSet,
)
from trainer_core.spec.trained import EvaluateSpec, ExportSpec, GenerateSpec

__all__ = [
    "INDEX_MEMORY_MIN",
    "MATCH_LENGTH_MAX",
    "VERBS",
    "AskedIndex",
    "BpeTokenizer",
    "BudgetConfig",
    "ByteTokenizer",
    "CheckpointConfig",
    "CleaningConfig",
    "ContaminationSpec",
    "CorpusTokenizer",
    "DataConfig",
    "DistributedConfig",
    "DumpSpec",
    "DuplicatesSpec",
    "EvaluateSpec",
    "EvaluationConfig",
    "ExportSpec",
    "Family",
    "Fraction",
    "GenerateSpec",
    "Gpt2Tokenizer",
    "GuardConfig",
    "HubDataset",
    "IndexSpec",
    "InspectSpec",
    "JobSpec",
    "Label",
    "LookupSpec",
    "Mix",
    "ModelConfig",
    "OptimizerConfig",
    "OwnRules",
    "Packing",
    "Positive",
    "Precision",
    "PrepareSpec",
    "Pretokenizer",
    "PreviewSpec",
    "ProbeSpec",
    "PythonLibrary",
    "QueueSpec",
    "RuleLines",
    "RulesSpec",
    "SavedDataset",
    "SavedTokenizer",
    "Section",
    "Seed",
    "Source",
    "SpecT",
    "TaskName",
    "TextFiles",
    "TiktokenTokenizer",
    "TokenFiles",
    "Tokenizer",
    "TokenizerFile",
    "TokenizersSpec",
    "TourSpec",
    "TrainSpec",
    "ValidationSet",
    "ValueSpec",
    "convert",
    "from_builtins",
    "from_toml",
    "labels",
    "load",
    "to_toml",
    "verb_of",
]
