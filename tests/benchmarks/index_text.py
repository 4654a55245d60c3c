"""The real text that the index is measured on: files as tokens, kept between runs.

n training tokens, m held-out tokens, D documents.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer_core.data.sources.files import list_files
from trainer_core.data.sources.reading import NoText, read_text
from trainer_core.data.sources.skipped import Skipped
from trainer_core.data.tokenizers import gpt2
from trainer_core.data.tokenizers.kinds import RankTokenizer
from trainer_core.data.tokenizers.learn import learn_bpe
from trainer_core.index import IndexSource
from trainer_core.spec import TextFiles

SUFFIXES = (
    *(".c", ".cpp", ".css", ".h", ".hpp", ".html", ".js", ".json", ".md", ".pl", ".pm", ".pod"),
    *(".po", ".py", ".pyi", ".rst", ".sh", ".tcl", ".tex", ".ts", ".txt", ".xml"),
)
HELD_OUT_TOKENS = 500_000
FILE_BYTES = (200, 300_000)
"""Files outside of this are left out: they are hardly text, or one of them would outweigh many."""
LEARNED_TOKENS = 16_384
LEARNED_FROM_BYTES = 8_000_000
_BATCH_DOCUMENTS = 512


@dataclass(frozen=True)
class Text:
    """Tokens whose documents each open with the separator, which stands nowhere else.

    Attributes:
        tokens: (n,) uint16 or uint32, for training.
        held_out: (m,) of documents that follow.
        vocab_size: Different tokens that there may be, the separator among them.
        separator: The token that opens documents.
        origin: What it was made from.
    """

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    held_out: NDArray[np.uint16] | NDArray[np.uint32]
    vocab_size: int
    separator: int
    origin: str

    @property
    def document_start(self) -> NDArray[np.int64]:
        """(D,) where training documents begin."""
        return np.flatnonzero(self.tokens == self.separator)

    def source(self, n: int) -> IndexSource:
        """What an index of the first n tokens is built from, without a held-out part."""
        tokens = self.tokens[:n]
        return IndexSource(
            tokens=tokens,
            document_start=np.flatnonzero(tokens == self.separator),
            validation_tokens=self.tokens[:0],
            validation_document_start=np.zeros(0, dtype=np.int64),
            vocab_size=self.vocab_size,
            separator=self.separator,
            corpus_fingerprint=f"benchmark {n}",
            tokenizer_fingerprint=self.origin,
        )


def text_of(sources: Sequence[str], n: int, vocabulary_folder: str) -> Text:
    """The first n tokens of a source, and held-out ones behind them.

    Args:
        sources: One file of tokens, `.npy`, whose documents open with its first token; or files and
            folders with text.
        n: Training tokens wanted; there may be fewer.
        vocabulary_folder: With GPT-2's two files; empty learns a vocabulary from the text.
    """
    if len(sources) == 1 and sources[0].endswith(".npy"):
        tokens = np.load(sources[0], mmap_mode="r")
        return _cut(tokens, n, int(tokens.max()) + 1, int(tokens[0]), sources[0])
    arguments = [[str(Path(path).resolve()) for path in sources], n, vocabulary_folder]
    key = hashlib.sha256(json.dumps([arguments, SUFFIXES, FILE_BYTES]).encode()).hexdigest()
    kept = Path(tempfile.gettempdir()) / "hearth-benchmark" / f"tokens-{key[:16]}.npy"
    if not kept.exists():
        tokens = _tokenised(sources, n + HELD_OUT_TOKENS, vocabulary_folder)
        kept.parent.mkdir(exist_ok=True)
        np.save(kept.with_suffix(".part.npy"), tokens)
        kept.with_suffix(".part.npy").replace(kept)
    tokens = np.load(kept, mmap_mode="r")
    separator = int(tokens[0])  # the highest id of both vocabularies
    return _cut(tokens, n, separator + 1, separator, f"{' '.join(sources)}, kept in {kept}")


def _cut(tokens: NDArray[np.uint16], n: int, vocab_size: int, separator: int, origin: str) -> Text:
    """Training tokens, and held-out ones from the next document on."""
    n = min(n, tokens.size - min(HELD_OUT_TOKENS, tokens.size // 10))
    behind = np.asarray(tokens[n : n + HELD_OUT_TOKENS])
    first = int(np.argmax(behind == separator))
    return Text(np.asarray(tokens[:n]), behind[first:].copy(), vocab_size, separator, origin)


def _tokenised(sources: Sequence[str], n: int, vocabulary_folder: str) -> NDArray[np.uint16]:
    """n tokens or a little more, if there is enough text."""
    texts = _texts(sources)
    if vocabulary_folder:
        tokenizer = RankTokenizer("gpt2", gpt2.load(vocabulary_folder, lambda: None))
    else:
        learned_from = list(_up_to(texts, LEARNED_FROM_BYTES))
        vocabulary = learn_bpe(learned_from, LEARNED_TOKENS - 1, lambda: None)
        tokenizer = RankTokenizer("bpe", vocabulary)
        texts = itertools.chain(learned_from, texts)
    separator = np.array([tokenizer.separator], dtype=np.uint16)
    parts: list[NDArray[np.uint16]] = []
    done = 0
    while done < n and (batch := list(itertools.islice(texts, _BATCH_DOCUMENTS))):
        for ids in tokenizer.encode_batch(batch):
            parts += [separator, ids.astype(np.uint16)]
            done += ids.size + 1
    if not parts:
        raise SystemExit(f"There is no text below {', '.join(sources)}.")
    return np.concatenate(parts)[:n]


def _texts(sources: Sequence[str]) -> Iterator[str]:
    """Each different text once, files ordered by a hash of their names: any beginning is fair."""
    spec = TextFiles(paths=tuple(sources), suffixes=SUFFIXES)
    files = list_files(spec, 0, Skipped(), lambda: None)
    files.sort(key=lambda file: hashlib.blake2b(file.title.encode(errors="replace")).digest())
    seen: set[bytes] = set()
    for file in files:
        try:
            if not FILE_BYTES[0] <= Path(file.path).stat().st_size <= FILE_BYTES[1]:
                continue
            text = "".join(read_text(file.path))
        except (NoText, OSError):
            continue
        digest = hashlib.blake2b(text.encode()).digest()
        if digest not in seen:
            seen.add(digest)
            yield text


def _up_to(texts: Iterable[str], n_bytes: int) -> Iterator[str]:
    for text in texts:
        yield text
        n_bytes -= len(text)
        if n_bytes <= 0:
            return
