"""Models without numbers have every shape of real ones, and ask for no compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trainer_core.model.transformer import Transformer
from trainer_core.model.undrawn import shapes_alone
from trainer_core.presets import parameter_count
from trainer_core.spec import Family, ModelConfig

_WITHOUT_COMPILER = """
import sys
from trainer_core.train.checkpoints.retention import checkpoint_size
from trainer_core.spec import ModelConfig, TrainSpec
model = ModelConfig(match_input=True)
assert checkpoint_size(TrainSpec(corpus="-", index="-", model=model)).weights_only > 1_000_000
assert "torch._dynamo" not in sys.modules
"""


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "hearth"])
def test_shapes_are_those_of_a_real_model(family: Family) -> None:
    config = ModelConfig(family=family, n_embd=64, n_layer=2, match_input=True)
    with shapes_alone():
        shape = Transformer(config)
    real = Transformer(config)
    wanted = {name: tensor.shape for name, tensor in real.named_parameters()}
    assert {name: tensor.shape for name, tensor in shape.named_parameters()} == wanted
    assert all(tensor.is_meta for tensor in shape.parameters())
    assert sum(tensor.numel() for tensor in shape.parameters()) == parameter_count(config)


def test_no_compiler_is_loaded_for_the_size_of_a_checkpoint() -> None:
    subprocess.run([sys.executable, "-c", _WITHOUT_COMPILER], check=True, timeout=120)
