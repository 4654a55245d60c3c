"""One source of text as it is typed, and the settings that follow from it. Free of Qt."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from studio.pages.typed import Typed, parse, parse_size, size_text
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.known_datasets import KNOWN_DATASETS, KnownDataset
from trainer_core.rule_tasks import RULE_TASKS
from trainer_core.spec import HubDataset, Source, TaskName

SourceKind = Literal[
    "python_library",
    "text_files",
    "hub_dataset",
    "saved_dataset",
    "token_files",
    "rule_task",
    "own_rules",
]

FIELDS: dict[SourceKind, tuple[str, ...]] = {
    "python_library": ("name", "max_bytes"),
    "text_files": ("name", "paths", "suffixes", "field", "encoding"),
    "hub_dataset": (
        *("name", "repo", "subset", "split", "field", "revision", "streaming", "max_bytes"),
    ),
    "saved_dataset": ("name", "path", "split", "field", "max_bytes"),
    "token_files": ("name", "paths", "vocabulary_folder"),
    "rule_task": ("name", "task", "lines"),
    "own_rules": ("name", "rules", "lines"),
}
"""What can be set about each kind of source, by the names of the spec."""


@dataclass(frozen=True)
class SourceForm:
    """A source as it was typed; what its kind does not have is left alone.

    Attributes:
        kind: Where the text comes from.
        name: What reports call it.
        paths: Files and folders.
        suffixes: Endings, such as `.txt .md`.
        encoding: Of the text, such as `cp1252` or `auto`; empty is UTF-8.
        field: The field or column with the text; empty finds it.
        max_bytes: At most this much text, such as `24 MB`; empty for all.
        repo: A dataset's name on the Hub, or a folder.
        subset: Its configuration.
        split: Which of its splits; empty takes the usual one.
        revision: Branch, tag or commit.
        streaming: Read over the network, do not keep.
        path: Folder of a saved dataset.
        vocabulary_folder: GPT-2's two files, for token files.
        task: Which rule task.
        rules: One's own rules.
        lines: How many lines of either; empty for the usual number.
    """

    kind: SourceKind = "python_library"
    name: str = ""
    paths: tuple[str, ...] = ()
    suffixes: str = ""
    field: str = ""
    encoding: str = ""
    max_bytes: str = ""
    repo: str = ""
    subset: str = ""
    split: str = ""
    revision: str = ""
    streaming: bool = True
    path: str = ""
    vocabulary_folder: str = ""
    task: TaskName = "simple_dummy"
    rules: str = ""
    lines: str = ""


_AMOUNTS: dict[str, Callable[[str], Typed]] = {
    "max_bytes": parse_size,
    "lines": lambda text: parse(text) if text.strip() else 0,
}
_PLAIN_DEFAULTS = ("split", "lines")
"""Fields whose empty text means that the spec's own default holds."""


def to_source(form: SourceForm, position: int | None = None) -> Source:
    """The source that a form stands for.

    Args:
        form: What was typed.
        position: Its place among several sources, from 0; None for the only one.

    Raises:
        SpecError: A setting is missing or wrong; the field is `source.…` or `sources[N].…`.
    """
    where = "source" if position is None else f"sources[{position}]"
    _check_filled(form, where)
    data: dict[str, Any] = {"kind": form.kind}
    for name in FIELDS[form.kind]:
        value = getattr(form, name)
        if name == "suffixes":
            value = value.replace(",", " ").split()
        elif name in _AMOUNTS:
            value = _AMOUNTS[name](value)
        elif isinstance(value, str) and name != "rules":
            value = value.strip()
        if value or name not in _PLAIN_DEFAULTS:
            data[name] = value
    try:
        return specs.convert({"source": data}, _OneSource, "this source").source
    except SpecError as error:
        path = error.field.removeprefix("source.")
        raise SpecError(error.what, safe=error.safe, do=error.do, field=f"{where}.{path}") from None


class _OneSource(msgspec.Struct, frozen=True):
    """Holds the ranges of one source by themselves, so that an error can say which one it is."""

    source: Source


def _check_filled(form: SourceForm, where: str) -> None:
    """Make sure that what has no default was given.

    Raises:
        SpecError: It was not.
    """
    wanted: dict[SourceKind, tuple[str, str, str]] = {
        "text_files": ("paths", "No file or folder is chosen.", "Add at least one."),
        "token_files": ("paths", "No token file is chosen.", "Add a `.bin` file or its folder."),
        "hub_dataset": ("repo", "No dataset is named.", "Type a name such as `owner/dataset`."),
        "saved_dataset": ("path", "No folder is chosen.", "Choose the dataset's folder."),
        "own_rules": ("rules", "No rule is written.", "Write one, or begin with an example."),
    }
    if form.kind not in wanted:
        return
    name, what, do = wanted[form.kind]
    value = getattr(form, name)
    if not (value.strip() if isinstance(value, str) else value):
        raise SpecError(what, do=do, field=f"{where}.{name}")


def source_form(source: Source) -> SourceForm:
    """The form that gives this source."""
    data = msgspec.to_builtins(source)
    kind: SourceKind = next(known for known in FIELDS if known == data["kind"])
    typed: dict[str, Any] = {}
    for name in FIELDS[kind]:
        value = data[name]
        if name == "max_bytes":
            value = size_text(value)
        elif name == "lines":
            value = f"{value:,}" if value else ""
        elif name == "suffixes":
            value = " ".join(value)
        elif name == "paths":
            value = tuple(value)
        typed[name] = value
    return SourceForm(kind=kind, **typed)


def known_dataset(form: SourceForm) -> KnownDataset | None:
    """The well-known dataset that a form asks for, if it is one."""
    wanted = (form.repo.strip(), form.subset.strip())
    return next(
        (
            known
            for known in KNOWN_DATASETS
            if form.kind == "hub_dataset" and (known.source.repo, known.source.subset) == wanted
        ),
        None,
    )


def of_known(dataset: HubDataset) -> SourceForm:
    """The form of a well-known dataset, with a share of it that a home computer can take."""
    return replace(source_form(dataset), max_bytes=KNOWN_LIMIT)


KNOWN_LIMIT = "200 MB"
"""What is read of a well-known dataset unless one asks for more; most have many gigabytes."""


def title_of(form: SourceForm) -> str:
    """What to call a source in few words."""
    if form.name.strip():
        return form.name.strip()
    match form.kind:
        case "python_library":
            return "Python library"
        case "text_files" | "token_files":
            return _title_of_paths(form.paths, "My text" if form.kind == "text_files" else "Tokens")
        case "hub_dataset":
            known = known_dataset(form)
            return known.title if known else form.repo.strip().split("/")[-1] or "Hub dataset"
        case "saved_dataset":
            return _title_of_paths((form.path,) if form.path.strip() else (), "Saved dataset")
        case "rule_task":
            return RULE_TASKS[form.task].title
        case "own_rules":
            return "Own rules"


def _title_of_paths(paths: Sequence[str], nothing: str) -> str:
    if not paths:
        return nothing
    first = os.path.basename(paths[0].strip().rstrip("/\\"))  # noqa: PTH119 - works on any text
    stem = first.rsplit(".", 1)[0] if len(paths) == 1 else first
    return stem.replace("_", " ").replace("-", " ").strip() or nothing


def what_of(form: SourceForm) -> str:
    """What kind of text it is, in a few words."""
    match form.kind:
        case "python_library":
            return "Source code, from this computer"
        case "text_files":
            count = len(form.paths)
            return f"Own text, {form.paths[0] if count == 1 else f'{count} files and folders'}"
        case "hub_dataset":
            known = known_dataset(form)
            return known.summary.rstrip(".") if known else f"{form.repo.strip()}, from the Hub"
        case "saved_dataset":
            return f"Saved dataset, {form.path.strip()}"
        case "token_files":
            return "Text behind token files"
        case "rule_task":
            return "Lines made by known rules"
        case "own_rules":
            return "Lines made by rules of one's own"


def named_apart(forms: Sequence[SourceForm]) -> tuple[SourceForm, ...]:
    """The same sources with names that reports can tell apart; one source needs none."""
    if len(forms) < 2:
        return tuple(forms)
    taken = {form.name.strip() for form in forms if form.name.strip()}
    named: list[SourceForm] = []
    for form in forms:
        name = form.name.strip()
        if not name:
            title = title_of(form)
            tries = (title if number == 1 else f"{title} {number}" for number in range(1, 1000))
            name = next(each for each in tries if each not in taken)
            taken.add(name)
        named.append(replace(form, name=name))
    return tuple(named)
