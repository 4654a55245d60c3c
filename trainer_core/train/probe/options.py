"""The command line of `probe`; light to import."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from trainer_core import spec as specs
from trainer_core.errors import ExitCode, SpecError
from trainer_core.presets import PRESETS
from trainer_core.spec.probe import probe_of

Add = Callable[[str, Callable[[argparse.Namespace], ExitCode], str], argparse.ArgumentParser]
"""Adds a command: its name, what carries it out, and a line of help."""


def add_probe(add: Add) -> None:
    """Add the command."""
    probe = add("probe", _probe, "measure how fast this computer trains a model, in which batches")
    probe.add_argument(
        "folder", type=Path, nargs="?", help="a job folder that keeps the table; none keeps nothing"
    )
    what = probe.add_mutually_exclusive_group(required=True)
    what.add_argument("--train", type=Path, metavar="FILE", help="the settings of a training")
    what.add_argument("--preset", choices=PRESETS, help="a model of this size, on random tokens")
    probe.add_argument("--match-input", action="store_true", help="the preset with matches")
    probe.add_argument("--seconds", type=float, help="how long all of it may take")
    probe.add_argument("--memory-mb", type=int, help="what a trial may hold")
    probe.add_argument("--no-compile", action="store_true", help="try no compiled steps")
    probe.add_argument("--json", action="store_true", help="print the table as JSON")


def _probe(args: argparse.Namespace) -> ExitCode:
    """Measure how fast this computer trains a model."""
    from trainer_core.train.probe.terminal import tell

    spec = _spec(args)
    if args.folder is not None:
        return tell(args.folder, spec, as_json=args.json)
    with tempfile.TemporaryDirectory(prefix="hearth-probe-") as folder:
        return tell(Path(folder) / "job", spec, as_json=args.json)


def _spec(args: argparse.Namespace) -> specs.ProbeSpec:
    """The options as a spec, every range checked.

    Raises:
        SpecError: With the field at fault.
    """
    spec = _of_training(args.train) if args.train else _of_preset(args)
    options: dict[str, object] = {}
    if args.seconds is not None:
        options["budget_s"] = args.seconds
    if args.memory_mb is not None:
        options["memory_limit_bytes"] = args.memory_mb * 1_000_000
    if args.no_compile:
        options["compile"] = False
    plain: dict[str, object] = msgspec.to_builtins(spec)
    return specs.convert({**plain, **options}, specs.ProbeSpec, "the options")


def _of_preset(args: argparse.Namespace) -> specs.ProbeSpec:
    preset = PRESETS[args.preset]
    model = msgspec.structs.replace(preset.config, match_input=args.match_input)
    return specs.ProbeSpec(model=model, optimizer=preset.optimizer)


def _of_training(path: Path) -> specs.ProbeSpec:
    spec = specs.load(path)
    if not isinstance(spec, specs.TrainSpec):
        raise SpecError(
            f"{path} holds no training.",
            safe="Nothing was started.",
            do='Give settings with verb = "train".',
            field="train",
        )
    return probe_of(spec)
