"""Texts in the training text: what is found is what the letters say, however they were cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import make_corpus
from tokenizer_files import FILES

from trainer_core.answers.asked import Asked
from trainer_core.answers.lookup import look_up
from trainer_core.answers.spelled import find_phrase
from trainer_core.index import build_index, open_index
from trainer_core.spec import BpeTokenizer, ByteTokenizer, TokenizerFile


def asked_of(home, tokenizer):
    corpus = make_corpus(home, tokenizer)
    build_index(corpus.folder, home / "index")
    return Asked(open_index(home / "index"), corpus)


@pytest.fixture(scope="module")
def bpe(tmp_path_factory):
    return asked_of(tmp_path_factory.mktemp("bpe"), BpeTokenizer(vocab_size=420))


@pytest.fixture(scope="module", params=["bytes", "bpe", "unigram"])
def asked(request, tmp_path_factory, bpe):
    if request.param == "bpe":
        return bpe
    if request.param == "unigram":  # letters and bytes of its vocabulary may stand for the same
        home = tmp_path_factory.mktemp("unigram")
        (home / "tokenizer.json").write_text(FILES["unigram"](), encoding="utf-8")
        return asked_of(home, TokenizerFile(path=str(home)))
    return asked_of(tmp_path_factory.mktemp("bytes"), ByteTokenizer())


def documents_of(asked):
    """Bytes of each training document."""
    tokens, starts = asked.index.tokens, asked.index.document_start
    return [
        b"".join(asked.vocabulary[token] for token in part.tolist())
        for part in np.split(tokens, starts[1:])
    ]


def counted(documents, data):
    """How often bytes stand there, overlaps counted, and in how many documents."""
    times = [sum(text.startswith(data, at) for at in range(len(text))) for text in documents]
    return sum(times), sum(map(bool, times))


def in_the_index(asked, documents):
    """The documents without the very last token, which the index does not find."""
    last = len(asked.vocabulary[int(asked.index.tokens[-1])])
    return [*documents[:-1], documents[-1][:-last]]


def found_by(asked, phrase):
    """Count and documents of a phrase; each place that is found spells it."""
    found = find_phrase(asked, phrase)
    for begin, end, inside in zip(found.begins, found.ends, found.inside, strict=True):
        pieces = [asked.vocabulary[token] for token in asked.index.tokens[begin : end + 1].tolist()]
        if inside:
            pieces.append(asked.vocabulary[int(asked.index.tokens[end + 1])][:inside])
        assert b"".join(pieces).endswith(phrase)
    documents = np.searchsorted(asked.index.document_start, found.begins, side="right")
    return found.begins.size, len(set(documents.tolist()))


@settings(max_examples=80)
@given(data=st.data())
def test_a_phrase_is_counted_wherever_its_letters_stand(asked, data):
    documents = documents_of(asked)
    text = documents[data.draw(st.integers(0, len(documents) - 1))].decode()
    begin = data.draw(st.integers(0, len(text) - 1))
    phrase = text[begin : begin + data.draw(st.integers(1, 90))].encode()
    allowed = (counted(documents, phrase), counted(in_the_index(asked, documents), phrase))
    assert found_by(asked, phrase) in allowed


def test_a_phrase_is_counted_the_same_where_much_of_it_is_frequent(bpe, monkeypatch):
    documents = documents_of(bpe)
    phrases = [
        b"e",
        b"w",
        b"ou",
        b"ow",
        b" t",
        b"ussy",
        b"beautiful P",
        b"the st",
        b"y, and pl",
        b"\n",
    ]
    whole = [counted(documents, phrase) for phrase in phrases]
    assert [found_by(bpe, phrase) for phrase in phrases] == whole
    monkeypatch.setattr("trainer_core.answers.spelled.FOLLOWED_MAX", 0)
    monkeypatch.setattr("trainer_core.answers.spelled._PAIRS_MAX", 0)
    assert [found_by(bpe, phrase) for phrase in phrases] == whole
    monkeypatch.setattr("trainer_core.answers.spelled.PLACES_MAX", 1)
    assert find_phrase(bpe, b"e") is None
    answer = look_up(bpe, "e")
    assert answer["phrase"] == {"count": None, "documents": None}
    assert "too short" in answer["note"]


def test_a_text_that_ends_within_a_word_goes_on_with_the_rest_of_it(asked):
    found = look_up(asked, "The owl looked up to the sta")
    assert found["match"]["text"] == "The owl looked up to the sta"
    assert (
        found["match"]["count"] == counted(documents_of(asked), b"The owl looked up to the sta")[0]
    )
    assert found["phrase"]["count"] == found["match"]["count"]
    (continuation,) = found["continuations"]
    assert "rs above".startswith(continuation["text"]) and continuation["text"]
    assert (continuation["count"], continuation["share"]) == (found["match"]["count"], 1.0)
    place = found["sources"][0]
    snippet = place["before"] + place["matched"] + place["following"] + place["after"]
    assert "The owl looked up to the stars above" in snippet
    assert place["following"] == continuation["text"]


def test_what_followed_is_counted_and_places_have_titles_and_lines(asked):
    found = look_up(asked, "nothing like it\nVerse ", top=3, sources=50)
    assert found["match"]["text"].endswith("\nVerse ")
    assert found["phrase"] == {"count": 0, "documents": 0}
    assert len(found["continuations"]) == 3
    shares = [row["share"] for row in found["continuations"]]
    assert shares == sorted(shares, reverse=True)
    assert len(found["sources"]) == found["match"]["count"] == found["match"]["documents"]
    numbers = [place["document"] for place in found["sources"]]
    assert numbers == sorted(numbers, reverse=True)
    for place in found["sources"]:
        info = asked.corpus.train.document(place["document"])
        assert (place["title"], place["path"]) == (info.title, info.path)
        text = documents_of(asked)[place["document"]].decode()
        begin = text.index("Verse ") - 1
        assert place["line"] == text[:begin].count("\n") + 1
        assert place["following"].startswith(text[begin + 7])


def test_a_missing_space_at_the_beginning_plays_no_part(bpe):
    found = look_up(bpe, "beautiful Pussy")
    assert found["match"]["text"] == "beautiful Pussy"
    assert found["match"]["count"] == counted(documents_of(bpe), b"beautiful Pussy")[0]


@pytest.mark.parametrize(
    "text", ["é", "🦉", "\n", " ", "x" * 5000, "\udcff\udc80", "<|endoftext|>", "\0"]
)
def test_odd_texts_have_an_answer(asked, text):
    found = look_up(asked, text)
    assert found["match"]["count"] >= bool(found["match"]["tokens"])
    assert found["match"]["tokens"] or found["note"]


def test_nothing_is_found_of_letters_that_are_not_there(bpe):
    found = look_up(bpe, "ж")
    assert (found["phrase"]["count"], found["sources"]) == (0, [])
