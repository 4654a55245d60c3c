"""What all parts of a spec are made of."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0.0, lt=1.0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
MATCH_LENGTH_MAX = 64
"""The longest match length that an index can be asked to tell apart, in tokens."""
MATCH_COUNTS = 16
"""Buckets of how often a match occurred that a model tells apart, 0 for no match."""

INDEX_MEMORY_MIN = 64 << 20
"""The least memory that an index build can be asked to keep to, in bytes."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings that belong together; unknown keys are errors, not surprises."""
