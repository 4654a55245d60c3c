"""Opens what a training reads, and refuses what cannot work before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.matches import Matches
from trainer_core.errors import CheckpointError, IndexFileError, SpecError
from trainer_core.index import MatchIndex, open_index
from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoints.manifest import Fingerprints

_SAFE = "Nothing was started."


@dataclass(frozen=True)
class Inputs:
    """A corpus and, when there is one, its index.

    Attributes:
        corpus: The tokens, split.
        index: The index over its training part, or None.
        train_matches: Features of the training tokens, or None.
        validation_matches: Features of the held-out tokens, or None.
    """

    corpus: Corpus
    index: MatchIndex | None
    train_matches: Matches | None
    validation_matches: Matches | None

    @property
    def fingerprints(self) -> Fingerprints:
        """What a resumed training must find again."""
        return Fingerprints(
            corpus=self.corpus.fingerprint,
            tokenizer=self.corpus.tokenizer.fingerprint,
            index=self.index.fingerprint if self.index is not None else "",
        )

    @property
    def byte_lengths(self) -> NDArray[Any]:
        """Bytes of text in each token, (V,); none in the separator."""
        return self.corpus.tokenizer.byte_lengths()


def open_inputs(corpus_folder: str, index_folder: str, model: ModelConfig) -> Inputs:
    """Open a corpus and its index for a model of this shape.

    Args:
        corpus_folder: What `prepare` wrote.
        index_folder: What `index` wrote, or an empty string.
        model: The shape that they must fit.

    Raises:
        DataError: The corpus is absent, damaged or newer than this version.
        IndexFileError: The index is, or it belongs to another corpus or tokenizer.
        SpecError: The model does not fit them; the error has the field's path.
    """
    corpus = open_corpus(Path(corpus_folder))
    if model.vocab_size != corpus.vocab_size:
        raise SpecError(
            f"model.vocab_size is {model.vocab_size:,}, but the corpus {corpus_folder} has"
            f" {corpus.vocab_size:,} different tokens.",
            safe=_SAFE,
            do=f"Set model.vocab_size to {corpus.vocab_size}.",
            field="model.vocab_size",
        )
    if not index_folder:
        return Inputs(corpus, None, None, None)
    index = open_index(Path(index_folder))
    _check_index(index, index_folder, corpus, model)
    train, validation = index.train_features(), index.validation_features()
    lengths = (len(train.length), len(validation.length))
    if lengths != (corpus.train.n_tokens, corpus.validation.n_tokens):
        raise _of_another_corpus(index_folder)
    return Inputs(corpus, index, train, validation)


def check_unchanged(stored: Fingerprints, inputs: Inputs, step: int) -> None:
    """Make sure that a checkpoint is used with what it was trained on.

    Args:
        stored: Fingerprints in the checkpoint's manifest.
        inputs: What is there now.
        step: The checkpoint's step, for the message.

    Raises:
        CheckpointError: The corpus, its tokenizer or the index is another one.
    """
    found = inputs.fingerprints
    for name in ("corpus", "tokenizer", "index"):
        if getattr(stored, name) != getattr(found, name):
            raise CheckpointError(
                f"The {name} has changed since the checkpoint at step {step}.",
                safe="The checkpoints were not touched.",
                do=f"Put the {name} back as it was, or start a new run with the new one.",
                field="index" if name == "index" else "corpus",
            )


def _of_another_corpus(index_folder: str) -> IndexFileError:
    return IndexFileError(
        f"The index {index_folder} was built over another corpus.",
        safe=_SAFE,
        do="Build the index again over this corpus, or choose the one that belongs to it.",
        field="index",
    )


def _check_index(index: MatchIndex, folder: str, corpus: Corpus, model: ModelConfig) -> None:
    same = index.corpus_fingerprint == corpus.fingerprint
    if not same or index.tokenizer_fingerprint != corpus.tokenizer.fingerprint:
        raise _of_another_corpus(folder)
    if model.match_input and model.match_length_max < index.max_length:
        raise SpecError(
            f"model.match_length_max is {model.match_length_max}, but the index tells matches of up"
            f" to {index.max_length} tokens apart.",
            safe=_SAFE,
            do=f"Set model.match_length_max to {index.max_length}, or build the index with a"
            " smaller max_length.",
            field="model.match_length_max",
        )
