"""Several sources in one corpus: in order, each with a name and figures of its own."""

import gzip
import io
import tarfile
import zipfile

import datasets
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer_core import spec as specs
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.tokenizers import gpt2
from trainer_core.data.tokenizers.kinds import RankTokenizer
from trainer_core.errors import DataError, ExitCode, SpecError
from trainer_core.index.building.build import append_documents, build_index
from trainer_core.job import run_job
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    CorpusTokenizer,
    Gpt2Tokenizer,
    HubDataset,
    PrepareSpec,
    SavedDataset,
    TextFiles,
    TokenFiles,
    from_toml,
    to_toml,
)


@pytest.fixture
def folders(tmp_path):
    """Three folders with texts: letters, numbers, and some that stand in one of these too."""
    made = []
    for name, words in (("letters", "abc def "), ("numbers", "12 345 "), ("mixed", "a1 b2 ")):
        folder = tmp_path / name
        folder.mkdir()
        for n in range(60):
            (folder / f"{n:02}.txt").write_text(f"{name} {n} " + words * (n + 3))
        made.append(folder)
    (made[2] / "twin.txt").write_bytes((made[0] / "07.txt").read_bytes())
    (made[1] / "bad.txt").write_bytes(b"\0")
    return made


def spec(*folders, tokenizer=None, **settings):
    sources = tuple(TextFiles(paths=(str(path),), name=path.name) for path in folders)
    tokenizer = tokenizer or ByteTokenizer()
    return PrepareSpec(sources=sources, tokenizer=tokenizer, validation_fraction=0.1, **settings)


def test_documents_stand_in_the_order_of_their_sources(folders, tmp_path):
    corpus = build_corpus(spec(*folders), tmp_path / "corpus")
    for split in (corpus.train, corpus.validation):
        found = [split.document(n) for n in range(split.n_documents)]
        order = [(document.source, document.title) for document in found]
        ranks = {folder.name: rank for rank, folder in enumerate(folders)}
        assert order == sorted(order, key=lambda pair: (ranks[pair[0]], pair[1]))
        assert all(document.title.startswith(document.source + "/") for document in found)


def test_each_source_has_figures_of_its_own_that_add_up(folders, tmp_path):
    corpus = build_corpus(spec(*folders), tmp_path / "corpus")
    manifest = corpus.manifest
    assert [source.name for source in manifest.sources] == ["letters", "numbers", "mixed"]
    assert [source.documents_read for source in manifest.sources] == [60, 60, 60]
    reasons = [{g.reason: g.count for g in source.skipped} for source in manifest.sources]
    assert reasons == [{}, {"binary": 1}, {"duplicate": 1}]
    assert {g.reason: g.count for g in manifest.source.skipped} == {"binary": 1, "duplicate": 1}
    for source, folder in zip(manifest.sources, folders, strict=True):
        good = [path for path in folder.iterdir() if path.stem.isdigit()]
        assert source.bytes_read == sum(path.stat().st_size for path in good)
        assert source.train.bytes + source.validation.bytes == source.bytes_read
        assert str(folder) in source.description
        assert source.description in manifest.source.description
    for side, split in (("train", manifest.train), ("validation", manifest.validation)):
        for figure in ("documents", "tokens", "bytes"):
            parts = [getattr(getattr(source, side), figure) for source in manifest.sources]
            assert sum(parts) == getattr(split, figure)


def test_one_source_is_the_same_corpus_however_it_is_written(folders, tmp_path):
    source = TextFiles(paths=(str(folders[0]),))
    settings = {"tokenizer": ByteTokenizer(), "validation_fraction": 0.1}
    old = build_corpus(PrepareSpec(source=source, **settings), tmp_path / "old")
    new = build_corpus(PrepareSpec(sources=(source,), **settings), tmp_path / "new")
    assert old.fingerprint == new.fingerprint
    assert [source.name for source in new.manifest.sources] == ["source 1"]
    assert new.train.document(0).source == ""


def test_old_manifests_without_sources_still_open(folders, tmp_path):
    corpus = build_corpus(spec(folders[0]), tmp_path / "corpus")
    path = corpus.folder / "manifest.json"
    old = msgspec.json.decode(path.read_bytes())
    del old["sources"]
    path.write_bytes(msgspec.json.encode(old))
    assert open_corpus(corpus.folder).manifest.sources == ()


def test_specs_with_one_source_or_several_come_back_from_toml(folders):
    for wanted in (PrepareSpec(source=specs.PythonLibrary()), spec(*folders)):
        assert from_toml(to_toml(wanted)) == wanted
    assert "sources" in to_toml(spec(*folders))
    text = 'verb = "prepare"\n[source]\nkind = "text_files"\npaths = ["a"]\n'
    assert from_toml(text).all_sources == (TextFiles(paths=("a",)),)


@pytest.mark.parametrize(
    "text",
    [
        'verb = "prepare"',
        'verb = "prepare"\nsources = []',
        'verb = "prepare"\n[source]\nkind = "python_library"\n[[sources]]\nkind = "python_library"',
        'verb = "prepare"\n' + '[[sources]]\nkind = "python_library"\nname = "x"\n' * 2,
        'verb = "prepare"\n[[sources]]\nkind = "python_library"\nname = "source 2"\n'
        '[[sources]]\nkind = "python_library"\n',
    ],
)
def test_no_source_both_ways_and_one_name_twice_are_errors(text):
    with pytest.raises(SpecError) as caught:
        from_toml(text)
    assert caught.value.field == "sources"


def test_errors_name_the_source_at_fault(folders, tmp_path):
    with pytest.raises(DataError) as caught:
        build_corpus(spec(folders[0], tmp_path / "absent"), tmp_path / "corpus")
    assert caught.value.field == "sources[1].paths[0]"
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError) as caught:
        build_corpus(spec(folders[0], tmp_path / "void"), tmp_path / "corpus")
    assert caught.value.field == "sources[1]"


def test_a_source_of_nothing_but_what_was_read_before_adds_nothing(folders, tmp_path):
    alone = build_corpus(spec(folders[0]), tmp_path / "alone")
    twice = TextFiles(paths=(str(folders[0]),), name="again")
    wanted = msgspec.structs.replace(spec(folders[0]), sources=(*spec(folders[0]).sources, twice))
    corpus = build_corpus(wanted, tmp_path / "corpus")
    assert np.array_equal(corpus.train.tokens(), alone.train.tokens())
    again = corpus.manifest.sources[1]
    assert (again.documents_read, again.train.tokens) == (0, 0)
    assert [(group.reason, group.count) for group in again.skipped] == [("duplicate", 60)]


def test_a_job_takes_every_kind_of_source_at_once(folders, tmp_path, shared_data):
    """From files, an archive, token files, a folder of tables and a saved dataset to one corpus."""
    gpt2_folder = str(shared_data / "gpt2")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for n in range(20):
            archive.writestr(f"{n}.html", f"<h1>Page {n}</h1><p>" + "some words " * n)
    tokenizer = RankTokenizer("gpt2", gpt2.load(gpt2_folder, lambda: None))
    ids = [[*tokenizer.encode(f"Document {n} of tokens.").tolist(), 50_256] for n in range(20)]
    np.concatenate(ids).astype("<u2").tofile(tmp_path / "tokens.bin")
    (tmp_path / "hub").mkdir()
    rows = [f"row {n} of a table" for n in range(20)]
    pq.write_table(pa.table({"text": rows}), tmp_path / "hub" / "train.parquet")
    saved = datasets.Dataset.from_dict({"text": [f"saved row {n}" for n in range(20)]})
    saved.save_to_disk(tmp_path / "saved")
    wanted = PrepareSpec(
        sources=(
            TextFiles(paths=(str(folders[0]),), name="files"),
            TextFiles(paths=(str(tmp_path / "all.zip"),), name="archive"),
            TokenFiles(paths=(str(tmp_path / "tokens.bin"),), vocabulary_folder=gpt2_folder),
            HubDataset(repo=str(tmp_path / "hub"), name="hub"),
            SavedDataset(path=str(tmp_path / "saved"), name="saved"),
        ),
        tokenizer=Gpt2Tokenizer(vocabulary_folder=gpt2_folder),
        validation_fraction=0.1,
    )
    assert run_job(tmp_path / "job", wanted) == ExitCode.OK
    corpus = open_corpus(tmp_path / "job" / "corpus", verify=True)
    figures = {source.name: source.documents_read for source in corpus.manifest.sources}
    assert figures == {"files": 60, "archive": 20, "source 3": 20, "hub": 20, "saved": 20}
    split = corpus.train
    by_source = {}
    for number in range(split.n_documents):
        info = split.document(number)
        ids = split.read(info.start + 1, info.start + info.n_tokens)
        text = corpus.tokenizer.decode(ids)
        assert len(text.encode()) == info.n_bytes
        by_source.setdefault(info.source, (info.path, text))
    assert list(by_source) == list(figures)
    assert by_source["archive"][0].startswith(f"{tmp_path}/all.zip/")
    assert by_source["archive"][1].startswith("Page ")
    assert by_source["source 3"][1].endswith(" of tokens.")
    assert by_source["hub"][0].startswith(f"{tmp_path}/hub row ")


def test_progress_is_in_bytes_and_never_goes_back(folders, tmp_path):
    rows = [f"row {number} " * 50 for number in range(4000)]
    pq.write_table(pa.table({"text": rows}), tmp_path / "rows.parquet", row_group_size=500)
    lines = "".join(f'{{"text": "line {number}"}}\n' for number in range(4000))
    (tmp_path / "lines.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    wanted = spec(folders[0], tmp_path / "rows.parquet", tmp_path / "lines.jsonl.gz")
    told = []
    build_corpus(wanted, tmp_path / "corpus", report=lambda *one: told.append(one))
    reading = [(done, total) for phase, done, total, unit in told if phase == "reading"]
    size = sum(path.stat().st_size for path in tmp_path.glob("[lr]*s.*"))
    size += sum(path.stat().st_size for path in folders[0].iterdir())
    assert {total for _, total in reading} == {size}
    done = [done for done, _ in reading]
    assert done == sorted(done)
    assert done[-1] == size
    assert len(set(done)) > 60


def test_what_ends_the_work_is_never_taken_for_a_damaged_file(folders, tmp_path):
    """Not even an error of the very kind that damaged files raise."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(".hidden"))
    (tmp_path / "a.tar").write_bytes(tar.getvalue())
    pq.write_table(pa.table({"text": pa.array([None], pa.string())}), tmp_path / "b.parquet")
    for name in ("a.tar", "b.parquet"):

        def full(phase, done, *_, name=name):
            if phase == "reading":
                raise OSError(28, f"No space left for {name}")

        with pytest.raises(OSError, match=f"No space left for {name}"):
            build_corpus(spec(tmp_path / name), tmp_path / "corpus", report=full)


# --- growing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bytes", "bpe"])
def test_a_further_source_leaves_the_old_training_text_at_the_beginning(folders, tmp_path, kind):
    first = ByteTokenizer() if kind == "bytes" else BpeTokenizer(vocab_size=300)
    old = build_corpus(spec(*folders[:2], tokenizer=first), tmp_path / "old")
    kept = CorpusTokenizer(corpus=str(old.folder))
    new = build_corpus(spec(*folders, tokenizer=kept), tmp_path / "new")
    assert new.manifest.tokenizer_fingerprint == old.manifest.tokenizer_fingerprint
    for before, after in ((old.train, new.train), (old.validation, new.validation)):
        assert after.n_tokens > before.n_tokens
        assert np.array_equal(after.tokens()[: before.n_tokens], before.tokens())
        assert np.array_equal(after.document_start[: before.n_documents], before.document_start)


def test_an_index_goes_on_with_the_further_source(folders, tmp_path):
    old = build_corpus(spec(folders[0]), tmp_path / "old")
    new = build_corpus(spec(*folders), tmp_path / "new")
    build_index(old.folder, tmp_path / "grown")
    append_documents(new.folder, tmp_path / "grown")
    build_index(new.folder, tmp_path / "fresh")
    names = [path.name for path in (tmp_path / "fresh").iterdir() if path.suffix == ".bin"]
    assert names
    for name in names:
        grown, fresh = (tmp_path / kind / name for kind in ("grown", "fresh"))
        assert grown.read_bytes() == fresh.read_bytes(), name


def test_the_tokenizer_of_a_corpus_that_is_not_there_is_an_error(folders, tmp_path):
    wanted = spec(folders[0], tokenizer=CorpusTokenizer(corpus=str(tmp_path / "absent")))
    assert run_job(tmp_path / "job", wanted) == ExitCode.KNOWN_ERROR
    with pytest.raises(DataError, match="absent") as caught:
        build_corpus(wanted, tmp_path / "corpus")
    assert caught.value.field == "tokenizer.corpus"
