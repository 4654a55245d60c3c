"""The verb `index`, as a job in a folder."""

import threading

import numpy as np
import pytest
from index_for_tests import grown_corpus
from tiny_run import make_corpus

from trainer_core.errors import ExitCode, SpecError
from trainer_core.index import MatchFeatures, match_features, open_index
from trainer_core.index.compiled import COMPILED
from trainer_core.index.duplicates import duplicates_of
from trainer_core.index.value import value_of
from trainer_core.job import run_job
from trainer_core.journal import read_records
from trainer_core.records import MATCH_BUCKETS, Ended, Noted, Progress, Result, StateChanged
from trainer_core.spec import ByteTokenizer, IndexSpec, convert
from trainer_core.status import JOURNAL_FILE


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"), ByteTokenizer())


def records_of(folder, kind):
    records, _ = read_records(folder / JOURNAL_FILE)
    return [record for record in records if isinstance(record, kind)]


def values_of(folder):
    return records_of(folder, Result)[-1].values


def test_the_job_builds_an_index_and_says_what_it_is_worth(corpus, tmp_path):
    assert run_job(tmp_path / "job", IndexSpec(corpus=str(corpus.folder))) == ExitCode.OK
    index = open_index(tmp_path / "job" / "index", verify=True)
    values = values_of(tmp_path / "job")
    assert values["tokens"] == corpus.train.n_tokens
    assert values["validation_tokens"] == corpus.validation.n_tokens
    assert values["size_bytes"] == index.size_bytes
    assert values["seconds"] > 0
    assert values["ns_per_token"] == pytest.approx(values["seconds"] * 1e9 / index.n_tokens)
    features, tokens = index.validation_features(), corpus.validation.tokens()
    hits = (features.length[:-1] > 0) & (features.next[:-1] == tokens[1:])
    assert values["hit_rate"] == pytest.approx(hits.mean())
    assert [(b["low"], b["high"]) for b in values["buckets"]] == list(MATCH_BUCKETS)
    assert sum(b["tokens"] for b in values["buckets"]) == tokens.size - 1
    assert sum(b["share"] for b in values["buckets"]) == pytest.approx(1.0)
    states = [record.state for record in records_of(tmp_path / "job", StateChanged)]
    assert states == ["compiling", "running"]
    ended = {p.phase for p in records_of(tmp_path / "job", Progress) if p.done == p.total}
    assert ended >= {
        "sorting the training text",
        "matching the held-out text",
        "writing the index",
        "measuring what it is worth",
    }


def test_a_finished_index_is_kept_and_a_damaged_one_is_built_again(corpus, tmp_path):
    folder = tmp_path / "job"
    run_job(folder, IndexSpec(corpus=str(corpus.folder)))
    first = values_of(folder)
    made = (folder / "index" / "tokens.bin").stat().st_mtime_ns
    assert run_job(folder) == ExitCode.OK
    again = values_of(folder)
    assert (first["built"], again["built"]) == (True, False)
    assert again["hit_rate"] == first["hit_rate"]
    assert (folder / "index" / "tokens.bin").stat().st_mtime_ns == made

    path = folder / "index" / "sorted-000.bin"
    path.write_bytes(path.read_bytes()[::-1])
    assert run_job(folder) == ExitCode.OK
    assert values_of(folder)["built"]
    assert any("does not fit" in note.title for note in records_of(folder, Noted))
    open_index(folder / "index", verify=True)


def test_a_job_that_is_asked_to_stop_leaves_no_index(corpus, tmp_path, monkeypatch):
    from trainer_core import job as jobs

    folder = tmp_path / "job"
    asked = threading.Event()
    progress = jobs.Job.progress

    def ask_in_the_middle(self, phase, *told, **more):
        if phase.startswith("matching") and not asked.is_set():
            asked.set()
            self._wish.wanted = "stop"
        progress(self, phase, *told, **more)

    monkeypatch.setattr(jobs.Job, "progress", ask_in_the_middle)
    assert run_job(folder, IndexSpec(corpus=str(corpus.folder))) == ExitCode.OK
    assert records_of(folder, Ended)[-1].state == "stopped"
    assert not (folder / "index").exists()
    assert not list(folder.glob(".index*"))
    assert run_job(folder) == ExitCode.OK
    assert records_of(folder, Ended)[-1].state == "finished"


def test_a_corpus_that_has_grown_is_added_to_the_older_index(tmp_path):
    corpora = [grown_corpus(tmp_path, count) for count in (40, 60)]
    run_job(tmp_path / "first", IndexSpec(corpus=str(corpora[0].folder)))
    first = values_of(tmp_path / "first")
    assert (first["appended"], first["resumed"], first["chunks"]) == (False, False, 1)
    older = str(tmp_path / "first" / "index")
    spec = IndexSpec(corpus=str(corpora[1].folder), older_index=older, threads=2)
    run_job(tmp_path / "second", spec)
    second = values_of(tmp_path / "second")
    assert second["appended"] == COMPILED
    assert second["tokens"] == corpora[1].train.n_tokens > first["tokens"]
    assert any("was added" in n.title for n in records_of(tmp_path / "second", Noted)) == COMPILED
    run_job(tmp_path / "new", IndexSpec(corpus=str(corpora[1].folder)))
    for path in (tmp_path / "new" / "index").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / "index" / path.name).read_bytes()
    open_index(older, verify=True)

    spec = IndexSpec(corpus=str(corpora[0].folder), older_index=str(tmp_path / "absent"))
    run_job(tmp_path / "third", spec)
    assert not values_of(tmp_path / "third")["appended"]
    assert any("could not" in note.title for note in records_of(tmp_path / "third", Noted))


def test_the_result_tells_what_is_repeated(corpus, tmp_path):
    run_job(tmp_path / "job", IndexSpec(corpus=str(corpus.folder)))
    duplicates = values_of(tmp_path / "job")["duplicates"]
    assert duplicates == duplicates_of(open_index(tmp_path / "job" / "index"), 0).summary()
    assert 0.5 < duplicates["repeated_share"] < 1


def test_settings_that_no_build_can_keep_to_are_refused():
    for wrong in ({"memory_limit_bytes": 1000}, {"threads": -1}, {"memory_limit_bytes": -1}):
        with pytest.raises(SpecError):
            convert({"verb": "index", "corpus": "c", **wrong}, IndexSpec, "the index")


def test_an_absent_corpus_is_a_known_error(tmp_path):
    folder = tmp_path / "job"
    assert run_job(folder, IndexSpec(corpus=str(tmp_path / "none"))) == ExitCode.KNOWN_ERROR
    assert "no corpus" in records_of(folder, Ended)[-1].what


def test_the_share_of_repeated_text_counts_the_tokens_of_long_matches():
    piece = np.arange(40)
    text = np.concatenate([piece, [50], piece, [51, 52, 53]])
    features = match_features(text, document_start=[0])
    worth = value_of(features, text, 32)
    assert worth.repeated_share == pytest.approx(40 / text.size)
    assert value_of(features, text, 16).repeated_share is None


def test_the_value_of_next_to_nothing_is_nothing():
    empty = np.zeros(0, np.uint8)
    tokens = np.zeros(0, np.uint16)
    worth = value_of(MatchFeatures(empty, tokens, tokens, empty), tokens, 32)
    assert (worth.tokens, worth.hit_rate, worth.repeated_share) == (0, 0.0, 0.0)
    one = value_of(match_features([3], document_start=[0]), np.array([3], np.uint32), 32)
    assert (one.tokens, one.hit_rate) == (0, 0.0)
