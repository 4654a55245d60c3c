"""A text by the index-backed model, with the file that each matched stretch stands in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from trainer_core.generate.attribution import Attribution, split_text
from trainer_core.generate.generation import generate
from trainer_core.generate.loaded import load_run
from trainer_core.generate.token import GeneratedToken
from trainer_core.protocol import Generate

SAMPLE_TOKENS = 160
MARKED_LENGTH = 4
"""Tokens that continue a match of this length or more are marked."""


@dataclass(frozen=True)
class Piece:
    """A stretch of the sample with one origin.

    Attributes:
        text: What was written.
        match_length: Longest match behind its tokens; 0 for the model's own words.
        document: Title of the training document that it continues, or empty.
        path: Where that document was read from, or empty.
    """

    text: str
    match_length: int = 0
    document: str = ""
    path: str = ""


@dataclass(frozen=True)
class Sample:
    """The prompt and what followed, in pieces."""

    pieces: list[Piece]

    def as_text(self) -> str:
        """The sample with numbered marks and a list of the files behind them."""
        files: dict[tuple[str, str], int] = {}
        body = ""
        for piece in self.pieces:
            if piece.document:
                number = files.setdefault((piece.document, piece.path), len(files) + 1)
                body += f"⟦{piece.text}⟧[{number}]"
            else:
                body += piece.text
        listed = [f"[{number}] {title} ({path})" for (title, path), number in files.items()]
        return "\n".join([body, "", "Marked words continue a match in:", *listed]) + "\n"


def write_sample(run: Path, prompt: str, seed: int) -> Sample:
    """Let the best checkpoint of a run continue a prompt.

    Raises:
        KnownError: The run cannot be opened.
    """
    loaded = load_run(run, "best", device="cpu")
    attribution = Attribution(loaded.corpus, loaded.index)
    ask = Generate(request=0, prompt=prompt, temperature=0.7, max_tokens=SAMPLE_TOKENS, seed=seed)

    def origin(token: GeneratedToken) -> tuple[str, str]:
        if token.backed_length < MARKED_LENGTH or token.match_kind != "index":
            return "", ""
        return attribution.title_of(token), attribution.path_of(token)

    groups = [(key, list(tokens)) for key, tokens in groupby(generate(loaded, ask), origin)]
    texts = split_text([prompt.encode(), *(b"".join(t.data for t in g) for _, g in groups)])
    pieces = [Piece(texts[0])]
    for (key, tokens), text in zip(groups, texts[1:], strict=True):
        longest = max(token.match_length for token in tokens) if key[0] else 0
        pieces.append(Piece(text, longest, *key))
    return Sample(pieces)
