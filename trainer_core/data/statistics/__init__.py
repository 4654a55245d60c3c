"""What a corpus looks like, worked out once and kept beside its manifest."""

from trainer_core.data.statistics.measuring import corpus_statistics, write_statistics
from trainer_core.data.statistics.report import (
    STATISTICS_NAME,
    STATISTICS_VERSION,
    ContextCost,
    LengthBar,
    Lengths,
    NGram,
    NGrams,
    PackingCost,
    SampleDocument,
    SourceStatistics,
    Statistics,
    TextEntropy,
    read_statistics,
)

__all__ = [
    "STATISTICS_NAME",
    "STATISTICS_VERSION",
    "ContextCost",
    "LengthBar",
    "Lengths",
    "NGram",
    "NGrams",
    "PackingCost",
    "SampleDocument",
    "SourceStatistics",
    "Statistics",
    "TextEntropy",
    "corpus_statistics",
    "read_statistics",
    "write_statistics",
]
