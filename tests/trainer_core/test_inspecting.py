"""The inspector shows the batches of a training as they are."""

import base64
import itertools
import json

import msgspec
import numpy as np
import pytest
import torch
from train_for_tests import ended, make_corpus, result, tiny_spec, trained

from trainer_core.data.batches.gather import IGNORED
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.corpus import open_corpus
from trainer_core.errors import ExitCode
from trainer_core.index import open_index
from trainer_core.inspecting import verb
from trainer_core.inspecting.report import BATCHES_NAME, NOTHING, Batches
from trainer_core.job import run_job
from trainer_core.spec import DataConfig, IndexSpec, InspectSpec, Mix

T = 32


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return open_corpus(make_corpus(tmp_path_factory.mktemp("inspecting"), documents=20, words=30))


@pytest.fixture(scope="module")
def index_folder(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    assert run_job(folder / "job", IndexSpec(corpus=str(corpus.folder))) == 0
    return folder / "job" / "index"


def spec_of(corpus, **changes):
    values = {"context_length": T, "batch_size": 4, "rows": 4, "batches": 3, "steps": 50}
    return InspectSpec(corpus=str(corpus.folder), **values | changes)


def inspected(folder, spec):
    assert run_job(folder / "job", spec) == 0, ended(folder / "job")
    raw = (folder / "job" / BATCHES_NAME).read_bytes()
    json.loads(raw)
    return msgspec.json.decode(raw, type=Batches)


def refused(folder, spec):
    assert run_job(folder / "job", spec) != ExitCode.OK
    assert not (folder / "job" / BATCHES_NAME).exists()
    return ended(folder / "job").field


@pytest.mark.parametrize(
    "data",
    [
        DataConfig(),
        DataConfig(mask_documents=True),
        DataConfig(packing="best_fit"),
        DataConfig(packing="documents"),
    ],
    ids=["stream", "masked", "best_fit", "documents"],
)
def test_rows_are_those_of_the_training_and_their_documents_hold_them(corpus, tmp_path, data):
    spec = spec_of(corpus, data=data)
    found = inspected(tmp_path, spec)
    batches = verb.training_batches(spec, corpus, None)
    assert [batch.step for batch in found.batches] == [1, 2, 3]
    for batch in found.batches:
        real = batches.batch(batch.step)
        assert [list(row.ids) for row in batch.rows] == real.inputs.tolist()
        for row, targets in zip(batch.rows, real.targets.tolist(), strict=True):
            assert list(row.targets) == [t if t >= 0 else NOTHING for t in targets]
            assert_documents_hold(corpus, found, row)
            assert_positions_follow_the_masks(row, masked=data.masks)
    assert (found.masked, found.packing) == (data.masks, data.packing)


def assert_documents_hold(corpus, found, row):
    """Each run's tokens stand at its place in the document that it names."""
    assert [run.start for run in row.documents] == [0, *(r.stop for r in row.documents[:-1])]
    assert row.documents[-1].stop == T
    for run in row.documents:
        ids = list(row.ids[run.start : run.stop])
        if run.document == NOTHING:
            assert set(ids) == {corpus.separator}
            assert set(row.targets[run.start : run.stop]) == {NOTHING}
            continue
        info = corpus.train.document(run.document)
        start = info.start + run.offset
        assert corpus.train.read(start, start + len(ids)).tolist() == ids
        assert found.documents[run.document].title == info.title
        assert run.offset + len(ids) <= info.n_tokens


def assert_positions_follow_the_masks(row, *, masked):
    starts = list(row.masks)
    assert bool(starts) == masked
    bounds = [*(starts or [0]), T]
    expected = [i for a, b in itertools.pairwise(bounds) for i in range(b - a)]
    assert list(row.positions) == expected


def test_every_token_that_is_named_has_its_bytes(corpus, index_folder, tmp_path):
    found = inspected(tmp_path, spec_of(corpus, index=str(index_folder)))
    for batch in found.batches:
        for row in batch.rows:
            matched = row.matches
            named = {*row.ids, *row.targets, *matched.next, *matched.second} - {NOTHING}
            assert named <= set(found.tokens)
    for token, data in found.tokens.items():
        assert base64.b64decode(data) == corpus.tokenizer.token_bytes(token)


def test_matches_are_those_of_the_index(corpus, index_folder, tmp_path):
    found = inspected(tmp_path, spec_of(corpus, index=str(index_folder)))
    features = open_index(index_folder).train_features()
    matched = 0
    for row in found.batches[0].rows:
        for run in row.documents:
            if run.document == NOTHING:
                assert not any(row.matches.length[run.start : run.stop])
                continue
            begin = corpus.train.document(run.document).start + run.offset
            places = np.arange(begin, begin + run.stop - run.start)
            lengths = features.length[places]
            expected = np.where(lengths > 0, features.next[places].astype(int), NOTHING)
            assert list(row.matches.length[run.start : run.stop]) == lengths.tolist()
            assert list(row.matches.next[run.start : run.stop]) == expected.tolist()
            second = np.where(
                features.has_second[places], features.second[places].astype(int), NOTHING
            )
            assert list(row.matches.second[run.start : run.stop]) == second.tolist()
            matched += int((lengths > 0).sum())
    assert matched
    assert len(found.count_buckets) > max(max(row.matches.count) for row in found.batches[0].rows)


def test_rows_under_match_dropout_have_no_matches(corpus, index_folder, tmp_path):
    found = inspected(tmp_path, spec_of(corpus, index=str(index_folder), match_dropout=0.9))
    rows = [row for batch in found.batches for row in batch.rows]
    assert sum(row.matches is None for row in rows) > len(rows) / 2


def test_the_result_counts_padding_and_ignored_targets(corpus, tmp_path):
    found = inspected(tmp_path, spec_of(corpus, rows=2, first_step=5))
    values = result(tmp_path / "job")
    assert (values["steps"], values["rows"], values["tokens"]) == (3, 2, 6 * T)
    rows = [row for batch in found.batches for row in batch.rows]
    assert values["ignored"] == sum(target == NOTHING for row in rows for target in row.targets)
    assert [batch.step for batch in found.batches] == [5, 6, 7]


@pytest.mark.parametrize("packing", ["stream", "best_fit", "documents"])
def test_a_training_with_these_settings_sees_them(
    corpus, index_folder, tmp_path, monkeypatch, packing
):
    seen, batch_of = {}, TrainBatches.batch

    def noted(self, step):
        seen[step] = batch_of(self, step)
        return seen[step]

    monkeypatch.setattr(TrainBatches, "batch", noted)
    data = DataConfig(packing=packing)
    shape = {"match_input": True, "match_dropout": 0.5, "context_length": T}
    training = tiny_spec(corpus.folder, steps=8, index=index_folder, model=shape, data=data)
    trained(tmp_path / "run", training)
    dropout = training.model.match_dropout
    spec = spec_of(corpus, index=str(index_folder), data=data, match_dropout=dropout, steps=8)
    monkeypatch.undo()
    for batch in inspected(tmp_path, spec).batches:
        real = seen[batch.step]
        assert [list(row.ids) for row in batch.rows] == real.inputs.tolist()
        ignored = torch.where(real.targets == IGNORED, NOTHING, real.targets)
        assert [list(row.targets) for row in batch.rows] == ignored.tolist()
        for row, lengths in zip(batch.rows, real.matches.length.tolist(), strict=True):
            assert (list(row.matches.length) if row.matches else [0] * T) == lengths


def test_more_than_can_be_shown_is_refused(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(verb, "MOST_TOKENS", 100)
    assert refused(tmp_path, spec_of(corpus)) == "rows"


def test_steps_behind_the_end_are_refused(corpus, tmp_path):
    assert refused(tmp_path, spec_of(corpus, first_step=49)) == "first_step"


def test_a_step_beyond_all_bounds_is_refused(corpus, tmp_path):
    far = spec_of(corpus, first_step=10**12, steps=10**13)
    assert refused(tmp_path / "far", far) == "first_step"
    assert refused(tmp_path / "large", spec_of(corpus, batch_size=10**12)) == "batch_size"


def test_an_index_of_another_corpus_is_refused(index_folder, tmp_path):
    other = open_corpus(make_corpus(tmp_path / "other", seed=8))
    assert refused(tmp_path, spec_of(other, index=str(index_folder))) == "index"


def test_a_context_longer_than_the_text_is_refused(corpus, tmp_path):
    spec = spec_of(corpus, context_length=100_000, rows=1, batches=1)
    assert refused(tmp_path, spec) == "context_length"
    assert "model." not in ended(tmp_path / "job").do


def test_a_weight_of_a_source_that_is_not_there_is_refused(corpus, tmp_path):
    spec = spec_of(corpus, data=DataConfig(mixing=(Mix(weights={"books": 1.0}),)))
    assert "mixing" in refused(tmp_path, spec)
