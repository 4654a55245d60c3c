"""`lookup`, `duplicates`, `contamination` and `value` as jobs and on the command line."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import POEM, make_corpus

from trainer_core import spec as specs
from trainer_core.__main__ import main
from trainer_core.answers.asked import open_asked
from trainer_core.errors import ExitCode, IndexFileError, SpecError
from trainer_core.index import build_index
from trainer_core.job import freeze_spec, run_job
from trainer_core.journal import read_records
from trainer_core.records import Ended, Progress, Result
from trainer_core.status import JOURNAL_FILE


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """An index job's folder, as the verb `index` leaves it."""
    home = tmp_path_factory.mktemp("answers")
    corpus = make_corpus(home, specs.BpeTokenizer(vocab_size=420))
    freeze_spec(home / "job", specs.IndexSpec(corpus=str(corpus.folder)))
    build_index(corpus.folder, home / "job" / "index")
    return home / "job"


@pytest.fixture
def benchmark(tmp_path):
    """Texts of which one is in the training text, one in part, one not, and one is too short."""
    strange = "Zebras quietly juggle 1789 violet xylophones behind Reykjavik's foggy quay. " * 4
    (tmp_path / "poem.txt").write_text(POEM, encoding="utf-8")
    lines = [
        {"text": "hm"},
        {"text": strange + POEM.splitlines()[1] + strange},
        {"text": strange, "other": POEM},
    ]
    jsonl = "\n\n".join(json.dumps(line) for line in lines) + "\n"
    (tmp_path / "lines.jsonl").write_text(jsonl, encoding="utf-8")
    return tmp_path


def printed(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == ExitCode.OK
    return capsys.readouterr().out


def values_of(capsys, *arguments):
    return json.loads(printed(capsys, *arguments, "--json"))


def refused(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert not shown.out
    assert "Traceback" not in shown.err
    return code, shown.err


def child(*arguments, text=None):
    command = [sys.executable, "-m", "trainer_core", *map(str, arguments)]
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "90"},
    )


def test_the_command_prints_json_and_nothing_else(job):
    done = child("lookup", job, "-", "--json", "--top", "2", text="a beautiful pea-green b\n")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["text"] == "a beautiful pea-green b"
    assert found["match"]["text"] == "a beautiful pea-green b"
    assert found["continuations"][0]["text"].startswith("o")
    assert len(found["sources"]) == 5


def test_a_lookup_reads_as_a_page(job):
    done = child("lookup", job, "They took some honey, and pl", "--sources", "1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("The text stands ")
    assert "«They took some honey, and pl»enty of money" in done.stdout
    assert max(map(len, lines)) <= 90


def test_the_other_answers_read_as_pages(job, benchmark, capsys):
    page = printed(capsys, "duplicates", job)
    assert "Runs of 32 tokens or more" in page
    assert "O lovely Pussy!" in page
    page = printed(capsys, "value", job)
    assert "With less training text" in page
    assert "percentage points" in page
    page = printed(capsys, "contamination", job, benchmark)
    assert "contained" in page
    assert "poem.txt: " in page
    assert printed(capsys, "lookup", job, "ж").startswith("Nothing in the training text")
    page = printed(capsys, "lookup", job, "Zebras took some honey")
    assert "as a whole does not stand" in page
    assert "\n    took some honey\n" in page


def test_which_texts_stand_in_the_training_text(job, benchmark, capsys):
    found = values_of(capsys, "contamination", job, benchmark)
    assert (found["contained"], found["overlapping"], found["clean"], found["short"]) == (
        1,
        1,
        1,
        1,
    )
    assert found["texts"] == 4
    contained, overlapping, *_ = found["found"]
    assert contained["name"] == str(benchmark / "poem.txt")
    assert contained["longest_text"] in POEM
    assert contained["share"] > 0.9
    assert contained["source"]["title"].startswith("texts/verse-")
    text = Path(contained["source"]["path"]).read_bytes()
    assert contained["source"]["text"] == hashlib.blake2b(text, digest_size=16).hexdigest()
    assert overlapping["name"] == f"{benchmark / 'lines.jsonl'}:3"
    assert POEM.splitlines()[1][10:-10] in overlapping["longest_text"]
    assert [text["verdict"] for text in found["found"][2:]] == ["clean", "short"]
    other = values_of(
        capsys,
        "contamination",
        job,
        benchmark / "lines.jsonl",
        "--top",
        "1",
        "--least-tokens",
        "32",
    )
    assert (other["least_tokens"], len(other["found"]), other["texts"]) == (32, 1, 3)


def test_without_files_the_held_out_documents_are_compared(job, capsys):
    found = values_of(capsys, "contamination", job)
    corpus = open_asked(specs.DuplicatesSpec(index=str(job))).corpus
    assert found["texts"] == corpus.validation.n_documents
    assert found["tokens"] == corpus.validation.n_tokens - corpus.validation.n_documents
    assert found["contained"] == found["texts"]


def test_what_is_no_text_is_passed_over(job, benchmark, capsys):
    (benchmark / "binary.txt").write_bytes(b"a\0b")
    (benchmark / "empty.txt").write_bytes(b" \n")
    (benchmark / "latin.txt").write_bytes("é".encode("latin-1"))
    found = values_of(capsys, "contamination", job, benchmark)
    assert found["texts"] == 4
    assert {entry["name"].rsplit("/", 1)[-1] for entry in found["skipped"]} == {
        "binary.txt",
        "empty.txt",
        "latin.txt",
    }
    code, error = refused(capsys, "contamination", job, benchmark / "binary.txt")
    assert code == ExitCode.KNOWN_ERROR
    assert "no text to compare" in error


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is no JSON"),
        ('{"question": "why", "n": 3}', "no text `text`; its texts are: question"),
        ("[1]", "no text `text`"),
        ('{"text": 3}', "no text `text`"),
        (b"\xff", "line 2 is no JSON"),
    ],
)
def test_a_bad_line_is_named(job, tmp_path, capsys, line, said):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"text": "good"}\n' + (line if isinstance(line, bytes) else line.encode()))
    code, error = refused(capsys, "contamination", job, path)
    assert code == ExitCode.KNOWN_ERROR
    assert said in error


def test_a_job_gives_the_same_values(job, tmp_path, capsys):
    questions = {
        "lookup": specs.LookupSpec(index=str(job), text="The owl and"),
        "duplicates": specs.DuplicatesSpec(
            index=str(job / "index"), corpus=str(job.parent / "corpus")
        ),
        "contamination": specs.ContaminationSpec(index=str(job)),
        "value": specs.ValueSpec(index=str(job)),
    }
    for verb, spec in questions.items():
        folder = tmp_path / verb
        assert run_job(folder, spec) == ExitCode.OK
        records, _ = read_records(folder / JOURNAL_FILE)
        (result,) = [record for record in records if isinstance(record, Result)]
        text = [spec.text] if verb == "lookup" else []
        assert result.values == values_of(capsys, verb, job, *text)
        assert verb == "lookup" or any(isinstance(record, Progress) for record in records)


def test_a_result_too_long_for_a_journal_loses_the_end_of_its_lists(job, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer_core.answers.verb.RESULT_BYTES_MAX", 1500)
    assert (
        run_job(tmp_path / "ask", specs.LookupSpec(index=str(job), text="The owl")) == ExitCode.OK
    )
    records, _ = read_records(tmp_path / "ask" / JOURNAL_FILE)
    (result,) = [record for record in records if isinstance(record, Result)]
    assert 0 < len(result.values["sources"]) < 5
    assert result.values["match"]["count"] > 5


def test_the_index_is_found_in_a_training_run_and_in_a_tour(job, tmp_path):
    corpus = job.parent / "corpus"
    run = specs.TrainSpec(corpus=str(corpus), index=str(job / "index"))
    freeze_spec(tmp_path / "run", run)
    assert (
        open_asked(specs.DuplicatesSpec(index=str(tmp_path / "run"))).index.folder == job / "index"
    )
    (tmp_path / "tour").mkdir()
    (tmp_path / "tour" / "index").symlink_to(job)
    freeze_spec(tmp_path / "tour", specs.TourSpec())
    assert open_asked(specs.DuplicatesSpec(index=str(tmp_path / "tour"))).corpus.folder == corpus


def test_what_does_not_fit_together_is_refused(job, tmp_path, capsys):
    code, error = refused(capsys, "lookup", tmp_path / "nowhere", "text")
    assert (code, "There is no index" in error) == (ExitCode.KNOWN_ERROR, True)
    code, error = refused(capsys, "lookup", job, "text", "--corpus", tmp_path)
    assert code == ExitCode.KNOWN_ERROR
    other = make_corpus(tmp_path / "other", specs.ByteTokenizer())
    code, error = refused(capsys, "duplicates", job, "--corpus", other.folder)
    assert (code, "belongs to another corpus" in error) == (ExitCode.KNOWN_ERROR, True)
    code, error = refused(capsys, "contamination", job, tmp_path / "gone.txt")
    assert (code, "does not exist" in error) == (ExitCode.KNOWN_ERROR, True)
    code, error = refused(capsys, "contamination", job, "--least-tokens", "40")
    assert (code, "32 tokens, not 40" in error) == (ExitCode.USAGE, True)
    for options in (["lookup", job, ""], ["value", job, "--positions", "0"]):
        assert refused(capsys, *options)[0] == ExitCode.USAGE


def test_an_index_alone_does_not_say_which_corpus_it_has(job, tmp_path):
    build_index(job.parent / "corpus", tmp_path / "index")
    with pytest.raises(SpecError, match="which corpus"):
        open_asked(specs.DuplicatesSpec(index=str(tmp_path / "index")))
    with pytest.raises(IndexFileError):
        open_asked(specs.DuplicatesSpec(index=str(job.parent / "corpus")))


def test_a_job_that_fails_says_why(tmp_path):
    folder = tmp_path / "ask"
    assert run_job(folder, specs.ValueSpec(index=str(tmp_path))) == ExitCode.KNOWN_ERROR
    records, _ = read_records(folder / JOURNAL_FILE)
    assert isinstance(records[-1], Ended)
    assert "There is no index" in records[-1].what
