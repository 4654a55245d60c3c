"""From what is typed about new data to the spec, and back: no window, no disk."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import msgspec
import pytest

from studio.pages.data.adding import source_form, tokenizer_form
from studio.pages.data.adding.cleaning_form import CleaningForm
from studio.pages.data.adding.dropped import sort_out
from studio.pages.data.adding.source_form import SourceForm, named_apart, of_known, title_of
from studio.pages.data.adding.tokenizer_form import ENCODINGS, TokenizerForm
from studio.pages.data.answers import DocumentName, Place
from studio.pages.data.exclude import beyond_first, copies_beyond_first, names_of
from studio.pages.data.request import (
    AddForm,
    copy_of,
    default_name,
    form_of,
    make_preview,
    make_request,
)
from studio.pages.typed import parse_size, size_text
from studio.storage.tokenizer_labels import ENCODING_SIZES, tokenizer_label
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.known_datasets import KNOWN_DATASETS
from trainer_core.rule_language import EXAMPLES
from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    CleaningConfig,
    CorpusTokenizer,
    Gpt2Tokenizer,
    HubDataset,
    OwnRules,
    PrepareSpec,
    PythonLibrary,
    RuleLines,
    SavedDataset,
    SavedTokenizer,
    Source,
    TextFiles,
    TiktokenTokenizer,
    TokenFiles,
    Tokenizer,
    TokenizerFile,
)

SOURCES: tuple[Source, ...] = (
    PythonLibrary(),
    PythonLibrary(max_bytes=24_000_000, name="code"),
    TextFiles(
        paths=("/a/b.txt", "/c"),
        suffixes=(".txt", ".md"),
        field="story",
        encoding="auto",
        name="own",
    ),
    HubDataset(repo="owner/name"),
    HubDataset(
        repo="owner/name",
        subset="small",
        split="test",
        field="text",
        revision="main",
        streaming=False,
        max_bytes=1_234_567,
        name="hub",
    ),
    SavedDataset(path="/saved", split="train", field="body", max_bytes=5, name="saved"),
    TokenFiles(paths=("/t.bin",), vocabulary_folder="/v", name="tokens"),
    RuleLines(task="addition", lines=1200, name="sums"),
    OwnRules(rules=EXAMPLES[0].text, lines=500, name="mine"),
)
TOKENIZERS: tuple[Tokenizer, ...] = (
    ByteTokenizer(),
    BpeTokenizer(),
    BpeTokenizer(
        vocab_size=32_768,
        sample_bytes=2_500_000,
        pretokenizer="digits",
        special_tokens=("<|user|>", "<|a b|>"),
    ),
    Gpt2Tokenizer(vocabulary_folder="/v"),
    TiktokenTokenizer(encoding="o200k_base", ranks_file="/o200k_base.tiktoken"),
    TokenizerFile(path="/models/llama/tokenizer.json", separator="<s>"),
    CorpusTokenizer(corpus="/data/bees/corpus"),
    SavedTokenizer(folder="/lab/tokenizer-1"),
)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_every_source_becomes_the_form_that_gives_it_again(source: Source) -> None:
    spec = PrepareSpec(source=source, tokenizer=BpeTokenizer(), name="Any")
    assert make_request(form_of(spec, "what", False)).spec == spec


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda each: type(each).__name__)
def test_every_tokenizer_becomes_the_form_that_gives_it_again(tokenizer: Tokenizer) -> None:
    spec = PrepareSpec(source=PythonLibrary(), tokenizer=tokenizer, name="Any", seed=5)
    assert make_request(form_of(spec, "what", True)).spec == spec


def test_cleaning_split_and_several_sources_come_back_too() -> None:
    spec = PrepareSpec(
        sources=(PythonLibrary(name="a"), TextFiles(paths=("/b",), name="b")),
        cleaning=CleaningConfig(
            repair_unicode=True,
            normalise="NFKC",
            whitespace=True,
            min_characters=20,
            max_characters=1_000_000,
            hook="/hook.py",
            exclude=("/a.txt", "text:" + "0f" * 16),
            near_duplicates="remove",
            similarity=0.85,
        ),
        name="Two",
        validation_fraction=0.125,
    )
    form = form_of(spec, "what", False)
    assert make_request(form).spec == spec
    assert make_preview(form).cleaning == spec.cleaning


def test_no_kind_and_no_setting_of_the_spec_is_without_a_field() -> None:
    """A source, a tokenizer or a setting that is added to the spec has to be added here."""
    for kinds, fields in (
        (get_args(Source), source_form.FIELDS),
        (get_args(Tokenizer), tokenizer_form.FIELDS),
    ):
        spec_fields = {
            kind.__struct_config__.tag: {field.name for field in msgspec.structs.fields(kind)}
            for kind in kinds
        }
        assert {kind: set(names) for kind, names in fields.items()} == spec_fields
    assert set(CleaningForm.__dataclass_fields__) == set(CleaningConfig.__struct_fields__)
    assert set(ENCODINGS) == set(ENCODING_SIZES)


def test_the_untouched_form_asks_for_the_python_library() -> None:
    request = make_request(AddForm())
    assert request.name == "Python library"
    assert request.spec == PrepareSpec(
        source=PythonLibrary(),
        tokenizer=BpeTokenizer(vocab_size=4096),
        cleaning=CleaningConfig(near_duplicates="report"),
        name="Python library",
    )
    assert tokenizer_label(request.spec.tokenizer) == "own, 4,096"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (AddForm(sources=(SourceForm(kind="text_files"),)), "source.paths"),
        (AddForm(sources=(SourceForm(kind="hub_dataset", repo=" "),)), "source.repo"),
        (AddForm(sources=(SourceForm(kind="saved_dataset"),)), "source.path"),
        (AddForm(sources=(SourceForm(kind="own_rules"),)), "source.rules"),
        (
            AddForm(sources=(SourceForm(kind="text_files", paths=("/a",), encoding="none"),)),
            "source.encoding",
        ),
        (AddForm(sources=(SourceForm(kind="own_rules", rules="line ="),)), "source.rules"),
        (AddForm(sources=(SourceForm(max_bytes="some"),)), "source.max_bytes"),
        (AddForm(sources=(SourceForm(), SourceForm(max_bytes="x"))), "sources[1].max_bytes"),
        (AddForm(tokenizer=TokenizerForm(vocab_size="12")), "tokenizer.vocab_size"),
        (AddForm(tokenizer=TokenizerForm(vocab_size="many")), "tokenizer.vocab_size"),
        (AddForm(tokenizer=TokenizerForm(sample_bytes="")), "tokenizer.sample_bytes"),
        (AddForm(tokenizer=TokenizerForm(kind="tokenizer_json")), "tokenizer.path"),
        (AddForm(tokenizer=TokenizerForm(kind="corpus")), "tokenizer.corpus"),
        (AddForm(tokenizer=TokenizerForm(kind="saved")), "tokenizer.folder"),
        (AddForm(cleaning=CleaningForm(min_characters="few")), "cleaning.min_characters"),
        (AddForm(cleaning=CleaningForm(similarity="20")), "cleaning.similarity"),
        (
            AddForm(cleaning=CleaningForm(min_characters="9", max_characters="3")),
            "cleaning.max_characters",
        ),
        (AddForm(validation="60"), "validation_fraction"),
        (AddForm(validation="0"), "validation_fraction"),
        (AddForm(validation=""), "validation_fraction"),
        (AddForm(seed="-1"), "seed"),
        (AddForm(seed="x"), "seed"),
    ],
)
def test_a_wrong_setting_is_named_by_its_field(form: AddForm, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_request(form)
    assert caught.value.field == field


def test_sizes_are_read_as_people_write_them() -> None:
    assert parse_size("24 MB") == 24_000_000
    assert parse_size("1.5gb") == 1_500_000_000
    assert parse_size("") == 0
    assert parse_size("some") == "some"
    for n_bytes in (1, 999, 1000, 1025, 24_000_000, 2_300_000_000, 123_456_789):
        assert parse_size(size_text(n_bytes)) == n_bytes


def test_a_source_has_a_name_without_being_given_one() -> None:
    def files(*paths: str) -> SourceForm:
        return SourceForm(kind="text_files", paths=paths)

    assert title_of(files("/x/the_verdict.txt")) == "the verdict"
    assert title_of(files("/x/books/")) == "books"
    assert title_of(files()) == "My text"
    assert title_of(of_known(KNOWN_DATASETS[0].source)) == KNOWN_DATASETS[0].title
    assert default_name(AddForm(sources=(SourceForm(), files("/x/a.txt")))) == (
        "Python library and a"
    )


def test_several_sources_get_names_that_tell_them_apart() -> None:
    named = named_apart([SourceForm(), SourceForm(), SourceForm(name="mine")])
    assert [form.name for form in named] == ["Python library", "Python library 2", "mine"]
    assert named_apart([SourceForm()]) == (SourceForm(),)
    make_request(AddForm(sources=named))  # no two have one name


def test_a_copy_leaves_out_more_documents_and_has_a_name_of_its_own() -> None:
    form = AddForm(name="Bees", cleaning=CleaningForm(exclude=("/a",), whitespace=True))
    copy = copy_of(form, ("/a", "/b", "/b"))
    assert copy.cleaning == CleaningForm(exclude=("/a", "/b"), whitespace=True)
    assert copy == replace(form, name="Bees, copy", cleaning=copy.cleaning)


def test_what_is_dropped_is_told_apart(tmp_path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "dataset_info.json").write_text("{}")
    paths = [str(tmp_path / name) for name in ("a.txt", "b.bin", "tokenizer.json", "saved", "c")]
    dropped = sort_out(paths)
    assert [form.kind for form in dropped.sources] == ["text_files", "token_files", "saved_dataset"]
    assert dropped.sources[0].paths == (paths[0], paths[4])
    assert dropped.tokenizer is not None and dropped.tokenizer.path == paths[2]


def test_a_settings_file_is_a_whole_form(tmp_path) -> None:
    spec = PrepareSpec(source=TextFiles(paths=("/b",)), tokenizer=ByteTokenizer(), name="B")
    path = tmp_path / "prepare.toml"
    path.write_text(specs.to_toml(spec))
    dropped = sort_out([str(path)])
    assert dropped.form is not None and make_request(dropped.form).spec == spec
    path.write_text(specs.to_toml(specs.IndexSpec(corpus="/c")))
    with pytest.raises(SpecError, match="another job: index"):
        sort_out([str(path)])


def test_documents_of_reports_are_named_so_that_they_can_be_left_out() -> None:
    def place(path: str, text: str = "") -> Place:
        return Place(
            document=0,
            title=path,
            path=path,
            position=0,
            document_tokens=1,
            before="",
            matched="",
            following="",
            after="",
            text=text,
        )

    places = [place("/a", "0f" * 16), place("/b"), place("/b"), place("/c", "0f" * 16)]
    assert names_of(places) == ("text:" + "0f" * 16, "/b")
    assert beyond_first(places) == ("/b",)
    equal = [DocumentName(document=n, title="x", path=path) for n, path in enumerate("abb")]
    assert copies_beyond_first(equal) == ("b",)
    form = copy_of(AddForm(), names_of(places))
    assert make_request(form).spec.cleaning.exclude == names_of(places)
