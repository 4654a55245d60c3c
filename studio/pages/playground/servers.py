"""Checkpoints to talk to, and the jobs that serve them. Free of Qt.

Functions here touch the library and the disk: call them in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.pages.data.corpus import reads_code
from studio.pages.data.facts import match_bars
from studio.runs.supervisor import Supervisor
from studio.storage.library import Library, RunRow
from trainer_core import spec as specs
from trainer_core.errors import JobFolderError, KnownError, LockedError
from trainer_core.protocol import read_owner
from trainer_core.records import CheckpointSaved
from trainer_core.spec import GenerateSpec, TrainSpec
from trainer_core.status import JOURNAL_FILE, SPEC_FILE, read_status

IDLE_MINUTES = 20.0
_RUNS_MAX = 40
_STRONG_MATCH = 8


@dataclass(frozen=True)
class CheckpointChoice:
    """A checkpoint that can be loaded."""

    run_id: int
    run_name: str
    run_folder: Path
    dataset_id: int | None
    color_slot: int
    folder: Path
    """Of the checkpoint."""
    step: int
    is_last: bool
    is_best: bool

    @property
    def tags(self) -> str:
        """`last, best`, or an empty string."""
        tags = ("last" if self.is_last else "", "best" if self.is_best else "")
        return ", ".join(tag for tag in tags if tag)


@dataclass(frozen=True)
class PlaygroundTarget:
    """What the playground can be opened with; without a step the best checkpoint."""

    run_id: int
    step: int | None = None


@dataclass(frozen=True)
class RunFacts:
    """What the page shows about the run that it talks to.

    Attributes:
        has_index: Whether the run was trained with the index at hand.
        reads_matches: Whether the model reads matches.
        train_tokens: Of the index; 0 where unknown.
        held_out_share: Share of held-out tokens with a match of 8 tokens or more, or None.
        is_code: Whether the text is program code.
        dataset: Name of the dataset, or an empty string.
    """

    has_index: bool = False
    reads_matches: bool = False
    train_tokens: int = 0
    held_out_share: float | None = None
    is_code: bool = False
    dataset: str = ""


def read_choices(library: Library) -> list[CheckpointChoice]:
    """Checkpoints of the newest runs, by run, the newest step first."""
    choices: list[CheckpointChoice] = []
    for run in library.runs()[:_RUNS_MAX]:
        choices += run_choices(run)
    return choices


def run_choices(run: RunRow) -> list[CheckpointChoice]:
    """Checkpoints of a run that are on disk, the newest first."""
    try:
        saved = [c for c in read_status(run.folder).checkpoints if _is_there(run.folder, c)]
    except KnownError:
        return []
    saved.sort(key=lambda checkpoint: checkpoint.step)
    with_loss = [c for c in saved if c.val_loss is not None]
    best = min(with_loss, key=lambda c: c.val_loss or 0.0, default=None)
    return [
        CheckpointChoice(
            run_id=run.id,
            run_name=run.name,
            run_folder=run.folder,
            dataset_id=run.dataset_id,
            color_slot=run.color_slot,
            folder=run.folder / checkpoint.folder,
            step=checkpoint.step,
            is_last=checkpoint is saved[-1],
            is_best=best is not None and checkpoint.step == best.step,
        )
        for checkpoint in reversed(saved)
    ]


def _is_there(run_folder: Path, checkpoint: CheckpointSaved) -> bool:
    return (run_folder / checkpoint.folder).is_dir()


def pick(
    choices: list[CheckpointChoice], run_id: int | None, step: int | None
) -> CheckpointChoice | None:
    """This step of the run; else the best or last one of it, or of the newest run."""
    of_run = [c for c in choices if c.run_id == run_id]
    if step is not None and (exact := next((c for c in of_run if c.step == step), None)):
        return exact
    pool = of_run or [c for c in choices if c.run_id == choices[0].run_id]
    return next((c for c in pool if c.is_best), pool[0] if pool else None)


def read_run_facts(library: Library, choice: CheckpointChoice) -> RunFacts:
    """What the page shows about a checkpoint's run."""
    try:
        spec = specs.load(choice.run_folder / SPEC_FILE)
    except KnownError:
        return RunFacts()
    if not isinstance(spec, TrainSpec):
        return RunFacts()
    tokens, share = 0, None
    if spec.index:
        try:
            result = read_status(Path(spec.index).parent).result
        except KnownError:
            result = {}
        found = result.get("tokens")
        tokens = found if isinstance(found, int) else 0
        share = _strong_share(result)
    names = {row.id: row.name for row in library.datasets()}
    return RunFacts(
        has_index=bool(spec.index) and Path(spec.index).is_dir(),
        reads_matches=spec.model.match_input,
        train_tokens=tokens,
        held_out_share=share,
        is_code=reads_code(Path(spec.corpus).parent),
        dataset=names.get(choice.dataset_id or -1, ""),
    )


def _strong_share(result: dict[str, object]) -> float | None:
    bars = match_bars(result)
    total = sum(bar.tokens for bar in bars)
    strong = sum(bar.tokens for bar in bars if bar.low >= _STRONG_MATCH)
    return strong / total if total else None


def server_folder(home: Path, choice: CheckpointChoice) -> Path:
    """Job folder of the server of a checkpoint."""
    return home / "serve" / f"{choice.run_folder.name}-{choice.step}"


def ensure_server(supervisor: Supervisor, home: Path, choice: CheckpointChoice) -> Path:
    """Start the server of a checkpoint, unless it runs; returns its job folder.

    Raises:
        KnownError: It cannot be started.
    """
    folder = server_folder(home, choice)
    owner = read_owner(folder)
    if owner is not None and owner.alive:
        return folder
    spec = GenerateSpec(
        run=str(choice.run_folder), checkpoint=str(choice.step), idle_minutes=IDLE_MINUTES
    )
    try:
        supervisor.start(spec, folder)
    except LockedError:
        return folder  # it is just starting
    except JobFolderError:
        # An older Hearth served it with other settings; nothing in there is worth keeping.
        for name in (SPEC_FILE, JOURNAL_FILE):
            (folder / name).unlink(missing_ok=True)
        supervisor.start(spec, folder)
    return folder
