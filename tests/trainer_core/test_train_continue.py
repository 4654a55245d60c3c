"""A run that continues another one sees the text that that one has not seen, and no token twice."""

import msgspec
import numpy as np
import pytest
from train_for_tests import (
    assert_same_training,
    ended,
    journal,
    make_corpus,
    notes,
    rows,
    tiny_spec,
    trained,
    write_texts,
)

from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.batches.text import text_of
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import ExitCode
from trainer_core.job import run_job
from trainer_core.records import SourcesSeen
from trainer_core.spec import ByteTokenizer, DataConfig, Mix, PrepareSpec, TextFiles, to_toml
from trainer_core.train.checkpoints.checkpoint import open_checkpoint, read_checkpoint
from trainer_core.train.checkpoints.saving import keep_weights_only

WEIGHTS = DataConfig(mixing=(Mix(weights={"a": 1.0, "b": 2.0}),))
DATA = {
    "stream": DataConfig(),
    "best fit": DataConfig(packing="best_fit"),
    "weights": WEIGHTS,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two sources, some 300 rows of 32 tokens."""
    folder = tmp_path_factory.mktemp("continue")
    sources = tuple(
        TextFiles(name=name, paths=(str(write_texts(folder / name, documents=8, seed=seed)),))
        for seed, name in enumerate("ab")
    )
    spec = PrepareSpec(sources=sources, tokenizer=ByteTokenizer(), validation_fraction=0.1)
    build_corpus(spec, folder / "corpus")
    return folder / "corpus"


@pytest.fixture
def places(monkeypatch):
    """Where the inputs stand that each run takes a step with, by step."""
    taken: dict[int, np.ndarray] = {}
    batch = TrainBatches.batch

    def noted(self, step):
        taken[step] = self.places(step)
        return batch(self, step)

    monkeypatch.setattr(TrainBatches, "batch", noted)
    return taken


def test_each_sources_part_holds_its_documents_and_no_others(corpus):
    read = open_corpus(corpus)
    parts = text_of(read).sources
    assert [part.name for part in parts] == ["a", "b"]
    assert (parts[0].low, parts[0].high, parts[1].high) == (0, parts[1].low, read.train.n_tokens)
    for number in range(read.train.n_documents):
        info = read.train.document(number)
        (part,) = [part for part in parts if part.name == info.source]
        assert part.low <= info.start and info.start + info.n_tokens <= part.high


def drawn(places, steps):
    found = np.concatenate([places[step].ravel() for step in range(1, steps + 1)])
    return found[found >= 0].tolist()


def spec_of(corpus, steps, **sections):
    return tiny_spec(
        corpus,
        steps=steps,
        checkpoint={"every_steps": 10, "keep": 9},
        evaluation={"every_steps": 100, "max_tokens": 64},
        **sections,
    )


def refused(folder, spec):
    assert run_job(folder, spec) == ExitCode.KNOWN_ERROR
    return ended(folder)


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_no_token_comes_twice_before_the_epoch_is_over(corpus, tmp_path, places, data):
    first = trained(tmp_path / "first", spec_of(corpus, 20, data=data))
    before = drawn(places, 20)
    second = spec_of(
        corpus, 12, data=data, continue_from=str(first), budget={"batch_size": 6}, seed=99
    )
    trained(tmp_path / "second", second)
    together = before + drawn(places, 12)
    assert len(set(together)) == len(together) > 40 * 32 * 2
    seen = journal(tmp_path / "second", SourcesSeen)[-1]
    assert seen.step == 12 and [source.name for source in seen.sources] == ["a", "b"]
    assert sum(source.seen for source in seen.sources) == len(together)
    n_tokens = open_corpus(corpus).train.n_tokens
    assert sum(source.tokens for source in seen.sources) == n_tokens


def test_an_epoch_in_three_runs_is_one_epoch(corpus, tmp_path, places):
    together = []
    before = ""
    n_rows = -(-open_corpus(corpus).train.n_tokens // 32)
    for number, steps in enumerate((30, 20, n_rows // 4 - 50)):
        spec = spec_of(corpus, steps, continue_from=before)
        before = str(trained(tmp_path / str(number), spec))
        together += drawn(places, steps)
    lineage = open_checkpoint(tmp_path / "2", "last").manifest.lineage
    assert [one.step for one in lineage] == [30, 20]
    rest = n_rows - 4 * (n_rows // 4)
    assert len(set(together)) == len(together) >= open_corpus(corpus).train.n_tokens - rest * 32
    shares = [source.share for source in journal(tmp_path / "2", SourcesSeen)[-1].sources]
    assert all(0.9 < share <= 1.0 for share in shares)


def test_it_begins_with_the_weights_that_it_continues(corpus, tmp_path):
    first = trained(tmp_path / "first", spec_of(corpus, 40))
    trained(tmp_path / "second", spec_of(corpus, 6, continue_from=str(first)))
    fresh = trained(tmp_path / "fresh", spec_of(corpus, 6))
    assert rows(tmp_path / "second")["loss"][0] < rows(fresh)["loss"][0] - 1
    assert [note.title for note in notes(tmp_path / "second", "Continuing another run")]


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_it_is_resumed_as_any_other_run_even_when_the_first_is_gone(corpus, tmp_path, data):
    first = trained(tmp_path / "first", spec_of(corpus, 10, data=data))
    spec = spec_of(corpus, 20, data=data, continue_from=str(first), seed=5)
    reference = trained(tmp_path / "reference", spec)
    trained(tmp_path / "run", spec)
    checkpoints = tmp_path / "run" / "checkpoints"
    (checkpoints / "step-00000020").rename(tmp_path / "aside")
    first.rename(tmp_path / "elsewhere")
    assert run_job(tmp_path / "run") == 0, ended(tmp_path / "run")
    assert_same_training(tmp_path / "run", reference)
    manifest = read_checkpoint(tmp_path / "run", 20).manifest
    assert manifest.loader == read_checkpoint(reference, 20).manifest.loader
    assert len(manifest.lineage) == 1


def test_an_earlier_checkpoint_of_weights_alone_goes_on_behind_its_own_step(
    corpus, tmp_path, places
):
    first = trained(tmp_path / "first", spec_of(corpus, 20))
    keep_weights_only(read_checkpoint(first, 10))
    before, after = drawn(places, 10), drawn(places, 20)
    chosen = first / "checkpoints" / "step-00000010"
    trained(tmp_path / "second", spec_of(corpus, 10, continue_from=str(chosen)))
    assert before + drawn(places, 10) == after


def test_another_corpus_is_refused_and_says_what_to_do(corpus, tmp_path):
    first = trained(tmp_path / "first", spec_of(corpus, 10))
    other = make_corpus(tmp_path / "other", seed=9)
    end = refused(tmp_path / "refused", spec_of(other, 10, continue_from=str(first)))
    assert "another corpus" in end.what and end.field == "continue_from"
    assert 'data.mixing = [{ weights = { "source 1" = 1.0 } }]' in end.do
    mixing = DataConfig(mixing=(Mix(weights={"source 1": 1.0}),))
    second = spec_of(other, 10, continue_from=str(first), data=mixing)
    trained(tmp_path / "second", second)
    (note,) = notes(tmp_path / "second", "Continuing another run")
    assert "from its beginning" in note.text


@pytest.mark.parametrize(
    ("data", "why"),
    [(DataConfig(packing="documents"), "packed as stream"), (DATA["best fit"], "packed as stream")],
)
def test_another_packing_is_refused(corpus, tmp_path, data, why):
    first = trained(tmp_path / "first", spec_of(corpus, 10))
    end = refused(tmp_path / "second", spec_of(corpus, 10, continue_from=str(first), data=data))
    assert why in end.what and "Nothing was started" in end.safe


def test_rows_that_were_drawn_by_weights_are_not_told_from_those_of_all(corpus, tmp_path):
    first = trained(tmp_path / "first", spec_of(corpus, 10, data=WEIGHTS))
    end = refused(tmp_path / "second", spec_of(corpus, 10, continue_from=str(first)))
    assert "other rules" in end.what


def test_what_cannot_be_continued_says_why(corpus, tmp_path):
    first = trained(tmp_path / "first", spec_of(corpus, 10))
    end = refused(tmp_path / "absent", spec_of(corpus, 10, continue_from=str(tmp_path / "no")))
    assert "does not exist" in end.what and end.field == "continue_from"
    itself = tmp_path / "itself"
    end = refused(itself, spec_of(corpus, 10, continue_from=str(itself)))
    assert "continue itself" in end.what
    wider = spec_of(corpus, 10, continue_from=str(first), model={"n_embd": 32})
    end = refused(tmp_path / "wider", wider)
    assert "another shape" in end.what and end.field == "model"
    step = first / "checkpoints" / "step-00000007"
    end = refused(tmp_path / "step", spec_of(corpus, 10, continue_from=str(step)))
    assert "step-00000007" in end.what


def test_a_resume_that_would_draw_other_sources_is_refused(corpus, tmp_path):
    spec = spec_of(corpus, 20, data=WEIGHTS)
    run = trained(tmp_path / "run", spec)
    other = DataConfig(mixing=(Mix(weights={"a": 2.0, "b": 1.0}),))
    changed = msgspec.structs.replace(
        spec, data=other, budget=msgspec.structs.replace(spec.budget, steps=30)
    )
    (run / "spec.toml").write_text(to_toml(changed), encoding="utf-8")
    assert run_job(run) == ExitCode.KNOWN_ERROR
    assert ended(run).field == "data.mixing"
