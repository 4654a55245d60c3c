"""A comparison of tokenizers as it is typed, and the spec that follows. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from studio.pages.data.adding.tokenizer_form import TokenizerForm, tokenizer_data
from studio.pages.typed import parse_size
from trainer_core import spec as specs
from trainer_core.errors import SpecError
from trainer_core.spec import TokenizersSpec

CANDIDATES_MAX = 8
FIRST = (TokenizerForm(vocab_size="4,096"), TokenizerForm(vocab_size="8,192"))


@dataclass(frozen=True)
class LabForm:
    """What is compared, and on which text.

    Attributes:
        corpus: Corpus folder of the dataset whose text is used; None takes `paths`.
        paths: Files and folders of text.
        candidates: The tokenizers.
        sample_bytes: How much text they are compared on, such as `5 MB`.
        text: A text to see in tokens; empty shows documents.
    """

    corpus: Path | None = None
    paths: tuple[str, ...] = ()
    candidates: tuple[TokenizerForm, ...] = FIRST
    sample_bytes: str = "5 MB"
    text: str = ""

    def with_candidate(self, number: int, candidate: TokenizerForm) -> LabForm:
        """The form with another tokenizer in a place."""
        made = list(self.candidates)
        made[number] = candidate
        return replace(self, candidates=tuple(made))

    def with_further(self) -> LabForm:
        """The form with one more own tokenizer, twice as large as the last own one."""
        sizes = [specs_size(each) for each in self.candidates if each.kind == "bpe"]
        size = min(2 * sizes[-1], 65_536) if sizes else 4096
        further = TokenizerForm(vocab_size=f"{size:,}")
        return replace(self, candidates=(*self.candidates, further))

    def without(self, number: int) -> LabForm:
        """The form without one of its tokenizers."""
        kept = tuple(each for place, each in enumerate(self.candidates) if place != number)
        return replace(self, candidates=kept)


def specs_size(candidate: TokenizerForm) -> int:
    """The size that was typed; the usual one for nonsense."""
    digits = candidate.vocab_size.replace(",", "").strip()
    return int(digits) if digits.isdecimal() else 4096


def make_spec(form: LabForm) -> TokenizersSpec:
    """The spec behind a form.

    Raises:
        SpecError: A setting is missing or wrong; the error has its path, such as
            `candidates[1].vocab_size`.
    """
    if form.corpus is None and not form.paths:
        raise SpecError("No text is chosen.", do="Choose a dataset or files.", field="corpus")
    candidates = []
    for number, candidate in enumerate(form.candidates):
        try:
            candidates.append(tokenizer_data(candidate))
        except SpecError as error:
            field = error.field.replace("tokenizer", f"candidates[{number}]", 1)
            raise SpecError(error.what, safe=error.safe, do=error.do, field=field) from None
    text = {"corpus": str(form.corpus)} if form.corpus is not None else {"source": _files(form)}
    data = {
        "verb": "tokenizers",
        **text,
        "candidates": candidates,
        "sample_bytes": parse_size(form.sample_bytes),
        "text": form.text,
    }
    made: TokenizersSpec = specs.convert(data, TokenizersSpec, "this comparison")
    return made


def _files(form: LabForm) -> dict[str, object]:
    return {"kind": "text_files", "paths": list(form.paths)}
