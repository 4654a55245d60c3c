"""What the tour found: the two models side by side, and where the index helps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainer_core.records import MatchBucket, bucket_label

VERBATIM = 32
"""Matches of this many tokens or more are near-duplicate text."""


VERBATIM_LABEL = f"{VERBATIM}+"


@dataclass(frozen=True)
class Measured:
    """One model on the held-out text. Losses are in nats per token."""

    name: str
    parameters: int
    loss: float
    bits_per_byte: float
    train_s: float
    buckets: tuple[MatchBucket, ...]


@dataclass(frozen=True)
class BucketGain:
    """What the index changes for tokens whose longest match has one of these lengths."""

    label: str
    share: float
    """Of the held-out tokens."""
    hit_rate: float
    """How often the match alone names the right token."""
    plain: float
    with_index: float

    @property
    def change(self) -> float:
        """Difference in loss; negative is better."""
        return self.with_index - self.plain

    @property
    def part(self) -> float:
        """What this row adds to the difference over all tokens, in nats per token."""
        return self.share * self.change


def gains(plain: Measured, with_index: Measured) -> list[BucketGain]:
    """The rows of the comparison by match length; empty buckets are left out."""
    total = sum(b.tokens for b in plain.buckets)
    rows = []
    for one, other in zip(plain.buckets, with_index.buckets, strict=True):
        if one.tokens:
            rows.append(
                BucketGain(
                    label=bucket_label(one.low, one.high),
                    share=one.tokens / total,
                    hit_rate=one.hit_rate,
                    plain=one.loss,
                    with_index=other.loss,
                )
            )
    return rows


def loss_without_verbatim(model: Measured) -> float:
    """Loss over the held-out tokens that are not in repeats of 32 tokens or more; NaN for none."""
    rows = [b for b in model.buckets if b.tokens and b.low < VERBATIM]
    tokens = sum(b.tokens for b in rows)
    return sum(b.loss * b.tokens for b in rows) / tokens if tokens else math.nan


def table(plain: Measured, with_index: Measured) -> list[tuple[str, str, str, str]]:
    """The comparison as rows of text: figure, plain, with index, change."""

    def row(name: str, one: float, other: float, digits: str) -> tuple[str, str, str, str]:
        return (name, format(one, digits), format(other, digits), format(other - one, "+" + digits))

    rows = [
        row("Parameters", plain.parameters, with_index.parameters, ",d"),
        row("Validation loss", plain.loss, with_index.loss, ".3f"),
        row("Bits per byte", plain.bits_per_byte, with_index.bits_per_byte, ".3f"),
        row("Perplexity", math.exp(plain.loss), math.exp(with_index.loss), ".1f"),
        row("Training, seconds", plain.train_s, with_index.train_s, ".1f"),
    ]
    clean = loss_without_verbatim(plain), loss_without_verbatim(with_index)
    if not math.isnan(clean[0]):
        rows.insert(2, row(f"Loss without repeats of {VERBATIM}+", *clean, ".3f"))
    return rows


def verdict(plain: Measured, with_index: Measured) -> str:
    """The finding in a sentence or two."""
    change = with_index.loss - plain.loss
    if change >= 0:
        return (
            f"The index did not help here: its loss is {change:.3f} higher. With so few steps the"
            " model has not learned to read it yet."
        )
    rows = gains(plain, with_index)
    verbatim = sum(r.part for r in rows if r.label == VERBATIM_LABEL) / change
    rest = [r for r in rows if r.label != VERBATIM_LABEL]
    most = min(rest, key=lambda r: r.part, default=None)
    words = f"With the index the loss is {-change:.3f} lower at the same number of steps."
    if verbatim > 0:
        words += (
            f" {verbatim:.0%} of the gain comes from text that stands word for word in the"
            " training part"
        )
    if most is None or most.part >= 0:
        return words + "."
    return words + (
        f"; of the rest, tokens with a match of {most.label} give the most"
        f" ({most.part / change:.0%})."
    )


def markdown(plain: Measured, with_index: Measured, facts: list[tuple[str, str]]) -> str:
    """The whole report as a Markdown page."""
    lines = ["# The tour", "", verdict(plain, with_index), ""]
    lines += ["| | plain | with index | change |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {a} | {b} | {c} | {d} |" for a, b, c, d in table(plain, with_index)]
    lines += [
        "",
        "## By the length of the longest match",
        "",
        "| match | of tokens | match alone right | plain | with index | change | of the gain |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    total = with_index.loss - plain.loss
    for r in gains(plain, with_index):
        lines.append(
            f"| {r.label} | {r.share:.1%} | {r.hit_rate:.1%} | {r.plain:.3f} | {r.with_index:.3f}"
            f" | {r.change:+.3f} | {r.part / total if total else 0.0:.0%} |"
        )
    lines += ["", "## Where everything is", ""]
    lines += [f"- {name}: `{value}`" for name, value in facts]
    return "\n".join(lines) + "\n"
