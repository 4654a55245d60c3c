"""Groups of runs: how one is made and queued, and what it found out. Free of Qt.

Functions here touch the library and the disk: call them in the library's thread.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.runs.manners import fit_run, read_defaults
from studio.runs.supervisor import freeze_spec
from studio.runs.variants import Axes, Value, Variant, swept, value_at, value_text
from studio.runs.verdict import Difference, Spread, spread, verdicts
from studio.runs.waiting import enqueue
from studio.storage.library import GroupRow, Library, RunRow
from trainer_core import spec as specs
from trainer_core.errors import KnownError, from_os_error
from trainer_core.manners import Conditions
from trainer_core.spec import TrainSpec
from trainer_core.status import SPEC_FILE


@dataclass(frozen=True)
class Base:
    """The run that a group is made from.

    Attributes:
        run: As the library knows it.
        spec: Its settings.
        project: Name of its project.
    """

    run: RunRow
    spec: TrainSpec
    project: str


@dataclass(frozen=True)
class Cell:
    """The runs of a group that share all settings but the seed.

    Attributes:
        values: Of the varied settings, by path.
        runs: All of them.
        losses: Best validation loss of the finished ones, by seed.
        spread: Of those losses; None where none is finished.
        difference: To the base; None for the base itself, or where nothing can be said.
    """

    values: dict[str, Value]
    runs: tuple[RunRow, ...]
    losses: dict[int, float]
    spread: Spread | None
    difference: Difference | None = None

    @property
    def label(self) -> str:
        """Its values in words; the seeds alone have none."""
        return ", ".join(
            f"{swept(path).name.lower()} {value_text(value)}" for path, value in self.values.items()
        )


@dataclass(frozen=True)
class GroupFacts:
    """A group as it stands.

    Attributes:
        group: Its row.
        project: Name of its project.
        cells: By the order of their values.
        base: Place of the one that the others are set against.
        seeds: Seed of each run, by its id.
    """

    group: GroupRow
    project: str
    cells: tuple[Cell, ...]
    base: int
    seeds: dict[int, int]

    @property
    def runs(self) -> tuple[RunRow, ...]:
        """All of them."""
        return tuple(run for cell in self.cells for run in cell.runs)

    @property
    def finished(self) -> int:
        """How many are done."""
        return sum(len(cell.losses) for cell in self.cells)


def read_base(library: Library, run_id: int) -> Base:
    """The run to make a group from.

    Raises:
        KnownError: There is no such run, or it is no training whose settings can be read.
    """
    run = library.run(run_id)
    spec = specs.load(run.folder / SPEC_FILE)
    if not isinstance(spec, TrainSpec):
        raise KnownError(f"{run.name} is no training.", do="Choose a training run.")
    return Base(run, spec, library.project(run.project_id).name)


def make_group(
    library: Library,
    project_id: int,
    dataset_id: int | None,
    name: str,
    axes: Axes,
    variants: Sequence[Variant],
    conditions: Conditions | None = None,
) -> GroupRow:
    """Make the group and its runs, and put them into the queue.

    Args:
        library: Where they belong.
        project_id: Their project.
        dataset_id: What they train on, where known.
        name: Of the group.
        axes: What is varied.
        variants: Its runs; see `variants.expand`.
        conditions: When they hold; None takes what new trainings do.

    Raises:
        KnownError: A name is empty, or the disk refuses; what was made by then is put away.
    """
    group = library.add_group(project_id, name, "sweep" if axes.values else "seeds", axes.by_path)
    minded = conditions if conditions is not None else read_defaults(library).conditions
    made: list[RunRow] = []
    try:
        for variant in variants:
            run = library.add_run(
                project_id, variant.name, dataset_id=dataset_id, group_id=group.id
            )
            made.append(run)
            freeze_spec(run.folder, variant.spec)
            fit_run(library, run, minded)
        enqueue(library.home, [run.folder for run in made])
    except (KnownError, OSError) as error:
        for run in made:
            with contextlib.suppress(KnownError):
                library.change_run(run.id, archived=True)
        if isinstance(error, OSError):
            raise from_os_error(error, "writing the runs' settings") from error
        raise
    return group


def read_group(library: Library, group_id: int, base: int | None = None) -> GroupFacts:
    """A group with its runs and what they say.

    Args:
        library: Knows it.
        group_id: Which.
        base: Place of the cell that the others are set against; None takes the first one.

    Raises:
        KnownError: There is no such group.
    """
    group = next((each for each in library.groups() if each.id == group_id), None)
    if group is None:
        raise KnownError("This group is not there any more.", do="Look at the list of runs.")
    runs = library.runs(group_id=group_id, archived=True)
    paths = [path for path in group.axes if path != "seed"]
    seeds: dict[int, int] = {}
    by_values: dict[tuple[Value, ...], list[RunRow]] = {}
    for run in sorted(runs, key=lambda run: run.id):
        read = _values_of(run.folder, paths)
        if read is not None:
            seeds[run.id], values = read
            by_values.setdefault(values, []).append(run)
    cells = [_cell(paths, values, found, seeds) for values, found in by_values.items()]
    place = min(base or 0, max(len(cells) - 1, 0))
    found = verdicts([cell.losses for cell in cells], place) if cells else []
    judged = tuple(
        Cell(cell.values, cell.runs, cell.losses, cell.spread, difference)
        for cell, difference in zip(cells, found, strict=True)
    )
    return GroupFacts(group, library.project(group.project_id).name, judged, place, seeds)


def difference_words(difference: Difference, base: str) -> str:
    """A verdict in a sentence.

    Args:
        difference: To the base.
        base: What the base is called.
    """
    size = f"{abs(difference.mean):.3f}"
    way = "lower" if difference.mean < 0 else "higher"
    by = "pairs of the same seed" if difference.paired else "the spread of the seeds"
    if difference.p is None:
        return "Too few runs to tell: each setting needs two seeds at the least, better three."
    chance = "less than 1 in 1,000" if difference.p < 0.001 else f"{difference.p * 100:.1f} %"
    if difference.verdict == "real":
        return (
            f"Real: {size} {way} than {base}. By {by}, chance alone would show"
            f" as much in {chance} of trials."
        )
    if difference.verdict == "noise":
        return (
            f"Noise: {size} {way} than {base} is what other seeds make, too"
            f" ({chance} of trials would show as much)."
        )
    return f"Too few runs to tell: {size} {way} than {base}, but other seeds may do that, too."


# --- parts ---------------------------------------------------------------------------------------


def _values_of(folder: Path, paths: Sequence[str]) -> tuple[int, tuple[Value, ...]] | None:
    """Seed and varied values of a run; None where its settings are gone."""
    try:
        spec = specs.load(folder / SPEC_FILE)
        if not isinstance(spec, TrainSpec):
            return None
        return spec.seed, tuple(value_at(spec, path) for path in paths)
    except (KnownError, AttributeError):
        return None


def _cell(
    paths: Sequence[str], values: tuple[Value, ...], runs: Sequence[RunRow], seeds: dict[int, int]
) -> Cell:
    losses = {
        seeds[run.id]: run.facts.best_loss
        for run in runs
        if run.facts.state == "finished"
        and run.facts.best_loss is not None
        and math.isfinite(run.facts.best_loss)
        and run.trashed_s is None
    }
    named = dict(zip(paths, values, strict=True))
    return Cell(named, tuple(runs), losses, spread(list(losses.values())))
