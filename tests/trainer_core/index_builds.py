"""Sources that quote themselves, builds that end in the middle, and what these leave."""

import numpy as np
import pytest
from index_for_tests import source_of

from trainer_core.files import draft_beside
from trainer_core.index.building.draft import STEPS_FILE, Draft
from trainer_core.index.compiled import COMPILED


def text_of(size, vocab_size=9, seed=3, dtype=np.uint16):
    """Documents that quote each other, as tokens and where each begins."""
    random = np.random.default_rng(seed)
    text = np.zeros(size, dtype=np.int64)
    done = 1
    while done < size:
        fresh = random.integers(1, vocab_size, random.integers(1, 40))
        begin = random.integers(0, done)
        quoted = text[begin : begin + random.integers(1, 90)]
        piece = np.concatenate([quoted[quoted > 0], fresh, [0] * (random.random() < 0.5)])
        text[done : done + piece.size] = piece[: size - done]
        done += piece.size
    return text.astype(dtype), np.flatnonzero(text == 0)


def some_source(size=600, vocab_size=9, dtype=np.uint16):
    text, starts = text_of(size, vocab_size, dtype=dtype)
    held_out, held_out_starts = text_of(150, vocab_size, seed=8, dtype=dtype)
    return source_of(text, starts, held_out, held_out_starts, dtype=dtype, vocab_size=vocab_size)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class EndedError(Exception):
    """What ends a build in the middle."""


needs_steps = pytest.mark.skipif(not COMPILED, reason="builds without numba have one step")


def end_after(monkeypatch, count):
    """Let so many steps be finished; then an exception ends the build."""
    finish, left = Draft.finish, [count]

    def counted(self, step, files):
        if not left[0]:
            raise EndedError(step)
        left[0] -= 1
        finish(self, step, files)

    monkeypatch.setattr(Draft, "finish", counted)


def noted_steps(monkeypatch):
    """The steps that a build finishes from now on."""
    finish, names = Draft.finish, []

    def noted(self, step, files):
        names.append(step)
        finish(self, step, files)

    monkeypatch.setattr(Draft, "finish", noted)
    return names


def steps_of(folder):
    lines = (draft_beside(folder) / STEPS_FILE).read_bytes().splitlines()
    return [line.split(b'"')[3].decode() for line in lines]
