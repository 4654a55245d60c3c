"""The answer to `contamination`: which texts stand in the training text, and how much of each."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer_core.answers.asked import Asked, Report
from trainer_core.answers.overlaps import Overlap, covered_tokens, longest_overlap, match_lengths
from trainer_core.answers.places import place_of, text_of
from trainer_core.answers.texts import Text, Texts
from trainer_core.errors import DataError, SpecError
from trainer_core.spec import ContaminationSpec

Verdict = Literal["clean", "overlapping", "contained", "short"]
VERDICTS: tuple[Verdict, ...] = ("contained", "overlapping", "clean", "short")

LEAST_TOKENS = 13
"""Shorter overlaps are turns of phrase.

Source: Brown et al., "Language models are few-shot learners", 2020, appendix C.
"""
LEAST_BYTES = 50
"""The same where tokens are short.

Source: OpenAI, "GPT-4 technical report", 2023, appendix C: 50 characters.
"""
CONTAINED_SHARE = 0.8
"""From this share of its tokens on, a text counts as contained.

Source: Touvron et al., "Llama 2: open foundation and fine-tuned chat models", 2023, appendix A.6.
"""
TEXT_CHARACTERS_MAX = 1000


@dataclass(frozen=True, order=True)
class _Finding:
    """One text's figures; the greatest have most in common with the training text."""

    share: float
    longest: int
    before: int  # minus its number: of equals, the first is the greatest
    name: str
    tokens: int
    verdict: Verdict
    overlap: Overlap


def contamination_of(asked: Asked, spec: ContaminationSpec, *, report: Report) -> dict[str, Any]:
    """Say of each text how much of it stands in the training text.

    A token is in common when it lies in a run of `least_tokens` or more that also stands in one
    training document. Tokens at a text's edges are cut as they are there, so a word or two may be
    missed at either end.

    Args:
        asked: The index and its corpus.
        spec: Which texts, and what counts.
        report: Told how far it is.

    Returns:
        `least_tokens`, `contained_share`: what counts; `texts`, `tokens`; how many texts are
        `clean`, `overlapping`, `contained`, or too `short` to say; `overlap_share`, of all tokens;
        `found`, for each text `name`, `tokens`, `longest_tokens`, `longest_text`, `share`,
        `verdict` and `source`, a place as of `place_of` or null, most in common first; `skipped`:
        `name` and `reason`.

    Raises:
        DataError: A text cannot be read, or there is none.
        SpecError: The index does not tell apart what is asked for.
    """
    least = least_tokens(asked, spec.least_tokens)
    texts = Texts(asked, spec.paths, spec.field, report)
    verdicts: Counter[Verdict] = Counter()
    tokens = covered = 0
    kept: list[_Finding] = []
    for group in texts.groups():
        findings, n_covered = _compare(asked, group, least, sum(verdicts.values()))
        verdicts.update(finding.verdict for finding in findings)
        tokens += sum(finding.tokens for finding in findings)
        covered += n_covered
        kept = heapq.nlargest(spec.top, [*kept, *findings]) if spec.top else [*kept, *findings]
    if not verdicts:
        left = f" ({texts.skipped[0].name}: {texts.skipped[0].reason})" if texts.skipped else ""
        raise DataError(
            f"There is no text to compare{left}.",
            safe="Nothing was changed.",
            do="Give text files, `.jsonl` files or folders of them.",
        )
    return {
        "least_tokens": least,
        "contained_share": CONTAINED_SHARE,
        "texts": sum(verdicts.values()),
        "tokens": tokens,
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "overlap_share": covered / max(tokens, 1),
        "found": [_values(asked, finding) for finding in sorted(kept, reverse=True)],
        "skipped": [asdict(left) for left in texts.skipped],
    }


def least_tokens(asked: Asked, wanted: int) -> int:
    """From how many tokens on an overlap counts.

    Args:
        asked: The index and its corpus.
        wanted: So many; 0 takes `LEAST_TOKENS`, or what makes up `LEAST_BYTES` if that is more, as
            far as the index tells such lengths apart.

    Raises:
        SpecError: The index does not tell apart as many as wanted.
    """
    longest = asked.index.max_length
    if wanted > longest:
        raise SpecError(
            f"The index follows matches back {longest} tokens, not {wanted}.",
            safe="Nothing was changed.",
            do=f"Take {longest} tokens or fewer, or build an index with a greater `max_length`.",
            field="least_tokens",
        )
    if wanted:
        return wanted
    train = asked.corpus.train
    bytes_per_token = max(train.n_bytes, 1) / train.n_tokens
    return min(longest, max(LEAST_TOKENS, math.ceil(LEAST_BYTES / bytes_per_token)))


def _compare(
    asked: Asked, group: list[Text], least: int, before: int
) -> tuple[list[_Finding], int]:
    """Findings of some texts, `before` others, and how many of their tokens overlap."""
    sizes = np.array([text.tokens.size for text in group], dtype=np.int64)
    begins = np.cumsum(sizes) - sizes
    tokens: NDArray[np.uint32] = np.concatenate(
        [np.zeros(0, dtype=np.uint32), *(text.tokens for text in group)]
    )
    lengths = match_lengths(asked.index, tokens, begins[sizes > 0])
    findings, all_covered = [], 0
    for number, (text, begin, size) in enumerate(zip(group, begins, sizes, strict=True)):
        own = lengths[begin : begin + size]
        covered = covered_tokens(own, least)
        all_covered += covered
        overlap = longest_overlap(asked.index, text.tokens, own)
        share = covered / max(int(size), 1)
        findings.append(
            _Finding(
                share=share,
                longest=overlap.tokens,
                before=-before - number,
                name=text.name,
                tokens=int(size),
                verdict=_verdict(int(size), share, least),
                overlap=overlap,
            )
        )
    return findings, all_covered


def _verdict(tokens: int, share: float, least: int) -> Verdict:
    if tokens < least:
        return "short"
    if share >= CONTAINED_SHARE:
        return "contained"
    return "overlapping" if share else "clean"


def _values(asked: Asked, finding: _Finding) -> dict[str, Any]:
    overlap = finding.overlap
    position, stop = overlap.position, overlap.position + overlap.tokens
    return {
        "name": finding.name,
        "tokens": finding.tokens,
        "longest_tokens": overlap.tokens,
        "longest_text": text_of(asked, position, stop)[:TEXT_CHARACTERS_MAX],
        "share": finding.share,
        "verdict": finding.verdict,
        "source": place_of(asked, position, overlap.tokens) if overlap.tokens else None,
    }
