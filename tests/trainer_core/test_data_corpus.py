"""The corpus on disk: what was written is what is read, and damage is named."""

import json

import msgspec
import numpy as np
import pytest

from trainer_core.data.corpus import open_corpus
from trainer_core.data.manifest import Manifest
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import DataError
from trainer_core.spec import BpeTokenizer, ByteTokenizer, PrepareSpec, TextFiles

DOCUMENTS = {
    f"{n:03}.txt": f"Document {n}: " + "words, words 漢字\n" * (n % 7 + 1) for n in range(60)
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts") / "t"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_bytes(text.encode())
    return folder


def build(texts, folder, *, tokenizer=None, shard_tokens=1000, **settings):
    spec = PrepareSpec(
        source=TextFiles(paths=(str(texts),)),
        tokenizer=tokenizer or ByteTokenizer(),
        validation_fraction=0.2,
        **settings,
    )
    return build_corpus(spec, folder, shard_tokens=shard_tokens)


@pytest.fixture(params=["bytes", "bpe"])
def corpus(request, texts, tmp_path):
    tokenizer = ByteTokenizer() if request.param == "bytes" else BpeTokenizer(vocab_size=300)
    return build(texts, tmp_path / "corpus", tokenizer=tokenizer, shard_tokens=200)


def splits(corpus):
    return corpus.train, corpus.validation


def test_every_document_is_there_once_and_whole(corpus):
    found = {}
    for split in splits(corpus):
        assert split.document_start[0] == 0
        for number in range(split.n_documents):
            info = split.document(number)
            ids = split.read(info.start, info.start + info.n_tokens)
            assert ids[0] == corpus.separator
            text = corpus.tokenizer.decode(ids[1:])
            assert corpus.separator not in ids[1:]
            assert info.n_bytes == len(text.encode())
            assert info.title.startswith("t/")
            assert info.path.endswith(info.title)
            assert info.title not in found
            found[info.title] = text
    assert found == {f"t/{name}": text for name, text in DOCUMENTS.items()}


def test_the_counts_are_those_of_the_tokens(corpus):
    for split in splits(corpus):
        tokens = split.tokens()
        assert tokens.shape == (split.n_tokens,)
        assert tokens.dtype == np.uint16
        assert (tokens == corpus.separator).sum() == split.n_documents
        assert np.array_equal(np.flatnonzero(tokens == corpus.separator), split.document_start)
        assert corpus.tokenizer.byte_lengths()[tokens].sum() == split.n_bytes
        assert len(split.manifest.shards) == -(-split.n_tokens // 200)


def test_any_range_is_the_same_as_in_the_whole(corpus):
    tokens = corpus.train.tokens()
    n = corpus.train.n_tokens
    edges = [0, 1, 199, 200, 201, 399, 400, 401, n - 1, n]
    for start in edges:
        for stop in edges:
            if start <= stop:
                assert np.array_equal(corpus.train.read(start, stop), tokens[start:stop])
    for start, stop in ((-1, 2), (3, 2), (0, n + 1)):
        with pytest.raises(IndexError):
            corpus.train.read(start, stop)


def test_positions_lead_to_their_document(corpus):
    split = corpus.train
    for number in (0, 1, split.n_documents - 1):
        info = split.document(number)
        for position in (info.start, info.start + info.n_tokens - 1):
            assert split.document_at(position) == number
    for position in (-1, split.n_tokens):
        with pytest.raises(IndexError):
            split.document_at(position)
    for number in (-1, split.n_documents):
        with pytest.raises(IndexError):
            split.document(number)


def test_tokens_cannot_be_changed_by_accident(corpus):
    for tokens in (corpus.train.tokens(), corpus.train.read(0, 5), corpus.train.document_start):
        if tokens.base is not None:
            with pytest.raises(ValueError, match="read-only"):
                tokens[0] = 1


def test_the_size_of_the_shards_changes_no_token(texts, tmp_path):
    one = build(texts, tmp_path / "one", shard_tokens=2**20)
    for number, size in enumerate((97, 1000)):
        other = build(texts, tmp_path / str(number), shard_tokens=size)
        for a, b in zip(splits(one), splits(other), strict=True):
            assert np.array_equal(a.tokens(), b.tokens())


def test_the_same_source_gives_the_same_files_byte_for_byte(texts, tmp_path):
    first = build(texts, tmp_path / "1", tokenizer=BpeTokenizer(vocab_size=300))
    second = build(texts, tmp_path / "2", tokenizer=BpeTokenizer(vocab_size=300))
    for path in sorted(first.folder.rglob("*")):
        if path.is_file():
            other = second.folder / path.relative_to(first.folder)
            assert path.read_bytes() == other.read_bytes()
    assert first.fingerprint == second.fingerprint
    assert build(texts, tmp_path / "3", seed=2).fingerprint != first.fingerprint


def test_a_corpus_can_be_moved(corpus, tmp_path):
    moved = corpus.folder.rename(tmp_path / "elsewhere")
    assert open_corpus(moved, verify=True).fingerprint == corpus.fingerprint


# --- damage ------------------------------------------------------------------------------------


@pytest.fixture
def folder(texts, tmp_path):
    return build(texts, tmp_path / "corpus").folder


def error_of(folder, *, verify=False):
    with pytest.raises(DataError) as caught:
        open_corpus(folder, verify=verify)
    assert caught.value.safe
    assert caught.value.do
    return caught.value.what


def edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_no_folder_and_no_manifest_are_told_apart(folder):
    assert "does not exist" in error_of(folder / "none")
    with pytest.raises(DataError) as caught:
        open_corpus(folder.parent)  # the job's folder, which holds the corpus
    assert str(folder) in caught.value.do
    (folder / "manifest.json").unlink()
    assert "manifest.json is missing" in error_of(folder)


def test_a_newer_corpus_is_refused(folder):
    edit(folder, version=2, tokenizer_kind="telepathy")
    assert "newer version of Hearth" in error_of(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": "x"}', b'{"version": 1}', b"\xff"]
)
def test_a_broken_manifest_is_named(folder, content):
    (folder / "manifest.json").write_bytes(content)
    assert str(folder / "manifest.json") in error_of(folder)


def test_a_manifest_that_was_edited_is_noticed(folder):
    edit(folder, dtype="uint32")
    assert "fingerprint" in error_of(folder)


def test_a_manifest_cannot_point_outside_its_folder(folder):
    path = folder / "manifest.json"
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    shard = manifest.train.shards[0]
    for name in ("../secret", "/etc/passwd", "train\\..\\x"):
        outside = msgspec.structs.replace(shard, name=name)
        shards = (outside, *manifest.train.shards[1:])
        train = msgspec.structs.replace(manifest.train, shards=shards)
        forged = msgspec.structs.replace(manifest, train=train)
        forged = msgspec.structs.replace(forged, fingerprint=forged.computed_fingerprint())
        path.write_bytes(msgspec.json.encode(forged))
        assert "contradicts itself" in error_of(folder)


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.parent.name in ("train", "validation"))


def test_every_missing_or_shortened_file_is_named(folder):
    for path in files_of(folder):
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        assert str(path) in error_of(folder)
        path.unlink()
        assert "is missing" in error_of(folder)
        assert str(path) in error_of(folder)
        path.write_bytes(content)
    open_corpus(folder, verify=True)


def test_one_flipped_bit_in_any_file_is_found_by_verifying(folder):
    for path in files_of(folder):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert str(path) in error_of(folder, verify=True)
        path.write_bytes(content)


def test_a_damaged_line_of_the_documents_is_an_error_that_names_the_file(folder):
    path = folder / "train" / "documents.jsonl"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DataError, match=r"documents\.jsonl"):
        open_corpus(folder).train.document(0)


def test_another_corpus_tokenizer_is_noticed(folder, texts, tmp_path):
    other = build(texts, tmp_path / "other", tokenizer=BpeTokenizer(vocab_size=300))
    for path in (other.folder / "tokenizer").iterdir():
        (folder / "tokenizer" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="not the tokenizer"):
        _ = open_corpus(folder).tokenizer
    assert "not the tokenizer" in error_of(folder, verify=True)
