"""Named sizes: each builds, and has the parameters that the documentation says."""

import msgspec
import pytest
import torch

from trainer_core.model.transformer import Transformer
from trainer_core.presets import PRESETS, match_parameter_count, parameter_count
from trainer_core.spec import ModelConfig


def built_count(config):
    with torch.device("meta"):
        model = Transformer(config)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_the_parameters_it_promises(name):
    preset = PRESETS[name]
    assert preset.name == name
    plain = preset.model(preset.config.vocab_size)
    matched = preset.model(preset.config.vocab_size, match_input=True)
    assert built_count(plain) == parameter_count(plain)
    assert built_count(matched) == parameter_count(matched)
    assert parameter_count(matched) - parameter_count(plain) == match_parameter_count(matched)


def test_the_documented_preset_sizes_hold():
    sizes = {name: parameter_count(preset.config) for name, preset in PRESETS.items()}
    assert sizes == {
        "tour": 1_328_256,
        "1M": 1_037_824,
        "10M": 10_059_840,
        "51M": 51_037_184,
        "124M": 123_551_232,
        "350M": 355_076_096,
        "gpt2-124M": 124_439_808,
        "163M": 163_009_536,
        "gpt2-355M": 354_823_168,
        "gpt2-1.5B": 1_557_611_200,
        "qwen3-51M": 50_907_136,
        "qwen3-121M": 121_193_472,
        "qwen3-0.5B": 491_930_624,
        "qwen3-1.5B": 1_512_336_384,
        "hearth-1M": 1_050_568,
        "hearth-2M": 1_836_422,
        "hearth-13M": 12_620_618,
        "hearth-77M": 76_638_734,
        "hearth-162M": 162_150_166,
        "hearth-405M": 404_969_518,
        "hearth-1.4B": 1_413_918_766,
    }


def test_the_48_hour_settings_are_those_of_the_field():
    config = PRESETS["163M"].config
    assert (config.family, config.tie_embeddings, config.qkv_bias) == ("gpt2", False, False)
    assert (config.dropout, config.context_length, config.vocab_size) == (0.1, 1024, 50_257)


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3", "hearth"])
@pytest.mark.parametrize(
    "changes",
    [
        {"tie_embeddings": False},
        {"residual_scaling": "deepnet"},
        {"n_inner": 40},
        {"match_input": True},
        {"match_input": True, "match_form": "tscale"},
        {"n_kv_head": 2},
        {"head_dim": 12},
        {"qkv_bias": False},
    ],
    ids=str,
)
def test_the_count_is_exact_for_every_option_that_a_family_has(family, changes):
    base = ModelConfig(vocab_size=61, context_length=24, n_layer=2, n_head=4, n_embd=32)
    try:
        config = msgspec.structs.replace(base, family=family, **changes)
    except ValueError:
        only_gpt2_has_it = "qkv_bias" in changes
        assert (family == "gpt2") != only_gpt2_has_it
        return
    assert built_count(config) == parameter_count(config)
