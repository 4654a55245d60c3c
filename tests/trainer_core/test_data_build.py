"""What `prepare` builds: own tokens, cut books, files that change, memory."""

import os
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest
from data_for_tests import numbered_texts, prepare_spec, records

from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing import build, first_reading, tokenise
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources import reading
from trainer_core.data.tokenizers import making
from trainer_core.data.tokenizers.learn import learn_bpe
from trainer_core.errors import DataError
from trainer_core.job import run_job
from trainer_core.records import Noted
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    Gpt2Tokenizer,
    PrepareSpec,
    TextFiles,
)


@pytest.fixture
def texts(tmp_path):
    return numbered_texts(tmp_path / "texts")


# --- what is built -----------------------------------------------------------------------------


def test_own_tokens_are_learned_from_the_training_part_alone(texts, tmp_path, monkeypatch):
    learned_from = []

    def spy(samples, *rest):
        learned_from.extend(samples)
        return learn_bpe(learned_from, *rest)

    monkeypatch.setattr(making, "learn_bpe", spy)
    corpus = build_corpus(prepare_spec(texts), tmp_path / "c")
    ids = corpus.train.tokens()
    training = corpus.tokenizer.decode(ids)
    assert "".join(learned_from) == training


def test_a_smaller_sample_is_taken_when_asked_for(texts, tmp_path):
    small = BpeTokenizer(vocab_size=280, sample_bytes=1)
    assert build_corpus(prepare_spec(texts, tokenizer=small), tmp_path / "c").vocab_size < 280


def test_a_single_book_is_cut_and_the_report_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PART_BYTES", 1000)
    book = tmp_path / "book.txt"
    lines = [f"This is line {n} of the book.\n" for n in range(1000)]
    book.write_text("".join(lines))
    folder = tmp_path / "job"
    run_job(folder, PrepareSpec(source=TextFiles(paths=(str(book),)), validation_fraction=0.1))
    corpus = open_corpus(folder / "corpus")
    train, validation = (
        corpus.tokenizer.decode(split.tokens()) for split in (corpus.train, corpus.validation)
    )
    assert train + validation == "".join(lines)
    assert train.endswith("of the book.\n")
    assert len(validation) == pytest.approx(0.1 * len(train + validation), rel=0.05)
    assert corpus.train.document(0).title == "book.txt (beginning)"
    assert corpus.validation.document(0).title == "book.txt (end)"
    assert corpus.manifest.source.cut_document == str(book)
    assert "The end of one document validates" in {n.title for n in records(folder, Noted)}


def test_one_letter_is_too_little(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DataError, match="too short to split"):
        build_corpus(prepare_spec(tmp_path / "a.txt"), tmp_path / "c")
    (tmp_path / "b.txt").write_text("é")
    with pytest.raises(DataError, match="too little text"):
        build_corpus(prepare_spec(tmp_path / "b.txt"), tmp_path / "c")
    assert not list(tmp_path.glob("c*"))


def test_the_separators_text_stays_text_in_the_corpus(texts, tmp_path):
    (texts / "evil.txt").write_text("a<|endoftext|>b " * 50)
    for tokenizer in (ByteTokenizer(), BpeTokenizer(vocab_size=300)):
        corpus = build_corpus(
            prepare_spec(texts, tokenizer=tokenizer), tmp_path / tokenizer.__class__.__name__
        )
        for split in (corpus.train, corpus.validation):
            assert (split.tokens() == corpus.separator).sum() == split.n_documents


def test_gpt2s_vocabulary_is_kept_beside_the_corpus(texts, tmp_path, shared_data, monkeypatch):
    wanted = Gpt2Tokenizer(vocabulary_folder=str(shared_data / "gpt2"))
    folder = build_corpus(prepare_spec(texts, tokenizer=wanted), tmp_path / "c").folder
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "none"))
    corpus = open_corpus(folder, verify=True)
    assert (corpus.vocab_size, corpus.separator) == (50257, 50256)
    assert corpus.tokenizer.encode("hello world").tolist() == [31373, 995]


def test_a_large_vocabulary_takes_four_bytes_a_token(texts, tmp_path, monkeypatch):
    many = [bytes([b]) for b in range(256)]
    many += [b"\xff" + n.to_bytes(3, "big") for n in range(2**16)]
    monkeypatch.setattr(making, "learn_bpe", lambda *_: many)
    corpus = build_corpus(prepare_spec(texts), tmp_path / "c")
    assert corpus.manifest.dtype == "uint32"
    assert corpus.train.tokens().dtype == np.uint32
    assert corpus.train.tokens()[0] == corpus.separator == 2**16 + 256


def test_real_books_come_back_from_their_tokens(tmp_path, shared_data):
    books = shared_data / "text"
    corpus = build_corpus(
        prepare_spec(books, tokenizer=BpeTokenizer(vocab_size=1000)), tmp_path / "c"
    )
    found = {}
    for split in (corpus.train, corpus.validation):
        for number in range(split.n_documents):
            info = split.document(number)
            ids = split.read(info.start, info.start + info.n_tokens)
            found.setdefault(info.path, []).append(corpus.tokenizer.decode(ids))
    for path in books.iterdir():
        text = path.read_bytes().decode().removeprefix("\ufeff")
        assert "".join(found.pop(str(path))) == text
    assert not found


# --- files that change between the two readings --------------------------------------------------


def change_after_survey(monkeypatch, change):
    def then_change(*args, **settings):
        documents = first_reading.survey(*args, **settings)
        change()
        return documents

    monkeypatch.setattr(build, "survey", then_change)


@pytest.mark.parametrize("part_bytes", [1 << 20, 64])
def test_files_that_change_or_vanish_meanwhile_are_left_out(
    texts, tmp_path, monkeypatch, part_bytes
):
    monkeypatch.setattr(reading, "PART_BYTES", part_bytes)
    monkeypatch.setattr(tokenise, "BATCH_BYTES", 64)
    titles = ("00.txt", "07.txt", "12.txt", "13.txt", "29.txt")

    def change():
        (texts / titles[0]).write_text("another text " * 100)
        (texts / titles[1]).write_text((texts / titles[1]).read_text()[:-1] + "!")
        (texts / titles[2]).unlink()
        (texts / titles[3]).write_bytes((texts / titles[3]).read_bytes() + b"\0")
        with (texts / titles[4]).open("a") as file:
            file.write("and one line more\n")

    change_after_survey(monkeypatch, change)
    changed = build_corpus(
        prepare_spec(texts, tokenizer=ByteTokenizer()), tmp_path / "changed", shard_tokens=100
    )
    skipped = {group.reason: group.count for group in changed.manifest.source.skipped}
    assert skipped == {"changed": 4, "vanished": 1}
    monkeypatch.undo()
    for title in titles:
        (texts / title).unlink(missing_ok=True)
    left = build_corpus(
        prepare_spec(texts, tokenizer=ByteTokenizer()), tmp_path / "left", shard_tokens=100
    )
    changed.verify()
    assert changed.fingerprint == left.fingerprint


@pytest.mark.parametrize("part_bytes", [1 << 20, 64])
def test_a_single_book_that_changes_meanwhile_is_an_error(tmp_path, monkeypatch, part_bytes):
    monkeypatch.setattr(reading, "PART_BYTES", part_bytes)
    book = tmp_path / "book.txt"
    book.write_text("line\n" * 1000)
    change_after_survey(monkeypatch, lambda: book.write_text("lime\n" * 1000))
    with pytest.raises(DataError, match=r"book\.txt changed while it was read"):
        build_corpus(prepare_spec(book), tmp_path / "c")
    assert not list(tmp_path.glob("c*"))


# --- resources ---------------------------------------------------------------------------------


def test_memory_stays_flat_on_a_file_larger_than_what_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PART_BYTES", 1 << 16)
    monkeypatch.setattr(tokenise, "BATCH_BYTES", 1 << 16)
    big = tmp_path / "big.txt"
    big.write_text("All work and no play makes a dull text.\n" * 500_000)  # 20 MB
    # Statistics have a bound of their own, which is larger than this.
    monkeypatch.setattr(build, "write_statistics", lambda *_: None)
    tracemalloc.start()
    corpus = build_corpus(prepare_spec(big, tokenizer=ByteTokenizer()), tmp_path / "c")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert corpus.train.n_bytes + corpus.validation.n_bytes == big.stat().st_size
    assert peak < 6_000_000


def test_results_come_in_order_and_no_more_are_under_way_than_agreed():
    running, most, guard = 0, 0, threading.Lock()
    taken = 0

    def items():
        nonlocal taken
        for n in range(100):
            taken += 1
            yield n

    def work(n):
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.001 * (n % 3))
        with guard:
            running -= 1
        return n

    for expected, result in enumerate(tokenise.ordered_map(work, items(), 3)):
        assert result == expected
        assert taken - expected <= 8
    assert most <= 3


def test_reading_ends_when_the_reader_is_told_to_stop(texts, tmp_path):
    class StopError(Exception):
        pass

    for phase in (
        "looking for files",
        "reading",
        "learning the tokenizer",
        "tokenising",
        "hashing",
        "saving",
    ):

        def report(now, *_, phase=phase):
            if now == phase:
                raise StopError

        with pytest.raises(StopError):
            build_corpus(prepare_spec(texts), tmp_path / "c", report=report)
        assert not (tmp_path / "c").exists()
    assert not [t for t in threading.enumerate() if t.name.startswith("tokenise")]


def test_the_data_package_never_needs_torch():
    program = "import sys, trainer_core.data.preparing.verb; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode
        == 0
    )
