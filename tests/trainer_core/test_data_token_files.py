"""Files of GPT-2 tokens: the text that they stand for, and the same tokens again."""

import numpy as np
import pytest
import tiktoken
from data_for_tests import read_source, survey_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.sources import token_files
from trainer_core.data.tokenizers import gpt2
from trainer_core.data.tokenizers.kinds import RankTokenizer
from trainer_core.errors import DataError
from trainer_core.spec import Gpt2Tokenizer, PrepareSpec, TokenFiles, from_toml, to_toml

END = 50_256


@pytest.fixture(scope="session")
def vocabulary_folder(shared_data):
    return str(shared_data / "gpt2")


@pytest.fixture(scope="session")
def tokenizer(vocabulary_folder):
    return RankTokenizer("gpt2", gpt2.load(vocabulary_folder, lambda: None))


def nanogpt(documents):
    """Every document, then the end of text."""
    return np.array([i for ids in documents for i in (*ids, END)], "<u2").tobytes()


def llmc(documents, magic=20240520, version=1, count=None):
    """A header, then the end of text and a document, again and again."""
    tokens = np.array([i for ids in documents for i in (END, *ids)], "<u2")
    header = np.zeros(256, "<i4")
    header[:3] = magic, version, len(tokens) if count is None else count
    return header.tobytes() + tokens.tobytes()


LAYOUTS = {"nanogpt": nanogpt, "llmc": llmc}
TEXTS = ["Hello world.\n", "Zwei Zeilen,\nmit 漢字 🙂 <|endoftext|>", " a"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chunk_bytes", [1 << 17, 2, 10])
def test_documents_are_what_stands_between_the_ends_of_text(
    tmp_path, tokenizer, vocabulary_folder, layout, chunk_bytes, monkeypatch
):
    monkeypatch.setattr(token_files, "CHUNK_BYTES", chunk_bytes)
    ids = [tokenizer.encode(text).tolist() for text in TEXTS]
    (tmp_path / "train.bin").write_bytes(LAYOUTS[layout]([*ids[:2], [], [], ids[2]]))
    (tmp_path / "readme.txt").write_text("not wanted\n")
    source = TokenFiles(paths=(str(tmp_path),), vocabulary_folder=vocabulary_folder)
    texts, counts = read_source(source)
    name = f"{tmp_path.name}/train.bin"
    assert texts == {f"{name} document {n}": text for n, text in enumerate(TEXTS, 1)}
    assert counts == {"other_suffix": 1}


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@settings(max_examples=30)
@given(texts=st.lists(words, min_size=1, max_size=6, unique=True), data=st.data())
def test_any_text_comes_back_and_has_the_same_tokens(
    texts, data, tokenizer, vocabulary_folder, tmp_path_factory
):
    texts = [text + "." for text in texts]
    layout = data.draw(st.sampled_from(sorted(LAYOUTS)))
    path = tmp_path_factory.mktemp("tokens") / "a.bin"
    path.write_bytes(LAYOUTS[layout]([tokenizer.encode(text).tolist() for text in texts]))
    source = TokenFiles(paths=(str(path),), vocabulary_folder=vocabulary_folder)
    assert list(read_source(source)[0].values()) == texts


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_corpus_of_them_has_the_very_same_tokens(
    tmp_path, tokenizer, vocabulary_folder, layout, shared_data
):
    text = next((shared_data / "text").iterdir()).read_text(encoding="utf-8")[:200_000]
    documents = [text[at : at + 4000] for at in range(0, len(text), 4000)]
    ids = [tokenizer.encode(document).tolist() for document in documents]
    (tmp_path / "a.bin").write_bytes(LAYOUTS[layout](ids))
    source = TokenFiles(paths=(str(tmp_path / "a.bin"),), vocabulary_folder=vocabulary_folder)
    spec = PrepareSpec(source=source, tokenizer=Gpt2Tokenizer(vocabulary_folder=vocabulary_folder))
    assert from_toml(to_toml(spec)) == spec
    corpus = build_corpus(spec, tmp_path / "corpus")
    found = {}
    for split in (corpus.train, corpus.validation):
        for number in range(split.n_documents):
            info = split.document(number)
            found[info.title] = split.read(info.start, info.start + info.n_tokens).tolist()
    assert found == {f"a.bin document {n}": [END, *one] for n, one in enumerate(ids, 1)}
    assert corpus.manifest.source.description == f"GPT-2 token files: {tmp_path / 'a.bin'}"


def test_they_are_tiktokens_tokens(tokenizer, vocabulary_folder, tmp_path):
    encoding = tiktoken.Encoding(
        "gpt2-here",
        pat_str=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
        mergeable_ranks={
            token: rank for rank, token in enumerate(gpt2.load(vocabulary_folder, lambda: None))
        },
        special_tokens={"<|endoftext|>": END},
    )
    ids = encoding.encode_ordinary_batch(TEXTS)
    (tmp_path / "a.bin").write_bytes(nanogpt(ids))
    source = TokenFiles(paths=(str(tmp_path / "a.bin"),), vocabulary_folder=vocabulary_folder)
    assert list(read_source(source)[0].values()) == TEXTS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"odd", "broken"),
        (b"", "empty"),
        (nanogpt([[], []]), "empty"),
        (nanogpt([[5], [60_000]]), "other_tokens"),
        (llmc([[5, 6]], count=99), "broken"),
        (llmc([[5, 6]], version=7), "broken"),
        (llmc([[5, 6]], magic=20240801), "other_tokens"),
        (llmc([[5, 6]])[:1000], "broken"),
        (nanogpt([[162]]), "not_utf8"),
        (nanogpt([[188]]), "binary"),
    ],
)
def test_what_is_no_file_of_tokens_is_told(tmp_path, tokenizer, vocabulary_folder, data, reason):
    (tmp_path / "a.bin").write_bytes(nanogpt([tokenizer.encode("good text").tolist()]))
    (tmp_path / "b.bin").write_bytes(data)
    source = TokenFiles(paths=(str(tmp_path),), vocabulary_folder=vocabulary_folder)
    texts, counts = read_source(source)
    assert list(texts.values()) == ["good text"]
    assert list(counts) == [reason]


def test_other_tokens_in_the_middle_cost_only_what_follows(
    tmp_path, tokenizer, vocabulary_folder, monkeypatch
):
    monkeypatch.setattr(token_files, "CHUNK_BYTES", 8)
    ids = [tokenizer.encode(text).tolist() for text in ("one two three four", "five six seven")]
    (tmp_path / "a.bin").write_bytes(nanogpt([*ids, [60_000]]))
    source = TokenFiles(paths=(str(tmp_path),), vocabulary_folder=vocabulary_folder)
    texts, counts = read_source(source)
    assert list(texts.values()) == ["one two three four"]
    assert set(counts) == {"other_tokens"}


def test_a_folder_without_the_vocabulary_is_an_error_of_this_source(tmp_path):
    (tmp_path / "a.bin").write_bytes(nanogpt([[5]]))
    source = TokenFiles(paths=(str(tmp_path),), vocabulary_folder=str(tmp_path))
    with pytest.raises(DataError) as caught:
        read_source(source)
    assert caught.value.field == "source.vocabulary_folder"


def test_a_document_without_an_end_comes_in_parts(tmp_path, tokenizer, vocabulary_folder):
    line = "many words in one line and no end in sight "
    ids = tokenizer.encode(line).tolist() * 60_000
    (tmp_path / "a.bin").write_bytes(np.array(ids, "<u2").tobytes())
    source = TokenFiles(paths=(str(tmp_path),), vocabulary_folder=vocabulary_folder)
    (parts,) = [list(document.texts) for document in survey_of(source).again()]
    assert "".join(parts) == line * 60_000
    assert max(map(len, parts)) < 2**20
