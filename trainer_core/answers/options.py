"""The command lines of `lookup`, `duplicates`, `contamination` and `value`; light to import."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import msgspec

from trainer_core import spec as specs
from trainer_core.errors import ExitCode, SpecError

Add = Callable[[str, Callable[[argparse.Namespace], ExitCode], str], argparse.ArgumentParser]
"""Adds a command: its name, what carries it out, and a line of help."""


def add_questions(add: Add) -> None:
    """Add the commands that ask an index."""
    lookup = add("lookup", _lookup, "find a text in the training text: what followed, and where")
    _add_index(lookup)
    lookup.add_argument("text", help="the text; - reads it from the standard input")
    _add_number(lookup, "--top", _default(specs.LookupSpec, "top"), "continuations to show")
    _add_number(lookup, "--sources", _default(specs.LookupSpec, "sources"), "places to show")

    duplicates = add("duplicates", _duplicates, "say what the training text holds more than once")
    _add_index(duplicates)
    _add_number(
        duplicates, "--top", _default(specs.DuplicatesSpec, "top"), "passages and groups to show"
    )

    contamination = add(
        "contamination", _contamination, "say which texts stand in the training text"
    )
    _add_index(contamination)
    contamination.add_argument(
        "paths",
        nargs="*",
        help="text files, one text each; .jsonl files, one text a line; folders of both;"
        " none takes the corpus's held-out documents",
    )
    contamination.add_argument(
        "--field",
        default=_default(specs.ContaminationSpec, "field"),
        help="name of the text in a line of a .jsonl file (%(default)s)",
    )
    _add_number(
        contamination,
        "--least-tokens",
        _default(specs.ContaminationSpec, "least_tokens"),
        "shorter overlaps do not count; 0 chooses by the tokens' size",
    )
    _add_number(
        contamination,
        "--top",
        _default(specs.ContaminationSpec, "top"),
        "texts to list, those with most in common first; 0 lists all",
    )

    value = add("value", _value, "measure what matches say of the corpus's held-out text")
    _add_index(value)
    _add_number(
        value,
        "--positions",
        _default(specs.ValueSpec, "positions"),
        "held-out positions that the curve is measured at",
    )


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("index", help="the index folder, or the job folder that holds one")
    parser.add_argument("--corpus", default="", help="the corpus, where no job says which it is")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def _add_number(parser: argparse.ArgumentParser, name: str, default: object, what: str) -> None:
    parser.add_argument(name, type=int, default=default, metavar="N", help=f"{what} (%(default)s)")


def _default(spec: type[specs.AskedIndex], name: str) -> object:
    """The default of a spec's field, which stands there and nowhere else."""
    return {field.name: field.default for field in msgspec.structs.fields(spec)}[name]


def _lookup(args: argparse.Namespace) -> ExitCode:
    """Find a text in the training text."""
    text = args.text if args.text != "-" else _standard_input()
    return _ask(args, specs.LookupSpec, text=text, top=args.top, sources=args.sources)


def _duplicates(args: argparse.Namespace) -> ExitCode:
    """Say what the training text holds more than once."""
    return _ask(args, specs.DuplicatesSpec, top=args.top)


def _contamination(args: argparse.Namespace) -> ExitCode:
    """Say which texts stand in the training text."""
    return _ask(
        args,
        specs.ContaminationSpec,
        paths=args.paths,
        field=args.field,
        least_tokens=args.least_tokens,
        top=args.top,
    )


def _value(args: argparse.Namespace) -> ExitCode:
    """Measure what matches say of held-out text."""
    return _ask(args, specs.ValueSpec, positions=args.positions)


def _ask(args: argparse.Namespace, kind: type[specs.AskedIndex], **options: object) -> ExitCode:
    from trainer_core.answers.terminal import tell

    settings = {"index": args.index, "corpus": args.corpus, **options}
    return tell(specs.convert(settings, kind, "the options"), as_json=args.json)


def _standard_input() -> str:
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError:
        raise SpecError(
            "The standard input is not UTF-8 text.",
            safe="Nothing was changed.",
            do="Give a text.",
            field="text",
        ) from None
