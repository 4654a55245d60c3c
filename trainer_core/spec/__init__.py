"""The job spec: what each verb is asked to do, in one schema that TOML files and the studio share.

Every range stands in the type, every relation between fields in `__post_init__`; msgspec reports
either with the path of the field. A default stands here and nowhere else.
"""

from trainer_core.spec.index import (
    AskedIndex,
    ContaminationSpec,
    DuplicatesSpec,
    IndexSpec,
    LookupSpec,
    ValueSpec,
)
from trainer_core.spec.jobs import VERBS, JobSpec, TourSpec, verb_of
from trainer_core.spec.prepare import (
    BpeTokenizer,
    ByteTokenizer,
    CorpusTokenizer,
    Gpt2Tokenizer,
    HubDataset,
    PrepareSpec,
    PythonLibrary,
    SavedDataset,
    Source,
    TextFiles,
    TokenFiles,
    Tokenizer,
)
from trainer_core.spec.reading import SpecT, convert, from_builtins, from_toml, load, to_toml
from trainer_core.spec.section import (
    INDEX_MEMORY_MIN,
    MATCH_LENGTH_MAX,
    Fraction,
    Positive,
    Section,
    Seed,
)
from trainer_core.spec.train import (
    BudgetConfig,
    CheckpointConfig,
    EvaluationConfig,
    ModelConfig,
    OptimizerConfig,
    TrainSpec,
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
    "ContaminationSpec",
    "CorpusTokenizer",
    "DuplicatesSpec",
    "EvaluateSpec",
    "EvaluationConfig",
    "ExportSpec",
    "Fraction",
    "GenerateSpec",
    "Gpt2Tokenizer",
    "HubDataset",
    "IndexSpec",
    "JobSpec",
    "LookupSpec",
    "ModelConfig",
    "OptimizerConfig",
    "Positive",
    "PrepareSpec",
    "PythonLibrary",
    "SavedDataset",
    "Section",
    "Seed",
    "Source",
    "SpecT",
    "TextFiles",
    "TokenFiles",
    "Tokenizer",
    "TourSpec",
    "TrainSpec",
    "ValueSpec",
    "convert",
    "from_builtins",
    "from_toml",
    "load",
    "to_toml",
    "verb_of",
]
