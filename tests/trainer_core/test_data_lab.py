"""The tokenizer lab: fair to each candidate, true in its figures, whole or absent."""

import base64
import json

import msgspec
import numpy as np
import pytest
from tokenizer_files import FILES
from train_for_tests import ended, journal, notes, result, write_texts

from trainer_core import spec as specs
from trainer_core.__main__ import main
from trainer_core.data.corpus import open_corpus
from trainer_core.data.lab.report import REPORT_NAME, Comparison
from trainer_core.data.lab.scripts import ScriptCounts, script_of
from trainer_core.data.lab.texts import Document, TextFile, Wanted, gather
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.tokenizers.kinds import ByteTokenizer, load_tokenizer
from trainer_core.errors import DataError, ExitCode, SpecError
from trainer_core.job import Job, JobStopped, run_job
from trainer_core.records import Progress


def silent(*_):
    """Take no notice."""


@pytest.fixture
def texts(tmp_path):
    folder = write_texts(tmp_path / "texts", documents=30, words=600)
    for number in range(8):
        text = f"{number}: " + "Съешь же ещё этих мягких булок.\n" * 10
        (folder / f"russian {number}.txt").write_text(text, encoding="utf-8")
    return folder


def lab(folder, *candidates, **settings):
    source = settings.pop("source", None)
    spec = specs.TokenizersSpec(
        candidates=candidates, **({"source": source} if source else {}), **settings
    )
    code = run_job(folder, spec)
    return code, spec


def compare(folder, *candidates, **settings):
    code, _ = lab(folder, *candidates, **settings)
    assert code == ExitCode.OK, ended(folder)
    return msgspec.json.decode((folder / REPORT_NAME).read_bytes(), type=Comparison)


def files(folder):
    return specs.TextFiles(paths=(str(folder),))


def test_figures_are_those_of_the_text_that_was_measured(texts, tmp_path):
    own = specs.BpeTokenizer(vocab_size=300)
    found = compare(tmp_path / "lab", own, specs.ByteTokenizer(), source=files(texts))
    learned, plain = found.candidates
    assert (learned.name, plain.name) == ("own, 300", "bytes")
    assert plain.tokens == found.bytes
    assert plain.bytes_per_token == 1.0
    assert plain.tokens_per_word == pytest.approx(found.bytes / found.words)
    assert learned.bytes_per_token == pytest.approx(found.bytes / learned.tokens)
    assert learned.bytes_per_token > 1.5
    assert (plain.learn_s, plain.lossy_share, learned.lossy_share) == (None, 0.0, 0.0)
    assert learned.learn_s > 0
    for one in found.candidates:
        tokens = json.loads((tmp_path / "lab" / one.vocabulary).read_text())
        assert [token["id"] for token in tokens] == list(range(one.vocab_size))
        assert sum(token["count"] for token in tokens) == one.tokens
        size = sum(token["count"] * len(base64.b64decode(token["data"])) for token in tokens)
        assert size == found.bytes
        unused = [t for t in tokens if t["data"] and not t["count"]]
        assert one.unused == len(unused)
        assert {token.id for token in one.unused_examples} <= {token["id"] for token in unused}
        lengths = [len(token.data) for token in one.longest]
        assert lengths == sorted(lengths, reverse=True)
        assert sum(script.tokens for script in one.scripts) == one.tokens
        assert sum(script.bytes for script in one.scripts) == found.bytes
        assert [script.name for script in one.scripts] == ["Latin", "Cyrillic", "other"]


def test_no_text_is_learned_from_and_measured(texts, tmp_path):
    documents = [
        Document(path.name, iter([path.read_text(encoding="utf-8")]))
        for path in sorted(texts.iterdir())
    ]
    (tmp_path / "scratch").mkdir()
    found = gather(documents, Wanted(20_000, 20_000, 60_000, 7), tmp_path / "scratch", silent)
    measured, learned = list(found.measured), list(found.learned)
    assert measured
    assert learned
    assert not set(measured) & set(learned)
    assert 5_000 < found.measured.n_bytes <= 30_000
    found.close()


def test_a_text_that_is_shorter_than_what_is_wanted_is_shared(tmp_path):
    documents = (Document(str(n), iter([f"{n} words " * 200])) for n in range(200))
    found = gather(documents, Wanted(500_000, 10_000_000, 360_000, 1), tmp_path, silent)
    whole = found.measured.n_bytes + found.learned.n_bytes
    assert 0.15 < found.measured.n_bytes / whole < 0.35
    assert found.documents == found.measured.n_pieces == 200 - found.learned.n_pieces
    assert len(found.samples) == 3
    found.close()


def test_a_long_document_is_in_both_parts(tmp_path):
    book = "".join(f"{number} words " for number in range(8000))
    document = Document("book", iter([book]))
    found = gather([document], Wanted(40_000, 40_000, 80_000, 1), tmp_path, silent)
    assert found.measured.n_bytes > 10_000
    assert found.learned.n_bytes > 10_000
    found.close()


def test_a_short_text_is_halved(tmp_path):
    document = Document("note", iter(["a few words only, and no more than that"]))
    found = gather([document], Wanted(1000, 1000, 40, 1), tmp_path, silent)
    assert list(found.learned) + list(found.measured) == [
        "a few words only,",
        " and no more than that",
    ]
    found.close()


def test_no_text_is_an_error(tmp_path):
    with pytest.raises(DataError, match="too little text"):
        gather([Document("empty", iter(()))], Wanted(10, 10, 10, 1), tmp_path, silent)


def test_no_more_of_a_large_source_is_read_than_is_needed(tmp_path):
    read = []

    def documents():
        for number in range(100_000):
            read.append(number)
            yield Document(str(number), iter([f"{number} words " * 100]))

    wanted = Wanted(50_000, 0, 100_000 * 1100, 1)
    gather(documents(), wanted, tmp_path, silent).close()
    assert len(read) < 1000


def test_text_in_a_file_comes_back(tmp_path):
    pieces = ["", "one", "zwei 漢字 \r\n", "x" * 5000]
    file = TextFile(tmp_path / "t")
    for piece in pieces:
        file.add(piece)
    assert list(file) == pieces
    assert file.n_bytes == sum(len(piece.encode()) for piece in pieces)
    file.close()


def test_what_was_tried_can_be_used(texts, tmp_path):
    own = specs.BpeTokenizer(vocab_size=300, pretokenizer="gpt4", special_tokens=("<|user|>",))
    found = compare(tmp_path / "lab", own, source=files(texts)).candidates[0]
    saved = tmp_path / "lab" / found.folder
    spec = specs.PrepareSpec(source=files(texts), tokenizer=specs.SavedTokenizer(folder=str(saved)))
    corpus = build_corpus(spec, tmp_path / "corpus")
    assert corpus.tokenizer.fingerprint == load_tokenizer(saved).fingerprint
    assert corpus.tokenizer.special_tokens["<|user|>"] == corpus.vocab_size - 1


def test_the_text_of_a_corpus_is_its_training_text(texts, tmp_path):
    spec = specs.PrepareSpec(
        source=files(texts), tokenizer=specs.ByteTokenizer(), validation_fraction=0.3
    )
    corpus = build_corpus(spec, tmp_path / "corpus")
    found = compare(tmp_path / "lab", specs.ByteTokenizer(), corpus=str(corpus.folder))
    assert found.bytes == corpus.train.n_bytes
    assert found.documents == corpus.train.n_documents
    assert open_corpus(corpus.folder, verify=True).fingerprint == corpus.fingerprint


def test_samples_are_texts_in_tokens(texts, tmp_path):
    shown = "A small text: żółw 🐢 <|endoftext|>"
    candidates = specs.ByteTokenizer(), specs.BpeTokenizer(vocab_size=300)
    found = compare(tmp_path / "lab", *candidates, source=files(texts), text=shown)
    for one in found.candidates:
        (sample,) = one.samples
        assert b"".join(piece.data for piece in sample.pieces).decode() == shown
        tokenizer = load_tokenizer(tmp_path / "lab" / one.folder)
        assert [piece.id for piece in sample.pieces] == tokenizer.encode(shown).tolist()
    begun = compare(tmp_path / "lab2", specs.ByteTokenizer(), source=files(texts))
    shown = [b"".join(piece.data for piece in one.pieces) for one in begun.candidates[0].samples]
    assert [len(text.decode()) for text in shown] == [1200] * 3


def test_equal_settings_give_an_equal_report(texts, tmp_path):
    candidates = specs.BpeTokenizer(vocab_size=300), specs.ByteTokenizer()
    found = [compare(tmp_path / n, *candidates, source=files(texts), seed=5) for n in "ab"]
    for one, other in zip(*(report.candidates for report in found), strict=True):
        same = {"learn_s": None, "encode_s": 0.0}
        assert msgspec.structs.replace(one, **same) == msgspec.structs.replace(other, **same)


def test_one_that_cannot_be_had_does_not_stop_the_others(texts, tmp_path):
    absent = specs.Gpt2Tokenizer(vocabulary_folder=str(tmp_path))
    found = compare(tmp_path / "lab", absent, specs.ByteTokenizer(), source=files(texts))
    assert "There is no vocab.bpe" in found.candidates[0].error
    assert found.candidates[1].tokens > 0
    assert notes(tmp_path / "lab", "GPT-2 could not be tried")
    no_file = specs.TokenizerFile(path=str(tmp_path / "absent"))
    compare(tmp_path / "file", no_file, specs.ByteTokenizer(), source=files(texts))
    (note,) = notes(tmp_path / "file", "absent could not be tried")
    assert "Choose the `tokenizer.json` of a model" in note.text
    code, _ = lab(tmp_path / "none", absent, absent, source=files(texts))
    assert code == ExitCode.KNOWN_ERROR
    assert ended(tmp_path / "none").field == "candidates[0].vocabulary_folder"
    assert not (tmp_path / "none" / REPORT_NAME).exists()


def test_what_a_tokenizer_loses_is_measured(texts, tmp_path):
    (tmp_path / "tokenizer.json").write_text(FILES["wordpiece"](), encoding="utf-8")
    wanted = specs.TokenizerFile(path=str(tmp_path))
    own, words = specs.BpeTokenizer(vocab_size=300), specs.ByteTokenizer()
    found = compare(tmp_path / "lab", wanted, own, words, own, source=files(texts))
    assert found.candidates[0].lossy_share > 0.01
    assert found.candidates[0].name == tmp_path.name
    assert [one.name for one in found.candidates[1:]] == ["own, 300 (1)", "bytes", "own, 300 (2)"]


def test_the_whole_job_comes_nearer_to_its_end(texts, tmp_path):
    own = specs.BpeTokenizer(vocab_size=300)
    compare(tmp_path / "lab", own, specs.ByteTokenizer(), source=files(texts))
    told = journal(tmp_path / "lab", Progress)
    shares = [one.whole for one in told if one.whole is not None]
    assert shares == sorted(shares)
    assert 1 / 3 <= shares[0] < shares[-1] == 1.0
    assert told[-1].phase == "bytes: encoding"


def test_nothing_is_left_of_the_text_that_was_drawn(texts, tmp_path):
    compare(tmp_path / "lab", specs.ByteTokenizer(), source=files(texts))
    assert not list((tmp_path / "lab").glob("text-*"))
    assert result(tmp_path / "lab")["tokenizers"] == REPORT_NAME


def test_a_stopped_comparison_leaves_no_text_and_begins_again(texts, tmp_path, monkeypatch):
    def stopped(self, phase, done, total, unit="", whole=None):
        if "encoding" in phase:
            raise JobStopped("stopped")

    spec = specs.TokenizersSpec(candidates=(specs.ByteTokenizer(),), source=files(texts))
    with monkeypatch.context() as patched:
        patched.setattr(Job, "progress", stopped)
        run_job(tmp_path / "lab", spec)
    assert ended(tmp_path / "lab").state == "stopped"
    assert not list((tmp_path / "lab").glob("text-*"))
    assert not (tmp_path / "lab" / REPORT_NAME).exists()
    assert run_job(tmp_path / "lab") == ExitCode.OK
    assert (tmp_path / "lab" / REPORT_NAME).exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"candidates": []},
        {"candidates": [{"kind": "bytes"}] * 9},
        {"candidates": [{"kind": "bytes"}], "sample_bytes": 0},
        {"candidates": [{"kind": "bytes"}], "corpus": "c"},
        {"candidates": [{"kind": "magic"}]},
    ],
)
def test_absurd_settings_are_refused(settings):
    with pytest.raises(SpecError):
        specs.convert(
            {"source": {"kind": "python_library"}, **settings}, specs.TokenizersSpec, "it"
        )


# --- scripts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letter", "name"),
    [
        ("a", "Latin"),
        ("É", "Latin"),
        ("ж", "Cyrillic"),
        ("Ω", "Greek"),
        ("漢", "Chinese characters"),
        ("か", "Hiragana"),
        ("ｶ", "Katakana"),
        ("한", "Hangul"),
        ("𐰀", "Old Turkic"),
        ("1", "other"),
        (" ", "other"),
        ("🙂", "other"),
        ("𝔘", "other"),
        ("\ue000", "other"),
    ],
)
def test_scripts_are_told_by_letters(letter, name):
    assert script_of(letter) == name


def test_parts_of_a_letter_count_for_its_script():
    tokenizer = ByteTokenizer()
    counts = ScriptCounts([tokenizer.token_bytes(n) for n in range(257)])
    counts.add("aж漢1", tokenizer.encode("aж漢1"))
    found = {script.name: (script.tokens, script.bytes) for script in counts.scripts()}
    assert found == {
        "Chinese characters": (3, 3),
        "Cyrillic": (2, 2),
        "Latin": (1, 1),
        "other": (1, 1),
    }


def test_scripts_of_a_text_that_is_lost_in_part_are_those_of_its_tokens():
    counts = ScriptCounts([b" word", "ж".encode(), b"12"])
    counts.add("WORD Ж 12 and more", np.array([0, 1, 2], dtype=np.uint32))
    found = {script.name: script.tokens for script in counts.scripts()}
    assert found == {"Latin": 1, "Cyrillic": 1, "other": 1}


# --- the terminal ------------------------------------------------------------------------------


def test_the_terminal_compares_what_its_words_name(texts, tmp_path, capsys):
    (tmp_path / "tokenizer.json").write_text(FILES["wordpiece"](), encoding="utf-8")
    words = [
        "300",
        "300:gpt4",
        "bytes",
        str(tmp_path),
        "--texts",
        str(texts),
        "--show",
        "two words",
    ]
    assert main(["tokenizers", *words, "--folder", str(tmp_path / "lab")]) == ExitCode.OK
    printed = capsys.readouterr().out
    for expected in ("2 own, 300, split as GPT-4\n", "unused", "Cyrillic", "two words", "257"):
        assert expected in printed
    saved = str(tmp_path / "lab" / "tokenizer-2")
    again = ["tokenizers", saved, "--texts", str(texts), "--json", "--folder"]
    assert main([*again, str(tmp_path / "again")]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert found["candidates"][0]["name"] == "tokenizer-2"
    assert found["candidates"][0]["learn_s"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["12"], "vocab_size"),
        (["4096:gpt9"], "pretokenizer"),
        (["bytes"] * 9, "candidates"),
        (["bytes", "--megabytes", "0"], "sample_bytes"),
        (["/nowhere/tokenizer.json"], "/nowhere/tokenizer.json cannot be used"),
    ],
)
def test_the_terminal_refuses_what_cannot_be(texts, tmp_path, capsys, words, says):
    words = [*words, "--texts", str(texts), "--folder", str(tmp_path / "lab")]
    assert main(["tokenizers", *words]) != ExitCode.OK
    assert says in capsys.readouterr().err
