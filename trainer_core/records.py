"""What a job writes into its journal: one small typed record for each thing that happened."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import math
from typing import Any, Literal

import msgspec

State = Literal[
    "starting",
    "running",
    "compiling",
    "validating",
    "saving",
    "waiting",
    "paused",
    "stopped",
    "finished",
    "failed",
]
END_STATES: frozenset[str] = frozenset({"paused", "stopped", "finished", "failed"})
RESUMABLE_STATES: frozenset[str] = frozenset({"paused", "stopped", "failed"})

Level = Literal["info", "good", "warning", "error"]

MATCH_BUCKETS: tuple[tuple[int, int], ...] = (
    (0, 3),
    (4, 5),
    (6, 7),
    (8, 11),
    (12, 15),
    (16, 31),
    (32, 64),
)
"""Inclusive ranges of match length, in tokens, that losses are reported by."""


def bucket_label(low: int, high: int) -> str:
    """How a bucket is written, such as `4–5`; the last one is open."""
    return f"{low}+" if (low, high) == MATCH_BUCKETS[-1] else f"{low}–{high}"


class Entry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag=lambda name: "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_"),
    tag_field="type",
):
    """A record; `time_s` is seconds since the epoch, by the wall clock."""

    time_s: float = 0.0


class JobStarted(Entry, frozen=True, kw_only=True):
    """A process took the job's lock."""

    verb: str
    pid: int
    host: str
    version: str
    device: str = ""


class Resumed(Entry, frozen=True, kw_only=True):
    """The job goes on from a checkpoint: whatever was reported for later steps is void."""

    step: int


class StateChanged(Entry, frozen=True, kw_only=True):
    """The job does something else from now on. End states stand in `Ended` alone."""

    state: State


class Progress(Entry, frozen=True, kw_only=True):
    """How far a phase has come, such as 3,120 of 8,000 files."""

    phase: str
    done: float
    total: float
    unit: str = ""
    whole: float | None = None
    """Share of the whole job, 0 to 1, where its phases alone do not tell."""
    left_out: int = 0
    """Files and documents that could not be used so far."""


class MatchBucket(msgspec.Struct, frozen=True, kw_only=True):
    """Loss over the held-out tokens whose longest match has this length."""

    low: int
    high: int
    tokens: int
    loss: float
    hit_rate: float = 0.0
    """Share of these tokens that the match alone names correctly."""


def perplexity_of(loss: float) -> float:
    """Perplexity of a loss in nats per token; its exponential, kept finite."""
    return math.exp(min(loss, 700.0))


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What some held-out text cost a model. Loss is in nats per token."""

    loss: float
    bits_per_byte: float
    tokens: int
    buckets: tuple[MatchBucket, ...] = ()

    @property
    def perplexity(self) -> float:
        """Per token."""
        return perplexity_of(self.loss)


class MeasuredSet(msgspec.Struct, frozen=True, kw_only=True):
    """A further validation set, by its name in the settings."""

    name: str
    measured: Measured
    without_index: Measured | None = None
    """The same text without the index; None where that was not measured."""


class GroupScore(msgspec.Struct, frozen=True, kw_only=True):
    """How many cases of a group of a rule task the model solved."""

    group: str
    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of the cases that it solved, 0 to 1; NaN without any."""
        return self.right / self.total if self.total else math.nan


class Validated(Entry, frozen=True, kw_only=True):
    """Held-out text was measured. Loss is in nats per token, of the corpus's own held-out text."""

    step: int
    tokens_seen: int
    loss: float
    bits_per_byte: float
    tokens: int
    best: bool
    seconds: float = 0.0
    """How long all of it took, the further sets and the groups among it."""
    buckets: tuple[MatchBucket, ...] = ()
    without_index: Measured | None = None
    """The same text without the index; None where that was not measured."""
    sets: tuple[MeasuredSet, ...] = ()
    groups: tuple[GroupScore, ...] = ()
    """By group, where the corpus is a rule task."""

    @property
    def perplexity(self) -> float:
        """Per token."""
        return perplexity_of(self.loss)


class SourceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a source's training text a run has seen, those that it continues included."""

    name: str
    tokens: int
    """All of them."""
    seen: int
    """Those that were an input at least once."""
    drawn: int
    """Inputs in all, each as often as it came; `drawn / tokens` is the number of epochs."""

    @property
    def share(self) -> float:
        """Share of its tokens that were seen, 0 to 1."""
        return self.seen / self.tokens if self.tokens else 0.0


class SourcesSeen(Entry, frozen=True, kw_only=True):
    """Up to a step, how much of each source was seen; what a run passed over counts as seen."""

    step: int
    sources: tuple[SourceSeen, ...]


class CheckpointSaved(Entry, frozen=True, kw_only=True):
    """A checkpoint is whole on disk. `folder` is relative to the job folder."""

    step: int
    folder: str
    size_bytes: int
    seconds: float = 0.0
    """From when it was due until it was whole."""
    blocked_s: float | None = None
    """How long the training stood still for it; None: all these seconds, in old journals."""
    val_loss: float | None = None
    best: bool = False
    reason: str = "schedule"
    resumable: bool = True
    """Whether a training can go on from it, or only its weights are left."""


class CheckpointThinned(Entry, frozen=True, kw_only=True):
    """Only the weights of a checkpoint were kept: no training can go on from it any more."""

    step: int
    size_bytes: int


class CheckpointRemoved(Entry, frozen=True, kw_only=True):
    """Retention removed a checkpoint."""

    step: int


class PlanChanged(Entry, frozen=True, kw_only=True):
    """A person changed the plan of a training; what is None, or 0, stays as it was.

    Part of the run's record: a training that is resumed from before it makes the same change at the
    same step again, so that it computes the same.
    """

    step: int
    """The change holds for the steps after this one."""
    lr: float | None = None
    """Peak learning rate of the schedule, from here on."""
    steps: int | None = None
    """The run's length; what is left of the schedule is stretched or squeezed to end there."""
    skip: int = 0
    """Batches of the order that are left out here."""
    why: str = ""


class Rewound(Entry, frozen=True, kw_only=True):
    """A person took a training back to a checkpoint; later checkpoints, and changes, are void."""

    step: int
    """Of that checkpoint."""
    from_step: int
    """How far it had come."""


class Held(Entry, frozen=True, kw_only=True):
    """The training waits by itself, its memory on the GPU freed; a checkpoint was saved before."""

    step: int
    reason: str
    """In words, such as `the computer runs on its battery`."""


class Released(Entry, frozen=True, kw_only=True):
    """It goes on."""

    step: int
    seconds: float
    """How long it waited."""


class Provenance(Entry, frozen=True, kw_only=True):
    """What a session ran on and with, for whoever wants to repeat it. Values are for people."""

    versions: dict[str, str] = {}
    """By package, and `python`, `cuda`, `driver`, `system`."""
    hardware: dict[str, str] = {}
    """`cpu`, `cores`, `ram`, `gpu`, …"""
    data: dict[str, str] = {}
    """Hashes: `corpus`, `index`, and so on."""
    source: dict[str, str] = {}
    """State of the program's own repository: `commit`, `changed`; empty where it is installed."""


class Sampled(Entry, frozen=True, kw_only=True):
    """Text that the model wrote at a checkpoint."""

    step: int
    prompt: str
    text: str
    matched_share: float = 0.0
    """Share of the written tokens backed by a match of four tokens or more."""


class Noted(Entry, frozen=True, kw_only=True):
    """Something a person may want to know."""

    level: Level
    title: str
    text: str = ""
    step: int | None = None


class TextEntropy(Entry, frozen=True, kw_only=True):
    """Entropy of the training text in nats per token: what knowing little else would reach.

    Losses are read against it; see `trainer_core.data.statistics` for its definition.
    """

    unigram: float
    """The loss of a model that knows how often each token occurs."""
    bigram: float
    """The loss of one that also knows the token before."""
    tokens: int
    """So many tokens were counted."""
    of_tokens: int
    """So many the training text has."""


class ChildStarted(Entry, frozen=True, kw_only=True):
    """A job that consists of jobs (the tour) began one. `folder` is relative to the job folder."""

    verb: str
    name: str
    folder: str


class Result(Entry, frozen=True, kw_only=True):
    """What the verb found out, as plain values that its module documents."""

    values: dict[str, Any]


class Ended(Entry, frozen=True, kw_only=True):
    """The last record of a process that ended in order."""

    state: Literal["paused", "stopped", "finished", "failed"]
    exit_code: int
    step: int | None = None
    what: str = ""
    safe: str = ""
    do: str = ""
    field: str = ""
    details: str = ""


Record = (
    JobStarted
    | Resumed
    | StateChanged
    | Progress
    | Validated
    | SourcesSeen
    | CheckpointSaved
    | CheckpointThinned
    | CheckpointRemoved
    | PlanChanged
    | Rewound
    | Held
    | Released
    | Provenance
    | Sampled
    | Noted
    | TextEntropy
    | ChildStarted
    | Result
    | Ended
)
