"""Specs: one schema, TOML in and out, each error with the path of its field."""

import pytest

from trainer_core import spec as specs
from trainer_core.errors import SpecError

EXAMPLES = [
    specs.PrepareSpec(source=specs.PythonLibrary(max_bytes=10)),
    specs.PrepareSpec(
        source=specs.TextFiles(paths=("a b", "ü"), suffixes=(".txt",)),
        tokenizer=specs.Gpt2Tokenizer(vocabulary_folder="v"),
    ),
    specs.IndexSpec(corpus="c"),
    specs.TrainSpec(corpus="c", index="i", model=specs.ModelConfig(match_input=True)),
    specs.EvaluateSpec(run="r", index="off"),
    specs.GenerateSpec(run="r"),
    specs.ExportSpec(run="r", destination="d"),
    specs.TourSpec(steps=7),
]


@pytest.mark.parametrize("spec", EXAMPLES, ids=specs.verb_of)
def test_a_spec_survives_toml(spec):
    assert specs.from_toml(specs.to_toml(spec)) == spec


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[model]\nn_layer = 0", "model.n_layer"),
        ("[model]\nn_embd = 130", "model.n_embd"),
        ("[model]\nn_embd = 12\nn_head = 4", "model.n_embd"),
        ("[model]\nn_kv_head = 3", "model.n_head"),
        ("[model]\nmatch_input = true", "model.match_input"),
        ("[model]\ncontext_length = 1", "model.context_length"),
        ("[model]\nwidth = 1", "model.width"),
        ("[optimizer]\nlr = -1.0", "optimizer.lr"),
        ("[optimizer]\nlr = nan", "optimizer.lr"),
        ("[optimizer]\nlr = inf", "optimizer.lr"),
        ('[optimizer]\nlr = "fast"', "optimizer.lr"),
        ("[optimizer]\nwarmup_steps = 1000", "optimizer.warmup_steps"),
        ("[budget]\nsteps = 0", "budget.steps"),
        ("seed = -1", "seed"),
        ('device = "tpu"', "device"),
        ("corpse = 1", "corpse"),
    ],
)
def test_an_absurd_setting_is_named_by_its_path(text, field):
    with pytest.raises(SpecError) as caught:
        specs.from_toml(
            f'verb = "train"\ncorpus = "c"\n{text}'
            if "[" not in text.split("\n")[0]
            else f'verb = "train"\ncorpus = "c"\n\n{text}'
        )
    assert caught.value.field == field
    assert caught.value.do


@pytest.mark.parametrize("text", ["", "verb = ", 'verb = "fly"', "verb = 3", "\0", "[[verb]]"])
def test_text_that_is_no_spec_is_refused(text):
    with pytest.raises(SpecError):
        specs.from_toml(text)


def test_a_file_that_is_absent_or_not_text_is_refused(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        specs.load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="UTF-8"):
        specs.load(tmp_path / "binary.toml")
    with pytest.raises(SpecError):
        specs.load(tmp_path)


def test_widths_in_force_follow_from_zero():
    config = specs.ModelConfig(n_embd=128, n_head=4)
    assert (config.head_size, config.kv_heads, config.inner) == (32, 4, 352)
