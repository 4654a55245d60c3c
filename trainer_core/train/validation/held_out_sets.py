"""Opens all that a validation measures: the corpus's own held-out text and further sets.

Letters: T time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.matches import Matches
from trainer_core.errors import DataError, KnownError, SpecError
from trainer_core.evals.rules import rule_scorer
from trainer_core.spec import ValidationSet
from trainer_core.train.distributed.world import World
from trainer_core.train.inputs import Inputs
from trainer_core.train.validation.held_out_matches import matches_of_windows
from trainer_core.train.validation.validate import ALONE, HeldOut, Validation, window_starts

_SAFE = "Nothing was started."

Report = Callable[[str, int, int], None]
"""Told what is done, with the tokens done and in all; may raise to end."""


@dataclass(frozen=True)
class Windows:
    """How much held-out text is measured, and how it is cut.

    Attributes:
        context_length: T.
        batch_size: Windows in one forward pass.
        max_tokens: Of each set at most this many.
        cases: Of each group of a rule task so many.
        mask_documents: Whether tokens see their own document alone.
    """

    context_length: int
    batch_size: int
    max_tokens: int
    cases: int = 50
    mask_documents: bool = False


def open_validation(
    folder: Path,
    inputs: Inputs,
    sets: Sequence[ValidationSet],
    windows: Windows,
    *,
    use_index: Sequence[bool],
    report: Report,
    by_source: bool = False,
    field: str = "evaluation.sets",
    world: World = ALONE,
) -> Validation:
    """Open everything that is measured.

    Args:
        folder: Job folder, where the matches of further sets are kept.
        inputs: Corpus and index of the run.
        sets: The further sets.
        windows: How much of each.
        use_index: See `Validation`.
        report: Hears how far the look-ups are.
        by_source: Whether the corpus's own held-out text is measured source by source too.
        field: Path of the setting that names the sets.
        world: The processes that share the work.

    Raises:
        DataError: A set is absent, damaged, or too short; or the corpus's own held-out text is.
        SpecError: A set has another tokenizer.
        OSError: The job folder cannot be written.
    """
    own = _held_out(inputs.corpus, inputs.validation_matches, windows)
    names = [wanted.name for wanted in sets]
    further = _of_sources(inputs, windows, names) if by_source else {}
    for number, wanted in enumerate(sets):
        corpus = _open_set(wanted, inputs, windows, f"{field}[{number}].corpus")
        find = functools.partial(_matches, folder, wanted.name, corpus, inputs, windows, report)
        # The main process looks up what the others then find in the folder, if they see it.
        matches = find() if world.is_main else None
        world.barrier()
        further[wanted.name] = _held_out(corpus, matches if world.is_main else find(), windows)
    scorer = rule_scorer(inputs.corpus, windows.context_length, windows.cases)
    return Validation(own, further, use_index=use_index, scorer=scorer, world=world)


def _of_sources(inputs: Inputs, windows: Windows, taken: Sequence[str]) -> dict[str, HeldOut]:
    """The held-out text of each source by its name, where there are several.

    A source with less than one window of it is left out. One whose name a further set has is called
    so that both can be told apart.
    """
    sources = inputs.corpus.manifest.sources
    if len(sources) < 2:
        return {}
    found: dict[str, HeldOut] = {}
    start = 0
    for source in sources:
        part = range(start, start + source.validation.tokens)
        start = part.stop
        if len(part) > windows.context_length:
            name = f"{source.name} (source)" if source.name in taken else source.name
            found[name] = _held_out(inputs.corpus, inputs.validation_matches, windows, part)
    return found


def _held_out(
    corpus: Corpus, matches: Matches | None, windows: Windows, part: range | None = None
) -> HeldOut:
    return HeldOut(
        corpus.validation,
        matches,
        corpus.tokenizer.byte_lengths(),
        context_length=windows.context_length,
        batch_size=windows.batch_size,
        max_tokens=windows.max_tokens,
        document_start=corpus.validation.document_start if windows.mask_documents else None,
        part=part,
    )


def _open_set(wanted: ValidationSet, inputs: Inputs, windows: Windows, field: str) -> Corpus:
    """The corpus of a further set, checked."""
    try:
        corpus = open_corpus(wanted.corpus)
        tokenizer = corpus.tokenizer.fingerprint
    except DataError as error:
        raise _named(error, wanted.name, field) from None
    if tokenizer != inputs.corpus.tokenizer.fingerprint:
        raise SpecError(
            f"The validation set “{wanted.name}” has another tokenizer than the run's corpus.",
            safe=_SAFE,
            do='Prepare its text with the tokenizer of the corpus (tokenizer.kind = "corpus").',
            field=field,
        )
    length = windows.context_length
    if corpus.validation.n_tokens <= length:
        raise DataError(
            f"The validation set “{wanted.name}” holds {corpus.validation.n_tokens:,} held-out"
            f" tokens, fewer than one context of {length:,} and the token after it.",
            safe=_SAFE,
            do="Add text to it, hold out a larger share of it, or leave the set out.",
            field=field,
        )
    return corpus


def _named(error: KnownError, name: str, field: str) -> DataError:
    what = f"The validation set “{name}” cannot be used: {error.what}"
    return DataError(what, safe=error.safe, do=error.do, field=field)


def _matches(
    folder: Path, name: str, corpus: Corpus, inputs: Inputs, windows: Windows, report: Report
) -> Matches | None:
    if inputs.index is None:
        return None
    length = windows.context_length
    starts = window_starts(corpus.validation.n_tokens, length, windows.max_tokens)
    phase = f"Looking up “{name}” in the index"
    return matches_of_windows(
        folder, corpus, inputs.index, starts, length, functools.partial(report, phase)
    )
