"""Token ids as nanoGPT reads them: `train.bin` and `val.bin`, nothing but ids, little-endian.

`meta.json` says what they are, for people and other programs. For another vocabulary than GPT-2's
there is also nanoGPT's own `meta.pkl`, which holds plain values only: it takes the vocabulary's
size from there, and the text of each id for its samples.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from trainer_core.data.corpus import Corpus
from trainer_core.data.dumping.texts import Advance

PIECE_TOKENS = 1 << 20


def write_bin(corpus: Corpus, folder: Path, advance: Advance) -> None:
    """Write the ids of both sides; each document begins with its separator.

    Raises:
        OSError: The disk is full or gone.
    """
    for name, split in (("train.bin", corpus.train), ("val.bin", corpus.validation)):
        with (folder / name).open("wb") as file:
            for start in range(0, split.n_tokens, PIECE_TOKENS):
                ids = split.read(start, min(start + PIECE_TOKENS, split.n_tokens))
                file.write(ids.astype(ids.dtype.newbyteorder("<"), copy=False).data)
                advance(len(ids))
    (folder / "meta.json").write_text(json.dumps(_meta(corpus), indent=1) + "\n", encoding="utf-8")
    if corpus.manifest.tokenizer_kind != "gpt2":
        (folder / "meta.pkl").write_bytes(pickle.dumps(_nano_meta(corpus), protocol=4))


def _meta(corpus: Corpus) -> dict[str, Any]:
    manifest = corpus.manifest
    return {
        "name": manifest.name,
        "tokenizer": manifest.tokenizer_kind,
        "vocab_size": manifest.vocab_size,
        "separator": manifest.separator,
        "dtype": manifest.dtype,
        "train_tokens": manifest.train.tokens,
        "validation_tokens": manifest.validation.tokens,
        "fingerprint": manifest.fingerprint,
    }


def _nano_meta(corpus: Corpus) -> dict[str, Any]:
    decode = corpus.tokenizer.decode
    text_of = {token: decode([token]) for token in range(corpus.vocab_size)}
    return {
        "vocab_size": corpus.vocab_size,
        "itos": text_of,
        "stoi": {text: token for token, text in reversed(text_of.items())},
    }
