"""What the library hands out: frozen copies of rows, free of the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

GroupKind = Literal["seeds", "sweep"]
RunKind = Literal["train", "reference"]


@dataclass(frozen=True)
class ProjectRow:
    """A project. Times are seconds since the epoch, here and below."""

    id: int
    name: str
    note: str
    created_s: float
    last_used_s: float
    trashed_s: float | None = None
    """When it was thrown away, with its runs."""


@dataclass(frozen=True)
class DatasetRow:
    """A dataset; counts are None until its job has told them."""

    id: int
    name: str
    what: str
    folder: Path
    """Job folder of `prepare`."""
    index_folder: Path | None
    """Job folder of `index`, or None when none was asked for."""
    tokenizer: str
    private: bool
    created_s: float
    documents: int | None = None
    tokens: int | None = None
    size_bytes: int | None = None
    index_bytes: int | None = None
    trashed_s: float | None = None

    @property
    def corpus_folder(self) -> Path:
        """Where `prepare` puts the corpus: what `IndexSpec.corpus` and `TrainSpec.corpus` name."""
        return self.folder / "corpus"

    @property
    def index_path(self) -> Path | None:
        """Where `index` puts the index: what `TrainSpec.index` names."""
        return None if self.index_folder is None else self.index_folder / "index"


@dataclass(frozen=True)
class RunFacts:
    """A run's latest figures, copied from its folder so that lists need not open each one."""

    state: str = "starting"
    """A `records.State`, or `killed`."""
    step: int = 0
    total_steps: int = 0
    tokens_seen: int = 0
    total_tokens: int = 0
    elapsed_s: float = 0.0
    tokens_per_s: float | None = None
    val_loss: float | None = None
    best_loss: float | None = None
    bits_per_byte: float | None = None
    started_s: float | None = None
    ended_s: float | None = None
    problem: str = ""
    """Why it failed, one sentence."""
    sparkline: tuple[float, ...] = ()
    """Training loss at even distances from step 1 to `step`, in nats per token."""

    @property
    def share_done(self) -> float:
        """Progress from 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0


@dataclass(frozen=True)
class RunRow:
    """A run, with what was last known of it."""

    id: int
    project_id: int
    name: str
    folder: Path
    dataset_id: int | None
    color_slot: int
    """0 to 5; the run has this series colour everywhere."""
    created_s: float
    archived: bool
    facts: RunFacts = field(default_factory=RunFacts)
    kind: RunKind = "train"
    """`reference`: curves that were read from a log of another program."""
    starred: bool = False
    tags: tuple[str, ...] = ()
    trashed_s: float | None = None
    """When it was thrown away; its folder stays until the trash is emptied."""
    group_id: int | None = None
    parent_id: int | None = None
    """The run whose weights this one began with."""


@dataclass(frozen=True)
class GroupRow:
    """Runs that were started as one."""

    id: int
    project_id: int
    name: str
    kind: GroupKind
    axes: dict[str, tuple[Any, ...]]
    """Values by the path of each varied setting."""
    created_s: float


@dataclass(frozen=True)
class DraftRow:
    """A run that was planned and not started yet."""

    id: int
    project_id: int | None
    name: str
    values: dict[str, Any]
    """What the wizard holds, as it reads it back."""
    changed_s: float


@dataclass(frozen=True)
class CheckpointRow:
    """A checkpoint. Loss is in nats per token."""

    id: int
    run_id: int
    step: int
    folder: Path
    size_bytes: int
    val_loss: float | None
    best: bool
    created_s: float


@dataclass(frozen=True)
class PromptRow:
    """A prompt that was used."""

    id: int
    text: str
    created_s: float
    last_used_s: float


@dataclass(frozen=True)
class NoteRow:
    """A note on a run; `step` is None when it is about the whole of it."""

    id: int
    run_id: int
    text: str
    step: int | None
    created_s: float


@dataclass(frozen=True)
class Trashed:
    """What lies in the trash, the last thrown away first."""

    projects: tuple[ProjectRow, ...] = ()
    runs: tuple[RunRow, ...] = ()
    """Those of the projects in the trash, too."""
    datasets: tuple[DatasetRow, ...] = ()

    def __len__(self) -> int:
        """How many things a user sees in it: the runs of a project go with it."""
        gone = {project.id for project in self.projects}
        single = sum(run.project_id not in gone for run in self.runs)
        return len(self.projects) + single + len(self.datasets)


@dataclass(frozen=True)
class Found:
    """One answer of a search."""

    kind: Literal["project", "run", "dataset"]
    id: int
    title: str
    context: str
    """Where it belongs, such as the run's project."""
