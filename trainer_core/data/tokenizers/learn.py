"""Learning an own byte-pair vocabulary from the training text."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from trainer_core.data.preparing.split import position
from trainer_core.data.tokenizers import ranks
from trainer_core.data.tokenizers.pretokens import PatternName, library_pattern, pieces

SAMPLE_PIECE_CHARACTERS = 1 << 16
"""The sample is drawn in pieces of about this size, so that a long book is sampled all over."""
_POLL_S = 0.1


def sample(
    documents: Iterable[tuple[bytes, Iterator[str]]], share: float, seed: int
) -> Iterator[str]:
    """Pieces of the documents, each taken or left by a hash of its place.

    The very first piece is always taken, so that no sample is empty.

    Args:
        documents: The digest and the text, in parts, of each document.
        share: Share of the pieces to take; 1 or more takes all.
        seed: Another seed takes others.
    """
    first = True
    for digest, parts in documents:
        number = 0
        for part in parts:
            for piece in pieces(part, SAMPLE_PIECE_CHARACTERS):
                place = digest + number.to_bytes(8, "big")
                number += 1
                if first or share >= 1 or position(seed, place) < share:
                    first = False
                    # A piece without white space may be endless; its beginning says enough.
                    yield piece[: 4 * SAMPLE_PIECE_CHARACTERS]


def learn_bpe(
    texts: Iterable[str],
    vocab_size: int,
    poll: Callable[[], None],
    pattern: PatternName = "gpt2",
) -> ranks.Ranks:
    """Learn merges from texts; equal texts give an equal vocabulary.

    Merges seen only once are not made, so a short text gives fewer tokens than asked for.

    Args:
        texts: Used up once, in another thread.
        vocab_size: Tokens wanted, special ones (which are not learned) not counted; 256 or more.
        poll: Called several times a second; when it raises, the work is given up.
        pattern: How text is split first; no token reaches across.

    Returns:
        Bytes of each token, in the order of the merges.
    """
    learning = _Learning(texts, vocab_size, pattern)
    learning.start()
    try:
        while learning.is_alive():
            poll()
            learning.join(_POLL_S)
    finally:
        learning.given_up = True
    if learning.error is not None:
        raise learning.error
    return learning.ranks


class _Learning(threading.Thread):
    """Learns in the background, because the library cannot be interrupted."""

    def __init__(self, texts: Iterable[str], vocab_size: int, pattern: PatternName) -> None:
        super().__init__(name="learn-bpe", daemon=True)
        self.given_up = False
        self.error: Exception | None = None
        self.ranks: ranks.Ranks = []
        self._texts = texts
        self._vocab_size = vocab_size
        self._pattern = pattern

    def run(self) -> None:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = _splits(self._pattern)
        trainer = trainers.BpeTrainer(
            vocab_size=self._vocab_size,
            min_frequency=2,
            initial_alphabet=ranks.byte_letters(),
            special_tokens=[],
            show_progress=False,
        )
        tokenizer.train_from_iterator(self._watched(), trainer)
        if self.error is None and not self.given_up:
            self.ranks = _ranks_of(tokenizer)

    def _watched(self) -> Iterator[str]:
        """The texts, until the work is given up; an error while reading is kept for `learn_bpe`."""
        try:
            for text in self._texts:
                if self.given_up:
                    return
                yield text
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error


def _splits(pattern: PatternName) -> pre_tokenizers.PreTokenizer:
    if pattern == "gpt2":  # the library has this one built in, which is faster
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(library_pattern(pattern)), "isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, letters])


def _ranks_of(tokenizer: Tokenizer) -> ranks.Ranks:
    byte_of = {letter: byte for byte, letter in enumerate(ranks.byte_letters())}
    model = json.loads(tokenizer.to_str())["model"]
    by_id = sorted(model["vocab"].items(), key=lambda item: item[1])
    if len(by_id) != 256 + len(model["merges"]):
        raise RuntimeError("the learned vocabulary has tokens with more than one merge")
    return [bytes(byte_of[letter] for letter in name) for name, _ in by_id]
