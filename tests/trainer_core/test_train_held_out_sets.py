"""Further validation sets: what is measured of them, whence their matches, what must fit."""

import numpy as np
import pytest
from train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    result,
    rows,
    tiny_spec,
    trained,
    validations,
)

from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import ExitCode, SpecError
from trainer_core.index import build_index, held_out_features, open_index
from trainer_core.job import Job, run_job
from trainer_core.records import Progress
from trainer_core.spec import (
    BpeTokenizer,
    EvaluateSpec,
    EvaluationConfig,
    PrepareSpec,
    TextFiles,
    ValidationSet,
    from_builtins,
)
from trainer_core.train.checkpoints.checkpoint import open_checkpoint
from trainer_core.train.validation import held_out_matches
from trainer_core.train.validation.held_out_matches import look_up, matches_of_windows
from trainer_core.train.validation.validate import window_starts

MATCHING = {"match_input": True, "match_length_max": 16}
LENGTH = 32


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two corpora that share no document, and an index over the first."""
    home = tmp_path_factory.mktemp("sets")
    corpus = make_corpus(home)
    make_corpus(home / "other", seed=8, documents=30)
    build_index(corpus, home / "index", max_length=16)
    return home


def with_sets(home, **evaluation):
    sets = (
        ValidationSet(name="other", corpus=str(home / "other" / "corpus")),
        ValidationSet(name="same", corpus=str(home / "corpus")),
    )
    evaluation = {"every_steps": 20, "max_tokens": 512, "sets": sets, **evaluation}
    return tiny_spec(
        home / "corpus",
        index=home / "index",
        model=MATCHING,
        evaluation=EvaluationConfig(**evaluation),
    )


@pytest.fixture(scope="module")
def run(home, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run") / "run", with_sets(home, without_index=True))


# --- what is measured -----------------------------------------------------------------------------


def test_every_validation_tells_each_set_with_and_without_the_index(run):
    found = validations(run)
    assert sorted(found) == [0, 20, 40]
    for validation in found.values():
        assert [one.name for one in validation.sets] == ["other", "same"]
        for one in validation.sets:
            assert one.measured.tokens == one.without_index.tokens == 512
            assert sum(b.tokens for b in one.measured.buckets) == 512
    last = found[40]
    assert last.loss < last.without_index.loss
    assert last.sets[0].measured.loss != last.loss


def test_the_corpus_itself_as_a_further_set_has_the_figures_of_the_corpus(run):
    """Its matches are looked up anew here, and come from the index's own files there."""
    for validation in validations(run).values():
        same = validation.sets[1]
        assert (same.measured.loss, same.measured.buckets) == (validation.loss, validation.buckets)
        assert same.without_index == validation.without_index


def test_evaluate_repeats_what_the_training_measured(run, home, tmp_path):
    sets = with_sets(home).evaluation.sets
    spec = EvaluateSpec(run=str(run), checkpoint="last", index="both", max_tokens=512, sets=sets)
    values = result(trained(tmp_path / "evaluation", spec))
    last = validations(run)[40]
    assert values["index"] == "both"
    assert values["loss"] == pytest.approx(last.loss, rel=1e-6)
    assert values["without_index"]["loss"] == pytest.approx(last.without_index.loss, rel=1e-6)
    assert values["perplexity"] == pytest.approx(last.perplexity, rel=1e-6)
    for told, one in zip(values["sets"], last.sets, strict=True):
        assert told["name"] == one.name
        assert told["loss"] == pytest.approx(one.measured.loss, rel=1e-6)
        assert told["without_index"]["loss"] == pytest.approx(one.without_index.loss, rel=1e-6)
        assert [b["tokens"] for b in told["buckets"]] == [b.tokens for b in one.measured.buckets]
    assert values["groups"] == []


def test_measuring_more_changes_nothing_of_the_training(run, home, tmp_path):
    spec = with_sets(home, sets=())
    plain = trained(tmp_path / "plain", spec)
    assert_same_training(run, plain)


def test_a_plain_model_has_no_second_measurement(home, tmp_path):
    spec = tiny_spec(home / "corpus", index=home / "index", steps=20)
    spec = trained(tmp_path / "run", spec)
    assert validations(spec)[20].without_index is None
    assert validations(spec)[20].buckets


def test_time_share_validates_without_regard_to_steps_and_leaves_the_weights_alone(
    run, home, tmp_path
):
    spec = with_sets(home, time_share=0.5, sets=())
    folder = trained(tmp_path / "run", spec)
    found = sorted(validations(folder))
    assert (found[0], found[-1]) == (0, 40)
    np.testing.assert_array_equal(rows(folder)["loss"], rows(run)["loss"])
    state = open_checkpoint(folder, "last").load_state()
    assert state.validation_s >= state.last_validation_s > 0
    assert state.step_s > 0


def test_a_validation_that_a_pause_interrupts_is_repeated_after_the_resume(
    run, home, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    asked = []

    def wanted(job):
        """A pause comes after the third batch of the validation at step 20."""
        if job.step == 20 and job._state == "validating":
            asked.append(job.step)
        return "pause" if len(asked) >= 3 else ""

    monkeypatch.setattr(Job, "wanted", property(wanted))
    assert run_job(folder, with_sets(home, without_index=True)) == ExitCode.OK
    monkeypatch.undo()
    assert (ended(folder).state, ended(folder).step) == ("paused", 20)
    assert sorted(validations(folder)) == [0]
    assert run_job(folder) == ExitCode.OK
    assert_same_training(folder, run)
    assert validations(folder)[20].sets == validations(run)[20].sets


# --- matches of further sets ----------------------------------------------------------------------


def test_only_the_windows_are_looked_up_and_as_the_whole_text_would_be(home):
    index, split = open_index(home / "index"), open_corpus(home / "other" / "corpus").validation
    whole = held_out_features(index, split.tokens(), split.document_start)
    starts = window_starts(split.n_tokens, LENGTH, LENGTH * 6)
    places = (starts[:, None] + np.arange(LENGTH)).ravel()
    told = []
    found = look_up(split, index, places, lambda done, total: told.append((done, total)))
    for field in ("length", "next", "second", "marks"):
        np.testing.assert_array_equal(getattr(found, field), getattr(whole, field)[places])
    assert (found.length > 0).mean() > 0.5 and found.same_document.any()
    assert told[-1][0] == told[-1][1] <= split.n_tokens


def test_matches_are_kept_in_the_job_folder_and_looked_up_once(home, tmp_path, monkeypatch):
    index, corpus = open_index(home / "index"), open_corpus(home / "other" / "corpus")
    calls = []

    def counted(*arguments):
        calls.append(1)
        return look_up(*arguments)

    monkeypatch.setattr(held_out_matches, "look_up", counted)
    starts = window_starts(corpus.validation.n_tokens, LENGTH, 512)

    def matches(at=starts):
        return matches_of_windows(tmp_path, corpus, index, at, LENGTH, lambda *_: None)

    first, again = matches(), matches()
    assert len(calls) == 1
    np.testing.assert_array_equal(first.length, again.length)
    np.testing.assert_array_equal(first.marks, again.marks)
    matches(starts[:3])
    assert len(calls) == 2  # other windows
    for kept in (tmp_path / held_out_matches.FOLDER).iterdir():
        kept.write_bytes(kept.read_bytes()[:-300])
    np.testing.assert_array_equal(matches().next, first.next)
    assert len(calls) == 3  # damaged


def test_the_start_tells_how_far_the_look_up_is(run):
    phases = {record.phase for record in journal(run, Progress)}
    assert "Looking up “other” in the index" in phases


# --- what must fit --------------------------------------------------------------------------------


def refused(home, tmp_path, corpus):
    spec = with_sets(home, sets=(ValidationSet(name="news", corpus=str(corpus)),))
    assert run_job(tmp_path / "run", spec) in (ExitCode.KNOWN_ERROR, ExitCode.USAGE)
    error = ended(tmp_path / "run")
    assert error.field == "evaluation.sets[0].corpus" and "“news”" in error.what
    return error.what


def test_a_set_that_is_not_there_is_refused(home, tmp_path):
    assert "does not exist" in refused(home, tmp_path, tmp_path / "nowhere")


def test_a_set_with_another_tokenizer_is_refused(home, tmp_path):
    texts = TextFiles(paths=(str(home / "texts"),))
    spec = PrepareSpec(source=texts, tokenizer=BpeTokenizer(vocab_size=300))
    build_corpus(spec, tmp_path / "bpe")
    assert "another tokenizer" in refused(home, tmp_path, tmp_path / "bpe")


def test_a_set_shorter_than_a_context_is_refused(home, tmp_path):
    short = make_corpus(tmp_path / "short", documents=2, words=1)
    assert "fewer than one context" in refused(home, tmp_path, short)


@pytest.mark.parametrize(
    "evaluation",
    [
        {"sets": [{"name": "a", "corpus": "x"}, {"name": "a", "corpus": "y"}]},
        {"sets": [{"name": "", "corpus": "x"}]},
        {"sets": [{"name": "a"}]},
        {"time_share": 0.6},
        {"time_share": -0.1},
        {"max_tokens": 0},
        {"every_steps": 0},
    ],
)
def test_absurd_settings_are_refused_by_name(evaluation):
    with pytest.raises(SpecError) as error:
        from_builtins({"verb": "train", "corpus": "data", "evaluation": evaluation})
    assert error.value.field.startswith("evaluation")


def test_two_sets_of_one_name_are_refused_when_evaluating():
    sets = [{"name": "a", "corpus": "x"}, {"name": "a", "corpus": "y"}]
    with pytest.raises(SpecError, match="more than once"):
        from_builtins({"verb": "evaluate", "run": "run", "sets": sets})
