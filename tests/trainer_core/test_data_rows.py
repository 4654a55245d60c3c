"""Datasets that the library `datasets` reads, by name, from a folder, or saved."""

import threading

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_for_tests import read_source, survey_of

from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources import fetching, hub, loading
from trainer_core.data.sources.opening import open_source
from trainer_core.data.sources.skipped import Skipped
from trainer_core.errors import DataError, DiskFullError, ExitCode, KnownError
from trainer_core.job import run_job
from trainer_core.known_datasets import KNOWN_DATASETS
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    HubDataset,
    PrepareSpec,
    SavedDataset,
    TextFiles,
    from_toml,
    to_toml,
)
from trainer_core.status import read_status

TEXTS = [f"The text of row {number}, " * 5 for number in range(1, 41)]


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """A folder laid out like a dataset of the Hub, with two splits."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "tales"
    (folder / "data").mkdir(parents=True)
    for split, texts in (("train", TEXTS), ("test", ["held out"])):
        table = pa.table({"id": list(range(len(texts))), "text": texts, "url": ["u"] * len(texts)})
        pq.write_table(table, folder / "data" / f"{split}-00000.parquet")
    return folder


def expected(texts=TEXTS, title="tales"):
    return {f"{title} row {number}": text for number, text in enumerate(texts, 1)}


@pytest.mark.parametrize("streaming", [True, False])
def test_every_row_is_a_document(hub_folder, streaming):
    source = HubDataset(repo=str(hub_folder), streaming=streaming)
    assert read_source(source) == (expected(), {})
    document = next(iter(survey_of(source).again()))
    assert document.path == f"{hub_folder} row 1"


def test_another_split_and_another_column_are_read_when_asked_for(hub_folder):
    assert read_source(HubDataset(repo=str(hub_folder), split="test"))[0] == expected(["held out"])
    texts, counts = read_source(HubDataset(repo=str(hub_folder), field="url"))
    assert texts == {"tales row 1": "u"}
    assert counts == {"duplicate": 39}


def test_a_folder_of_json_lines_is_read_by_the_same_way(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train.jsonl").write_text(
        '{"text": "one"}\n{"text": null}\n{"text": ""}\n{"text": "four"}\n'
    )
    texts, counts = read_source(HubDataset(repo=str(tmp_path / "in")))
    assert texts == {"in row 1": "one", "in row 4": "four"}
    assert counts == {"empty": 2}


def test_a_subset_is_one_of_the_folders_that_the_card_names(hub_folder):
    (hub_folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: small\n  data_files: data/test-*\n"
        "- config_name: large\n  data_files: data/train-*\n---\n"
    )
    source = HubDataset(repo=str(hub_folder), subset="small", split="train")
    assert read_source(source)[0] == expected(["held out"])
    assert len(read_source(HubDataset(repo=str(hub_folder), subset="large"))[0]) == 40


def test_reading_stops_after_the_wanted_amount_of_text(hub_folder):
    source = HubDataset(repo=str(hub_folder), max_bytes=100)
    assert read_source(source)[0] == expected(TEXTS[:2])


@pytest.mark.parametrize(
    ("settings", "words", "setting"),
    [
        ({"split": "nope"}, "train", "split"),
        ({"subset": "nope"}, "default", "subset"),
        ({"field": "nope"}, "There are: id, text, url", "field"),
    ],
)
def test_a_wrong_name_is_an_error_that_says_what_there_is(hub_folder, settings, words, setting):
    with pytest.raises(DataError, match=words) as caught:
        read_source(HubDataset(repo=str(hub_folder), **settings))
    assert caught.value.field == f"source.{setting}"


def test_columns_that_tell_nothing_are_an_error_too(tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"a": ["x"], "b": ["y"]}), tmp_path / "in" / "train.parquet")
    with pytest.raises(DataError, match="no column is surely its text"):
        read_source(HubDataset(repo=str(tmp_path / "in")))


def test_without_a_network_the_job_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "OPENING_PATIENCE_S", 0.0)
    spec = PrepareSpec(source=HubDataset(repo="nobody/no-such-dataset"), tokenizer=ByteTokenizer())
    assert run_job(tmp_path / "job", spec) == ExitCode.KNOWN_ERROR
    ended = read_status(tmp_path / "job").ended
    assert "nobody/no-such-dataset" in ended.what
    assert "the Hub cannot be reached (" in ended.what
    assert "Connect to the internet" in ended.do
    assert ended.field == "source.repo"
    assert not list((tmp_path / "job").glob("corpus*"))


class Table:
    """What the library gives for a dataset of the Hub."""

    features = None
    split = None

    def state_dict(self):
        return {}


def on_the_hub(monkeypatch, table):
    monkeypatch.setattr(hub, "_newest", lambda source: "c0ffee")
    monkeypatch.setattr(hub, "streamed", lambda source, revision: (table, []))


class Failing(Table):
    """A dataset whose network is lost after some rows."""

    def __init__(self, error):
        self.error = error

    def __iter__(self):
        yield from ({"text": text} for text in TEXTS[:9])
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ConnectionError("the line is dead"), DataError, "Connect to the internet"),
        (OSError(28, "No space left on device"), DiskFullError, "disk is full"),
        (pa.ArrowInvalid("JSON parse error in row 3"), DataError, "JSON parse error in row 3"),
        (
            RuntimeError("Dataset scripts are no longer supported, but found a.py"),
            DataError,
            "refs",
        ),
    ],
)
def test_a_dataset_that_fails_in_the_middle_gives_no_half_corpus(
    tmp_path, monkeypatch, error, kind, words
):
    monkeypatch.setattr(fetching, "PATIENCE_S", 0.0)
    on_the_hub(monkeypatch, Failing(error))
    spec = PrepareSpec(source=HubDataset(repo="a/b"), tokenizer=ByteTokenizer())
    with pytest.raises(kind, match=words):
        build_corpus(spec, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_a_bug_in_loading_is_not_taken_for_a_bad_name(monkeypatch):
    class BugError(Exception):
        pass

    def load(*_, **__):
        raise BugError

    monkeypatch.setattr(hub, "_newest", load)
    with pytest.raises(BugError):
        read_source(HubDataset(repo="a/b"))


class Streamed(Table):
    """A dataset that counts how often it was read over the network."""

    readings = 0

    def __iter__(self):
        self.readings += 1
        odd = [{"text": None}, {"other": "x"}, {"text": ""}, {"text": "a\0"}, {"text": "\ud83d!"}]
        yield from odd
        yield from ({"text": text} for text in TEXTS)


def test_what_is_streamed_is_read_once_over_the_network(tmp_path, monkeypatch):
    streamed = Streamed()
    on_the_hub(monkeypatch, streamed)
    spec = PrepareSpec(
        source=HubDataset(repo="a/b", field="text"), tokenizer=BpeTokenizer(vocab_size=300)
    )
    corpus = build_corpus(spec, tmp_path / "corpus")
    assert streamed.readings == 1
    skipped = {group.reason: group.count for group in corpus.manifest.source.skipped}
    assert skipped == {"empty": 2, "no_field": 1, "binary": 1}
    texts = {}
    for split in (corpus.train, corpus.validation):
        for number in range(split.n_documents):
            info = split.document(number)
            ids = split.read(info.start, info.start + info.n_tokens)
            texts[info.path] = corpus.tokenizer.decode(ids)
    rows = {f"hf://datasets/a/b@c0ffee row {number}": text for number, text in enumerate(TEXTS, 6)}
    assert texts == {"hf://datasets/a/b@c0ffee row 5": "\ufffd!", **rows}
    assert {path.name for path in corpus.folder.iterdir()} == {
        *("manifest.json", "statistics.json", "tokenizer", "train", "validation")
    }


def test_waiting_for_the_hub_can_be_stopped(tmp_path, monkeypatch):
    class StopError(Exception):
        pass

    answered = threading.Event()
    monkeypatch.setattr(hub, "_newest", lambda source: answered.wait(20))
    ticks = iter(range(3))

    def tick():
        if next(ticks) == 2:
            raise StopError

    with pytest.raises(StopError):
        open_source(HubDataset(repo="a/b"), 1, Skipped(), tick, tmp_path)
    answered.set()


def test_silence_of_the_hub_is_told_and_can_be_stopped(tmp_path, monkeypatch):
    class StopError(Exception):
        pass

    class Silent(Streamed):
        def __iter__(self):
            yield from ({"text": text} for text in TEXTS)
            answered.wait(20)

    def report(phase, done, total, unit):
        told.append((phase, done, total, unit))
        if len(told) == 3:
            raise StopError

    answered, told = threading.Event(), []
    monkeypatch.setattr(fetching, "_QUIET_S", 0.0)
    monkeypatch.setattr(fetching, "_END_S", 0.1)
    on_the_hub(monkeypatch, Silent())
    source = HubDataset(repo="a/b", max_bytes=10**6)
    opened = open_source(source, 1, Skipped(), lambda: None, tmp_path, report=report)
    with pytest.raises(StopError):
        list(opened.documents(opened.files[0], lambda *_: None, lambda _: None))
    answered.set()
    assert set(told) == {("waiting for the Hub", 0, 10**6, "bytes")}


# --- saved folders -------------------------------------------------------------------------------


def test_a_saved_dataset_is_read_with_or_without_splits(tmp_path):
    table = datasets.Dataset.from_dict({"id": [1, 2], "text": ["one", "two"]})
    table.save_to_disk(tmp_path / "alone")
    assert read_source(SavedDataset(path=str(tmp_path / "alone")))[0] == expected(
        ["one", "two"], "alone"
    )
    splits = {"valid": table.select([0]), "train": table}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "both")
    both = str(tmp_path / "both")
    assert read_source(SavedDataset(path=both))[0] == expected(["one", "two"], "both")
    assert read_source(SavedDataset(path=both, split="valid"))[0] == expected(["one"], "both")
    with pytest.raises(DataError, match="no split 'test', but valid, train") as caught:
        read_source(SavedDataset(path=both, split="test"))
    assert caught.value.field == "source.split"
    assert read_source(SavedDataset(path=both, max_bytes=1))[0] == expected(["one"], "both")


def test_a_saved_dataset_among_text_files_is_known_for_what_it_is(tmp_path):
    datasets.Dataset.from_dict({"x": ["1"], "song": ["one"]}).save_to_disk(tmp_path / "saved")
    path = str(tmp_path / "saved")
    assert read_source(TextFiles(paths=(path,), field="song"))[0] == expected(["one"], "saved")
    (tmp_path / "a.txt").write_text("text\n")
    with pytest.raises(DataError, match="add it as a source of its own") as caught:
        read_source(TextFiles(paths=(path, str(tmp_path / "a.txt"))))
    assert caught.value.field == "source.paths"


def test_a_chosen_order_of_a_saved_dataset_is_kept(tmp_path):
    table = datasets.Dataset.from_dict({"text": ["a", "b", "c", "d"]}).select([2, 0, 3])
    table.save_to_disk(tmp_path / "picked")
    texts, _ = read_source(SavedDataset(path=str(tmp_path / "picked")))
    assert list(texts.values()) == ["c", "a", "d"]


def test_a_saved_dataset_that_is_damaged_or_absent_is_a_known_error(tmp_path):
    datasets.Dataset.from_dict({"text": ["one", "two"]}).save_to_disk(tmp_path / "saved")
    for absent in (str(tmp_path / "absent"), "~nobody-has-this-name/absent", "absent\0"):
        with pytest.raises(DataError, match="absent"):
            read_source(SavedDataset(path=absent))
        with pytest.raises(DataError, match="absent"):
            read_source(HubDataset(repo=absent))
    for name, content in [
        ("data-00000-of-00001.arrow", b"damaged"),
        ("state.json", b"{}"),
        ("dataset_info.json", b"no JSON"),
    ]:
        whole = (tmp_path / "saved" / name).read_bytes()
        (tmp_path / "saved" / name).write_bytes(content)
        with pytest.raises(KnownError) as caught:
            read_source(SavedDataset(path=str(tmp_path / "saved")))
        assert "saved" in caught.value.what
        (tmp_path / "saved" / name).write_bytes(whole)


# --- the whole way -------------------------------------------------------------------------------


def test_a_dataset_becomes_a_corpus(hub_folder, tmp_path):
    spec = PrepareSpec(
        source=HubDataset(repo=str(hub_folder)), tokenizer=ByteTokenizer(), validation_fraction=0.2
    )
    assert from_toml(to_toml(spec)) == spec
    corpus = build_corpus(spec, tmp_path / "corpus")
    assert corpus.train.n_documents + corpus.validation.n_documents == 40
    assert corpus.train.document(0).title.startswith("tales row ")
    assert corpus.manifest.source.description == f"Hugging Face dataset: {hub_folder}, train"


def test_the_known_datasets_have_settings_and_a_licence():
    assert len({known.title for known in KNOWN_DATASETS}) == len(KNOWN_DATASETS)
    for known in KNOWN_DATASETS:
        spec = PrepareSpec(source=known.source, name=known.title)
        assert from_toml(to_toml(spec)) == spec
        assert known.licence
        assert known.source.repo.count("/") == 1
