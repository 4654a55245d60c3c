import pytest

from trainer_core.presets import flops_per_token
from trainer_core.spec import ModelConfig
from trainer_core.train.mfu import mfu, peak_flops

GPT2 = ModelConfig(
    family="gpt2", vocab_size=50257, context_length=1024, n_layer=12, n_head=12, n_embd=768
)


def test_gpt2_small_takes_855_million_per_token():
    """6 · 123,653,376 parameters without positions, and 12 · 12 · 768 · 1,024 of attention."""
    assert flops_per_token(GPT2) == 6 * 123_653_376 + 113_246_208


def test_tables_that_are_only_looked_up_do_not_count():
    from msgspec.structs import replace

    untied, matched = replace(GPT2, tie_embeddings=False), replace(GPT2, match_input=True)
    assert flops_per_token(untied) == flops_per_token(matched) == flops_per_token(GPT2)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("NVIDIA GeForce GT 710", None),
    ],
)
def test_the_peak_goes_by_the_gpus_name(name, peak):
    assert peak_flops(name) == peak


def test_mfu_is_a_share_of_the_peak_and_unknown_on_an_unknown_gpu():
    half = 0.5 * 989e12 / flops_per_token(GPT2)
    assert mfu(GPT2, half, "NVIDIA H200") == pytest.approx(0.5)
    assert mfu(GPT2, half, "NVIDIA GeForce GT 710") is None
