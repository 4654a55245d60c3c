"""The answer to `value`: how good matches are on held-out text, and what more text brings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from trainer_core.answers.asked import Asked, Report
from trainer_core.answers.history import history_curve
from trainer_core.index.value import LengthValue, value_by_kind, value_of
from trainer_core.records import bucket_label


def value_on_held_out(asked: Asked, *, positions: int = 10_000, report: Report) -> dict[str, Any]:
    """Measure how often matches name the next token of the corpus's held-out text.

    Args:
        asked: The index and its corpus.
        positions: How many held-out positions the curve is measured at, at most.
        report: Told how far it is.

    Returns:
        `tokens`, `hit_rate`, `mean_length`, `repeated_share` as of `index.value.IndexValue`;
        `lengths`, for each range of match length `low`, `high`, `label`, `tokens`, `share`,
        `hit_rate`, and the same three for each of `index.value.GROUPS`; `all`, the same for all
        lengths; `curve`, the points of `history.HistoryPoint`; `positions`, how many were sampled.
    """
    report("measuring the held-out text", 0, 1, "")
    features = asked.index.validation_features()
    tokens = asked.corpus.validation.tokens()
    worth = value_of(features, tokens, asked.index.max_length)
    *rows, whole = value_by_kind(features, tokens)
    report("measuring the held-out text", 1, 1, "")
    sampled, curve = history_curve(asked, positions, report)
    return {
        "tokens": worth.tokens,
        "hit_rate": worth.hit_rate,
        "mean_length": worth.mean_length,
        "repeated_share": worth.repeated_share,
        "lengths": [_row(row, bucket_label(row.low, row.high)) for row in rows],
        "all": _row(whole, "all"),
        "curve": [asdict(point) for point in curve],
        "positions": sampled,
    }


def _row(row: LengthValue, label: str) -> dict[str, Any]:
    groups = {name: asdict(group) for name, group in row.groups.items()}
    return {"low": row.low, "high": row.high, "label": label, **asdict(row.all), **groups}
