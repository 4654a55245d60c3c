"""The command line of `preview`; light to import."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec

from trainer_core import spec as specs
from trainer_core.errors import ExitCode, SpecError

Add = Callable[[str, Callable[[argparse.Namespace], ExitCode], str], argparse.ArgumentParser]
"""Adds a command: its name, what carries it out, and a line of help."""


def add_preview(add: Add) -> None:
    """Add the command that shows what a preparation would read."""
    preview = add("preview", _preview, "show the beginning of texts as they would be read")
    preview.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="text files and folders; or the one .toml file of a preparation or a preview, with its"
        " cleaning; none takes this computer's Python library",
    )
    preview.add_argument(
        "--hub", default="", metavar="NAME", help="a dataset of the Hugging Face Hub"
    )
    preview.add_argument("--subset", default="", help="of the dataset, such as sample-10BT")
    preview.add_argument("--field", default="", help="the field or column with the text")
    preview.add_argument(
        "--megabytes", type=float, default=None, help="text to read of each source; 0 reads all (8)"
    )
    preview.add_argument(
        "--documents", type=int, default=3, help="documents to show of each source (%(default)s)"
    )
    preview.add_argument("--json", action="store_true", help="print everything as JSON")


def _preview(args: argparse.Namespace) -> ExitCode:
    """Look at the beginning of some texts and print what is there."""
    from trainer_core.data.preview.terminal import look

    return look(preview_spec(args), as_json=args.json)


def preview_spec(args: argparse.Namespace) -> specs.PreviewSpec:
    """The job that a command line asks for.

    Raises:
        SpecError: A setting is out of range, or the file is of another verb.
    """
    values: dict[str, object] = {"documents": args.documents}
    if args.megabytes is not None:
        values["max_bytes"] = round(args.megabytes * 1e6)
    named: list[str] = args.sources
    if len(named) == 1 and named[0].endswith(".toml") and not args.hub:
        values = _of_file(Path(named[0])) | values
    elif args.hub:
        hub = {"kind": "hub_dataset", "repo": args.hub, "subset": args.subset, "field": args.field}
        texts = [{"kind": "text_files", "paths": named}] if named else []
        values["sources"] = [hub, *texts]
    elif named:
        values["source"] = {"kind": "text_files", "paths": named, "field": args.field}
    else:
        values["source"] = {"kind": "python_library"}
    return specs.convert(values, specs.PreviewSpec, "the options")


def _of_file(path: Path) -> dict[str, object]:
    """The sources and the cleaning of a file.

    Raises:
        SpecError: It is of a verb that reads no text.
    """
    spec = specs.load(path)
    if not isinstance(spec, specs.PrepareSpec | specs.PreviewSpec):
        raise SpecError(
            f"{path} is for `{specs.verb_of(spec)}`, which reads no text.",
            safe="Nothing was changed.",
            do="Give a file for `prepare` or `preview`, or text files and folders.",
        )
    values: dict[str, object] = msgspec.to_builtins(spec)
    kept = ("source", "sources", "cleaning", "seed", "max_bytes")
    return {name: values[name] for name in kept if name in values}
