"""What "Add data" asks for as a whole: from typed settings to a prepare spec. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from studio.pages.data.adding.cleaning_form import CleaningForm, cleaning_data, cleaning_form
from studio.pages.data.adding.source_form import (
    SourceForm,
    source_form,
    title_of,
    to_source,
    what_of,
)
from studio.pages.data.adding.tokenizer_form import TokenizerForm, tokenizer_data, tokenizer_form
from studio.pages.typed import parse, parse_percent, percent_text
from trainer_core import spec as specs
from trainer_core.spec import PrepareSpec, PreviewSpec

_ONLY_SOURCE = (SourceForm(),)


@dataclass(frozen=True)
class AddPaths:
    """Files and folders to make a dataset of: texts, tokens, a tokenizer or settings."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class AddForm:
    """Everything that was typed.

    Attributes:
        sources: Where the text comes from.
        cleaning: What is done to it.
        tokenizer: How it becomes tokens.
        name: The dataset's; empty takes that of its source.
        what: What kind of text it is; empty says where it is from.
        private: It is not to leave this computer.
        validation: Share held out, in percent.
        seed: Of the split.
    """

    sources: tuple[SourceForm, ...] = _ONLY_SOURCE
    cleaning: CleaningForm = field(default_factory=CleaningForm)
    tokenizer: TokenizerForm = field(default_factory=TokenizerForm)
    name: str = ""
    what: str = ""
    private: bool = False
    validation: str = "5"
    seed: str = "1337"


@dataclass(frozen=True)
class AddRequest:
    """A dataset to read. `replaces` is the dataset whose failed attempt this one corrects."""

    name: str
    what: str
    private: bool
    spec: PrepareSpec
    replaces: int | None = None


def make_request(form: AddForm, replaces: int | None = None) -> AddRequest:
    """The request behind a form.

    Raises:
        SpecError: A setting is missing or wrong; the error has its path.
    """
    name = form.name.strip() or default_name(form)
    data = {
        "verb": "prepare",
        **_sources(form),
        "cleaning": cleaning_data(form.cleaning),
        "tokenizer": tokenizer_data(form.tokenizer),
        "name": name,
        "validation_fraction": parse_percent(form.validation),
        "seed": parse(form.seed),
    }
    spec: PrepareSpec = specs.convert(data, PrepareSpec, "this dataset")
    return AddRequest(name, form.what.strip() or default_what(form), form.private, spec, replaces)


def make_preview(form: AddForm) -> PreviewSpec:
    """The look at the beginning of the text that a form asks for.

    Raises:
        SpecError: A setting of a source or of the cleaning is missing or wrong.
    """
    data = {"verb": "preview", **_sources(form), "cleaning": cleaning_data(form.cleaning)}
    return specs.convert(data, PreviewSpec, "this dataset")


def _sources(form: AddForm) -> dict[str, Any]:
    if len(form.sources) == 1:
        return {"source": to_source(form.sources[0])}
    return {"sources": [to_source(each, number) for number, each in enumerate(form.sources)]}


def default_name(form: AddForm) -> str:
    """A name that says where the text is from."""
    titles = [title_of(source) for source in form.sources]
    if len(titles) < 3:
        return " and ".join(titles)
    return f"{titles[0]} and {len(titles) - 1} more"


def default_what(form: AddForm) -> str:
    """What kind of text it is, in a few words."""
    if len(form.sources) == 1:
        return what_of(form.sources[0])
    return "Mixed: " + ", ".join(title_of(source) for source in form.sources)


def form_of(spec: PrepareSpec, what: str, private: bool) -> AddForm:
    """The form that gives this spec, to correct and send again."""
    return AddForm(
        sources=tuple(source_form(source) for source in spec.all_sources),
        cleaning=cleaning_form(spec.cleaning),
        tokenizer=tokenizer_form(spec.tokenizer),
        name=spec.name,
        what=what,
        private=private,
        validation=percent_text(spec.validation_fraction),
        seed=str(spec.seed),
    )


def copy_of(form: AddForm, exclude: tuple[str, ...] = ()) -> AddForm:
    """The same settings for a dataset of its own, with further documents left out.

    Args:
        form: The dataset's settings.
        exclude: Documents, as `CleaningConfig.exclude` names them.
    """
    kept = form.cleaning.exclude
    more = tuple(each for each in dict.fromkeys(exclude) if each not in kept)
    cleaning = replace(form.cleaning, exclude=(*kept, *more))
    return replace(form, cleaning=cleaning, name=f"{form.name or default_name(form)}, copy")
