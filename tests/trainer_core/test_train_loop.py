"""A training from its first step to its last, and what it leaves behind."""

import math

import numpy as np
import pytest
import torch
from train_for_tests import (
    ended,
    journal,
    make_corpus,
    result,
    rows,
    saved_steps,
    tiny_spec,
    trained,
    validations,
)

from trainer_core.data.corpus import open_corpus
from trainer_core.errors import ExitCode
from trainer_core.job import run_job
from trainer_core.records import CheckpointRemoved, CheckpointSaved, Sampled
from trainer_core.schedule import lr_at
from trainer_core.spec import EvaluateSpec
from trainer_core.train.checkpoints.checkpoint import open_checkpoint, weights_of
from trainer_core.train.checkpoints.folders import checkpoint_steps


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-loop"))


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """A finished run of 40 steps that nobody disturbs."""
    spec = tiny_spec(
        corpus,
        evaluation={"every_steps": 15, "sample_prompts": ("the ", ""), "sample_tokens": 9},
    )
    return trained(tmp_path_factory.mktemp("runs") / "run", spec), spec


def test_every_step_has_a_row(finished):
    folder, spec = finished
    got = rows(folder)
    assert got["step"].tolist() == list(range(1, 41))
    assert got["tokens_seen"].tolist() == [step * 4 * 32 for step in range(1, 41)]
    expected = np.array([lr_at(step, 40, spec.optimizer, 4) for step in range(1, 41)], np.float32)
    np.testing.assert_array_equal(got["lr"], expected)
    assert np.isfinite(got["loss"]).all() and (got["grad_norm"] > 0).all()
    assert (np.diff(got["elapsed_s"]) > 0).all() and (got["tokens_per_s"] > 0).all()
    assert np.isnan(got["hit_rate"]).all() and np.isnan(got["mean_match"]).all()


def test_the_loss_falls_from_that_of_a_guess(finished):
    folder, _ = finished
    losses = rows(folder)["loss"]
    assert losses[0] == pytest.approx(math.log(257), abs=0.5)
    assert losses[-1] < losses[0] - 1.5


def test_it_validates_before_the_first_step_on_schedule_and_at_the_end(finished):
    folder, _ = finished
    found = validations(folder)
    assert sorted(found) == [0, 15, 30, 40]
    assert not found[0].best and found[15].best
    for validation in found.values():
        assert validation.tokens == 256 and validation.buckets == ()
        assert validation.bits_per_byte == pytest.approx(validation.loss / math.log(2), rel=0.05)


def test_it_saves_on_schedule_at_each_best_and_at_the_end(finished):
    folder, _ = finished
    records = journal(folder, CheckpointSaved)
    reasons = {record.step: record.reason for record in records}
    assert reasons == {
        10: "schedule",
        15: "best",
        20: "schedule",
        30: "best",
        40: "end",
    }
    best = min(validations(folder).items(), key=lambda item: item[1].loss)[0]
    assert open_checkpoint(folder, "best").step == best
    assert open_checkpoint(folder, "last").step == 40
    assert [record.step for record in journal(folder, CheckpointRemoved)] == [10, 15]
    assert checkpoint_steps(folder) == [20, 30, 40]
    assert all((folder / r.folder).name.startswith("step-") for r in records)


def test_it_writes_the_same_prompts_at_each_checkpoint(finished):
    folder, _ = finished
    samples = journal(folder, Sampled)
    assert [(s.step, s.prompt) for s in samples] == [
        (step, prompt) for step in saved_steps(folder) for prompt in ("the ", "")
    ]
    assert all(0 <= s.matched_share <= 1 for s in samples)


def test_the_result_tells_means_not_the_last_batch(finished):
    folder, _ = finished
    values, losses = result(folder), rows(folder)["loss"].astype(np.float64)
    assert values["train_loss"] == pytest.approx(losses[-15:].mean())
    assert values["val_loss"] == validations(folder)[40].loss
    assert values["perplexity"] == pytest.approx(math.exp(values["val_loss"]))
    assert values["best_val_loss"] == min(v.loss for v in validations(folder).values())
    assert values["step"] == 40 and values["tokens_seen"] == 40 * 128
    assert values["parameters"] == sum(
        w.numel() for w in weights_of(open_checkpoint(folder).load_model()).values()
    )


def test_a_finished_run_has_nothing_left_to_do(finished):
    folder, _ = finished
    before = (rows(folder).tobytes(), saved_steps(folder), result(folder))
    assert run_job(folder) == ExitCode.OK
    assert (rows(folder).tobytes(), saved_steps(folder), result(folder)) == before


def test_evaluate_repeats_what_the_training_measured(finished, tmp_path):
    folder, _ = finished
    spec = EvaluateSpec(run=str(folder), checkpoint="last", max_tokens=256)
    values = result(trained(tmp_path / "evaluation", spec))
    assert values["step"] == 40 and values["index"] == "off" and values["buckets"] == []
    assert values["loss"] == pytest.approx(validations(folder)[40].loss, rel=1e-6)
    assert values["bits_per_byte"] == pytest.approx(validations(folder)[40].bits_per_byte)


def test_evaluate_names_the_field_when_the_run_is_none(finished, tmp_path):
    folder, _ = finished
    spec = EvaluateSpec(run=str(folder.parent), checkpoint="last")
    assert run_job(tmp_path / "evaluation", spec) != ExitCode.OK
    assert "spec.toml" in ended(tmp_path / "evaluation").what


def test_a_small_model_learns_a_small_text_by_heart(tmp_path):
    corpus = make_corpus(tmp_path, documents=2, words=12)
    spec = tiny_spec(
        corpus,
        steps=350,
        model={"n_layer": 2, "n_embd": 32, "context_length": 24},
        budget={"batch_size": 4},
        optimizer={"lr": 1e-2, "weight_decay": 0.0},
        evaluation={"every_steps": 350},
        checkpoint={"every_steps": 350},
    )
    folder = trained(tmp_path / "run", spec)
    assert rows(folder)["loss"][-10:].mean() < 0.1
    # Held-out text is another matter: it must not have been learned by heart.
    assert validations(folder)[350].loss > 1.0


def test_bf16_on_the_cpu_trains_close_to_fp32(corpus, tmp_path):
    losses = {}
    for precision in ("fp32", "bf16"):
        folder = trained(tmp_path / precision, tiny_spec(corpus, precision=precision))
        losses[precision] = rows(folder)["loss"]
        assert result(folder)["device"] == f"CPU, 1 thread, {precision}"
    assert abs(losses["fp32"] - losses["bf16"]).max() < 0.1


# --- settings that cannot work --------------------------------------------------------------------


def refused(tmp_path, spec):
    folder = tmp_path / "refused"
    code = run_job(folder, spec)
    last = ended(folder)
    assert code != ExitCode.OK and code != ExitCode.BUG, last.details
    assert last.state == "failed" and last.do
    assert not (folder / "checkpoints").exists() and len(rows(folder)) == 0
    return last


def test_a_vocabulary_of_another_size_is_refused(corpus, tmp_path):
    last = refused(tmp_path, tiny_spec(corpus, model={"vocab_size": 300}))
    assert last.field == "model.vocab_size" and "257" in last.do


@pytest.mark.parametrize("part", ["held-out", "training"])
def test_a_context_longer_than_the_text_is_refused(corpus, tmp_path, part):
    opened = open_corpus(corpus)
    split = opened.validation if part == "held-out" else opened.train
    last = refused(tmp_path, tiny_spec(corpus, model={"context_length": split.n_tokens}))
    assert last.field == "model.context_length" and f"The {part} text has" in last.what


def test_a_context_may_be_as_long_as_the_held_out_text_allows(corpus, tmp_path):
    longest = open_corpus(corpus).validation.n_tokens - 1
    spec = tiny_spec(
        corpus,
        steps=2,
        model={"context_length": longest},
        optimizer={"warmup_steps": 0},
        budget={"batch_size": 1},
    )
    assert result(trained(tmp_path / "run", spec))["step"] == 2


def test_a_corpus_that_is_not_there_is_refused(tmp_path):
    assert "corpus" in refused(tmp_path, tiny_spec(tmp_path / "nothing")).what


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a GPU")
def test_an_absent_gpu_is_refused(corpus, tmp_path):
    spec = tiny_spec(corpus, device="cuda")
    assert refused(tmp_path, spec).field == "device"
