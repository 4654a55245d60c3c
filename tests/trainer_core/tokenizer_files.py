"""Files of the library `tokenizers` as models have them, learned in a moment from a small text."""

import json
from functools import cache

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

WORDS = "The quick brown fox jumps over the lazy dog while seven wizards mix jugs of quartz. "
TEXT = (
    WORDS * 3 + "It's 1,234 (two) <tags> & 'quotes' ~ naïve café!\n\n\tdef f(x): return x\n"
) * 8
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL = ["<unk>", "<s>", "</s>"]


@cache
def unigram():
    """SentencePiece's Unigram with bytes for what it does not know, as rinna and LLM-jp have."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=420, special_tokens=CONTROL + BYTES, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    content = json.loads(tokenizer.to_str())
    content["model"]["byte_fallback"] = True
    content["added_tokens"] = content["added_tokens"][:3]
    content["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ],
    }
    content["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    return json.dumps(content)


@cache
def llama():
    """Llama 2's: merges over the whole text, no pre-tokeniser, bytes for what it does not know."""
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=CONTROL + BYTES, show_progress=False
    )
    learned.train_from_iterator([TEXT], trainer)
    vocabulary = json.loads(learned.to_str())
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    content = json.loads(tokenizer.to_str())
    content["model"]["vocab"] = vocabulary["model"]["vocab"]
    content["model"]["merges"] = vocabulary["model"]["merges"]
    content["added_tokens"] = vocabulary["added_tokens"][:3]
    return json.dumps(content)


@cache
def wordpiece():
    """BERT's: lower case, words apart, no white space of its own."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer.to_str()


@cache
def bytelevel():
    """Byte-level merges with all that is put around them: a space, dropout, limits, tokens."""
    tokenizer = Tokenizer(models.BPE(dropout=0.5))
    digits = pre_tokenizers.Digits(individual_digits=True)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, letters])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<|im_start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    spaces = [AddedToken("  ", lstrip=True, rstrip=True), AddedToken("\n\n")]
    tokenizer.add_tokens([*spaces, AddedToken("<tool>")])
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    return tokenizer.to_str()


@cache
def digits():
    """SmolLM's and StarCoder's: each digit alone, then GPT-2's split."""
    alone = pre_tokenizers.Digits(individual_digits=True)
    return _of_bytes(pre_tokenizers.Sequence([alone, pre_tokenizers.ByteLevel(False)]))


@cache
def llama3():
    """Llama 3's: a split of its own, whole pieces before merges, control tokens behind."""
    split = pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    content = json.loads(_of_bytes(pre_tokenizers.Sequence([split, letters])))
    content["model"]["ignore_merges"] = True
    return json.dumps(content)


@cache
def qwen():
    """Qwen's: composed characters first, every digit alone."""
    split = pre_tokenizers.Split(Regex(LLAMA3_SPLIT.replace("{1,3}", "")), "isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    steps = pre_tokenizers.Sequence([split, letters])
    return _of_bytes(steps, normalizers.NFC())


def _of_bytes(steps, normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = steps
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=380, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>"])
    return tokenizer.to_str()


FILES = {
    "unigram": unigram,
    "llama": llama,
    "wordpiece": wordpiece,
    "bytelevel": bytelevel,
    "digits": digits,
    "llama3": llama3,
    "qwen": qwen,
}
