"""Any tokenizer.json: text comes back, none is a control token, cuts change nothing."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_files import FILES, TEXT
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from trainer_core.data.tokenizers import json_file, json_kind, pretokens
from trainer_core.data.tokenizers.json_file import Unfit, fit
from trainer_core.data.tokenizers.json_kind import JsonTokenizer
from trainer_core.data.tokenizers.kinds import load_tokenizer
from trainer_core.data.tokenizers.making import make_tokenizer
from trainer_core.data.tokenizers.round_trip import round_trip
from trainer_core.errors import DataError
from trainer_core.spec import SavedTokenizer, TokenizerFile

EXACT = ("unigram", "llama", "bytelevel", "digits", "llama3")
FAST = ("digits", "llama3", "qwen")
NASTY = [
    "",
    " ",
    " leading",
    "trailing ",
    "\n\n\n",
    "<s>a</s> <unk><0x0A><0x41>",
    "<tool> <|im_start|> <|endoftext|>",
    "  two   three    \r\n\r\n \t end ",
    "e\u0301 ﬁ ǅ 👩‍👩‍👧‍👦 漢字 \U0010ffff \x00\x01",
    "a" * 300 + " " * 300 + "x",
]

# The letter that stands for a space in two of the files is the one that comes back as a space.
any_text = st.text(st.characters(codec="utf-8", exclude_characters="▁"), max_size=60)
spaced_text = st.text(st.sampled_from(" \n\t\r\u00a0ab1!'s<>0x/é漢🙂"), max_size=60)


@pytest.fixture(scope="module")
def made():
    return {name: JsonTokenizer(fit(make())) for name, make in FILES.items()}


@pytest.fixture(params=FILES)
def tokenizer(request, made):
    return made[request.param]


@pytest.fixture(params=EXACT)
def exact(request, made):
    return made[request.param]


@settings(deadline=None, max_examples=60)
@given(text=any_text | spaced_text)
def test_every_text_comes_back_from_its_tokens(made, text):
    for name in EXACT:
        ids = made[name].encode(text)
        assert ids.dtype == np.uint32
        assert made[name].decode(ids) == text
        assert b"".join(made[name].token_bytes(int(i)) for i in ids) == text.encode()
        assert made[name].byte_lengths()[ids].sum() == len(text.encode())


@pytest.mark.parametrize("name", ["tinyshakespeare", "pride-and-prejudice-1342"])
def test_real_books_come_back_and_the_library_agrees(exact, shared_data, name):
    book = (shared_data / "text" / f"{name}.txt").read_text(encoding="utf-8")[:280_000]
    ids = exact.encode(book)
    assert exact.decode(ids) == book
    assert ids.tolist() == json_file.opened(exact.to_hf_json()).encode(book).ids


@pytest.mark.parametrize("text", NASTY)
def test_no_text_becomes_a_special_token_and_none_is_lost(exact, text):
    ids = exact.encode(text).tolist()
    assert not set(exact.special_tokens.values()) & set(ids)
    assert exact.decode(ids) == text


def test_no_text_becomes_a_special_token_where_letters_are_lost(made):
    tokenizer = made["wordpiece"]
    unknown = tokenizer.special_tokens["[UNK]"]
    for text in (*NASTY, "[CLS] [SEP] [PAD] [MASK]"):
        ids = set(tokenizer.encode(text).tolist())
        assert not (set(tokenizer.special_tokens.values()) - {unknown}) & ids


def test_names_that_models_find_in_text_are_really_found_by_the_library_alone(made):
    """The guard guards against something: without it `<s>` and `<0x0A>` are single tokens."""
    library = json_file.opened(FILES["unigram"]())
    assert "<s>" in library.encode("a<s>").tokens
    assert "<0x0A>" in library.encode("a <0x0A>").tokens
    assert "<s>" not in json_file.opened(made["unigram"].to_hf_json()).encode("a<s>").tokens


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ud83d\ude42"])
def test_surrogates_are_repaired_or_replaced(exact, text):
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert exact.decode(exact.encode(text)) == expected


@settings(deadline=None, max_examples=40)
@given(text=spaced_text | any_text, limit=st.integers(1, 20))
def test_cutting_a_text_changes_no_token(made, text, limit):
    for tokenizer in made.values():
        parts = list(pretokens.pieces(text, limit, tokenizer.last_cut))
        assert "".join(parts) == text
        ids = [i for part in parts for i in tokenizer.encode(part).tolist()]
        assert ids == tokenizer.encode(text).tolist()


def test_parts_cut_elsewhere_are_joined_and_cut_where_the_tokenizer_allows_it(tokenizer):
    parts = [TEXT[at : at + 97] for at in range(0, 4000, 97)]
    again = list(pretokens.recut(parts, tokenizer.last_cut))
    assert "".join(again) == "".join(parts)
    assert 5 < len(again) <= len(parts)
    ids = [i for part in again for i in tokenizer.encode(part).tolist()]
    assert ids == tokenizer.encode("".join(parts)).tolist()


def test_a_long_text_encodes_as_the_library_does(exact):
    text = TEXT * (pretokens.PIECE_CHARACTERS // len(TEXT) + 2)
    library = json_file.opened(exact.to_hf_json())
    assert exact.encode(text).tolist() == library.encode(text).ids


def test_a_saved_tokenizer_is_the_same_one(tokenizer, tmp_path):
    tokenizer.round_trip = round_trip(tokenizer, [TEXT])
    tokenizer.save(tmp_path / "t")
    loaded = load_tokenizer(tmp_path / "t")
    assert loaded.kind == "tokenizer_json"
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.special_tokens == tokenizer.special_tokens
    assert loaded.round_trip == tokenizer.round_trip
    assert np.array_equal(loaded.encode(TEXT), tokenizer.encode(TEXT))


def test_the_library_gives_equal_ids_with_the_file_that_is_handed_on(exact):
    library = Tokenizer.from_str(exact.to_hf_json())
    library.encode_special_tokens = True
    for text in (*NASTY, TEXT):
        ids = exact.encode(text).tolist()
        assert library.encode(text).ids == ids
        assert library.decode(ids) == text


def test_ids_are_those_of_the_file_but_for_what_it_puts_around_a_text(made):
    plain = Tokenizer.from_str(FILES["unigram"]())
    assert (
        plain.encode("over the lazy dog").ids
        == made["unigram"].encode(" over the lazy dog").tolist()
    )
    words = Tokenizer.from_str(FILES["wordpiece"]())
    assert (
        words.encode("the lazy dog").ids[1:-1] == made["wordpiece"].encode("the lazy dog").tolist()
    )


def test_the_separator_is_found_named_or_added(made):
    names = {name: next(iter(one.special_tokens)) for name, one in made.items()}
    assert names == {
        "unigram": "</s>",
        "llama": "</s>",
        "wordpiece": "[SEP]",
        "bytelevel": "<|endoftext|>",
        "digits": "<|end_of_text|>",
        "llama3": "<|end_of_text|>",
        "qwen": "<|end_of_text|>",
    }
    assert made["bytelevel"].separator == made["bytelevel"].vocab_size - 1
    assert JsonTokenizer(fit(FILES["unigram"](), "<s>")).separator == 1
    for tokenizer in made.values():
        assert tokenizer.decode([tokenizer.separator]) == ""
        assert tokenizer.byte_lengths()[tokenizer.separator] == 0


@pytest.mark.parametrize(
    ("content", "separator", "says", "field"),
    [
        ("{}", "", "no file of the library", "path"),
        ("not json", "", "no file of the library", "path"),
        (None, "<nope>", r"no token <nope>.*<unk>, <s>, </s>", "separator"),
        (None, "▁", "white space cannot separate", "separator"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(content, separator, says, field):
    with pytest.raises(Unfit, match=says) as caught:
        fit(FILES["unigram"]() if content is None else content, separator)
    assert caught.value.field == field


def test_a_vocabulary_with_absurd_ids_is_refused():
    content = json.loads(FILES["llama"]())
    content["model"]["vocab"]["far"] = 2_000_000_000
    with pytest.raises(Unfit, match="not those of a vocabulary"):
        fit(json.dumps(content))


# --- other families ----------------------------------------------------------------------------


def of_model(model, steps, decoder=None):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = steps
    if decoder is not None:
        tokenizer.decoder = decoder
    return JsonTokenizer(fit(tokenizer.to_str()))


def test_whole_words_have_a_space_before_them():
    vocabulary = {"[UNK]": 0, "the": 1, "lazy": 2, "dog": 3}
    steps = pre_tokenizers.Whitespace()
    tokenizer = of_model(models.WordLevel(vocabulary, unk_token="[UNK]"), steps)
    assert tokenizer.decode(tokenizer.encode("the lazy dog")) == " the lazy dog"
    assert tokenizer.decode(tokenizer.encode("the cat")) == " the\ufffd"


def test_single_letters_have_none():
    vocabulary = {letter: number for number, letter in enumerate("[ abcdeghlotyz")}
    steps = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer = of_model(models.WordLevel(vocabulary, unk_token="["), steps, decoders.Fuse())
    assert tokenizer.decode(tokenizer.encode("the lazy dog")) == "the lazy dog"


def test_a_letter_that_ends_words_is_a_space():
    letters = "dehlot"
    vocabulary = {letter: n for n, letter in enumerate([*letters, *(f"{x}</w>" for x in letters)])}
    model = models.BPE(vocabulary, [], end_of_word_suffix="</w>")
    tokenizer = of_model(model, pre_tokenizers.Whitespace(), decoders.BPEDecoder())
    assert tokenizer.decode(tokenizer.encode("the hello")) == "the hello "
    spelled = of_model(
        model,
        pre_tokenizers.Sequence(
            [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(False, use_regex=False)]
        ),
        decoders.ByteLevel(),
    )
    assert spelled.decode(spelled.encode("the hello")) == "the hello "


# --- files of bytes, which tiktoken encodes ----------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(
    text=any_text
    | spaced_text
    | st.text(st.sampled_from(" \n\r\t19a½/;'sS\u0301e\u3000"), max_size=40)
)
def test_faster_encoding_gives_the_librarys_ids(made, text):
    for name in FAST:
        library = json_file.opened(made[name].to_hf_json())
        assert made[name].encode(text).tolist() == library.encode(text).ids


def test_files_of_bytes_are_encoded_the_fast_way_where_that_is_the_same(made):
    assert [name for name, one in made.items() if one._fast is not None] == list(FAST)


@pytest.mark.parametrize("change", ["split", "merges", "letters", "added"])
def test_a_file_that_tiktoken_would_read_otherwise_is_left_to_its_library(made, change):
    content = json.loads(FILES["llama3"]())
    model = content["model"]
    if change == "split":
        content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] += "|unheard of"
    elif change == "merges":
        model["merges"].reverse()
    elif change == "letters":
        del model["vocab"]["Ā"]
    else:
        content["added_tokens"].append({**content["added_tokens"][0], "id": 999, "special": False})
        content["added_tokens"][-1]["content"] = "  "
    tokenizer = JsonTokenizer(fit(json.dumps(content)))
    assert tokenizer._fast is None
    library = json_file.opened(tokenizer.to_hf_json())
    assert tokenizer.encode(TEXT).tolist() == library.encode(TEXT).ids


def test_what_is_composed_first_is_told_as_lost(made):
    trip = round_trip(made["qwen"], ["cafe\u0301 " * 20, "plain text"])
    assert trip.exact == 1
    assert made["qwen"].decode(made["qwen"].encode("e\u0301")) == "é"


# --- what is lost ------------------------------------------------------------------------------


def test_a_tokenizer_that_gives_all_text_back_loses_nothing(exact):
    trip = round_trip(exact, [TEXT] * 3)
    assert trip.exact == trip.stretches > 10
    assert trip.lost_share == 0
    assert trip.words == ""


def test_what_is_lost_is_measured_and_told(made):
    trip = round_trip(made["wordpiece"], [TEXT])
    assert trip.exact == 0
    assert 0.01 < trip.lost_share < 0.3
    assert "come back from their tokens as they were" in trip.words
    before, after = trip.examples[0]
    assert before.startswith("The quick")
    assert "the quick" in after


def make(wanted, text=TEXT):
    return make_tokenizer(
        wanted, lambda: iter([(b"d" * 16, iter([text]))]), len(text), 1, lambda *_: None, "c[2]"
    )


def write(folder, name):
    path = folder / "tokenizer.json"
    path.write_text(FILES[name](), encoding="utf-8")
    return path


def test_a_file_or_its_folder_is_opened_and_tried_on_the_text(tmp_path, made):
    path = write(tmp_path, "wordpiece")
    for named in (path, tmp_path):
        tokenizer = make(TokenizerFile(path=str(named)))
        assert tokenizer.fingerprint == made["wordpiece"].fingerprint
        assert tokenizer.round_trip.lost_share > 0


def test_a_tokenizer_of_another_script_is_refused_with_what_it_loses(tmp_path):
    write(tmp_path, "wordpiece")
    with pytest.raises(DataError, match=r"does not fit the text.*are lost") as caught:
        make(TokenizerFile(path=str(tmp_path)), "Съешь же ещё этих мягких французских булок. " * 20)
    assert caught.value.field == "c[2].path"


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), (b"\xff\xfe", "not text"), (b"{}", "no file of")]
)
def test_a_file_that_is_absent_or_another_one_is_an_error_beside_its_field(tmp_path, content, says):
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        make(TokenizerFile(path=str(tmp_path)))
    assert caught.value.field == "c[2].path"
    assert str(tmp_path) in caught.value.what


def test_a_saved_tokenizer_is_taken_from_its_folder(tmp_path, made):
    made["llama"].save(tmp_path / "t")
    assert make(SavedTokenizer(folder=str(tmp_path / "t"))).fingerprint == made["llama"].fingerprint
    with pytest.raises(DataError, match=r"tokenizer_kind\.json") as caught:
        make(SavedTokenizer(folder=str(tmp_path)))
    assert caught.value.field == "c[2].folder"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer.json", None, "No such file"),
        ("tokenizer.json", b"{}", "no file of the library"),
        ("tokenizer_kind.json", b'{"version": 1, "kind": "tokenizer_json"}', "no special tokens"),
    ],
)
def test_a_damaged_folder_is_an_error_that_names_the_file(made, tmp_path, name, content, says):
    made["llama"].save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        load_tokenizer(tmp_path)


def test_an_exchanged_file_is_noticed(made, tmp_path):
    made["llama"].save(tmp_path)
    (tmp_path / json_kind.FILE_NAME).write_text(made["unigram"].to_hf_json(), encoding="utf-8")
    with pytest.raises(DataError, match="not the vocabulary that was saved"):
        load_tokenizer(tmp_path)
