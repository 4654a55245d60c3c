"""A training run opened for use: model, tokenizer, corpus and index of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from trainer_core import spec as specs
from trainer_core.data.corpus import Corpus, open_corpus
from trainer_core.data.tokenizers.kinds import TextTokenizer
from trainer_core.errors import CheckpointError, JobFolderError, KnownError, SpecError
from trainer_core.index import MatchIndex, open_index
from trainer_core.model.transformer import Transformer
from trainer_core.status import SPEC_FILE
from trainer_core.train.checkpoints.checkpoint import Checkpoint, open_checkpoint


@dataclass
class Loaded:
    """What generation, evaluation and export work with.

    Attributes:
        run: Job folder of the training.
        spec: Its settings.
        checkpoint: Where the weights came from.
        model: In evaluation mode, on its device.
        corpus: What it was trained on.
        index: The longest-match index, or None.
        notes: What is absent or was passed over, one sentence each.
    """

    run: Path
    spec: specs.TrainSpec
    checkpoint: Checkpoint
    model: Transformer
    corpus: Corpus
    index: MatchIndex | None
    notes: tuple[str, ...] = ()

    @property
    def tokenizer(self) -> TextTokenizer:
        """The corpus's tokenizer."""
        return self.corpus.tokenizer

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.embed.weight.device


def train_spec(run: Path) -> specs.TrainSpec:
    """The settings of a training run.

    Raises:
        JobFolderError: The folder is no training run.
        SpecError: Its settings cannot be read.
    """
    spec = specs.load(run / SPEC_FILE)
    if not isinstance(spec, specs.TrainSpec):
        raise JobFolderError(
            f"{run} is no training run, but a job of the kind `{specs.verb_of(spec)}`.",
            safe="Nothing was changed.",
            do="Choose the folder of a training run.",
            field="run",
        )
    return spec


def open_run_index(spec: specs.TrainSpec, corpus: Corpus) -> tuple[MatchIndex | None, str]:
    """The index of a run, and why there is none where the run had one."""
    if not spec.index:
        return None, ""
    try:
        index = open_index(Path(spec.index))
    except KnownError as error:
        return None, f"{error.what} The model answers without its index."
    if index.tokenizer_fingerprint != corpus.tokenizer.fingerprint:
        why = "was built with another tokenizer"
    elif index.corpus_fingerprint != corpus.fingerprint:
        why = "belongs to another corpus"
    else:
        return index, ""
    return None, f"The index in {spec.index} {why}. The model answers without it."


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`.

    Raises:
        SpecError: CUDA is wanted and not there.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SpecError(
            "No CUDA device answers.",
            safe="Nothing was started.",
            do="Choose the CPU, or check the NVIDIA driver.",
            field="device",
        )
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def _on_device(checkpoint: Checkpoint, wanted: str) -> tuple[Transformer, str]:
    """The model, on the CPU when a GPU that was not insisted on is full."""
    device = choose_device(wanted)
    try:
        return checkpoint.load_model(device), ""
    except torch.cuda.OutOfMemoryError:
        if wanted == "cuda":
            raise KnownError(
                "The GPU's memory is full.",
                safe="Nothing was changed.",
                do="Wait for the other job, or choose the CPU.",
                field="device",
            ) from None
        return checkpoint.load_model("cpu"), "The GPU is full: the model runs on the CPU."


def load_run(run: Path, which: str = "best", *, device: str = "auto") -> Loaded:
    """Open a run's checkpoint with everything that belongs to it; the run may go on meanwhile.

    Args:
        run: Job folder of the training.
        which: `best`, `last`, or a step number.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        SpecError: The run's settings cannot be read, or the device is absent.
        JobFolderError: The folder is no training run.
        CheckpointError: There is no whole checkpoint, or it is not of this corpus's tokenizer.
        DataError: The corpus is absent or damaged.
    """
    spec = train_spec(run)
    damaged: list[str] = []
    checkpoint = open_checkpoint(run, which, on_damage=lambda error: damaged.append(error.what))
    corpus = open_corpus(Path(spec.corpus))
    if checkpoint.manifest.fingerprints.tokenizer != corpus.tokenizer.fingerprint:
        raise CheckpointError(
            f"The corpus in {spec.corpus} has another tokenizer than the run was trained with.",
            safe="Nothing was changed.",
            do="Restore the corpus that the run was trained on.",
        )
    index, index_note = open_run_index(spec, corpus)
    model, device_note = _on_device(checkpoint, device)
    notes = (*damaged, index_note, device_note)
    kept = tuple(note for note in notes if note)
    return Loaded(run, spec, checkpoint, model, corpus, index, kept)
