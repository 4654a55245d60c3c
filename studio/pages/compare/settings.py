"""The settings of runs side by side. Knows nothing of Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from studio.pages.compare.facts import Compared
from studio.pages.compare.seeds import deviation, difference, verdict_words
from studio.palette import RoleName
from studio.widgets import figures
from studio.widgets.cells import Cell, CellStyle, Column, Row
from studio.widgets.figures import short_lr
from trainer_core.presets import parameter_count
from trainer_core.spec import TrainSpec

NOT_APPLICABLE: Final = "n/a"
_NOT_LEARNED: Final = ("evaluation.", "checkpoint.", "threads", "device", "verb")
"""Settings that do not change what a model learns; they are not compared."""


_RUN_PX: Final = 148
_SPREAD_PX: Final = 62
_SPREAD: Final = ("val_loss", "bits", "change")
"""These columns need so much more where runs are several seeds: for the spread, or a verdict."""
_RESULTS: Final = (
    # key, heading, pixels, definition
    ("speed", "Tokens/s", 76, "While training"),
    ("time", "Time", 112, "Over all sessions"),
    ("val_loss", "Val loss", 76, "Newest validation, nats per token"),
    ("bits", "Bits/byte", 78, "Newest validation; comparable across tokenizers"),
    ("change", "Change", 76, "Of the loss to the base; of bits per byte across tokenizers"),
)


@dataclass(frozen=True)
class Setting:
    """A setting as a column: its heading, and what stands there for each run by id."""

    key: str
    title: str
    values: dict[int, str] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether any run has another value than the others."""
        return len(set(self.values.values())) > 1


def _tokens(spec: TrainSpec) -> str:
    tokens = spec.budget.steps * spec.budget.batch_size * spec.model.context_length
    return figures.count(tokens)


def _longest_match(spec: TrainSpec) -> str:
    return str(spec.model.match_length_max) if spec.model.match_input else NOT_APPLICABLE


_TELLING: Final[tuple[tuple[str, str, Callable[[TrainSpec], str]], ...]] = (
    # paths that it stands for, heading, text
    ("parameters", "Parameters", lambda s: figures.count(parameter_count(s.model))),
    (
        "model.n_layer model.n_embd",
        "Layers × width",
        lambda s: f"{s.model.n_layer} × {s.model.n_embd}",
    ),
    ("budget.batch_size", "Batch", lambda s: str(s.budget.batch_size)),
    ("model.context_length", "Context", lambda s: f"{s.model.context_length:,}"),
    ("optimizer.lr", "Peak LR", lambda s: short_lr(s.optimizer.lr)),
    ("model.match_input index", "Index", lambda s: "on" if s.model.match_input else "off"),
    ("model.match_length_max", "Longest match", _longest_match),
    ("budget.steps", "Tokens", _tokens),
)


def settings(runs: Sequence[Compared]) -> list[Setting]:
    """Every setting that changes what is learned, the telling ones first."""
    specs = {run.row.id: run.spec for run in runs if run.spec is not None}
    found = [
        Setting(key, title, {run_id: show(spec) for run_id, spec in specs.items()})
        for key, title, show in _TELLING
    ]
    _add_references(runs, found)
    covered = {path for key, _, _ in _TELLING for path in key.split()}
    flat = {run_id: flat_settings(spec) for run_id, spec in specs.items()}
    for run in runs:
        seeds = [str(each.spec.seed) for each in run.members if each.spec is not None]
        if seeds:
            flat[run.row.id]["seed"] = ", ".join(seeds)
    for path in sorted({path for each in flat.values() for path in each} - covered):
        if not path.startswith(_NOT_LEARNED):
            values = {run_id: each.get(path, NOT_APPLICABLE) for run_id, each in flat.items()}
            found.append(Setting(path, _title(path), values))
    return found


def _add_references(runs: Sequence[Compared], found: Sequence[Setting]) -> None:
    """What is known of models of other programs: their size, and the tokens that they saw."""
    by_key = {each.key: each for each in found}
    for run in runs:
        if run.reference is None:
            continue
        if run.reference.parameters:
            size = figures.count(run.reference.parameters)
            by_key["parameters"].values[run.row.id] = size
        if run.has("tokens"):
            by_key["budget.steps"].values[run.row.id] = figures.count(run.facts.tokens_seen)


def flat_settings(spec: TrainSpec) -> dict[str, str]:
    """Every setting by its path, as text."""
    out: dict[str, str] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                walk(each, f"{path}.{key}" if path else str(key))
        else:
            out[path] = _plain(value)

    plain: object = msgspec.to_builtins(spec)
    walk(plain, "")
    return out


# --- the table -----------------------------------------------------------------------------------


def columns_for(shown: Sequence[Setting], *, seeds: bool = False) -> list[Column]:
    """The columns of the table: run, settings, results; wider ones for means of seeds."""
    made = [Column("run", "Run", _RUN_PX, 8, "text", sortable=False)]
    made += [
        Column(each.key, each.title, _width(each), 1, "mono_muted", sortable=False)
        for each in shown
    ]
    made += [
        Column(
            key,
            title,
            width + (_SPREAD_PX if seeds and key in _SPREAD else 0),
            style="mono",
            right=True,
            sortable=False,
            tooltip=tooltip,
        )
        for key, title, width, tooltip in _RESULTS
    ]
    return made


def shown_settings(found: Sequence[Setting], *, only_differing: bool) -> list[Setting]:
    """The settings that get a column."""
    telling = {key for key, _, _ in _TELLING}
    if only_differing:
        return [each for each in found if each.differs]
    return [each for each in found if each.key in telling]


def fitting(found: Sequence[Setting], room: int, *, seeds: bool = False) -> list[Setting]:
    """The first settings whose columns fit beside the results into so many pixels."""
    left = room - _RUN_PX - sum(width for _, _, width, _ in _RESULTS)
    left -= len(_SPREAD) * _SPREAD_PX if seeds else 0
    shown = []
    for each in found:
        left -= _width(each)
        if left < 0:
            break
        shown.append(each)
    return shown


def rows_for(
    runs: Sequence[Compared], shown: Sequence[Setting], base: Compared | None, *, losses: bool
) -> list[Row]:
    """A row for each run.

    Args:
        runs: The runs.
        shown: Settings with a column.
        base: The run that the others are held against.
        losses: Whether losses per token can be compared; otherwise bits per byte are.
    """
    return [_row(run, shown, base, losses=losses, comparisons=len(runs) - 1) for run in runs]


def _row(
    run: Compared,
    shown: Sequence[Setting],
    base: Compared | None,
    *,
    losses: bool,
    comparisons: int,
) -> Row:
    is_base = base is not None and run.row.id == base.row.id
    cells: dict[str, Cell | str] = {"run": Cell(run.row.name, series=run.slot, tooltip=run.problem)}
    for each in shown:
        value = each.values.get(run.row.id, figures.MISSING)
        known = base is not None and {run.row.id, base.row.id} <= each.values.keys()
        differs = known and base is not None and value != each.values[base.row.id]
        plain = is_base and value != NOT_APPLICABLE
        cells[each.key] = Cell(
            value,
            style="mono" if plain else "mono_muted",
            role="accent" if differs and not is_base else None,
            outlined=differs and not is_base,
        )
    last = run.last
    cells["speed"] = figures.count(run.facts.tokens_per_s)
    cells["time"] = figures.duration(run.facts.elapsed_s if run.has("time") else None)
    of_seeds = f"Mean of {len(run.members)} seeds ± standard deviation" if run.members else ""
    cells["val_loss"] = Cell(
        _with_spread(run, last.loss, bits=False) if last is not None else figures.MISSING,
        style=None if losses else "mono_muted",
        tooltip=of_seeds if losses else "Not comparable: the tokenizers differ",
    )
    cells["bits"] = Cell(
        _with_spread(run, last.bits_per_byte, bits=True) if last is not None else figures.MISSING,
        tooltip=of_seeds,
    )
    cells["change"] = _change(run, base, is_base=is_base, losses=losses)
    if base is not None and not is_base:
        cells["change"] = _judged(cells["change"], run, base, losses=losses, of=comparisons)
    return Row(run.row.id, cells)


def _with_spread(run: Compared, mean: float, *, bits: bool) -> str:
    apart = deviation(run, bits=bits)
    return figures.loss(mean) + (f" ± {apart:.3f}" if apart is not None else "")


def _change(run: Compared, base: Compared | None, *, is_base: bool, losses: bool) -> Cell:
    if is_base:
        return Cell("base", style="mono_muted")
    if base is None or run.last is None or base.last is None:
        return Cell(figures.MISSING, style="mono_muted")
    if losses:
        change = run.last.loss - base.last.loss
    else:
        change = run.last.bits_per_byte - base.last.bits_per_byte
    if not math.isfinite(change):
        return Cell(figures.MISSING, style="mono_muted")
    return Cell(change_text(change, 3), role=change_role(change, 3))


def _judged(change: Cell | str, run: Compared, base: Compared, *, losses: bool, of: int) -> Cell:
    """A change with the verdict on it, where there are seeds to tell it from noise."""
    cell = Cell(change) if isinstance(change, str) else change
    found = difference(run, base, bits=not losses, comparisons=max(of, 1))
    if found is None or cell.text == figures.MISSING:
        return cell
    word, sentence = verdict_words(found)
    role = cell.role if found.verdict == "real" else None
    style: CellStyle | None = None if found.verdict == "real" else "mono_muted"
    return Cell(f"{cell.text} {word}", style=style, role=role, tooltip=sentence)


def change_text(change: float, digits: int) -> str:
    """A difference with its sign, such as `-0.276`."""
    text = f"{change:+.{digits}f}"
    return text.replace("+", "").replace("-", "") if float(text) == 0 else text


def change_role(change: float, digits: int) -> RoleName | None:
    """Green for a lower loss, red for a higher one, None where nothing changed."""
    shown = round(change, digits)
    return None if shown == 0 else "ok" if shown < 0 else "danger"


def _width(setting: Setting) -> int:
    longest = max((len(value) for value in setting.values.values()), default=0)
    return max(60, round(7.3 * longest) + 32, round(6.1 * len(setting.title)) + 26)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    path = Path(str(value))
    # Corpora and indexes lie in their job's folder, which has the name that people know.
    return path.parent.name if path.name in ("corpus", "index") else str(value)


def _title(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ").capitalize()
