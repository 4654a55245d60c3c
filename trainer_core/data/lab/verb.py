"""The verb `tokenizers`: try several tokenizers on the same text and write down how they do.

Values of its result:
    tokenizers: Name of the file inside the job folder; see `report.Comparison`.
    documents, bytes, words: Of the text that was measured.
    candidates: Of each: name, folder, vocab_size, bytes_per_token, lossy_share, error.
    seconds: How long it took.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trainer_core.data.corpus import open_corpus
from trainer_core.data.lab.measuring import longest, measure, sample, unused, vocabulary
from trainer_core.data.lab.report import REPORT_NAME, Candidate, Comparison
from trainer_core.data.lab.texts import (
    Document,
    LabText,
    Wanted,
    documents_of_corpus,
    documents_of_sources,
    gather,
)
from trainer_core.data.preparing.build import open_sources
from trainer_core.data.tokenizers.making import make_tokenizer
from trainer_core.data.tokenizers.naming import tokenizer_name
from trainer_core.data.tokenizers.round_trip import round_trip
from trainer_core.errors import DataError, from_os_error
from trainer_core.files import write_whole_file
from trainer_core.spec import BpeTokenizer, Tokenizer, TokenizersSpec

if TYPE_CHECKING:
    from trainer_core.job import Job


def run(job: Job, spec: TokenizersSpec) -> dict[str, Any]:
    """Carry out a `tokenizers` job.

    Args:
        job: The running job; its folder takes the report and the tokenizers.
        spec: Which tokenizers, and on which text.

    Returns:
        The result's values, as the module says.

    Raises:
        JobStopped: The job was asked to stop.
        DataError: There is no text, or none of the tokenizers is to be had.
        KnownError: The files cannot be written.
    """
    job.state("running")
    begun_s = time.monotonic()
    try:
        with ExitStack() as stack:
            scratch = Path(tempfile.mkdtemp(prefix="text-", dir=job.folder))
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            text = _gathered(job, spec, scratch)
            stack.callback(text.close)
            found = _compared(job, spec, text)
            write_whole_file(job.folder / REPORT_NAME, msgspec.json.encode(found))
    except OSError as error:
        raise from_os_error(error, "comparing the tokenizers") from None
    return _values(found, time.monotonic() - begun_s)


def _gathered(job: Job, spec: TokenizersSpec, scratch: Path) -> LabText:
    """The text to measure and to learn from."""
    documents: Iterator[Document]
    if spec.corpus:
        corpus = open_corpus(Path(spec.corpus))
        documents, total = documents_of_corpus(corpus), corpus.train.n_bytes
    else:
        sources = open_sources(spec, scratch / "sources", job.progress)
        documents = documents_of_sources(sources, job.check_stop)
        sizes = (
            source.opened.max_bytes or sum(file.size_bytes for file in source.opened.files)
            for source in sources
        )
        total = sum(sizes)
    own = [one.sample_bytes for one in spec.candidates if isinstance(one, BpeTokenizer)]
    wanted = Wanted(spec.sample_bytes, max(own, default=0), total, spec.seed)
    text = gather(documents, wanted, scratch, job.progress)
    if spec.text:
        text.samples = [("your text", spec.text)]
    return text


def _compared(job: Job, spec: TokenizersSpec, text: LabText) -> Comparison:
    words = sum(len(piece.split()) for piece in text.measured)
    names = _names(spec.candidates)
    candidates = []
    first_error: DataError | None = None
    for number, wanted in enumerate(spec.candidates):
        try:
            found = _tried(job, spec, number, names[number], text)
            per_word = found.tokens / max(words, 1)
            candidates.append(msgspec.structs.replace(found, tokens_per_word=per_word))
        except DataError as error:
            first_error = first_error or error
            kind = _kind(wanted)
            candidates.append(Candidate(name=names[number], kind=kind, error=error.what))
            job.note("warning", f"{names[number]} could not be tried", str(error))
    if first_error is not None and all(one.error for one in candidates):
        raise first_error
    return Comparison(
        documents=text.documents,
        bytes=text.measured.n_bytes,
        words=words,
        learn_bytes=text.learned.n_bytes,
        candidates=tuple(candidates),
    )


def _tried(job: Job, spec: TokenizersSpec, number: int, name: str, text: LabText) -> Candidate:
    """Make one of the tokenizers, measure it and save it.

    Raises:
        DataError: It is not to be had.
    """
    wanted = spec.candidates[number]
    is_own = isinstance(wanted, BpeTokenizer)
    source = text.learned if is_own else text.measured
    telling = _Telling(job, name, number, len(spec.candidates), text.measured.n_bytes)
    begun_s = time.perf_counter()
    tokenizer = make_tokenizer(
        wanted,
        source.documents,
        source.n_bytes,
        spec.seed,
        telling.making,
        f"candidates[{number}]",
    )
    learn_s = time.perf_counter() - begun_s if is_own else None
    measured = measure(tokenizer, text.measured, telling.encoding)
    folder, file_name = f"tokenizer-{number + 1}", f"vocabulary-{number + 1}.json"
    tokenizer.save(job.folder / folder)
    tokens = vocabulary(tokenizer, measured.counts)
    write_whole_file(job.folder / file_name, msgspec.json.encode(tokens))
    n_unused, examples = unused(tokens)
    return Candidate(
        name=name,
        kind=_kind(wanted),
        folder=folder,
        vocabulary=file_name,
        vocab_size=tokenizer.vocab_size,
        tokens=measured.tokens,
        bytes_per_token=text.measured.n_bytes / max(measured.tokens, 1),
        unused=n_unused,
        unused_examples=examples,
        longest=longest(tokens),
        scripts=measured.scripts,
        learn_s=learn_s,
        encode_s=measured.seconds,
        lossy_share=round_trip(tokenizer, text.measured).lost_share,
        samples=tuple(sample(tokenizer, title, one) for title, one in text.samples),
    )


@dataclass(frozen=True)
class _Telling:
    """Tells how far one of the candidates is, and with it the whole job.

    Attributes:
        job: Takes the progress; ends the work when it was asked to.
        name: Of the candidate.
        number: Of the candidate, from 0; the text was gathered before.
        candidates: How many there are.
        n_bytes: Of the text that is encoded.
    """

    job: Job
    name: str
    number: int
    candidates: int
    n_bytes: int

    def making(self, phase: str, done: float, total: float, unit: str) -> None:
        """While it is found or learned: the first half."""
        self._tell(phase, done, total, unit, 0.5 * done / max(total, 1))

    def encoding(self, done: int) -> None:
        """While it encodes: the second half."""
        share = 0.5 + 0.5 * done / self.n_bytes
        self._tell("encoding", done, self.n_bytes, "bytes", share)

    def _tell(self, phase: str, done: float, total: float, unit: str, share: float) -> None:
        whole = (1 + self.number + share) / (1 + self.candidates)
        self.job.progress(f"{self.name}: {phase}", done, total, unit, whole)


def _kind(wanted: Tokenizer) -> str:
    kind: str = msgspec.to_builtins(wanted)["kind"]
    return kind


def _names(candidates: tuple[Tokenizer, ...]) -> list[str]:
    """What each is called; equal ones are numbered."""
    plain = [tokenizer_name(wanted) for wanted in candidates]
    return [
        name if plain.count(name) == 1 else f"{name} ({plain[: number + 1].count(name)})"
        for number, name in enumerate(plain)
    ]


def _values(found: Comparison, seconds: float) -> dict[str, Any]:
    kept = ("name", "folder", "vocab_size", "bytes_per_token", "lossy_share", "error")
    return {
        "tokenizers": REPORT_NAME,
        "documents": found.documents,
        "bytes": found.bytes,
        "words": found.words,
        "candidates": [{name: getattr(one, name) for name in kept} for one in found.candidates],
        "seconds": seconds,
    }
