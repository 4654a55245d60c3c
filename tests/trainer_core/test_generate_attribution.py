from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import make_corpus

from trainer_core import spec as specs
from trainer_core.generate.attribution import AROUND_TOKENS, Attribution, split_text
from trainer_core.generate.token import GeneratedToken
from trainer_core.index import build_index, open_index


@pytest.fixture(scope="module", params=["bytes", "bpe"])
def opened(request, tmp_path_factory):
    home = tmp_path_factory.mktemp(request.param)
    kinds = {"bytes": specs.ByteTokenizer(), "bpe": specs.BpeTokenizer(vocab_size=300)}
    corpus = make_corpus(home, kinds[request.param])
    build_index(corpus.folder, home / "index")
    return corpus, open_index(home / "index")


def document_text(corpus, number):
    info = corpus.train.document(number)
    return corpus.tokenizer.decode(corpus.train.read(info.start, info.start + info.n_tokens))


@pytest.mark.parametrize("context", ["café 🦉", "O lovely Pussy! O Pussy", "wrapped up"])
def test_every_place_reads_as_its_document_does(opened, context):
    corpus, index = opened
    tokens = [corpus.separator, *corpus.tokenizer.encode("Once: " + context).tolist()]
    found = Attribution(corpus, index).sources(tokens, limit=100)
    assert found.match_length > 1
    assert found.occurrences == len(found.places) > 0
    assert found.documents == len({place.document for place in found.places})
    for place in found.places:
        text = document_text(corpus, place.document)
        snippet = place.before + place.matched + place.following + place.after
        assert snippet in text
        assert "\ufffd" not in snippet
        info = corpus.train.document(place.document)
        assert (place.title, place.path) == (info.title, info.path)
        assert place.document_tokens == info.n_tokens
        at = info.start + place.position
        run = corpus.train.read(at + 1 - found.match_length, at + 1).tolist()
        assert run == tokens[-found.match_length :]


def test_places_come_newest_first_and_only_as_many_as_asked(opened):
    corpus, index = opened
    tokens = corpus.tokenizer.encode("They took some honey").tolist()
    attribution = Attribution(corpus, index)
    few, all_of_them = (attribution.sources(tokens, limit) for limit in (3, 100))
    assert few.places == all_of_them.places[:3]
    order = [(place.document, place.position) for place in all_of_them.places]
    assert order == sorted(order, reverse=True)
    assert few.occurrences == all_of_them.occurrences == index.count(tokens)


def test_the_text_around_is_bounded(opened):
    corpus, index = opened
    tokens = corpus.tokenizer.encode("O Pussy").tolist()
    for place in Attribution(corpus, index).sources(tokens, 100).places:
        assert len(corpus.tokenizer.encode(place.before)) <= AROUND_TOKENS + 3
        assert len(corpus.tokenizer.encode(place.after)) <= AROUND_TOKENS + 3


def test_what_is_new_has_no_sources_and_says_so(opened):
    corpus, index = opened
    tokens = corpus.tokenizer.encode("\x07").tolist()
    found = Attribution(corpus, index).sources(tokens, 8)
    assert (found.match_length, found.places) == (0, ())
    assert "Nothing in the training text" in found.note


def test_without_an_index_the_note_says_what_is_absent(opened):
    found = Attribution(opened[0], None).sources([1, 2, 3], 8)
    assert found.places == ()
    assert "no index" in found.note


def test_a_tokens_document_is_named_by_its_match(opened):
    corpus, index = opened
    second = corpus.train.document(1)
    token = GeneratedToken(0, 0, b"", 3, "index", second.start + 5, True, 0.5, 1.0, ())
    attribution = Attribution(corpus, index)
    assert attribution.title_of(token) == second.title
    assert attribution.path_of(token) == second.path
    own = GeneratedToken(0, 0, b"", 3, "prompt", 4, True, 0.5, 1.0, ())
    assert attribution.title_of(own) == attribution.path_of(own) == ""


@given(st.text(min_size=1, max_size=30), st.data())
def test_split_text_loses_nothing_between_its_parts(text, data):
    raw = text.encode("utf-8", "replace")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    edges = [0, *cuts, len(raw)]
    parts = [raw[a:b] for a, b in pairwise(edges)]
    assert "".join(split_text(parts)) == raw.decode()


def test_characters_cut_by_the_outer_edges_are_left_out():
    raw = "é🦉x🦉".encode()
    assert split_text([raw[1:4], raw[4:6], raw[6:-1]]) == ["", "🦉", "x"]
