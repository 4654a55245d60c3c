"""Documents added to an index: the result is that of a build from scratch."""

import dataclasses
import shutil

import numpy as np
import pytest
from index_builds import (
    EndedError,
    contents,
    end_after,
    needs_steps,
    some_source,
)
from index_for_tests import grown_corpus

from trainer_core.errors import IndexFileError
from trainer_core.files import replaced_beside
from trainer_core.index import (
    append_documents,
    build_from,
    build_index,
    open_index,
)
from trainer_core.index.building.assembly import Settings
from trainer_core.index.building.build import build
from trainer_core.index.compiled import COMPILED


def beginning_of(source, documents):
    """A source's first documents, under another name and with other held-out text."""
    stop = int(source.document_start[documents])
    return dataclasses.replace(
        source,
        tokens=source.tokens[:stop],
        document_start=source.document_start[:documents],
        validation_tokens=source.validation_tokens[:3],
        validation_document_start=source.validation_document_start[:1],
        corpus_fingerprint=f"first {documents}",
    )


APPENDING = Settings(32, None, 1, 300, append_to="what is there")


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("limit_bytes", [None, 12_000])
def test_an_index_that_is_appended_to_is_what_a_new_one_is(tmp_path, dtype, limit_bytes):
    source = some_source(1_500, dtype=dtype)
    build_from(source, tmp_path / "new", range_entries=300)
    settings = dataclasses.replace(APPENDING, memory_limit_bytes=limit_bytes)
    last = source.document_start.size - 1
    build_from(beginning_of(source, 2), tmp_path / "index", range_entries=100)
    for documents in (3, last // 2, last):
        built = build(beginning_of(source, documents), tmp_path / "index", settings)
        assert built.appended == COMPILED
        assert open_index(tmp_path / "index", verify=True).manifest.n_documents == documents
    built = build(source, tmp_path / "index", settings)
    assert contents(tmp_path / "index") == contents(tmp_path / "new")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["index", "new"]


def test_a_corpus_that_only_validates_otherwise_is_appended_too(tmp_path):
    source = some_source()
    other = dataclasses.replace(
        source, validation_tokens=source.tokens[:40], validation_document_start=np.array([0])
    )
    starts = source.document_start[source.document_start < 40]
    other = dataclasses.replace(other, validation_document_start=starts)
    build_from(source, tmp_path / "index", range_entries=300)
    build(other, tmp_path / "index", APPENDING)
    build_from(other, tmp_path / "new", range_entries=300)
    assert contents(tmp_path / "index") == contents(tmp_path / "new")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tokenizer_fingerprint": "other"}, "another tokenizer"),
        ({"vocab_size": 10}, "another vocabulary"),
        ({"tokens": "shorter"}, "shorter"),
        ({"tokens": "other"}, "another text"),
        ({"document_start": "other"}, "other places"),
    ],
)
def test_what_is_no_continuation_is_refused_and_built_anew_when_it_may_be(tmp_path, change, why):
    source = some_source()
    build_from(beginning_of(source, 4), tmp_path / "index")
    before = contents(tmp_path / "index")
    if change.get("tokens") == "shorter":
        other = beginning_of(source, 3)
    elif change.get("tokens") == "other":
        tokens = source.tokens.copy()
        tokens[1] = tokens[1] % 8 + 1
        other = dataclasses.replace(source, tokens=tokens)
    elif "document_start" in change:
        tokens = source.tokens.copy()
        tokens[1] = 0
        starts = np.sort(np.append(source.document_start, 1))
        other = dataclasses.replace(source, tokens=tokens, document_start=starts)
    else:
        other = dataclasses.replace(source, **change)
    with pytest.raises(IndexFileError, match=why):
        build(other, tmp_path / "index", APPENDING)
    assert contents(tmp_path / "index") == before
    settings = Settings(append_to="what fits")
    assert not build(other, tmp_path / "index", settings).appended
    build_from(other, tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")


def test_a_damaged_index_is_not_appended_to(tmp_path):
    source = some_source()
    build_from(beginning_of(source, 4), tmp_path / "index")
    path = tmp_path / "index" / "train-next.bin"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(IndexFileError, match=r"train-next\.bin"):
        build(source, tmp_path / "index", APPENDING)
    assert not build(source, tmp_path / "index", Settings(append_to="what fits")).appended
    open_index(tmp_path / "index", verify=True)


@needs_steps
def test_appending_that_is_ended_behind_any_step_goes_on_there(tmp_path, monkeypatch, resumable):
    source = some_source(900)
    build_from(source, tmp_path / "new", range_entries=300)
    build_from(beginning_of(source, 5), tmp_path / "old", range_entries=300)
    settings = dataclasses.replace(APPENDING, memory_limit_bytes=14_000)
    count, done = 0, False
    while not done:
        folder = tmp_path / f"index-{count}"
        shutil.copytree(tmp_path / "old", folder)
        with monkeypatch.context() as patched:
            end_after(patched, count)
            try:
                build(source, folder, settings)
                done = True
            except EndedError:
                assert contents(folder) == contents(tmp_path / "old")
        if not done:
            built = build(source, folder, settings)
            assert built.appended
            assert built.resumed == (count > 0)
        assert contents(folder) == contents(tmp_path / "new")
        count += 1
    assert count > 10


def test_a_corpus_that_has_grown_is_appended(tmp_path):
    corpora = [grown_corpus(tmp_path, count) for count in (40, 60, 75)]
    assert corpora[0].train.n_documents < corpora[1].train.n_documents
    build_index(corpora[0].folder, tmp_path / "index")
    append_documents(corpora[1].folder, tmp_path / "index")
    build_index(corpora[2].folder, tmp_path / "index")
    build_index(corpora[2].folder, tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")
    with pytest.raises(IndexFileError, match="shorter"):
        append_documents(corpora[0].folder, tmp_path / "index")
    with pytest.raises(IndexFileError, match="no index"):
        append_documents(corpora[0].folder, tmp_path / "absent")


def test_an_index_that_a_killed_build_had_set_aside_is_appended_to(tmp_path):
    corpora = [grown_corpus(tmp_path, count) for count in (40, 60)]
    build_index(corpora[0].folder, tmp_path / "index")
    (tmp_path / "index").rename(replaced_beside(tmp_path / "index"))
    append_documents(corpora[1].folder, tmp_path / "index")
    build_index(corpora[1].folder, tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")
