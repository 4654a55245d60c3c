"""From a tokenizer.json to a model in transformers: prepare, train, write on, export."""

import json
import math

import pytest
from tokenizer_files import FILES, WORDS
from train_for_tests import result, tiny_spec, trained

from trainer_core import spec as specs
from trainer_core.data.corpus import open_corpus
from trainer_core.data.preparing.build import build_corpus
from trainer_core.errors import ExitCode
from trainer_core.generate.generation import generate, text_of
from trainer_core.generate.loaded import load_run
from trainer_core.job import run_job
from trainer_core.journal import read_records
from trainer_core.protocol import Generate
from trainer_core.records import Noted

transformers = pytest.importorskip("transformers")

HOSTILE = "Wörld 🦉 </s><s> [SEP] <|endoftext|>  two <0x41>\n\n\ttab\r\n日本語 end "
KINDS = {
    "unigram": lambda folder: specs.TokenizerFile(path=str(folder)),
    "wordpiece": lambda folder: specs.TokenizerFile(path=str(folder / "tokenizer.json")),
    "own": lambda _: specs.BpeTokenizer(
        vocab_size=300, pretokenizer="gpt4", special_tokens=("<|user|>",)
    ),
}


def write_texts(folder):
    folder.mkdir()
    for number in range(12):
        text = f"Story {number}. " + WORDS * (3 + number % 3)
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return specs.TextFiles(paths=(str(folder),))


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory):
    """Kind, corpus and run folder of a tiny training."""
    home = tmp_path_factory.mktemp(request.param)
    if request.param in FILES:
        (home / "tokenizer.json").write_text(FILES[request.param](), encoding="utf-8")
    prepare = specs.PrepareSpec(
        source=write_texts(home / "texts"),
        tokenizer=KINDS[request.param](home),
        validation_fraction=0.2,
    )
    assert run_job(home / "data", prepare) == ExitCode.OK
    corpus = open_corpus(home / "data" / "corpus", verify=True)
    spec = tiny_spec(corpus.folder, steps=40, model={"vocab_size": corpus.vocab_size})
    return request.param, corpus, trained(home / "run", spec)


def test_documents_come_back_from_the_corpus(run):
    kind, corpus, _ = run
    info = corpus.train.document(0)
    text = corpus.tokenizer.decode(corpus.train.read(info.start, info.start + info.n_tokens))
    assert corpus.train.tokens()[info.start] == corpus.separator
    if kind == "wordpiece":
        assert text.startswith(" story")
    else:
        assert text.startswith("Story")
        assert len(text.encode()) == info.n_bytes


def test_the_manifest_names_the_kind_and_only_what_loses_text_is_noted(run):
    kind, corpus, _ = run
    assert corpus.manifest.tokenizer_kind == ("bpe" if kind == "own" else "tokenizer_json")
    notes = [
        record.text
        for record in read_records(corpus.folder.parent / "journal.bin")[0]
        if isinstance(record, Noted) and "does not give all of the text back" in record.title
    ]
    assert len(notes) == (kind == "wordpiece")
    assert all("of the characters are lost" in note for note in notes)


def test_the_training_learns(run):
    values = result(run[2])
    assert values["val_loss"] < 0.95 * math.log(run[1].vocab_size)


def test_text_streams_token_by_token(run):
    loaded = load_run(run[2])
    ask = Generate(request=0, prompt="The quick brown", temperature=0.0, max_tokens=12)
    generation = generate(loaded, ask)
    tokens = list(generation)
    assert tokens
    written = generation.tokens[generation.prompt_tokens :][: len(tokens)]
    assert text_of(tokens) == run[1].tokenizer.decode(written)


def test_transformers_gives_our_ids_and_our_text(run, tmp_path):
    kind, corpus, folder = run
    spec = specs.ExportSpec(run=str(folder), destination=str(tmp_path / "model"))
    assert run_job(tmp_path / "job", spec) == ExitCode.OK
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert theirs.eos_token_id == theirs.bos_token_id == corpus.separator
    for text in ("", WORDS, HOSTILE, " a"):
        ours = corpus.tokenizer.encode(text).tolist()
        assert theirs(text)["input_ids"] == [corpus.separator, *ours]
        assert theirs(text, add_special_tokens=False)["input_ids"] == ours
        if kind != "wordpiece":
            assert theirs.decode(ours) == text
            assert theirs.decode([corpus.separator, *ours], skip_special_tokens=True) == text
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    inputs = theirs("The quick brown", return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0].tolist()
    ask = Generate(request=0, prompt="The quick brown", temperature=0.0, max_tokens=12)
    ours = generate(load_run(folder), ask)
    list(ours)
    assert ids[: len(ours.tokens)] == ours.tokens


def test_another_corpus_with_the_same_tokenizer_has_the_same_tokens(run, tmp_path):
    _, corpus, _ = run
    (tmp_path / "other").mkdir()
    for number in range(4):
        (tmp_path / "other" / f"{number}.txt").write_text(f"{number} {WORDS}", encoding="utf-8")
    spec = specs.PrepareSpec(
        source=specs.TextFiles(paths=(str(tmp_path / "other"),)),
        tokenizer=specs.CorpusTokenizer(corpus=str(corpus.folder)),
        validation_fraction=0.3,
    )
    other = build_corpus(spec, tmp_path / "corpus")
    assert other.tokenizer.fingerprint == corpus.tokenizer.fingerprint
    assert other.separator == corpus.separator
    assert json.loads(other.tokenizer.to_hf_json()) == json.loads(corpus.tokenizer.to_hf_json())
