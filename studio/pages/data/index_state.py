"""Where a dataset's index stands, from its job and its folder. Free of Qt."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from dataclasses import dataclass
from typing import Literal

import msgspec

from studio.pages.data.build_plan import BuildPlan
from studio.pages.data.clock import share_done
from studio.pages.data.corpus import MANIFEST_FILE, load_json, read_manifest
from studio.runs.model import Problem
from studio.storage.rows import DatasetRow
from trainer_core.index_plan import INDEX_VERSION
from trainer_core.status import JobStatus

IndexKind = Literal["absent", "building", "stopped", "failed", "ready", "outdated"]
Reason = Literal["grown", "changed", "older", "missing"]

_ENDED_EARLY = ("stopped", "paused", "killed")


class IndexManifestFacts(msgspec.Struct, frozen=True):
    """What the studio needs of an index's manifest."""

    version: int = 0
    corpus_fingerprint: str = ""
    tokenizer_fingerprint: str = ""
    n_tokens: int = 0
    n_documents: int = 0


@dataclass(frozen=True)
class Outdated:
    """Why an index does not fit its text any more.

    Attributes:
        reason: `grown`: documents were added; `changed`: it is another text; `older`: its format
            is that of an older Hearth; `missing`: its folder is gone.
        documents: Training documents that were added.
        tokens: Training tokens that were added.
    """

    reason: Reason
    documents: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class IndexNow:
    """An index as the page shows it.

    Attributes:
        kind: What can be done: an `absent` one is built, a `stopped` or `failed` one is gone on
            with, an `outdated` one is brought up to date.
        status: Its job.
        plan: What a build will take; None where that is unknown.
        seconds_left: Of the build at work; None while that cannot be told.
        problem: Why the build failed.
        outdated: Why it does not fit, where `kind` is `outdated`.
    """

    kind: IndexKind
    status: JobStatus
    plan: BuildPlan | None = None
    seconds_left: float | None = None
    problem: Problem | None = None
    outdated: Outdated | None = None

    @property
    def goes_on(self) -> bool:
        """Whether a build that was ended goes on from where it was, as far as known."""
        return self.plan is None or self.plan.goes_on

    @property
    def share(self) -> float:
        """How far the build has come, 0 to 1."""
        return share_done(self.status) or 0.0


NO_INDEX = IndexNow("absent", JobStatus())


def index_now(
    status: JobStatus,
    *,
    plan: BuildPlan | None = None,
    seconds_left: float | None = None,
    problem: Problem | None = None,
    outdated: Outdated | None = None,
) -> IndexNow:
    """Where an index stands; see `IndexNow` for the arguments."""
    kind: IndexKind
    if status.alive:
        kind = "building"
    elif status.state == "finished":
        kind = "outdated" if outdated is not None else "ready"
    elif status.state in _ENDED_EARLY:
        kind = "stopped"
    elif status.state == "failed":
        kind = "failed"
    else:
        kind = "absent" if status.state == "unborn" else "building"
    return IndexNow(kind, status, plan, seconds_left, problem, outdated)


def read_outdated(dataset: DatasetRow) -> Outdated | None:
    """Why a dataset's index does not fit its text, or None; blocks on the disk."""
    if dataset.index_path is None:
        return None
    text = read_manifest(dataset)
    if text is None:
        return None
    index = load_json(dataset.index_path / MANIFEST_FILE, IndexManifestFacts)
    if index is None:
        return Outdated("missing")
    if index.version < INDEX_VERSION:
        return Outdated("older")
    if index.corpus_fingerprint == text.fingerprint:
        return None
    documents, tokens = text.train.documents - index.n_documents, text.train.tokens - index.n_tokens
    same_tokens = index.tokenizer_fingerprint == text.tokenizer_fingerprint
    if same_tokens and documents > 0 and tokens > 0:
        return Outdated("grown", documents, tokens)
    return Outdated("changed")
