"""Shapes that cannot be are refused by name; shapes that can, old ones too, are taken."""

import pytest

from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import ModelConfig


def read(text):
    return specs.from_toml(f'verb = "train"\ncorpus = "c"\n\n[model]\n{text}').model


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ('family = "gpt5"', "model.family", "gpt5"),
        ('family = "gpt2"\nn_kv_head = 2', "model.n_kv_head", "gpt2 cannot"),
        ('family = "gpt2"\nhead_dim = 16', "model.head_dim", "n_embd 128"),
        ('family = "gpt2"\nrope_theta = 500.0', "model.rope_theta", "gpt2 learns its own"),
        ("qkv_bias = false", "model.qkv_bias", "llama never has one"),
        ('family = "qwen3"\nqkv_bias = false', "model.qkv_bias", "qwen3 never has one"),
        ('family = "qwen3"\nhead_dim = 7', "model.head_dim", "even"),
        ("n_embd = 12", "model.n_embd", "even"),
        ("n_embd = 130", "model.n_embd", "not a multiple of n_head 4"),
        ("n_kv_head = 3", "model.n_head", "not a multiple of n_kv_head 3"),
        ("n_kv_head = 8", "model.n_head", "not a multiple of n_kv_head 8"),
        ("head_dim = 4096", "model.head_dim", "1024"),
        ("vocab_size = 1", "model.vocab_size", "2"),
        ("vocab_size = 2000000", "model.vocab_size", "1000000"),
        ("n_layer = 100000", "model.n_layer", "256"),
        ("n_inner = -1", "model.n_inner", "0"),
        ("dropout = 1.0", "model.dropout", "1.0"),
        ("dropout = -0.1", "model.dropout", "0.0"),
        ("norm_eps = 0.0", "model.norm_eps", "0.0"),
        ("rope_theta = inf", "model.rope_theta", "1000000000000.0"),
        ("rope_theta = nan", "model.rope_theta", "0.0"),
        ('residual_scaling = "deep"', "model.residual_scaling", "deep"),
    ],
)
def test_a_shape_that_cannot_be_is_named_with_the_reason(text, field, why):
    with pytest.raises(SpecError) as caught:
        read(text)
    assert caught.value.field == field
    assert why in caught.value.what


@pytest.mark.parametrize(
    "text",
    [
        'family = "gpt2"\nn_embd = 12',  # odd heads of 3: nothing turns them
        'family = "gpt2"\nn_kv_head = 4\nhead_dim = 32',  # what it would be anyway
        'family = "qwen3"\nn_embd = 130\nhead_dim = 32',  # heads need not divide the width
        "n_head = 1\nn_embd = 2\nvocab_size = 2\ncontext_length = 2",
    ],
)
def test_an_unusual_shape_that_can_be_is_taken(text):
    assert read(text)


def test_an_old_spec_still_means_what_it_meant():
    config = read(
        "vocab_size = 4096\ncontext_length = 256\nn_layer = 4\nn_head = 4\nn_kv_head = 0\n"
        "n_embd = 128\nn_inner = 0\ntie_embeddings = true\nrope_theta = 10000.0\nnorm_eps = 1e-5\n"
        "match_input = false\nmatch_length_max = 32"
    )
    assert config == ModelConfig(vocab_size=4096)
    assert (config.family, config.head_size, config.inner, config.dropout) == ("llama", 32, 352, 0)


@pytest.mark.parametrize(
    ("family", "inner"), [("gpt2", 400), ("llama", 288), ("qwen3", 320), ("hearth", 416)]
)
def test_the_feed_forward_width_follows_from_the_family(family, inner):
    assert ModelConfig(family=family, n_embd=100, n_head=2).inner == inner
