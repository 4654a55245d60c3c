"""What tables call a tokenizer."""

from __future__ import annotations

from pathlib import PurePath

from trainer_core import spec

BYTE_VOCAB_SIZE = 257
GPT2_VOCAB_SIZE = 50_257

ENCODING_SIZES: dict[str, int] = {
    "o200k_base": 200_019,
    "cl100k_base": 100_277,
    "p50k_base": 50_281,
    "r50k_base": 50_257,
}
"""How many ids tiktoken's encodings have.

Source: https://github.com/openai/tiktoken, `tiktoken_ext/openai_public.py`.
"""


def tokenizer_label(tokenizer: spec.Tokenizer) -> str:
    """A tokenizer as tables show it, such as `own, 4,096`."""
    match tokenizer:
        case spec.BpeTokenizer():
            return f"own, {tokenizer.vocab_size:,}"
        case spec.ByteTokenizer():
            return f"bytes, {BYTE_VOCAB_SIZE}"
        case spec.Gpt2Tokenizer():
            return f"GPT-2, {GPT2_VOCAB_SIZE:,}"
        case spec.TiktokenTokenizer():
            return f"{tokenizer.encoding}, {ENCODING_SIZES[tokenizer.encoding]:,}"
        case spec.TokenizerFile():
            return _model_name(tokenizer.path)
        case spec.CorpusTokenizer():
            return "of another dataset"
        case spec.SavedTokenizer():
            return "from the lab"


def with_vocab_size(label: str, vocab_size: int) -> str:
    """A label with the number of tokens that a tokenizer turned out to have.

    >>> with_vocab_size("own, 4,096", 812), with_vocab_size("from the lab", 8192)
    ('own, 812', 'from the lab, 8,192')
    """
    return f"{label.rsplit(', ', 1)[0]}, {vocab_size:,}"


def _model_name(path: str) -> str:
    """What tells one `tokenizer.json` from another: the folder that it lies in."""
    pure = PurePath(path)
    return (pure.parent if pure.suffix == ".json" else pure).name or "tokenizer.json"
