"""A rule task in the terminal: bars while it runs, then the accuracy of each group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainer_core.errors import ExitCode, KnownError
from trainer_core.rule_tasks import LEARNED, SOLVED, UNSEEN
from trainer_core.spec import RulesSpec, convert
from trainer_core.terminal import run_with_bars

BAR_CHARACTERS = 24


def run_rules(args: argparse.Namespace) -> ExitCode:
    """Train on a rule task, or go on with it, and print how far it was learned.

    Raises:
        KnownError: It could not start, or one of its jobs failed.
    """
    values = {name: getattr(args, name) for name in ("task", "steps", "lines", "threads", "seed")}
    folder = args.folder
    if args.own is not None:
        folder = folder or (Path(args.task) if args.task else None)  # the only name that is left
        values |= {"task": "own", "own": _rules_in(args.own)}
    spec = convert(values, RulesSpec, "the options")
    folder = folder or Path(f"hearth-rules-{spec.task.replace('_', '-')}")
    console = Console()
    code, status = run_with_bars(folder, spec, console)
    if status.state != "finished":
        console.print(f"The task is {status.state}; the same command goes on with it.")
        return code
    _print_result(console, status.result)
    return code


def _rules_in(path: Path) -> str:
    """The text of a file with one's own rules.

    Raises:
        KnownError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    raise KnownError(
        f"The rules in {path} cannot be read: {why}.",
        safe="Nothing was started.",
        do="Check the path of the file.",
    )


def _print_result(console: Console, found: dict[str, Any]) -> None:
    table = Table()
    for name in ("", "right", ""):
        table.add_column(name, justify="right" if name == "right" else "left")
    for group in found["groups"]:
        share = group["accuracy"]
        table.add_row(group["group"], f"{share:.1%}", _bar(share))
    console.print(f"\n{found['title']}: accuracy on fresh lines", highlight=False)
    console.print(table)
    console.print(_VERDICTS.get(found["task"], _group_words)(found["groups"]), highlight=False)
    console.print(_loss_words(found), highlight=False)
    console.print(
        f"{found['parameters']:,} parameters, {found['steps']:,} steps, trained in"
        f" {found['train_s']:.1f} s; {found['seconds']:.0f} s in all.",
        highlight=False,
    )
    console.print(f"The run is in {found['run']}", highlight=False, soft_wrap=True)


def _bar(share: float) -> Text:
    """A bar as long as the share, in the colour of how good that is."""
    style = "green" if share >= SOLVED else "yellow" if share > LEARNED else "red"
    return Text("━" * round(share * BAR_CHARACTERS), style=style)


def _loss_words(found: dict[str, Any]) -> str:
    loss, floor = found["loss"], found["floor"]
    levels = ", ".join(f"{level['name']} {level['nats']:.3f}" for level in found["plateaus"])
    return (
        f"Loss {loss:.3f} nats per character, {loss / floor - 1:+.1%} from the floor. Where"
        f" learning comes to rest: {levels}."
    )


def _group_words(groups: list[dict[str, Any]], kind: str = "groups") -> str:
    if not groups:
        return "No line of the rules fits into the context, so nothing was scored."
    learned = sum(group["accuracy"] > LEARNED for group in groups)
    solved = sum(group["accuracy"] >= SOLVED for group in groups)
    worst = min(groups, key=lambda group: group["accuracy"])
    return (
        f"{learned} of {len(groups)} {kind} above {LEARNED:.0%}, {solved} at {SOLVED:.0%} or more;"
        f" the worst is {worst['group']} with {worst['accuracy']:.1%}."
    )


def _sum_words(groups: list[dict[str, Any]]) -> str:
    unseen = [group for group in groups if group["group"] in UNSEEN]
    total = sum(group["total"] for group in unseen)
    if not total:
        return "Every sum that there is stands in the training text."
    right = sum(group["right"] for group in unseen)
    return f"Of the sums that the training text does not hold, {right / total:.1%} are right."


def _word_words(groups: list[dict[str, Any]]) -> str:
    return f"{groups[-1]['accuracy']:.1%} of the words that the model draws keep every rule."


def _action_words(groups: list[dict[str, Any]]) -> str:
    return _group_words(groups, "actions")


_VERDICTS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "simple_dummy": _word_words,
    "addition": _sum_words,
    "simple_dummy2": _action_words,
}
