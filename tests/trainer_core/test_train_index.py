"""Training with an index: what the model is given, what is reported, what must fit."""

import json

import numpy as np
import pytest
from train_for_tests import (
    assert_same_training,
    ended,
    make_corpus,
    result,
    resumed_steps,
    rows,
    tiny_spec,
    trained,
    validations,
)

from trainer_core.data.corpus import open_corpus
from trainer_core.errors import ExitCode
from trainer_core.index import build_index
from trainer_core.job import Job, run_job
from trainer_core.spec import EvaluateSpec

MATCHING = {"match_input": True, "match_length_max": 16}
DROPPING = MATCHING | {"match_dropout": 0.4}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-index"))


@pytest.fixture(scope="module")
def index(corpus):
    build_index(corpus, corpus.parent / "index", max_length=16)
    return corpus.parent / "index"


@pytest.fixture(scope="module")
def plain(corpus, index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "run"
    return trained(folder, tiny_spec(corpus, index=index, steps=60))


@pytest.fixture(scope="module")
def hybrid(corpus, index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hybrid") / "run"
    return trained(folder, tiny_spec(corpus, index=index, steps=60, model=MATCHING))


@pytest.fixture(scope="module")
def dropping(corpus, index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dropping") / "run"
    return trained(folder, tiny_spec(corpus, index=index, steps=60, model=DROPPING))


def test_both_are_measured_on_the_same_tokens_by_match_length(plain, hybrid):
    ours, theirs = validations(hybrid)[60].buckets, validations(plain)[60].buckets
    assert [(b.low, b.tokens, b.hit_rate) for b in ours] == [
        (b.low, b.tokens, b.hit_rate) for b in theirs
    ]
    assert sum(b.tokens for b in ours) == validations(hybrid)[60].tokens
    assert len(ours) > 2 and ours[-1].hit_rate > ours[0].hit_rate


def test_both_see_the_same_batches_and_count_the_same_hits(plain, hybrid):
    a, b = rows(plain), rows(hybrid)
    for name in ("hit_rate", "mean_match"):
        np.testing.assert_array_equal(a[name], b[name])
        assert np.isfinite(a[name]).all()
    assert 0.3 < a["hit_rate"].mean() < 1 and 1 < a["mean_match"].mean() <= 16
    assert a["loss"][0] != b["loss"][0]


def test_the_index_pays_on_text_that_repeats(plain, hybrid):
    assert result(hybrid)["val_loss"] < result(plain)["val_loss"] - 0.3
    longest, longest_plain = validations(hybrid)[60].buckets[-1], validations(plain)[60].buckets[-1]
    assert longest.loss < longest_plain.loss / 2


def test_evaluate_measures_with_the_index_and_without(hybrid, tmp_path):
    values = {
        index: result(
            trained(
                tmp_path / index,
                EvaluateSpec(run=str(hybrid), checkpoint="last", index=index, max_tokens=256),
            )
        )
        for index in ("as_trained", "off")
    }
    on, off = values["as_trained"], values["off"]
    assert (on["index"], off["index"]) == ("on", "off")
    assert on["loss"] == pytest.approx(validations(hybrid)[60].loss, rel=1e-6)
    assert off["loss"] > on["loss"]
    assert [b["tokens"] for b in on["buckets"]] == [b["tokens"] for b in off["buckets"]]
    assert on["buckets"][0]["label"] == "0–3"


def measured(run, home, index):
    """Loss of a run's last checkpoint with the index `as_trained` or `off`."""
    spec = EvaluateSpec(run=str(run), checkpoint="last", index=index, max_tokens=256)
    return result(trained(home / f"{run.parent.name}-{index}", spec))["loss"]


def test_match_dropout_keeps_a_model_usable_without_its_index(plain, hybrid, dropping, tmp_path):
    assert measured(dropping, tmp_path, "as_trained") < measured(plain, tmp_path, "off") - 0.2
    leaning = measured(hybrid, tmp_path, "off") - measured(plain, tmp_path, "off")
    loss = measured(dropping, tmp_path, "off") - measured(plain, tmp_path, "off")
    assert loss < leaning / 2


def test_match_dropout_is_the_same_in_a_resumed_training(
    dropping, corpus, index, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    monkeypatch.setattr(Job, "wanted", property(lambda job: "stop" if job.step == 27 else ""))
    assert run_job(folder, tiny_spec(corpus, index=index, steps=60, model=DROPPING)) == ExitCode.OK
    monkeypatch.undo()
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [27]
    assert_same_training(folder, dropping)


def test_a_plain_run_with_an_index_is_one_that_never_heard_of_it(plain, corpus, tmp_path):
    """Whatever else is said of the match input."""
    model = {"match_dropout": 0.5, "match_form": "tscale", "match_length_max": 7}
    alone = trained(tmp_path / "run", tiny_spec(corpus, steps=60, model=model))
    np.testing.assert_array_equal(rows(alone)["loss"], rows(plain)["loss"])
    weights = [
        run / "checkpoints" / "step-00000060" / "model.safetensors" for run in (alone, plain)
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_tscales_form_is_trained_and_measured_like_ours(plain, corpus, index, tmp_path):
    model = MATCHING | {"match_form": "tscale"}
    run = trained(tmp_path / "run", tiny_spec(corpus, index=index, steps=60, model=model))
    assert result(run)["val_loss"] < result(plain)["val_loss"]


def test_a_resumed_hybrid_ends_as_if_it_had_not_stopped(
    hybrid, corpus, index, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    monkeypatch.setattr(Job, "wanted", property(lambda job: "stop" if job.step == 33 else ""))
    spec = tiny_spec(corpus, index=index, steps=60, model=MATCHING)
    assert run_job(folder, spec) == ExitCode.OK
    monkeypatch.undo()
    assert (ended(folder).state, ended(folder).step) == ("stopped", 33)
    assert run_job(folder) == ExitCode.OK
    assert resumed_steps(folder) == [33]
    assert_same_training(folder, hybrid)


def test_an_index_of_another_corpus_is_refused(index, tmp_path):
    other = make_corpus(tmp_path / "other", seed=8)
    assert run_job(tmp_path / "run", tiny_spec(other, index=index)) == ExitCode.KNOWN_ERROR
    assert ended(tmp_path / "run").field == "index"
    assert "another corpus" in ended(tmp_path / "run").what


def test_a_model_that_cannot_tell_the_indexs_lengths_apart_is_refused(corpus, index, tmp_path):
    spec = tiny_spec(corpus, index=index, model={"match_input": True, "match_length_max": 15})
    assert run_job(tmp_path / "run", spec) == ExitCode.USAGE
    assert ended(tmp_path / "run").field == "model.match_length_max"


def test_an_index_that_was_exchanged_stops_a_resume(corpus, tmp_path, monkeypatch):
    build_index(corpus, tmp_path / "index", max_length=16)
    folder = tmp_path / "run"
    spec = tiny_spec(corpus, index=tmp_path / "index", model=MATCHING)
    monkeypatch.setattr(Job, "wanted", property(lambda job: "pause" if job.step == 7 else ""))
    assert run_job(folder, spec) == ExitCode.OK
    monkeypatch.undo()
    (tmp_path / "index").rename(tmp_path / "away")
    assert run_job(folder) == ExitCode.KNOWN_ERROR
    build_index(corpus, tmp_path / "index", max_length=12)
    assert run_job(folder) == ExitCode.KNOWN_ERROR
    assert ended(folder).field == "index" and "index has changed" in ended(folder).what
    (tmp_path / "index").rename(tmp_path / "wrong")
    (tmp_path / "away").rename(tmp_path / "index")
    assert run_job(folder) == ExitCode.OK


def test_no_batch_ever_knows_more_than_the_text_before_it(corpus, index):
    """A leak would make matches name the target far more often than a fresh search does."""
    from trainer_core.index import open_index

    tokens = np.asarray(open_corpus(corpus).train.tokens())
    features = open_index(index).train_features()
    for position in np.random.default_rng(0).integers(100, len(tokens) - 1, 60):
        length = int(features.length[position])
        if length:
            run = tokens[position - length + 1 : position + 1]
            earlier = [
                end
                for end in range(length - 1, position)
                if (tokens[end - length + 1 : end + 1] == run).all()
            ]
            assert int(features.next[position]) in {int(tokens[end + 1]) for end in earlier}


def test_the_manifest_of_a_checkpoint_names_what_it_was_fed_with(hybrid, index):
    path = hybrid / "checkpoints" / "step-00000060" / "manifest.json"
    fingerprints = json.loads(path.read_text())["fingerprints"]
    stored = json.loads((index / "manifest.json").read_text())
    assert fingerprints["index"] == stored["fingerprint"]
    assert fingerprints["corpus"] == stored["corpus_fingerprint"]
