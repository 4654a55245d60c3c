"""What to build an index from, and what to ask of it."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated

from msgspec import Meta

from trainer_core.spec.section import INDEX_MEMORY_MIN, MATCH_LENGTH_MAX, Section


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
