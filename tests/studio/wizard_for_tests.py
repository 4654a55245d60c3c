"""A dataset for the wizard, its recipes by key, and settings written to a file."""

from __future__ import annotations

from pathlib import Path

from studio.pages.wizard.data_choice import DataChoice
from studio.pages.wizard.recipes import RECIPES, Recipe
from trainer_core import spec as specs
from trainer_core.spec import TrainSpec

DATA = DataChoice(
    id=1,
    name="FineWeb slice",
    what="Web",
    tokenizer="GPT-2, 50,257",
    corpus=Path("/data/fineweb/corpus"),
    index=Path("/indexes/fineweb/index"),
    vocab_size=50_257,
    train_tokens=10**10,
    validation_tokens=10**8,
    documents=1000,
    train_documents=990,
    text_bytes=10**10,
    index_state="ready",
    index_bytes=10**9,
)


def recipe(key: str) -> Recipe:
    return next(each for each in RECIPES if each.key == key)


def written(path: Path, spec: TrainSpec, *changes: tuple[str, str]) -> Path:
    text = specs.to_toml(spec)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path
