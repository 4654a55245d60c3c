"""What `dump` writes gives the documents back, whole or not at all."""

import errno
import json
import pickle

import numpy as np
import pyarrow.parquet
import pytest
from data_for_tests import read_files
from tokenizer_files import wordpiece
from train_for_tests import ended, result

from trainer_core.data.corpus import open_corpus
from trainer_core.data.dumping import parquet, texts
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import ExitCode
from trainer_core.job import Job, run_job
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    DumpSpec,
    Gpt2Tokenizer,
    PrepareSpec,
    TextFiles,
    TokenFiles,
    TokenizerFile,
)
from trainer_core.status import read_status
from trainer_core.terminal import follow

TEXTS = {
    **{f"{number}.txt": f"Text number {number}. " * 5 for number in range(20)},
    "a.txt": 'Quotes "here" and \\ there,\nlines\r\nand\ttabs. ' * 4,
    "b.txt": "Über 東京 👩‍👩‍👧 and \u2028 separators \x1f.",
    "c.txt": "<|endoftext|> is plain text.",
    "d.txt": "A long one, " * 30,
}


def corpus_of(folder, tokenizer=None, files=TEXTS):
    (folder / "texts").mkdir()
    for name, text in files.items():
        (folder / "texts" / name).write_text(text, encoding="utf-8", newline="")
    source = TextFiles(paths=(str(folder / "texts"),))
    spec = PrepareSpec(source=source, tokenizer=tokenizer or ByteTokenizer())
    return build_corpus(spec, folder / "corpus")


def dumped(folder, kind, code=ExitCode.OK):
    spec = DumpSpec(corpus=str(folder / "corpus"), output=str(folder / "out"), format=kind)
    assert run_job(folder / "job", spec) == code, ended(folder / "job")
    return folder / "out"


def test_the_terminal_says_where_the_documents_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    corpus_of(tmp_path)
    spec = DumpSpec(corpus=str(tmp_path / "corpus"), output=str(tmp_path / "out"))
    assert follow(tmp_path / "job", spec) == ExitCode.OK
    assert f"Everything is in {tmp_path / 'out'}" in capsys.readouterr().err


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), BpeTokenizer(vocab_size=280)])
@pytest.mark.parametrize("piece", [3, 1 << 16])
def test_json_lines_hold_every_document_of_its_side(tmp_path, tokenizer, piece, monkeypatch):
    monkeypatch.setattr(texts, "PIECE_TOKENS", piece)
    corpus = corpus_of(tmp_path, tokenizer)
    out = dumped(tmp_path, "jsonl")
    found = {}
    for name, split in (("train", corpus.train), ("validation", corpus.validation)):
        lines = (out / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        rows = [json.loads(line) for line in lines]
        assert [row["title"] for row in rows] == [info.title for info in split.documents()]
        found |= {row["title"].removeprefix("texts/"): row["text"] for row in rows}
    assert found == TEXTS


def test_json_lines_can_be_prepared_again(tmp_path):
    corpus_of(tmp_path)
    out = dumped(tmp_path, "jsonl")
    again, left_out = read_files(out)
    assert sorted(again.values()) == sorted(TEXTS.values())
    assert left_out == {}


def test_parquet_holds_every_document_in_small_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_BYTES", 200)
    corpus = corpus_of(tmp_path)
    out = dumped(tmp_path, "parquet")
    rows = []
    for name in ("train", "validation"):
        rows += pyarrow.parquet.read_table(out / f"{name}.parquet").to_pylist()
    assert {row["title"].removeprefix("texts/"): row["text"] for row in rows} == TEXTS
    assert set(rows[0]) == {"text", "title", "path"}
    groups = pyarrow.parquet.ParquetFile(out / "train.parquet").num_row_groups
    assert 1 < groups <= corpus.train.n_documents


def test_each_document_of_several_sources_names_its_own(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(30):
            (tmp_path / name / f"{number}.txt").write_text(f"{name} {number} " * 20)
    sources = tuple(TextFiles(paths=(str(tmp_path / n),), name=n) for n in ("one", "two"))
    build_corpus(PrepareSpec(sources=sources, tokenizer=ByteTokenizer()), tmp_path / "corpus")
    out = dumped(tmp_path, "jsonl")
    lines = [line for file in out.iterdir() for line in file.read_text().splitlines()]
    assert len(lines) == 60
    assert all(json.loads(line)["text"].startswith(json.loads(line)["source"]) for line in lines)


def test_a_document_too_large_for_parquet_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "LARGEST_DOCUMENT_BYTES", 100)
    corpus_of(tmp_path)
    out = dumped(tmp_path, "parquet", ExitCode.KNOWN_ERROR)
    assert ended(tmp_path / "job").field == "format"
    assert not out.exists()


def test_token_files_are_the_streams_as_nanogpt_reads_them(tmp_path):
    corpus = corpus_of(tmp_path, BpeTokenizer(vocab_size=270))
    out = dumped(tmp_path, "bin")
    for name, split in (("train.bin", corpus.train), ("val.bin", corpus.validation)):
        np.testing.assert_array_equal(np.memmap(out / name, np.uint16, "r"), split.tokens())
    meta = json.loads((out / "meta.json").read_text())
    assert (meta["vocab_size"], meta["dtype"], meta["separator"]) == (270, "uint16", 269)
    nano = pickle.loads((out / "meta.pkl").read_bytes())
    assert nano["vocab_size"] == 270
    assert "".join(nano["itos"][i] for i in corpus.tokenizer.encode("plain text").tolist()) == (
        "plain text"
    )
    assert nano["stoi"]["a"] == corpus.tokenizer.encode("a").tolist()[0]


def test_gpt2_token_files_give_the_documents_again(tmp_path, shared_data):
    vocabulary = str(shared_data / "gpt2")
    corpus_of(tmp_path, Gpt2Tokenizer(vocabulary_folder=vocabulary))
    out = dumped(tmp_path, "bin")
    assert not (out / "meta.pkl").exists()
    source = TokenFiles(paths=(str(out),), vocabulary_folder=vocabulary)
    spec = PrepareSpec(source=source, tokenizer=Gpt2Tokenizer(vocabulary_folder=vocabulary))
    again = build_corpus(spec, tmp_path / "again")
    found = {
        again.tokenizer.decode(split.read(info.start + 1, info.start + info.n_tokens))
        for split in (again.train, again.validation)
        for info in split.documents()
    }
    assert found == set(TEXTS.values())


def test_the_result_counts_what_was_written(tmp_path):
    corpus = corpus_of(tmp_path)
    out = dumped(tmp_path, "jsonl")
    values = result(tmp_path / "job")
    assert values["documents"] == len(TEXTS)
    assert values["tokens"] == corpus.train.n_tokens + corpus.validation.n_tokens
    assert values["files"] == ["train.jsonl", "validation.jsonl"]
    assert values["size_bytes"] == sum(path.stat().st_size for path in out.iterdir())


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_a_place_that_is_taken_is_refused_untouched(tmp_path, taken):
    corpus_of(tmp_path)
    mine = tmp_path / "out" if taken == "file" else tmp_path / "out" / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("years of work")
    dumped(tmp_path, "jsonl", ExitCode.KNOWN_ERROR)
    assert ended(tmp_path / "job").field == "output"
    assert mine.read_text() == "years of work"


def test_an_empty_folder_may_be_used(tmp_path):
    corpus_of(tmp_path)
    (tmp_path / "out").mkdir()
    assert (dumped(tmp_path, "jsonl") / "train.jsonl").exists()


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "bin"])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, kind):
    corpus_of(tmp_path)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainer_core.files.sync_tree", full)
    out = dumped(tmp_path, kind, ExitCode.DISK_FULL)
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "job", "texts"]


def test_a_stop_leaves_nothing(tmp_path, monkeypatch):
    corpus_of(tmp_path)
    progress = Job.progress

    def stopped(self, *args, **settings):
        progress(self, *args, **settings)
        self.ask_to_stop()

    monkeypatch.setattr(Job, "progress", stopped)
    out = dumped(tmp_path, "jsonl")
    assert ended(tmp_path / "job").state == "stopped"
    assert not out.exists() and not list(tmp_path.glob(".*"))


def test_damaged_documents_are_named(tmp_path):
    corpus = corpus_of(tmp_path)
    path = corpus.folder / "train" / "documents.jsonl"
    path.write_bytes(b"x" * path.stat().st_size)
    out = dumped(tmp_path, "jsonl", ExitCode.KNOWN_ERROR)
    assert "documents.jsonl" in ended(tmp_path / "job").what
    assert not out.exists()
    assert open_corpus(corpus.folder).train.n_documents < len(TEXTS)


@pytest.mark.parametrize("output", ["texts/0.txt/below", "a\0b"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, output):
    corpus_of(tmp_path)
    spec = DumpSpec(corpus=str(tmp_path / "corpus"), output=str(tmp_path / output))
    assert run_job(tmp_path / "job", spec) == ExitCode.KNOWN_ERROR
    assert ended(tmp_path / "job").field == "output"


def test_text_that_the_tokens_do_not_hold_is_told_of(tmp_path):
    (tmp_path / "tokenizer.json").write_text(wordpiece(), encoding="utf-8")
    corpus_of(tmp_path, TokenizerFile(path=str(tmp_path / "tokenizer.json")))
    dumped(tmp_path, "jsonl")
    notes = read_status(tmp_path / "job").notes
    assert [note.title for note in notes] == ["Not all of the text is in the tokens"]
    assert "characters are lost" in notes[0].text
