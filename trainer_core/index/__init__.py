"""The longest-match index: for any context, where its longest run stood before and what followed.

Features on arrays: `match_features`. On disk: `build_index`, `append_documents`, `open_index`,
`held_out_features`.

`sorting` sorts contexts and settles matches in memory and merges what was sorted; `building` does
so step by step for texts of any size; `lookups` asks an opened index; `store` names the files.
`machine`, `contexts` and `records` are the words that all kernels speak, `compiled` makes machine
code of them.
"""

from trainer_core.index.building.build import IndexSource, append_documents, build_from, build_index
from trainer_core.index.features import COUNT_BUCKETS, MatchFeatures, count_bucket, match_features
from trainer_core.index.lookups.lookup import MatchIndex, held_out_features, open_index
from trainer_core.index.lookups.match import Continuation, Match, MatchBatch
from trainer_core.index.lookups.stream import MatchStream
from trainer_core.index.store import IndexManifest

__all__ = [
    "COUNT_BUCKETS",
    "Continuation",
    "IndexManifest",
    "IndexSource",
    "Match",
    "MatchBatch",
    "MatchFeatures",
    "MatchIndex",
    "MatchStream",
    "append_documents",
    "build_from",
    "build_index",
    "count_bucket",
    "held_out_features",
    "match_features",
    "open_index",
]
