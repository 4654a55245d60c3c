"""Settings of a run from a TOML file, and back into one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from page_for_tests import Seen
from PySide6.QtCore import QMimeData, QUrl
from wizard_for_tests import DATA, recipe, written

from studio.context import Context
from studio.pages.wizard.commands import shell_command
from studio.pages.wizard.draft import Draft, build_spec
from studio.pages.wizard.dropped import dropped_toml
from studio.pages.wizard.opening import line_of, open_settings
from studio.pages.wizard.recipes import with_recipe
from studio.pages.wizard.tokenizer_step import is_same_text
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import TrainSpec

Studio = tuple[Context, Seen]


def rare_spec() -> TrainSpec:
    """Settings that no field shows, and some that follow from others otherwise."""
    spec = build_spec(with_recipe(Draft(data=DATA), recipe("125m-index")))
    replace_ = msgspec.structs.replace
    return replace_(
        spec,
        guard=replace_(spec.guard, bad_steps=9),
        optimizer=replace_(spec.optimizer, warmup_steps=60_000, eps=1e-6),
        evaluation=replace_(spec.evaluation, every_steps=123, sample_prompts=("Once",)),
        checkpoint=replace_(spec.checkpoint, keep=7, resumable=2),
    )


def test_a_file_gives_every_setting_back(tmp_path: Path) -> None:
    spec = rare_spec()
    opened = open_settings(written(tmp_path / "run.toml", spec), [DATA])
    assert build_spec(opened.draft) == spec and opened.notice == ""
    assert opened.draft.name == "run"


def test_a_file_about_text_from_elsewhere_says_which(tmp_path: Path) -> None:
    path = written(tmp_path / "run.toml", rare_spec(), ("/data/fineweb/corpus", "/not/here"))
    opened = open_settings(path, [DATA])
    assert opened.draft.data is None and "/not/here" in opened.notice
    chosen = replace(opened.draft, data=DATA)
    assert build_spec(chosen).checkpoint.keep == 7


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("n_layer = 50", "n_layer = 0", "model.n_layer", "Line"),
        ("n_layer = 50", "layers = 50", "model.layers", "Line"),
        ("bad_steps = 9", 'bad_steps = "nine"', "guard.bad_steps", "Line"),
        ("vocab_size = 50257", "vocab_size = 50000", "model.vocab_size", "line"),
        ("match_length_max = 32", "match_length_max = 16", "model.match_length_max", "line"),
        ('verb = "train"', 'verb = "tour"', "", "run.toml"),
        ('verb = "train"', 'verb = "index"', "", "run.toml"),
        ("[model]", "[model", "", "line"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    path = written(tmp_path / "run.toml", rare_spec(), (old, new))
    with pytest.raises(SpecError) as caught:
        open_settings(path, [DATA])
    assert words in caught.value.what
    if field:
        assert caught.value.field == field
        name = new.partition(" ")[0]
        lines = path.read_text().splitlines()
        line = next(n for n, text in enumerate(lines, 1) if text.startswith(f"{name} ="))
        assert f"ine {line}" in caught.value.what


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"= =", b"x" * 2_000_000, b"[a]\n" * 10_000]
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        open_settings(path, [DATA])
    assert caught.value.safe
    with pytest.raises(SpecError, match="cannot be read"):
        open_settings(tmp_path / "absent.toml", [DATA])


def test_lines_are_counted_in_tables_and_arrays() -> None:
    text = 'verb = "train"\n\n[model]\n# n_layer = 1\nn_layer = 2\n[[data.mixing]]\nat = 0.0\n'
    assert line_of(text, "verb") == 1
    assert line_of(text, "model.n_layer") == 5
    assert line_of(text, "data.mixing[0].at") == 7
    assert line_of(text, "data.mixing") == 6
    assert line_of(text, "model.n_embd") == 0


def test_only_one_toml_file_is_taken_from_a_drop(tmp_path: Path) -> None:
    def drop(*names: str) -> Path | None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(tmp_path / name)) for name in names])
        return dropped_toml(data)

    assert drop("run.TOML") == tmp_path / "run.TOML"
    assert drop("run.txt") is None and drop("a.toml", "b.toml") is None and drop() is None


def test_a_command_carries_the_settings_word_for_word() -> None:
    spec = rare_spec()
    for windows in (False, True):
        text = shell_command(spec, "Über 'run'; rm -rf", windows=windows)
        assert "rm -rf" not in text and "hearth-core start uber-run-rm-rf.toml" in text
        inner = text.partition("@'\n" if windows else "END_OF_SETTINGS'\n")[2]
        toml = inner.partition("\n'@" if windows else "\nEND_OF_SETTINGS")[0]
        assert specs.from_toml(toml) == spec


def test_the_same_text_in_other_tokens_is_known_by_its_counts() -> None:
    other = replace(DATA, id=2, tokenizer="own, 4,096", vocab_size=4096, train_tokens=2 * 10**10)
    assert is_same_text(DATA, other)
    assert not is_same_text(DATA, replace(other, documents=999))
