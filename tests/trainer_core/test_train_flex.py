"""Flex attention is tried against the mask before a training relies on it."""

import pytest
import torch

from trainer_core.model import masks, transformer
from trainer_core.spec import ModelConfig
from trainer_core.train.compiling import flex_attention_agrees
from trainer_core.train.compute import Compute

CPU = Compute(torch.device("cpu"), "fp32", "CPU")
CONFIG = ModelConfig(vocab_size=61, context_length=300, n_layer=3, n_head=4, n_embd=64, dropout=0.1)


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    """The arithmetic of flex attention without its kernels."""
    monkeypatch.setattr(masks, "_compiled_flex_attention", lambda: masks.flex_attention)
    monkeypatch.setattr(torch, "compile", lambda function, **_options: function)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_right_kernels_pass():
    assert flex_attention_agrees(CONFIG, CPU)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_kernels_that_look_into_other_documents_are_found_out(monkeypatch):
    def one_document(documents):
        return masks.document_blocks(torch.zeros_like(documents))

    monkeypatch.setattr(transformer, "document_blocks", one_document)
    assert not flex_attention_agrees(CONFIG, CPU)
