"""Tokenizers: every text comes back, nothing injects a token, other tools agree on the ids."""

import json

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.tokenizers import fetching, gpt2, pretokens, ranks
from trainer_core.data.tokenizers.kinds import ByteTokenizer, RankTokenizer, load_tokenizer
from trainer_core.data.tokenizers.learn import learn_bpe, sample
from trainer_core.errors import DataError

TEXT = (
    'def encode(self, text):\n    """Return the ids of a text; it\'s simple."""\n'
    "    return [self.ranks[token] for token in self.split(text)]\n\n\n"
    "Über 1,000 Wörter – naïve café. 漢字とかな 🙂🙂\n"
) * 20

NASTY = [
    "",
    " ",
    "\n\n\n",
    "<|endoftext|>",
    "a<|endoftext|>b <|endoftext|><|endoftext|>",
    "<|im_start|>[PAD]</s><unk>",
    "it's we'll I'D 'tis ''''",
    " \u00a0\u2003 x\u3000y \x1c\x1d z\x85",
    "\ufeffBOM inside",
    "tab\tand  two   three    spaces \r\n\r\n end ",
    "1234567890 ١٢٣ ½ Ⅷ",
    "e\u0301 ﬁ ǅ 𝔘𝔫𝔦 👩‍👩‍👧‍👦 \U0010ffff \uffff",
    "a" * 3000 + "!" * 3000 + " " * 3000 + "x",
    "\x00\x01\x7f\x80",
]

any_text = st.text(st.characters(codec="utf-8"), max_size=200)
spaced_text = st.text(st.sampled_from(" \n\t\r\u00a0\u2003ab1!'s\x1cé漢🙂"), max_size=80)


@pytest.fixture(scope="module")
def bpe():
    return RankTokenizer("bpe", learn_bpe([TEXT], 349, lambda: None))


@pytest.fixture(scope="module")
def gpt2_tokenizer(shared_data):
    return RankTokenizer("gpt2", gpt2.load(str(shared_data / "gpt2"), lambda: None))


@pytest.fixture(params=["bytes", "bpe", "gpt2"], scope="module")
def tokenizer(request):
    if request.param == "bytes":
        return ByteTokenizer()
    return request.getfixturevalue("bpe" if request.param == "bpe" else "gpt2_tokenizer")


@settings(deadline=None, max_examples=60)
@given(text=any_text | spaced_text)
def test_every_text_comes_back_from_its_tokens(tokenizer, text):
    ids = tokenizer.encode(text)
    assert ids.dtype == np.uint32
    assert ids.ndim == 1
    assert tokenizer.decode(ids) == text
    assert b"".join(tokenizer.token_bytes(int(i)) for i in ids) == text.encode()
    assert tokenizer.byte_lengths()[ids].sum() == len(text.encode())


@pytest.mark.parametrize("text", NASTY)
def test_no_text_becomes_the_separator(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.separator not in ids
    assert tokenizer.decode(ids) == text


def test_the_separator_has_no_bytes_and_is_the_last_id(tokenizer):
    assert tokenizer.separator == tokenizer.vocab_size - 1
    assert tokenizer.token_bytes(tokenizer.separator) == b""
    lengths = tokenizer.byte_lengths()
    assert lengths.shape == (tokenizer.vocab_size,)
    assert (lengths[:-1] > 0).all()
    assert lengths[-1] == 0
    assert tokenizer.decode([tokenizer.separator]) == ""


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ud83d\ude42", "\udc80" * 5])
def test_surrogates_are_repaired_or_replaced_and_never_crash(tokenizer, text):
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert tokenizer.decode(tokenizer.encode(text)) == expected
    long = text + "word " * pretokens.PIECE_CHARACTERS
    assert tokenizer.decode(tokenizer.encode(long)[:8]).startswith(expected[0])


def test_tokens_that_are_half_a_character_decode_to_the_replacement_sign(tokenizer):
    ids = tokenizer.encode("漢")
    assert tokenizer.decode(ids[:1]) == "\ufffd" or len(ids) == 1


def test_tokens_outside_the_vocabulary_are_refused(tokenizer):
    for token in (-1, tokenizer.vocab_size):
        with pytest.raises(IndexError):
            tokenizer.token_bytes(token)


def test_a_batch_gives_what_single_texts_give(tokenizer):
    for one, text in zip(tokenizer.encode_batch(NASTY), NASTY, strict=True):
        assert np.array_equal(one, tokenizer.encode(text))
    assert tokenizer.encode_batch([]) == []


def test_a_saved_tokenizer_is_the_same_one(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "t")
    loaded = load_tokenizer(tmp_path / "t")
    assert loaded.kind == tokenizer.kind
    assert loaded.vocab_size == tokenizer.vocab_size
    assert loaded.fingerprint == tokenizer.fingerprint
    assert np.array_equal(loaded.encode(TEXT), tokenizer.encode(TEXT))


@pytest.fixture(scope="module")
def hugging_face(tokenizer):
    return tokenizers.Tokenizer.from_str(tokenizer.to_hf_json())


@pytest.mark.parametrize("text", [text for text in NASTY if "<|endoftext|>" not in text] + [TEXT])
def test_the_hugging_face_file_gives_equal_ids_on_nasty_text(tokenizer, hugging_face, text):
    assert hugging_face.encode(text).ids == tokenizer.encode(text).tolist()
    assert hugging_face.decode(tokenizer.encode(text).tolist()) == text


@settings(deadline=None, max_examples=60)
@given(text=any_text | spaced_text)
def test_the_hugging_face_file_gives_equal_ids_on_any_text(tokenizer, hugging_face, text):
    assert hugging_face.encode(text).ids == tokenizer.encode(text).tolist()


def test_the_separator_is_the_special_token_of_the_hugging_face_file(tokenizer, hugging_face):
    assert hugging_face.get_vocab_size() == tokenizer.vocab_size
    assert hugging_face.token_to_id("<|endoftext|>") == tokenizer.separator
    assert hugging_face.decode([tokenizer.separator]) == ""


def test_byte_tokens_are_the_bytes():
    tokenizer = ByteTokenizer()
    assert tokenizer.encode("hé").tolist() == list("hé".encode())
    exported = json.loads(tokenizer.to_hf_json())["model"]
    assert exported["merges"] == []
    assert sorted(exported["vocab"].values()) == list(range(256))


# --- own byte-pair encoding --------------------------------------------------------------------


def test_learning_twice_gives_the_same_vocabulary(bpe):
    assert learn_bpe([TEXT], 349, lambda: None) == learn_bpe(iter([TEXT]), 349, lambda: None)
    assert bpe.vocab_size == 350


def test_own_tokens_are_longer_than_bytes_on_the_text_that_they_were_learned_from(bpe):
    assert len(bpe.encode(TEXT)) < len(TEXT.encode()) / 2


def test_a_text_too_short_for_the_wanted_size_gives_a_smaller_vocabulary():
    learned = RankTokenizer("bpe", learn_bpe(["abc"], 4095, lambda: None))
    assert learned.vocab_size == 257
    assert learned.decode(learned.encode("other 漢 text")) == "other 漢 text"


def test_own_ids_are_those_of_the_library_that_learned_the_merges(bpe):
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=349, min_frequency=2, initial_alphabet=ranks.byte_letters(), show_progress=False
    )
    library.train_from_iterator([TEXT], trainer)
    for text in (*NASTY, TEXT):
        assert library.encode(text).ids == bpe.encode(text).tolist()
    assert (
        json.loads(library.to_str())["model"]["merges"]
        == ranks.hf_model([bpe.token_bytes(i) for i in range(349)])["merges"]
    )


def test_learning_stops_when_it_is_asked_to():
    class EnoughError(Exception):
        pass

    def endless():
        while True:
            yield TEXT

    def poll():
        raise EnoughError

    with pytest.raises(EnoughError):
        learn_bpe(endless(), 350, poll)


def test_an_error_while_reading_the_sample_is_not_swallowed():
    def broken():
        yield TEXT
        raise OSError("the drive is gone")

    with pytest.raises(OSError, match="the drive is gone"):
        learn_bpe(broken(), 350, lambda: None)


def test_the_sample_is_spread_over_the_text_and_never_empty():
    documents = [(bytes([n]) * 16, [f"{n} word " * 10]) for n in range(100)]
    picked = list(sample(((d, iter(p)) for d, p in documents), 0.3, seed=1))
    assert 15 < len(picked) < 50
    assert picked == list(sample(((d, iter(p)) for d, p in documents), 0.3, seed=1))
    assert picked != list(sample(((d, iter(p)) for d, p in documents), 0.3, seed=2))
    assert len(list(sample(((d, iter(p)) for d, p in documents), 1e-9, seed=1))) == 1


# --- pieces of long texts ----------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(text=spaced_text | any_text, limit=st.integers(1, 12))
def test_cutting_a_text_into_pieces_changes_no_token(bpe, text, limit):
    parts = list(pretokens.pieces(text, limit))
    assert "".join(parts) == text
    ids = [i for part in parts for i in bpe.encode(part).tolist()]
    assert ids == bpe.encode(text).tolist()


def test_a_long_text_encodes_as_tiktoken_does(bpe):
    text = TEXT * (2 * pretokens.PIECE_CHARACTERS // len(TEXT))
    assert bpe.encode(text).tolist() == bpe._encoding.encode_ordinary(text)


def test_white_space_without_end_does_not_exhaust_the_regular_expression(bpe):
    for space in (" ", "\n", " \n"):
        text = "a" + space * 1_200_000 + "b"
        ids = bpe.encode(text)
        assert bpe.byte_lengths()[ids].sum() == len(text)


# --- GPT-2 -------------------------------------------------------------------------------------


def tiktoken_cache(folder, shared_data):
    folder.mkdir()
    for name, file in (
        ("6d1cbeee0f20b3d9449abfede4726ed8212e3aee", "vocab.bpe"),
        ("6c7ea1a7e38e3a7f062df639a5b80947f075ffe6", "encoder.json"),
    ):
        (folder / name).write_bytes((shared_data / "gpt2" / file).read_bytes())
    return folder


@pytest.fixture
def fresh_tiktoken(monkeypatch, tmp_path):
    """tiktoken with nothing loaded and an empty cache, in a network that refuses everything."""
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "no-cache"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


def test_gpt2_ids_are_those_of_tiktoken(
    gpt2_tokenizer, shared_data, tmp_path, monkeypatch, fresh_tiktoken
):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_cache(tmp_path / "cache", shared_data)))
    reference = tiktoken.get_encoding("gpt2")
    assert gpt2_tokenizer.vocab_size == reference.n_vocab == 50257
    assert gpt2_tokenizer.separator == reference.eot_token
    story = (shared_data / "text" / "the-verdict.txt").read_text(encoding="utf-8")
    for text in (*NASTY, TEXT, story):
        assert gpt2_tokenizer.encode(text).tolist() == reference.encode_ordinary(text)


def test_gpt2_comes_from_tiktokens_cache_without_a_network(
    gpt2_tokenizer, shared_data, tmp_path, monkeypatch, fresh_tiktoken
):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_cache(tmp_path / "cache", shared_data)))
    found = RankTokenizer("gpt2", gpt2.load("", lambda: None))
    assert found.fingerprint == gpt2_tokenizer.fingerprint


def test_gpt2s_files_may_have_their_other_names(shared_data, tmp_path, gpt2_tokenizer):
    (tmp_path / "merges.txt").write_bytes((shared_data / "gpt2" / "vocab.bpe").read_bytes())
    (tmp_path / "vocab.json").write_bytes((shared_data / "gpt2" / "encoder.json").read_bytes())
    found = RankTokenizer("gpt2", gpt2.load(str(tmp_path), lambda: None))
    assert found.fingerprint == gpt2_tokenizer.fingerprint


def test_the_merges_worked_out_from_the_ranks_are_gpt2s_own(gpt2_tokenizer, shared_data):
    own = json.loads(gpt2_tokenizer.to_hf_json())["model"]["merges"]
    lines = (shared_data / "gpt2" / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:-1]
    assert [" ".join(pair) for pair in own] == lines


def test_a_vocabulary_that_cannot_be_fetched_is_an_error_with_a_way_on(fresh_tiktoken):
    with pytest.raises(DataError) as caught:
        gpt2.load("", lambda: None)
    assert "could not be fetched" in caught.value.what
    assert "vocab.bpe and encoder.json" in caught.value.do
    assert caught.value.field == "tokenizer.vocabulary_folder"


def test_a_server_that_never_answers_is_not_waited_for(fresh_tiktoken, monkeypatch):
    import socket

    monkeypatch.setattr(fetching, "FETCH_LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(DataError, match="no answer within"):
            gpt2.load("", lambda: None)


def test_a_folder_without_gpt2s_files_is_named(tmp_path):
    with pytest.raises(DataError, match=r"There is no vocab\.bpe in") as caught:
        gpt2.load(str(tmp_path), lambda: None)
    assert str(tmp_path) in caught.value.what
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\nx y\n")
    with pytest.raises(DataError, match="content differs"):
        gpt2.load(str(tmp_path), lambda: None)


# --- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer_kind.json", None, "No such file"),
        ("tokenizer_kind.json", b"{", "tokenizer_kind.json"),
        ("tokenizer_kind.json", b"[1]", "no version"),
        ("tokenizer_kind.json", b'{"version": 1, "kind": "magic"}', "'magic' is unknown"),
        ("tokenizer_kind.json", b'{"version": 99}', "newer version"),
        ("tokenizer_kind.json", b"\xff\xfe", "not text"),
        ("ranks.tiktoken", None, "No such file"),
        ("ranks.tiktoken", b"", "256 bytes"),
        ("ranks.tiktoken", b"\xff", "not text"),
        ("ranks.tiktoken", b"!!! 0\n", "line 1"),
        ("ranks.tiktoken", b"YQ== 7\n", "line 1"),
    ],
)
def test_a_damaged_tokenizer_is_an_error_that_names_the_file(bpe, tmp_path, name, content, says):
    bpe.save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in caught.value.what


def test_an_exchanged_vocabulary_is_noticed(bpe, tmp_path):
    bpe.save(tmp_path)
    other = [bytes([byte]) for byte in range(256)]
    (tmp_path / "ranks.tiktoken").write_text(ranks.to_text(other))
    with pytest.raises(DataError, match="not the vocabulary that was saved"):
        load_tokenizer(tmp_path)
