"""A model that no memory can hold is refused before it takes any."""

import pytest
import torch

from trainer_core.errors import SpecError
from trainer_core.presets import PRESETS
from trainer_core.spec import ModelConfig
from trainer_core.train import room
from trainer_core.train.room import check_room

CPU = torch.device("cpu")


def test_the_largest_shape_that_a_spec_allows_is_refused_with_its_size():
    with pytest.raises(SpecError) as caught:
        check_room(ModelConfig(n_embd=65_536, n_layer=256, vocab_size=1_000_000), CPU)
    assert caught.value.field == "model.n_embd"
    assert "parameters" in caught.value.what
    assert "GiB for weights and gradients alone" in caught.value.what


def test_what_fits_passes_and_shares_make_room(monkeypatch):
    check_room(PRESETS["tour"].config, CPU)
    config = PRESETS["124M"].config  # 988 MB

    class Memory:
        total = 600_000_000

    monkeypatch.setattr(room.psutil, "virtual_memory", Memory)
    with pytest.raises(SpecError, match=r"the computer has 0\.6 GiB"):
        check_room(config, CPU)
    check_room(config, CPU, shares=2)
