"""The preview: what is there, what would be read, and nothing left behind."""

import gzip
import json
import random
import subprocess
import sys

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_for_tests import zip_of
from hub_for_tests import REPO, LocalHub
from train_for_tests import ended, result

from trainer_core import spec as specs
from trainer_core.__main__ import main
from trainer_core.data.preview import verb
from trainer_core.data.preview.reading import SHOWN_BYTES
from trainer_core.data.preview.report import REPORT_NAME, Preview
from trainer_core.errors import ExitCode, SpecError
from trainer_core.job import run_job
from trainer_core.spec import CleaningConfig, HubDataset, PreviewSpec, RuleLines, TextFiles


def preview(folder, *sources, **settings):
    """The preview of some sources, each a path or a source, as its file has it."""
    sources = tuple(
        one if isinstance(one, msgspec.Struct) else TextFiles(paths=(str(one),), name=one.stem)
        for one in sources
    )
    job = folder / "job"
    run_job(job, PreviewSpec(sources=sources, **settings))
    assert sorted(path.name for path in job.iterdir() if path.is_dir()) == []
    return msgspec.json.decode((job / REPORT_NAME).read_bytes(), type=Preview)


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.txt").write_text(f"{number} " + "word " * 199 + "\n")
    (folder / "twin.txt").write_bytes((folder / "39.txt").read_bytes())
    (folder / "zero.txt").write_bytes(b"\0")
    return folder


def test_the_first_documents_are_shown_and_everything_is_counted(tmp_path, texts):
    (source,) = preview(tmp_path, texts, documents=2).sources
    assert [d.title for d in source.documents] == ["texts/00.txt", "texts/01.txt"]
    first = source.documents[0]
    assert first.text == (texts / "00.txt").read_text()
    assert (first.bytes, first.cut, first.path) == (998, False, str(texts / "00.txt"))
    assert (source.documents_read, source.documents_total) == (40, 40)
    assert source.bytes_read == source.bytes_total
    assert {g.reason: g.count for g in source.skipped} == {"binary": 1, "duplicate": 1}
    values = result(tmp_path / "job")
    assert (values["documents"], values["bytes"]) == (40, source.bytes_read)


def test_a_beginning_tells_about_how_much_there_is(tmp_path, texts):
    (source,) = preview(tmp_path, texts, max_bytes=10_000).sources
    assert 10_000 <= source.bytes_read < 12_000
    assert source.documents_read == 11
    assert source.documents_total == pytest.approx(41, abs=2)
    assert source.bytes_total == pytest.approx(41_000, rel=0.05)


def test_of_a_source_that_is_read_in_part_no_more_than_that_is_promised(tmp_path):
    library = specs.PythonLibrary(max_bytes=2_000_000)
    (source,) = preview(tmp_path, library, max_bytes=500_000).sources
    assert source.bytes_total == pytest.approx(2_000_000, rel=0.01)
    share = source.bytes_read / source.bytes_total
    assert source.documents_total == pytest.approx(source.documents_read / share, abs=1)


def test_a_long_document_is_read_as_far_as_asked(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("All work and no play.\n" * 500_000)
    (source,) = preview(tmp_path, book, max_bytes=3_000_000).sources
    (document,) = source.documents
    assert document.cut
    assert len(document.text) == SHOWN_BYTES
    assert 3_000_000 <= document.bytes < 5_000_000
    assert source.bytes_total == pytest.approx(11_000_000, rel=0.3)


def test_a_document_that_just_fits_is_not_called_cut(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("short\n")
    (source,) = preview(tmp_path, note, max_bytes=6).sources
    assert not source.documents[0].cut
    assert source.documents_total == 1


def test_a_cut_between_the_bytes_of_a_character_shows_whole_ones(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("a" + "é" * 5000, encoding="utf-8")
    (source,) = preview(tmp_path, note).sources
    assert source.documents[0].text == "a" + "é" * ((SHOWN_BYTES - 1) // 2)


def rows(folder, name):
    """A file with three columns of which two hold text, in one of the formats."""
    path = folder / name
    table = [{"id": n, "title": f"title {n}", "text": f"text number {n}"} for n in range(5)]
    ending = name.removesuffix(".gz").split(".")[-1]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
        return path
    lines = {
        "jsonl": "\n".join(json.dumps(row) for row in table),
        "json": json.dumps(table),
        "csv": "title;text\n" + "\n".join(f"{r['title']};{r['text']}" for r in table),
    }[ending]
    data = lines.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.jsonl.gz"])
def test_columns_are_found_so_that_another_can_be_chosen(tmp_path, name):
    path = rows(tmp_path, name)
    (source,) = preview(tmp_path, path).sources
    assert (source.fields, source.field) == (("title", "text"), "text")
    assert source.documents[0].text == "text number 0"
    other = tmp_path / "other"
    other.mkdir()
    (source,) = preview(other, TextFiles(paths=(str(path),), field="title")).sources
    assert source.field == "title"
    assert source.documents[0].text == "title 0"


def test_text_and_broken_tables_have_no_columns(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    broken = {"a.parquet": b"PAR1 no", "b.jsonl": b"{", "c.csv": b"", "d.json": b"[1"}
    for name, data in broken.items():
        (folder / name).write_bytes(data)
    (folder / "e.zip").write_bytes(zip_of({"a.txt": b"in a zip"}))
    (source,) = preview(tmp_path, folder).sources
    assert source.fields == ()
    assert [d.text for d in source.documents if d.title.endswith("a.txt")] == ["in a zip"]


def test_cleaning_shows_what_it_would_do(tmp_path, texts):
    (texts / "untidy.txt").write_text("one  \r\ntwo\n")
    cleaning = CleaningConfig(whitespace=True, min_characters=20, exclude=(str(texts / "07.txt"),))
    (source,) = preview(tmp_path, texts, cleaning=cleaning).sources
    steps = {step.step: step for step in source.steps}
    assert steps["whitespace"].changed == 41
    assert (steps["length"].left_out, steps["exclude"].left_out) == (1, 1)
    assert steps["length"].examples[0].before == "one\ntwo\n"
    assert source.documents[0].text.endswith("word\n")


def test_near_duplicates_are_told_across_sources(tmp_path):
    words = [f"w{n}" for n in range(300)]
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text(" ".join(words))
    words[100] = "changed"
    other.write_text(" ".join(words))
    near = preview(
        tmp_path, one, other, cleaning=CleaningConfig(near_duplicates="remove")
    ).near_duplicates
    assert (near.kinds, near.documents, near.removed, near.held_out) == (1, 1, True, 0)
    (pair,) = near.pairs
    assert (pair.first, pair.later) == (str(one), str(other))
    assert 0.9 < pair.similarity < 1.0


def test_a_preview_that_was_killed_leaves_nothing_to_the_next(tmp_path, texts, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(verb.Beginning, "read", kill)
        patch.setattr(verb.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            preview(tmp_path, texts)
    assert (tmp_path / "job" / verb.SCRATCH_FOLDER).is_dir()
    (source,) = preview(tmp_path, texts).sources
    assert source.documents_read == 40


def test_one_source_that_fails_does_not_hide_the_others(tmp_path, texts):
    found = preview(tmp_path, tmp_path / "nowhere", texts)
    assert "nowhere" in found.sources[0].failed.what
    assert found.sources[0].failed.field == "sources[0].paths[0]"
    assert found.sources[1].documents_read == 40
    end = ended(tmp_path / "job")
    assert (end.exit_code, end.field) == (ExitCode.KNOWN_ERROR, "sources[0].paths[0]")


def test_a_wrong_hook_is_named(tmp_path, texts):
    preview(tmp_path, texts, cleaning=CleaningConfig(hook=str(tmp_path / "none.py")))
    assert ended(tmp_path / "job").field == "cleaning.hook"


def test_a_rule_task_and_an_empty_folder_are_no_surprise(tmp_path):
    (tmp_path / "empty").mkdir()
    rules, nothing = preview(
        tmp_path, RuleLines(task="addition", lines=50), tmp_path / "empty"
    ).sources
    assert rules.documents[0].text.count(";") == 50
    assert (nothing.documents_read, nothing.documents_total, nothing.failed) == (0, 0, None)


def test_a_hub_dataset_is_looked_at_without_fetching_it_all(tmp_path):
    data = tmp_path / "dataset"
    data.mkdir()
    draw = random.Random(1)
    texts = [f"row {n} {draw.randbytes(5_000).hex()}" for n in range(1600)]
    table = pa.table({"text": texts, "url": ["u"] * 1600})
    pq.write_table(table, data / "train.parquet", row_group_size=20)
    hub = LocalHub(data)
    spec = tmp_path / "preview.toml"
    spec.write_text(
        specs.to_toml(PreviewSpec(source=HubDataset(repo=REPO, streaming=False), max_bytes=50_000))
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trainer_core", "preview", str(spec), "--json"],
            env=hub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        served = hub.served
    finally:
        hub.close()
    assert done.returncode == 0, done.stderr
    (source,) = msgspec.json.decode(done.stdout, type=Preview).sources
    assert source.documents_read == 5
    assert (source.fields, source.field) == (("text", "url"), "text")
    assert served < (data / "train.parquet").stat().st_size / 2


@pytest.mark.parametrize(
    "wrong", [{"max_bytes": -1}, {"documents": 0}, {"documents": 201}, {"sources": []}]
)
def test_absurd_settings_are_refused(texts, wrong):
    values = {"sources": [{"kind": "text_files", "paths": [str(texts)]}], **wrong}
    with pytest.raises(SpecError):
        specs.convert(values, PreviewSpec, "the preview")


# --- in the terminal -----------------------------------------------------------------------------


def test_the_terminal_shows_what_was_found(tmp_path, texts, capsys):
    path = rows(tmp_path, "rows.jsonl")
    assert main(["preview", str(texts), str(path), "--documents", "1"]) == 0
    shown = capsys.readouterr().out
    assert "texts/00.txt, 998 bytes" in shown
    assert "45 documents" in shown
    assert "Left out 1: the same text as an earlier document" in shown
    assert "The text is in the field text (others: title)." in shown


def test_the_terminal_takes_the_file_of_a_preparation(tmp_path, texts, capsys):
    file = tmp_path / "prepare.toml"
    spec = specs.PrepareSpec(
        source=TextFiles(paths=(str(texts),)),
        cleaning=CleaningConfig(whitespace=True, near_duplicates="report"),
    )
    file.write_text(specs.to_toml(spec))
    assert main(["preview", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "White space tidied: 41 changed" in shown
    assert "nearly equal" in shown
    file.write_text(specs.to_toml(specs.TrainSpec(corpus="c")))
    assert main(["preview", str(file)]) == ExitCode.USAGE
    assert "reads no text" in capsys.readouterr().err


def test_the_terminal_says_what_is_wrong_and_prints_json(tmp_path, texts, capsys):
    assert main(["preview", str(tmp_path / "nowhere")]) == ExitCode.KNOWN_ERROR
    assert "nowhere" in capsys.readouterr().err
    assert main(["preview", str(texts), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"][0]["documents_read"] == 40
    assert main(["preview", str(texts), "--documents", "0"]) == ExitCode.USAGE
