"""What files and folders that were dropped on the data page stand for. Free of Qt.

Functions here touch the disk: call them in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.pages.data.adding.source_form import SourceForm
from studio.pages.data.adding.tokenizer_form import TokenizerForm
from studio.pages.data.request import AddForm, form_of
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import PrepareSpec

_SAVED_MARKS = ("dataset_info.json", "dataset_dict.json")
"""Files that the library `datasets` writes beside what it saves."""


@dataclass(frozen=True)
class Dropped:
    """What was dropped.

    Attributes:
        form: A whole form, from a settings file; the rest is then empty.
        sources: Sources to add.
        tokenizer: A tokenizer to take.
    """

    form: AddForm | None = None
    sources: tuple[SourceForm, ...] = ()
    tokenizer: TokenizerForm | None = None


def sort_out(paths: Sequence[str]) -> Dropped:
    """Tell settings, tokenizers, saved datasets, token files and texts apart.

    Args:
        paths: Of local files and folders.

    Raises:
        SpecError: It is one settings file, and no prepare job can be made from it.
    """
    if len(paths) == 1 and paths[0].lower().endswith(".toml"):
        return Dropped(form=_form_from_toml(Path(paths[0])))
    tokenizer: TokenizerForm | None = None
    sources: list[SourceForm] = []
    texts: list[str] = []
    tokens: list[str] = []
    for path in paths:
        if Path(path).name == "tokenizer.json":
            tokenizer = replace(TokenizerForm(kind="tokenizer_json"), path=path)
        elif any((Path(path) / mark).is_file() for mark in _SAVED_MARKS):
            sources.append(SourceForm(kind="saved_dataset", path=path))
        elif path.lower().endswith(".bin"):
            tokens.append(path)
        else:
            texts.append(path)
    if tokens:
        sources.insert(0, SourceForm(kind="token_files", paths=tuple(tokens)))
    if texts:
        sources.insert(0, SourceForm(kind="text_files", paths=tuple(texts)))
    return Dropped(sources=tuple(sources), tokenizer=tokenizer)


def _form_from_toml(path: Path) -> AddForm:
    spec = specs.load(path)
    if not isinstance(spec, PrepareSpec):
        raise SpecError(
            f"{path.name} holds the settings of another job: {specs.verb_of(spec)}.",
            safe="Nothing was changed.",
            do='Drop a settings file whose verb is "prepare".',
        )
    return form_of(spec, "", False)
