"""A resumed training equals an uninterrupted one bit for bit, whatever its settings."""

import shutil

import msgspec
import pytest
import torch
from train_for_tests import (
    assert_same_training,
    make_corpus,
    notes,
    resumed_steps,
    tiny_spec,
    trained,
)

from trainer_core.index import build_index
from trainer_core.job import run_job
from trainer_core.train.checkpoints.checkpoint import TrainState, read_checkpoint
from trainer_core.train.checkpoints.folders import checkpoint_steps
from trainer_core.train.compiling import missing_compiler

STEPS, EVERY = 13, 5
"""The last checkpoint before the end is of step 10: an odd number of steps is done again."""
BY_THE_CLOCK = ("elapsed_s", "validation_s", "last_validation_s", "step_s")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("resume-equal"))


@pytest.fixture(scope="module")
def index(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume-equal-index") / "index"
    build_index(corpus, folder)
    return folder


MODELS = {
    "llama": {},
    "llama, grouped, untied": {"n_kv_head": 1, "tie_embeddings": False},
    "qwen3": {"family": "qwen3"},
    "gpt2": {"family": "gpt2"},
    "gpt2, no bias": {"family": "gpt2", "qkv_bias": False},
    "hearth": {"family": "hearth"},
    "deepnet": {"residual_scaling": "deepnet", "n_layer": 2},
    "gpt2, dropout": {"family": "gpt2", "dropout": 0.2},
    "hearth, dropout": {"family": "hearth", "dropout": 0.2},
}
OPTIMIZERS = {
    "muon, wsd": {"kind": "muon", "schedule": "wsd"},
    "adafactor, linear": {"kind": "adafactor", "schedule": "linear"},
    "adamw, constant, scaled": {"schedule": "constant", "lr_scaling": "sqrt_batch", "lr": 3e-3},
    "no clipping": {"clip_norm": 0.0},
}
WAYS = {
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "accumulation": {"budget": {"micro_batch_size": 1}},
    "documents": {"data": {"mask_documents": True}},
    "documents, accumulation, bf16": {
        "data": {"mask_documents": True},
        "budget": {"micro_batch_size": 2},
        "precision": "bf16",
    },
    "best fit": {"data": {"packing": "best_fit"}},
    "best fit, gpt2, accumulation": {
        "data": {"packing": "best_fit"},
        "model": {"family": "gpt2"},
        "budget": {"micro_batch_size": 1},
    },
    "a document a row": {"data": {"packing": "documents"}},
    "activations again, dropout": {
        "activation_checkpointing": True,
        "model": {"family": "gpt2", "dropout": 0.2, "n_layer": 2},
    },
    "fp16, accumulation, muon": {
        "precision": "fp16",
        "budget": {"micro_batch_size": 2},
        "optimizer": {"kind": "muon", "lr": 3e-3},
    },
}
MATCHES = {
    "hearth's form": {"match_form": "hearth"},
    "tscale's form": {"match_form": "tscale"},
    "match dropout": {"match_dropout": 0.4},
    "match dropout, gpt2, dropout": {"match_dropout": 0.4, "family": "gpt2", "dropout": 0.2},
}


def assert_resumes_equal(spec, tmp_path):
    """Train; then again from the checkpoint of step 10, as if killed behind it; compare."""
    reference = trained(tmp_path / "reference", spec)
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)
    for step in checkpoint_steps(folder):
        if step > 2 * EVERY:
            shutil.rmtree(folder / "checkpoints" / f"step-{step:08d}")
    assert run_job(folder) == 0
    assert resumed_steps(folder) == [2 * EVERY]
    assert_same_training(folder, reference)
    ours, theirs = read_checkpoint(folder, STEPS), read_checkpoint(reference, STEPS)
    assert without_clocks(ours.load_state()) == without_clocks(theirs.load_state())
    assert ours.manifest.loader == theirs.manifest.loader
    assert ours.manifest.val_loss == theirs.manifest.val_loss


def without_clocks(state: TrainState) -> TrainState:
    return msgspec.structs.replace(state, **dict.fromkeys(BY_THE_CLOCK, 0.0))


def short(corpus, **sections):
    settings = {
        "steps": STEPS,
        "checkpoint": {"every_steps": EVERY, "keep": 9},
        "evaluation": {"every_steps": 12, "max_tokens": 128},
    }
    return tiny_spec(corpus, **settings | sections)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_family(corpus, tmp_path, model):
    assert_resumes_equal(short(corpus, model=model), tmp_path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_and_schedule(corpus, tmp_path, optimizer):
    assert_resumes_equal(short(corpus, optimizer=optimizer), tmp_path)


@pytest.mark.parametrize("sections", WAYS.values(), ids=WAYS)
def test_every_way_to_compute(corpus, tmp_path, sections):
    assert_resumes_equal(short(corpus, **sections), tmp_path)


@pytest.mark.parametrize("model", MATCHES.values(), ids=MATCHES)
def test_every_form_of_the_match_input(corpus, index, tmp_path, model):
    model = {"match_input": True} | model
    assert_resumes_equal(short(corpus, index=index, model=model), tmp_path)


def test_with_samples_and_further_measurements(corpus, index, tmp_path):
    """What is done between steps leaves the training's random numbers alone."""
    evaluation = {
        "every_steps": 3,
        "max_tokens": 128,
        "without_index": True,
        "sample_prompts": ("the ", "rain"),
        "sample_tokens": 5,
    }
    model = {"family": "gpt2", "dropout": 0.2, "match_input": True}
    spec = short(corpus, index=index, model=model, evaluation=evaluation)
    assert_resumes_equal(spec, tmp_path)


@pytest.mark.slow
def test_compiled(corpus, tmp_path):
    if missing_compiler(torch.device("cpu")):
        pytest.skip("needs a C++ compiler")
    model = {"family": "gpt2", "dropout": 0.2}
    assert_resumes_equal(short(corpus, model=model, compile="on"), tmp_path)
    assert notes(tmp_path / "run", "Training without compiling") == []
