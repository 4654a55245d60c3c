"""What a tokenizer is called in tables, by its settings."""

from __future__ import annotations

from pathlib import Path

from trainer_core.spec import (
    BpeTokenizer,
    ByteTokenizer,
    CorpusTokenizer,
    Gpt2Tokenizer,
    TiktokenTokenizer,
    Tokenizer,
    TokenizerFile,
)

_SPLITS = {"gpt2": "", "gpt4": ", split as GPT-4", "digits": ", single digits"}


def tokenizer_name(wanted: Tokenizer) -> str:
    """A few words, such as `own, 4,096`."""
    match wanted:
        case ByteTokenizer():
            return "bytes"
        case BpeTokenizer():
            return f"own, {wanted.vocab_size:,}{_SPLITS[wanted.pretokenizer]}"
        case Gpt2Tokenizer():
            return "GPT-2"
        case TiktokenTokenizer():
            return wanted.encoding
        case TokenizerFile():
            path = Path(wanted.path)
            return (path.parent if path.suffix == ".json" else path).name or "tokenizer.json"
        case CorpusTokenizer():
            return f"of {Path(wanted.corpus).name}"
    return Path(wanted.folder).name
