"""The held-out text of each source is measured by itself."""

import pytest
from train_for_tests import result, tiny_spec, trained, validations, write_texts

from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.job import run_job
from trainer_core.spec import (
    ByteTokenizer,
    EvaluateSpec,
    EvaluationConfig,
    PrepareSpec,
    TextFiles,
    ValidationSet,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A corpus of three sources, one of them tiny, and one of the second alone."""
    home = tmp_path_factory.mktemp("by-source")
    sources = []
    for number, (name, documents) in enumerate((("logs", 12), ("letters", 25), ("tiny", 1))):
        folder = write_texts(home / name, documents=documents, seed=number, words=12 * documents)
        sources.append(TextFiles(paths=(str(folder),), name=name))
    (home / "tiny" / "00.txt").write_text("Hardly any text.\n" * 4)
    settings = {"tokenizer": ByteTokenizer(), "validation_fraction": 0.2}
    build_corpus(PrepareSpec(sources=tuple(sources), **settings), home / "corpus")
    build_corpus(PrepareSpec(source=sources[1], **settings), home / "alone")
    return home


def with_sets(home, **evaluation):
    sets = (ValidationSet(name="logs", corpus=str(home / "alone")),)
    evaluation = EvaluationConfig(every_steps=20, max_tokens=512, sets=sets, **evaluation)
    return tiny_spec(home / "corpus", steps=20, evaluation=evaluation)


@pytest.fixture(scope="module")
def run(home, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run") / "run", with_sets(home))


def test_each_source_costs_what_it_costs_as_a_corpus_of_its_own(run):
    """`letters` alone is held out as it is beside the others, so both are the same windows."""
    for validation in validations(run).values():
        found = {one.name: one.measured for one in validation.sets}
        # The further set has the name of a source, and `tiny` holds out less than one window.
        assert list(found) == ["logs (source)", "letters", "logs"]
        assert found["letters"] == found["logs"]
        assert found["letters"].loss != found["logs (source)"].loss
        assert found["letters"].tokens == 512


def test_an_evaluation_measures_all_of_each_source(home, run, tmp_path):
    spec = EvaluateSpec(run=str(run), checkpoint="last", max_tokens=10**6)
    assert run_job(tmp_path / "job", spec) == 0
    values = result(tmp_path / "job")
    sources = open_corpus(home / "corpus").manifest.sources
    assert [(one["name"], one["tokens"]) for one in values["sets"]] == [
        (source.name, (source.validation.tokens - 1) // 32 * 32) for source in sources[:2]
    ]


def test_it_can_be_left_out(home, tmp_path):
    run = trained(tmp_path / "run", with_sets(home, by_source=False))
    assert {one.name for v in validations(run).values() for one in v.sets} == {"logs"}
