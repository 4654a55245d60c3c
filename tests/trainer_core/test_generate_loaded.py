import shutil

import msgspec
import pytest
import torch
from tiny_run import STEP, indexed_run, make_corpus

from trainer_core import spec as specs
from trainer_core.errors import CheckpointError, JobFolderError, KnownError, SpecError
from trainer_core.generate.loaded import load_run
from trainer_core.index import build_index


@pytest.fixture
def copy(tmp_path):
    """A copy of the shared run's folder, which a test may spoil."""
    return shutil.copytree(indexed_run().folder, tmp_path / "run")


def respecify(folder, **changes):
    spec = msgspec.structs.replace(indexed_run().spec, **changes)
    (folder / "spec.toml").write_text(specs.to_toml(spec), encoding="utf-8")


def test_a_run_opens_with_everything_that_belongs_to_it(copy):
    loaded = load_run(copy, device="cpu")
    assert loaded.checkpoint.step == STEP
    assert loaded.tokenizer.fingerprint == indexed_run().corpus.tokenizer.fingerprint
    assert loaded.index is not None
    assert loaded.notes == ()
    assert not loaded.model.training
    assert loaded.device == torch.device("cpu")


def test_an_index_of_another_tokenizer_is_left_out_with_a_note(copy, tmp_path):
    other = make_corpus(tmp_path / "other", specs.ByteTokenizer())
    build_index(other.folder, tmp_path / "other-index")
    respecify(copy, index=str(tmp_path / "other-index"))
    loaded = load_run(copy, device="cpu")
    assert loaded.index is None
    assert "was built with another tokenizer" in loaded.notes[0]


def test_a_corpus_of_another_tokenizer_is_refused(copy, tmp_path):
    other = make_corpus(tmp_path / "other", specs.ByteTokenizer())
    respecify(copy, corpus=str(other.folder))
    with pytest.raises(CheckpointError, match="another tokenizer"):
        load_run(copy, device="cpu")


def test_a_corpus_that_is_gone_is_named(copy, tmp_path):
    respecify(copy, corpus=str(tmp_path / "gone"))
    with pytest.raises(KnownError, match="gone"):
        load_run(copy, device="cpu")


def test_a_flipped_byte_in_the_weights_is_noticed(copy):
    weights = next(copy.glob("checkpoints/*/model.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_run(copy, device="cpu")


def test_a_folder_of_another_kind_is_refused(tmp_path):
    (tmp_path / "spec.toml").write_text(specs.to_toml(specs.TourSpec()))
    with pytest.raises(JobFolderError, match="no training run"):
        load_run(tmp_path)
    with pytest.raises(SpecError, match="cannot be read"):
        load_run(tmp_path / "nothing")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a CUDA device")
def test_a_gpu_that_is_not_there_is_named(copy):
    with pytest.raises(SpecError) as caught:
        load_run(copy, device="cuda")
    assert caught.value.field == "device"
