"""Cleaning: each step changes what it says, is counted, and gives the same at every reading."""

import hashlib
import random
import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from train_for_tests import notes

from trainer_core.data.cleaning import repairs
from trainer_core.data.cleaning.report import CleaningCounts
from trainer_core.data.cleaning.source import cleaned, steps_of
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources.documents import FoundDocument
from trainer_core.data.sources.reading import NoText
from trainer_core.data.sources.skipped import Skipped
from trainer_core.errors import DataError, SpecError
from trainer_core.job import run_job
from trainer_core.spec import ByteTokenizer, CleaningConfig, PrepareSpec, TextFiles, convert


class Texts:
    """A source of texts, each in parts of the size that is asked for."""

    files = ("all",)
    max_bytes = 0

    def __init__(self, *texts, size=1 << 20):
        self.texts, self.size = texts, size

    def documents(self, file, leave_out, watch):
        for number, text in enumerate(self.texts):
            parts = (text[at : at + self.size] for at in range(0, len(text), self.size))
            yield FoundDocument(f"text {number}", f"/texts/{number}", parts)


def clean(*texts, size=1 << 20, counts=None, **config):
    """The texts after cleaning; a reason in brackets for those that are left out."""
    found = []
    for document in cleaned(Texts(*texts, size=size), CleaningConfig(**config), counts).documents(
        "all", None, None
    ):
        try:
            found.append("".join(document.parts))
        except NoText as error:
            found.append(f"<{error.reason}>")
    return found


def counting(**config):
    counts = CleaningCounts(steps_of(CleaningConfig(**config)))
    counts.counting = True
    return counts


def test_without_a_step_the_source_stays_as_it_is():
    source = Texts("a")
    assert cleaned(source, CleaningConfig()) is source


def test_wrong_decodings_are_undone_and_right_text_stays():
    wrong = "He said â€œnoâ€\x9d, and a cafÃ© closed.\nplain line\n"
    right = "“Schön”, said Zoë — naïve & \x26lt; ﬁne…\n"
    assert clean(wrong, right, repair_unicode=True) == [
        "He said “no”, and a café closed.\nplain line\n",
        right,
    ]


@pytest.mark.parametrize(("form", "after"), [("NFC", "é ﬁ ²"), ("NFKC", "é fi 2")])
def test_text_is_brought_into_a_normal_form(form, after):
    assert clean("e\u0301 ﬁ ²", normalise=form) == [after]


@given(
    st.text(alphabet="aé\u0301\u0323가\u1161\u11a8\u1100ｶﾞかゝ\u3099ﬁ² \n", max_size=300),
    st.integers(1, 40),
)
def test_a_normal_form_does_not_depend_on_the_pieces(text, size):
    for form in ("NFC", "NFKC"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(repairs, "PIECE_CHARACTERS", 40)
            found = clean("x" + text, size=size, normalise=form)[0]
        if all(len(run) < 40 for run in re.split("[a\n ]", text)):
            assert found == unicodedata.normalize(form, "x" + text)


def test_accents_without_end_take_no_hours():
    text = "a" + "\u0301\u0323" * 100_000
    begun = time.monotonic()
    (found,) = clean(text, normalise="NFC")
    assert time.monotonic() - begun < 5
    assert len(found) >= len(text) - 100


def test_a_wrong_decoding_is_undone_where_parts_are_cut_within_it():
    assert clean("voilÃ\xa0 tout\n", size=6, repair_unicode=True) == ["voilà tout\n"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_white_space_is_tidied_wherever_the_parts_are_cut(size):
    text = "a \t\r\nb\r\rc\n\n\n\n\n\nd\n  indented   \n\t\nend \n \n\n"
    after = "a\nb\n\nc\n\n\nd\n  indented\n\nend\n"
    assert clean(text, size=size, whitespace=True) == [after]


def test_tidy_text_is_not_counted_as_changed():
    counts = counting(whitespace=True)
    clean("a\n\nb\n", "c \n", counts=counts, whitespace=True)
    (report,) = counts.report(Skipped())
    assert (report.changed, report.bytes_before, report.bytes_after) == (1, 8, 7)
    (example,) = report.examples
    assert (example.title, example.before, example.after) == ("text 1", "c \n", "c\n")


def test_an_endless_run_of_white_space_does_not_pile_up():
    text = "a" + " " * 3_000_000 + "\nb"
    assert clean(text, size=1 << 16, whitespace=True)[0].startswith("a")


def test_short_and_long_documents_are_left_out():
    found = clean("abc", "abcdef", "abcdefghij", min_characters=4, max_characters=8)
    assert found == ["<too_short>", "abcdef", "<too_large>"]


def test_what_is_left_out_by_hand_is_named_by_path_or_text():
    digest = hashlib.blake2b(b"two", digest_size=16).hexdigest()
    exclude = ("/texts/0", f"text:{digest}")
    assert clean("one", "two", "three", exclude=exclude) == ["<excluded>", "<excluded>", "three"]


def test_every_step_counts_the_bytes_before_and_after_it():
    digest = hashlib.blake2b(b"abcdef", digest_size=16).hexdigest()
    config = {"min_characters": 4, "max_characters": 8, "exclude": (f"text:{digest}",)}
    counts = counting(**config)
    clean("abc", "abcdef", "abcdefghij", "é" * 5, counts=counts, **config)
    length, exclude = counts.report(Skipped())
    assert (length.bytes_before, length.bytes_after) == (3 + 6 + 10 + 10, 6 + 10)
    assert (exclude.bytes_before, exclude.bytes_after) == (6 + 10, 10)
    assert [example.before for example in length.examples] == ["abc", "abcdefghij"]


def test_a_step_of_ones_own_changes_and_leaves_out(tmp_path):
    hook = tmp_path / "mine.py"
    hook.write_text(
        "def clean(text, title, path):\n"
        "    return None if 'spam' in text else text.replace('cat', title + path[0])\n"
    )
    counts = counting(hook=str(hook))
    assert clean("a cat", "spam", counts=counts, hook=str(hook)) == ["a text 0/", "<hook>"]
    skipped = Skipped()
    skipped.add("hook", "/texts/1")
    (report,) = counts.report(skipped)
    assert (report.left_out, report.changed) == (1, 1)
    assert [(e.before, e.after) for e in report.examples] == [("a cat", "a text 0/"), ("spam", "")]


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("def clean(text, title, path):\n    return 3", "gave int"),
        ("def clean(text, title, path):\n    return 1 / 0", "ZeroDivisionError in line 2"),
        ("def clean(text):\n    return text", "TypeError"),
        ("clean = 3", "no function"),
        ("import nowhere_at_all", "nowhere_at_all"),
        ("def clean(", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        ("def clean(text, title, path):\n    raise SystemExit(3)", "SystemExit in line 2"),
        (None, "There is no file"),
    ],
)
def test_a_wrong_step_of_ones_own_is_named(tmp_path, code, named):
    hook = tmp_path / "mine.py"
    if code is not None:
        hook.write_text(code)
    with pytest.raises(DataError, match=named) as caught:
        clean("text", hook=str(hook))
    assert caught.value.field == "cleaning.hook"


def test_absurd_settings_are_refused():
    for wrong in (
        {"min_characters": 9, "max_characters": 8},
        {"min_characters": -1},
        {"similarity": 0.1},
        {"near_duplicates": "yes"},
        {"normalise": "NFD"},
        {"exclude": [""]},
        {"exclude": ["text:abc"]},
        {"exclude": ["text:" + 32 * "x"]},
    ):
        with pytest.raises(SpecError):
            convert(wrong, CleaningConfig, "the cleaning")


# --- in a preparation ----------------------------------------------------------------------------


def words(seed, count=120):
    rng = random.Random(seed)
    return " ".join(f"w{rng.randrange(5000)}" for _ in range(count))


def prepare(tmp_path, texts, name="corpus", **cleaning):
    folder = tmp_path / "texts"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:03}.txt").write_bytes(text.encode())
    spec = PrepareSpec(
        source=TextFiles(paths=(str(folder),)),
        tokenizer=ByteTokenizer(),
        cleaning=CleaningConfig(**cleaning),
        validation_fraction=0.2,
    )
    return build_corpus(spec, tmp_path / name)


def texts_of(corpus):
    found = []
    for split in (corpus.train, corpus.validation):
        for number in range(split.n_documents):
            info = split.document(number)
            ids = split.read(info.start + 1, info.start + info.n_tokens)
            found.append(corpus.tokenizer.decode(ids))
    return sorted(found)


def test_a_corpus_holds_clean_text_and_says_what_was_done(tmp_path):
    texts = [f"{words(n)} \r\n" for n in range(20)] + ["short"]
    corpus = prepare(tmp_path, texts, whitespace=True, min_characters=10)
    assert texts_of(corpus) == sorted(words(n) + "\n" for n in range(20))
    (source,) = corpus.manifest.sources
    steps = {step.step: step for step in source.cleaning}
    assert (steps["whitespace"].changed, steps["length"].left_out) == (20, 1)
    assert {group.reason: group.count for group in source.skipped} == {"too_short": 1}


def test_texts_that_become_equal_are_duplicates(tmp_path):
    texts = [words(n) for n in range(12)] + [words(3) + "  \n"]
    corpus = prepare(tmp_path, texts, whitespace=True, hook=_without_last_newline(tmp_path))
    assert corpus.manifest.source.documents_read == 12


def _without_last_newline(tmp_path):
    hook = tmp_path / "hook.py"
    hook.write_text("def clean(text, title, path):\n    return text.rstrip()\n")
    return str(hook)


def near(tmp_path, wish, name="corpus"):
    """Twenty texts, and two with a word changed."""
    texts = [words(n) for n in range(20)]
    for number in (4, 9):
        texts.append(texts[number].replace(texts[number].split()[60], "changed", 1))
    return prepare(tmp_path, texts, name=name, near_duplicates=wish)


def test_near_duplicates_are_counted(tmp_path):
    corpus = near(tmp_path, "report")
    report = corpus.manifest.near_duplicates
    assert (report.kinds, report.documents, report.removed) == (2, 2, False)
    assert sorted((p.first[-7:], p.later[-7:]) for p in report.pairs) == [
        ("004.txt", "020.txt"),
        ("009.txt", "021.txt"),
    ]
    assert all(pair.similarity >= 0.8 for pair in report.pairs)
    assert len(texts_of(corpus)) == 22


def test_near_duplicates_are_removed(tmp_path):
    corpus = near(tmp_path, "remove")
    report = corpus.manifest.near_duplicates
    assert (report.documents, report.removed, report.held_out) == (2, True, 0)
    assert texts_of(corpus) == sorted(words(n) for n in range(20))
    assert {g.reason: g.count for g in corpus.manifest.source.skipped} == {"near_duplicate": 2}


def test_near_duplicates_of_held_out_documents_are_told(tmp_path):
    texts = []
    for number in range(20):
        text = words(number)
        texts += [text, text.replace(text.split()[60], "changed", 1)]
    corpus = prepare(tmp_path, texts, near_duplicates="report")
    report = corpus.manifest.near_duplicates
    titles = {
        side: {split.document(n).path for n in range(split.n_documents)}
        for side, split in (("train", corpus.train), ("held out", corpus.validation))
    }
    partner = {path: _partner(path) for path in titles["held out"]}
    alone = [path for path, other in partner.items() if other in titles["train"]]
    assert report.held_out == len(alone) > 0
    assert {pair.later for pair in report.held_out_pairs} == set(alone)
    assert all(pair.first == _partner(pair.later) for pair in report.held_out_pairs)


def _partner(path):
    number = int(path[-7:-4])
    return f"{path[:-7]}{number ^ 1:03}.txt"


def job_with(tmp_path, texts, **cleaning):
    """A finished job over some texts, and its corpus."""
    folder = tmp_path / "texts"
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:03}.txt").write_text(text)
    spec = PrepareSpec(
        source=TextFiles(paths=(str(folder),)),
        tokenizer=ByteTokenizer(),
        cleaning=CleaningConfig(**cleaning),
        validation_fraction=0.3,
    )
    job = tmp_path / f"job-{len(list(tmp_path.iterdir()))}"
    run_job(job, spec)
    return job, open_corpus(job / "corpus")


def test_a_document_that_a_report_names_is_left_out_even_where_it_has_moved(tmp_path):
    texts = [words(n) for n in range(12)]
    _, corpus = job_with(tmp_path, texts)
    named = corpus.train.document(1)
    other = corpus.train.document(2)
    (tmp_path / "texts" / Path(named.path).name).rename(tmp_path / "texts" / "moved.txt")
    job, corpus = job_with(tmp_path, [], exclude=(f"text:{named.text}", other.path))
    left = texts_of(corpus)
    assert len(left) == 10
    assert (named.text, other.text) == tuple(
        hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        for text in (texts[int(Path(one.path).stem)] for one in (named, other))
    )
    assert not notes(job, "1 of the documents to leave out were not found")


def test_documents_to_leave_out_that_are_not_there_are_told(tmp_path):
    job, _ = job_with(
        tmp_path, [words(n) for n in range(9)], exclude=("/no/where", "text:" + 32 * "a")
    )
    assert notes(job, "2 of the documents to leave out were not found")


def test_held_out_text_that_is_nearly_trained_on_is_a_warning(tmp_path):
    texts = []
    for number in range(12):
        text = words(number)
        texts += [text, text.replace(text.split()[60], "changed", 1)]
    job, corpus = job_with(tmp_path, texts, near_duplicates="report")
    count = corpus.manifest.near_duplicates.held_out
    assert count > 0
    title = f"{count} held-out documents are nearly equal to one that is trained on"
    (note,) = notes(job, title)
    assert corpus.manifest.near_duplicates.held_out_pairs[0].later in note.text


def test_a_hook_that_fails_leaves_nothing_behind(tmp_path):
    hook = tmp_path / "hook.py"
    hook.write_text("def clean(text, title, path):\n    raise ValueError('not today')\n")
    with pytest.raises(DataError, match="not today"):
        prepare(tmp_path, [words(1), words(2)], hook=str(hook))
    assert not (tmp_path / "corpus").exists()
    with pytest.raises(DataError):
        open_corpus(tmp_path / "corpus")
