"""The share of a whole preparation rises from its beginning to its end."""

import pytest

from trainer_core.data.preparing import progress
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.preparing.progress import WholeProgress
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    CleaningConfig,
    PrepareSpec,
    TextFiles,
)


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "texts").mkdir()
    for number in range(40):
        (tmp_path / "texts" / f"{number}.txt").write_text(f"Text number {number}. " * 30)
    return TextFiles(paths=(str(tmp_path / "texts"),))


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), BpeTokenizer(vocab_size=280)])
@pytest.mark.parametrize("near", ["off", "remove"])
def test_the_share_rises_and_ends_at_one(texts, tmp_path, tokenizer, near, monkeypatch):
    monkeypatch.setattr(progress, "_PERIOD_S", 0.0)
    cleaning = CleaningConfig(near_duplicates=near, similarity=1.0)
    spec = PrepareSpec(source=texts, tokenizer=tokenizer, cleaning=cleaning)
    told = []
    whole = WholeProgress(spec, lambda *one: told.append(one))
    build_corpus(spec, tmp_path / "corpus", report=whole.report)
    shares = [share for *_, share, _ in told if share is not None]
    phases = [phase for phase, *_, share, _ in told if share is None]
    assert set(phases) == {"looking for files"}
    assert shares == sorted(shares)
    assert shares[0] < 0.2
    assert shares[-1] == 1.0
    assert len(set(shares)) > 20


def test_it_tells_not_more_often_than_anybody_looks(texts):
    told = []
    whole = WholeProgress(PrepareSpec(source=texts), lambda *one: told.append(one))
    for done in range(1000):
        whole.report("reading", done, 1000, "bytes")
    whole.report("reading", 1000, 1000, "bytes")
    assert 2 <= len(told) < 20
    assert told[-1][1:3] == (1000, 1000)


def test_what_cannot_be_used_is_told_while_it_is_read(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_PERIOD_S", 0.0)
    (tmp_path / "texts" / "10x.bin").write_bytes(b"a\0b")
    (tmp_path / "texts" / "20x.txt").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "texts" / "30x.txt").write_bytes(b"")  # nothing that a person would mend
    spec = PrepareSpec(source=texts, tokenizer=ByteTokenizer())
    told = []
    whole = WholeProgress(spec, lambda *one: told.append(one))
    build_corpus(spec, tmp_path / "corpus", report=whole.report, watch=whole.watch)
    reading = [left_out for phase, *_, left_out in told if phase == "reading"]
    assert reading == sorted(reading)
    assert set(reading) == {0, 1, 2}
    assert told[-1][-1] == 2
