"""The tokenizer that a spec asks for: found, fetched, opened or learned."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from trainer_core.data.corpus import open_corpus
from trainer_core.data.sources.files import path_of_user
from trainer_core.data.tokenizers import gpt2, ranks
from trainer_core.data.tokenizers.encodings import load_encoding
from trainer_core.data.tokenizers.json_file import Unfit, fit
from trainer_core.data.tokenizers.json_kind import FILE_NAME, JsonTokenizer
from trainer_core.data.tokenizers.kinds import (
    ByteTokenizer,
    RankTokenizer,
    TextTokenizer,
    load_tokenizer,
)
from trainer_core.data.tokenizers.learn import learn_bpe, sample
from trainer_core.data.tokenizers.round_trip import round_trip
from trainer_core.errors import DataError
from trainer_core.spec import (
    BpeTokenizer,
    CorpusTokenizer,
    Gpt2Tokenizer,
    SavedTokenizer,
    TiktokenTokenizer,
    Tokenizer,
    TokenizerFile,
)

Texts = Callable[[], Iterator[tuple[bytes, Iterator[str]]]]
"""Opens the training text: the digest and the text, in parts, of each document."""
Report = Callable[[str, float, float, str], None]
"""Told the phase, how much is done, of how much, and the unit; may raise to end the work."""

LEARNING = "learning the tokenizer"
FIELD = "tokenizer"
LOST_SHARE_MAX = 0.5
"""A tokenizer that loses more of the text is for another one."""


def make_tokenizer(
    wanted: Tokenizer, texts: Texts, n_bytes: int, seed: int, report: Report, field: str = FIELD
) -> TextTokenizer:
    """The tokenizer that a spec asks for; an own one is learned from the texts.

    Args:
        wanted: The settings.
        texts: Opens the training text, for an own tokenizer; validation text is none of it.
        n_bytes: Bytes of the training text.
        seed: Draws the sample that an own tokenizer is learned from.
        report: Told of the progress.
        field: Path of the settings, for messages.

    Raises:
        DataError: A vocabulary, a file or the other corpus is not to be had.
    """
    try:
        return _made(wanted, texts, n_bytes, seed, report)
    except DataError as error:
        raise _about(error, field) from None


def _made(
    wanted: Tokenizer, texts: Texts, n_bytes: int, seed: int, report: Report
) -> TextTokenizer:
    if isinstance(wanted, Gpt2Tokenizer):
        phase = "finding GPT-2's vocabulary"
        vocabulary = gpt2.load(wanted.vocabulary_folder, lambda: report(phase, 0, 1, ""))
        return RankTokenizer("gpt2", vocabulary)
    if isinstance(wanted, BpeTokenizer):
        return _learned(wanted, texts, n_bytes, seed, report)
    if isinstance(wanted, CorpusTokenizer):
        return _tokenizer_of(path_of_user(wanted.corpus))
    if isinstance(wanted, SavedTokenizer):
        return _saved(path_of_user(wanted.folder))
    if isinstance(wanted, TiktokenTokenizer):
        phase = f"finding the vocabulary of {wanted.encoding}"
        return load_encoding(wanted.encoding, wanted.ranks_file, lambda: report(phase, 0, 1, ""))
    if isinstance(wanted, TokenizerFile):
        return _from_file(wanted, texts)
    return ByteTokenizer()


def _about(error: DataError, field: str) -> DataError:
    """The error with the path that the settings have here."""
    if field == FIELD:
        return error
    do = re.sub(rf"\b{FIELD}\.(?!json\b)(?=\w)", f"{field}.", error.do)  # no file's name
    return DataError(error.what, safe=error.safe, do=do, field=error.field.replace(FIELD, field, 1))


def _tokenizer_of(folder: Path) -> TextTokenizer:
    """The tokenizer of a corpus.

    Raises:
        DataError: There is none that can be used.
    """
    inside = folder / "corpus"
    try:
        return open_corpus(inside if inside.is_dir() else folder).tokenizer
    except DataError as error:
        raise DataError(
            error.what,
            safe="Nothing was written.",
            do="Choose another corpus, or another tokenizer.",
            field="tokenizer.corpus",
        ) from None


def _saved(folder: Path) -> TextTokenizer:
    """A tokenizer that an earlier job left.

    Raises:
        DataError: There is none that can be used.
    """
    try:
        return load_tokenizer(folder)
    except DataError as error:
        raise DataError(
            error.what,
            safe="Nothing was written.",
            do="Choose a folder that the tokenizer lab has written, or another tokenizer.",
            field="tokenizer.folder",
        ) from None


def _from_file(wanted: TokenizerFile, texts: Texts) -> JsonTokenizer:
    """The tokenizer of a `tokenizer.json`, tried on the text.

    Raises:
        DataError: It cannot be used, or gives back too little of the text.
    """
    path = path_of_user(wanted.path)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
        tokenizer = JsonTokenizer(fit(text, wanted.separator))
    except OSError as error:
        raise _unfit(path, error.strerror or str(error), "path") from None
    except UnicodeDecodeError:
        raise _unfit(path, "it is not text", "path") from None
    except Unfit as error:
        raise _unfit(path, error.why, error.field) from None
    trip = round_trip(tokenizer, itertools.chain.from_iterable(parts for _, parts in texts()))
    if trip.lost_share > LOST_SHARE_MAX:
        raise _unfit(path, f"it does not fit the text: {trip.words}", "path")
    tokenizer.round_trip = trip
    return tokenizer


def _unfit(path: Path, why: str, field: str) -> DataError:
    return DataError(
        f"The tokenizer {path} cannot be used: {why.rstrip('.')}.",
        safe="Nothing was written.",
        do="Choose one of its special tokens, or leave it empty."
        if field == "separator"
        else "Choose the `tokenizer.json` of a model for such text, or another tokenizer.",
        field=f"{FIELD}.{field}",
    )


def _learned(
    wanted: BpeTokenizer, texts: Texts, n_bytes: int, seed: int, report: Report
) -> RankTokenizer:
    share = wanted.sample_bytes / max(n_bytes, 1)
    total = min(n_bytes, wanted.sample_bytes)
    done = 0

    def sampled() -> Iterator[str]:
        nonlocal done
        for text in sample(texts(), share, seed):
            done += len(text.encode())
            yield text

    def poll() -> None:
        # Learning goes on behind the last text, so that the phase is not over when all are read.
        report(LEARNING, min(done, total * 0.99), total, "bytes")

    names = (ranks.SEPARATOR_TEXT, *wanted.special_tokens)
    n_learned = wanted.vocab_size - len(names)
    vocabulary = learn_bpe(sampled(), n_learned, poll, wanted.pretokenizer)
    report(LEARNING, total, total, "bytes")
    special_tokens = {name: len(vocabulary) + n for n, name in enumerate(names)}
    return RankTokenizer("bpe", vocabulary, wanted.pretokenizer, special_tokens)
