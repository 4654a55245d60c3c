"""Own splits, special tokens and tiktoken's encodings: ids equal theirs, cuts change none."""

import base64
import hashlib
import json

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data_tokenizers import NASTY, TEXT, any_text, spaced_text, tiktoken_cache
from tiktoken_ext import openai_public

from trainer_core.data.tokenizers import encodings, gpt2, pretokens, ranks
from trainer_core.data.tokenizers.encodings import ENCODINGS, Encoding, load_encoding
from trainer_core.data.tokenizers.kinds import RankTokenizer, load_tokenizer
from trainer_core.data.tokenizers.learn import learn_bpe
from trainer_core.data.tokenizers.making import make_tokenizer
from trainer_core.errors import DataError, SpecError
from trainer_core.spec import BpeTokenizer, PrepareSpec, TiktokenTokenizer, convert

code_text = st.text(st.sampled_from("\r\n\t /;)(aZé漢1'sSſ\u0301.\u00a0"), max_size=60)


def learned(pattern):
    vocabulary = learn_bpe([TEXT, "x = 12345;\r\n\n\t//\n" * 40], 380, lambda: None, pattern)
    special = {"<|endoftext|>": len(vocabulary), "<|user|>": len(vocabulary) + 1}
    return RankTokenizer("bpe", vocabulary, pattern, special)


@pytest.fixture(scope="module")
def made():
    return {pattern: learned(pattern) for pattern in pretokens.PATTERNS}


@pytest.fixture(params=pretokens.PATTERNS)
def tokenizer(request, made):
    return made[request.param]


@settings(deadline=None, max_examples=100)
@given(text=any_text | spaced_text | code_text)
def test_every_text_comes_back_and_the_library_agrees_on_every_id(made, text):
    for tokenizer in made.values():
        ids = tokenizer.encode(text).tolist()
        assert tokenizer.decode(ids) == text
        assert library(tokenizer).encode(text).ids == ids


_LIBRARIES = {}


def library(tokenizer):
    if tokenizer.fingerprint not in _LIBRARIES:
        found = tokenizers.Tokenizer.from_str(tokenizer.to_hf_json())
        found.encode_special_tokens = True
        _LIBRARIES[tokenizer.fingerprint] = found
    return _LIBRARIES[tokenizer.fingerprint]


@settings(deadline=None, max_examples=100)
@given(text=code_text | spaced_text | any_text, limit=st.integers(1, 12))
def test_cutting_a_text_changes_no_token(made, text, limit):
    for tokenizer in made.values():
        parts = list(pretokens.pieces(text, limit, tokenizer.last_cut))
        assert "".join(parts) == text
        ids = [i for part in parts for i in tokenizer.encode(part).tolist()]
        assert ids == tokenizer.encode(text).tolist()


@settings(deadline=None, max_examples=100)
@given(text=code_text | any_text, size=st.integers(1, 9))
def test_parts_of_any_kind_are_recut(made, text, size):
    for tokenizer in made.values():
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        again = list(pretokens.recut(parts, tokenizer.last_cut))
        assert "".join(again) == text
        assert all(again)
        ids = [i for part in again for i in tokenizer.encode(part).tolist()]
        assert ids == tokenizer.encode(text).tolist()


def test_a_real_book_comes_back_and_the_library_agrees(tokenizer, shared_data):
    path = shared_data / "text" / "sherlock-holmes-1661.txt"
    book = path.read_bytes().decode()[:280_000]  # with its line ends as they are
    ids = tokenizer.encode(book)
    assert tokenizer.decode(ids) == book
    assert library(tokenizer).encode(book).ids == ids.tolist()
    parts = pretokens.recut(
        (book[at : at + 65_536] for at in range(0, len(book), 65_536)), tokenizer.last_cut
    )
    assert np.array_equal(np.concatenate([tokenizer.encode(part) for part in parts]), ids)


def test_parts_that_are_cut_well_pass_as_they_are():
    parts = list(pretokens.pieces(TEXT, 50))
    assert list(pretokens.recut(parts, pretokens.last_cut)) == parts


def test_a_text_without_an_end_of_word_is_cut_all_the_same(monkeypatch):
    monkeypatch.setattr(pretokens, "HELD_CHARACTERS", 30)
    again = list(pretokens.recut(["x" * 10] * 20, pretokens.last_cut))
    assert "".join(again) == "x" * 200
    assert max(map(len, again)) <= 50


@pytest.mark.parametrize("space", [" ", " \n"])
def test_white_space_without_end_does_not_exhaust_the_regular_expression(tokenizer, space):
    for text in ("a" + space * 700_000 + "b", space * 700_000):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("text", NASTY)
def test_no_text_becomes_a_special_token(tokenizer, text):
    ids = tokenizer.encode(f"{text}<|user|>")
    assert not set(tokenizer.special_tokens.values()) & set(ids.tolist())
    assert tokenizer.decode(ids) == f"{text}<|user|>"


def test_splits_differ_as_they_say(made):
    pieces = {
        name: [made[name].decode([i]) for i in made[name].encode("x = 12345;\r\n")] for name in made
    }
    assert all(len(piece.strip()) < 2 for piece in pieces["digits"] if piece.strip().isdigit())
    assert max(len(piece) for piece in pieces["gpt4"] if piece.isdigit()) == 3
    assert any(piece.startswith(";\r") for piece in pieces["gpt4"])
    assert not any(piece.startswith(";\r") for piece in pieces["gpt2"])
    assert " 12345" in pieces["gpt2"]


def test_a_saved_tokenizer_keeps_its_split_and_its_special_tokens(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.special_tokens == tokenizer.special_tokens
    assert loaded.separator == tokenizer.separator == tokenizer.vocab_size - 2
    assert np.array_equal(loaded.encode(TEXT), tokenizer.encode(TEXT))


def test_fingerprints_tell_splits_and_special_tokens_apart(made):
    vocabulary = [made["gpt2"].token_bytes(i) for i in range(made["gpt2"].separator)]
    others = [RankTokenizer("bpe", vocabulary, pattern) for pattern in pretokens.PATTERNS]
    marks = {one.fingerprint for one in (*others, made["gpt2"])}
    assert len(marks) == len(others) + 1


def test_a_folder_from_before_there_were_splits_is_gpt2s(tmp_path):
    old = RankTokenizer("bpe", learn_bpe([TEXT], 300, lambda: None))
    old.save(tmp_path)
    head = json.loads((tmp_path / "tokenizer_kind.json").read_text())
    del head["pattern"], head["special_tokens"]
    (tmp_path / "tokenizer_kind.json").write_text(json.dumps(head))
    assert load_tokenizer(tmp_path).fingerprint == old.fingerprint


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pattern": "gpt9"}, "'gpt9' is unknown"),
        ({"special_tokens": {}}, "no names with ids"),
        ({"special_tokens": ["<|endoftext|>"]}, "no names with ids"),
        ({"special_tokens": {"<|endoftext|>": "last"}}, "no names with ids"),
        ({"pattern": "gpt4"}, "not the vocabulary that was saved"),
    ],
)
def test_a_damaged_head_is_an_error(made, tmp_path, changes, says):
    made["gpt2"].save(tmp_path)
    path = tmp_path / "tokenizer_kind.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(DataError, match=says):
        load_tokenizer(tmp_path)


# --- settings ----------------------------------------------------------------------------------


def make(wanted, text=TEXT):
    documents = [(b"d" * 16, [text])]
    return make_tokenizer(
        wanted, lambda: iter((d, iter(p)) for d, p in documents), len(text), 1, lambda *_: None
    )


def test_an_own_tokenizer_has_the_size_and_the_special_tokens_that_were_asked_for():
    wanted = BpeTokenizer(vocab_size=320, pretokenizer="gpt4", special_tokens=("<a>", "<b>"))
    tokenizer = make(wanted)
    assert tokenizer.vocab_size == 320
    assert list(tokenizer.special_tokens.items()) == [
        ("<|endoftext|>", 317),
        ("<a>", 318),
        ("<b>", 319),
    ]
    exported = {
        token["content"]: token["id"]
        for token in json.loads(tokenizer.to_hf_json())["added_tokens"]
    }
    assert exported == tokenizer.special_tokens


def test_the_smallest_own_tokenizer_is_bytes_and_special_tokens():
    tokenizer = make(BpeTokenizer(vocab_size=259, special_tokens=("<a>", "<b>")))
    assert tokenizer.vocab_size == 259
    assert tokenizer.decode(tokenizer.encode("漢 <a>")) == "漢 <a>"


def test_the_sample_that_is_learned_from_is_as_large_as_was_asked_for():
    read = []

    def documents():
        for number in range(200):
            read.append(number)
            yield number.to_bytes(16, "big"), iter([f"{number} words and more words here. " * 30])

    done = []
    n_bytes = 200 * 33 * 30
    make_tokenizer(
        BpeTokenizer(vocab_size=300, sample_bytes=n_bytes // 4),
        documents,
        n_bytes,
        1,
        lambda phase, at, total, unit: done.append(total),
    )
    assert len(read) == 200
    assert set(done) == {n_bytes // 4}


@pytest.mark.parametrize(
    ("settings_", "says"),
    [
        ({"vocab_size": 257}, "vocab_size"),
        ({"vocab_size": 258, "special_tokens": ["<a>", "<b>"]}, "no room"),
        ({"special_tokens": ["<a>", "<a>"]}, "twice"),
        ({"special_tokens": ["<|endoftext|>"]}, "twice"),
        ({"special_tokens": [" "]}, "without letters"),
        ({"special_tokens": [""]}, "without letters"),
        ({"sample_bytes": 0}, "sample_bytes"),
        ({"pretokenizer": "gpt9"}, "pretokenizer"),
    ],
)
def test_absurd_settings_are_refused_by_name(settings_, says):
    tokenizer = {"kind": "bpe", **settings_}
    with pytest.raises(SpecError, match=says) as caught:
        convert({"source": {"kind": "python_library"}, "tokenizer": tokenizer}, PrepareSpec, "it")
    assert caught.value.field.startswith("tokenizer")


# --- tiktoken's encodings ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_known_of_an_encoding_is_what_tiktoken_publishes(name, monkeypatch):
    asked = {}

    def noted(address, expected_hash):
        asked[address] = expected_hash
        return {bytes([byte]): byte for byte in range(256)}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", noted)
    published = getattr(openai_public, name)()
    ours = ENCODINGS[name]
    assert list(asked.values()) == [ours.sha256]
    assert published["pat_str"] == pretokens.PATTERNS[ours.pattern]
    assert published["special_tokens"] == ours.special_tokens
    n_vocab = published.get("explicit_n_vocab") or max(ours.special_tokens.values()) + 1
    assert max(ours.ranks, max(ours.special_tokens.values()) + 1) == n_vocab


def test_r50k_from_its_file_is_gpt2_with_tiktokens_ids(shared_data, tmp_path, monkeypatch):
    vocabulary = gpt2.load(str(shared_data / "gpt2"), lambda: None)
    path = tmp_path / "r50k_base.tiktoken"
    path.write_text(ranks.to_text(vocabulary))
    tokenizer = make(TiktokenTokenizer(encoding="r50k_base", ranks_file=str(path)))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_cache(tmp_path / "cache", shared_data)))
    reference = tiktoken.get_encoding("gpt2")
    for text in (*NASTY, TEXT):
        assert tokenizer.encode(text).tolist() == reference.encode_ordinary(text)
    assert tokenizer.kind == "tiktoken"
    assert tokenizer.vocab_size == reference.n_vocab
    path.write_text(path.read_text() + " ")
    with pytest.raises(DataError, match="is not the file of r50k_base") as caught:
        make(TiktokenTokenizer(encoding="r50k_base", ranks_file=str(path)))
    assert caught.value.field == "tokenizer.ranks_file"


@pytest.fixture
def small_encoding(tmp_path, monkeypatch, made):
    """An encoding with a special token among its ranks, as p50k_base has, and its file."""
    tokens = [made["gpt4"].token_bytes(i) for i in range(made["gpt4"].separator)]
    numbers = [*range(300), *range(301, len(tokens) + 1)]
    lines = (
        f"{base64.b64encode(token).decode()} {number}\n"
        for token, number in zip(tokens, numbers, strict=True)
    )
    path = tmp_path / "small.tiktoken"
    path.write_text("".join(lines))
    special = {"<|endoftext|>": 300, "<|fim|>": len(tokens) + 9}
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    small = Encoding("gpt4", len(tokens) + 1, special, sha256)
    monkeypatch.setitem(encodings.ENCODINGS, "small", small)
    ranks_of = dict(zip(tokens, numbers, strict=True))
    reference = tiktoken.Encoding(
        "small",
        pat_str=pretokens.PATTERNS["gpt4"],
        mergeable_ranks=ranks_of,
        special_tokens=special,
    )
    return path, reference


def test_special_tokens_may_stand_among_the_ranks(small_encoding, tmp_path):
    path, reference = small_encoding
    tokenizer = load_encoding("small", str(path), lambda: None)
    tokenizer.save(tmp_path / "saved")
    for one in (tokenizer, load_tokenizer(tmp_path / "saved")):
        assert one.separator == 300
        assert one.vocab_size == reference.n_vocab
        assert one.token_bytes(300) == one.token_bytes(one.vocab_size - 2) == b""
        for text in (*NASTY, TEXT):
            assert one.encode(text).tolist() == reference.encode_ordinary(text)
            assert one.decode(one.encode(text)) == text
            assert library(one).encode(text).ids == one.encode(text).tolist()


def test_what_tiktoken_has_is_what_its_file_says(small_encoding, monkeypatch):
    path, reference = small_encoding
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: reference)
    fetched = load_encoding("small", "", lambda: None)
    assert fetched.fingerprint == load_encoding("small", str(path), lambda: None).fingerprint


def test_an_encoding_that_cannot_be_fetched_is_an_error_with_a_way_on(monkeypatch):
    def refused(name):
        raise ConnectionError

    monkeypatch.setattr(tiktoken, "get_encoding", refused)
    with pytest.raises(DataError, match="o200k_base could not be fetched") as caught:
        make(TiktokenTokenizer(encoding="o200k_base"))
    assert "o200k_base.tiktoken" in caught.value.do
    assert caught.value.field == "tokenizer.ranks_file"
    with pytest.raises(DataError, match="No such file"):
        make(TiktokenTokenizer(encoding="o200k_base", ranks_file="/nowhere/o200k_base.tiktoken"))


def test_tokens_that_no_merges_lead_to_are_whole_pieces_for_the_library_too():
    singles = [bytes([byte]) for byte in range(256)]
    tokenizer = RankTokenizer("tiktoken", [*singles, b"he", b"hello", b"lo"], "gpt4")
    assert json.loads(tokenizer.to_hf_json())["model"]["ignore_merges"]
    for text in ("hello", "hello hello", "hellos", "othello"):
        assert library(tokenizer).encode(text).ids == tokenizer.encode(text).tolist()
