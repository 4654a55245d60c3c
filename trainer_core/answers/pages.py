"""How each answer reads in the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

MATCHED = "black on dark_orange"
"""The studio's colour for text that stands in the training text."""
LISTED = 20
"""Of long lists, so many entries are printed."""
_INDENT = "    "


def _print_table(
    console: Console, title: str, *columns: str, rows: Iterable[Sequence[str]]
) -> None:
    """A table whose columns with a leading `<` are words and the others numbers."""
    table = Table()
    for name in columns:
        words = name.startswith("<")
        table.add_column(name.removeprefix("<"), justify="left" if words else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if title:
        console.print(f"\n{title}:", style="bold")
    console.print(table)


def _one_line(text: str) -> str:
    """Text in one line: line ends as arrows, other blanks and controls as spaces, one at a time."""
    text = text.replace("\r\n", "\n")
    shown = "".join(c if c.isprintable() else "↵" if c == "\n" else " " for c in text)
    return re.sub(" +", " ", shown)


def _clipped(text: str, size: int) -> str:
    text = _one_line(text)
    return text if len(text) <= size else text[: max(size - 1, 1)] + "…"


def _print_run(console: Console, text: str) -> None:
    """A run of training text in one line."""
    room = console.width - len(_INDENT) - 1
    console.print(Text.assemble(_INDENT, (_clipped(text.strip(), room), MATCHED)))


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _times(count: int, documents: int) -> str:
    times = "once" if count == 1 else f"{count:,} times"
    return f"{times} in {_count(documents, 'document', 'documents')}"


def _place(place: dict[str, Any]) -> str:
    return f"{place['title']}, line {place['line']:,}"


def _snippet(console: Console, place: dict[str, Any]) -> Text:
    """The text around a match in one line, the match marked."""
    marks = ("", "") if console.is_terminal else ("«", "»")
    room = max(console.width - len(_INDENT) - 3, 40)
    matched = _one_line(place["matched"])
    if len(matched) > room // 2:
        matched = "…" + matched[-(room // 2) :]
    before, after = _one_line(place["before"]), _one_line(place["following"] + place["after"])
    room_before = (room - len(matched)) // 2
    room_after = room - len(matched) - min(room_before, len(before))
    if len(before) > room_before:
        before = "…" + before[len(before) - room_before + 1 :]
    marked = (marks[0] + matched + marks[1], MATCHED)
    return Text.assemble(_INDENT, before, marked, _clipped(after, room_after))


# --- lookup ------------------------------------------------------------------------------------


def show_lookup(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `lookup`."""
    phrase, match = found["phrase"], found["match"]
    if found["note"]:
        console.print(found["note"])
    if phrase["count"]:
        times = _times(phrase["count"], phrase["documents"])
        console.print(f"The text stands {times} of the training text.")
    elif match["tokens"] and phrase["count"] == 0:
        console.print("The text as a whole does not stand in the training text.")
    if not match["tokens"]:
        return
    if not phrase["count"]:
        tokens = _count(match["tokens"], "token", "tokens")
        times = _times(match["count"], match["documents"])
        console.print(f"Its longest end there has {tokens} and stands {times}:")
        _print_run(console, match["text"])
    if found["continuations"]:
        _print_table(
            console,
            "What followed it",
            "<text",
            "times",
            "share",
            rows=[
                (_quoted(row["text"]), f"{row['count']:,}", f"{row['share']:.1%}")
                for row in found["continuations"]
            ],
        )
    if found["sources"]:
        console.print("\nWhere it stands, the latest first:", style="bold")
    for place in found["sources"]:
        console.print(f"  {_place(place)}", markup=False, soft_wrap=True)
        console.print(_snippet(console, place), soft_wrap=True)


def _quoted(text: str) -> str:
    """A continuation whose blanks and line ends can be seen."""
    shown = re.sub("\r\n|\r|\n", "↵", text).replace("\t", "⇥")
    return f"“{shown}”" if shown else "the text ends"


# --- duplicates --------------------------------------------------------------------------------


def show_duplicates(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `duplicates`."""
    console.print(f"{found['tokens']:,} tokens in {found['documents']:,} documents.")
    least = found["least_tokens"]
    if found["repeated_share"] is None:
        console.print(
            f"The index does not tell runs of {least} tokens apart, so only equal documents were"
            " sought."
        )
    else:
        labels = {
            "their own document": "repeated_same_document_share",
            "another document": "repeated_other_document_share",
            "either": "repeated_share",
        }
        _print_table(
            console,
            f"Runs of {least} tokens or more that also stand earlier",
            "<what they repeat",
            "of all tokens",
            rows=[(label, f"{found[key]:.2%}") for label, key in labels.items()],
        )
    _print_groups(console, found)
    if found["passages"]:
        _print_passages(console, found["passages"])


def _print_groups(console: Console, found: dict[str, Any]) -> None:
    copies, removed = found["exact_duplicate_documents"], found["removed_when_prepared"]
    left_out = f"; {removed:,} more were left out when the data was prepared" if removed else ""
    if not copies:
        console.print(f"No two documents are equal{left_out}.")
        return
    are = "document is a copy" if copies == 1 else "documents are copies"
    console.print(
        f"{copies:,} {are} of an earlier one ({found['exact_duplicate_share']:.2%} of the"
        f" documents, {found['exact_duplicate_token_share']:.2%} of the tokens){left_out}."
    )
    for group in found["groups"]:
        titles = [document["title"] for document in group["documents"]]
        more = group["copies"] - len(titles)
        listed = ", ".join(titles) + (f" and {more:,} more" if more else "")
        tokens = _count(group["tokens"], "token", "tokens")
        console.print(
            f"  {group['copies']:,} with {tokens}: {listed}", markup=False, soft_wrap=True
        )


def _print_passages(console: Console, passages: list[dict[str, Any]]) -> None:
    console.print("\nWhat is repeated most, with the latest place:", style="bold")
    for passage in passages:
        times = _times(passage["count"], passage["documents"])
        console.print(
            f"  {passage['tokens']:,} tokens, {times}, {passage['share']:.2%} of all tokens"
        )
        _print_run(console, passage["text"])
        console.print(f"    {_place(passage['places'][0])}", markup=False, soft_wrap=True)


# --- contamination -----------------------------------------------------------------------------


def show_contamination(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `contamination`."""
    console.print(
        f"{found['texts']:,} texts with {found['tokens']:,} tokens; {found['overlap_share']:.2%} of"
        f" these lie in runs of {found['least_tokens']} or more that stand in the training text."
    )
    meanings = {
        "contained": f"{found['contained_share']:.0%} of the tokens or more",
        "overlapping": "some of the tokens",
        "clean": "none of the tokens",
        "short": f"fewer than {found['least_tokens']} tokens: nothing can be said",
    }
    rows = [
        (verdict, f"{found[verdict]:,}", f"{found[verdict] / found['texts']:.1%}", meaning)
        for verdict, meaning in meanings.items()
        if found[verdict] or verdict != "short"
    ]
    _print_table(console, "", "<verdict", "texts", "share", "<in such runs", rows=rows)
    for left in found["skipped"][:LISTED]:
        console.print(
            f"Passed over: {left['name']}: {left['reason']}.", markup=False, soft_wrap=True
        )
    if len(found["skipped"]) > LISTED:
        console.print(f"Passed over: {len(found['skipped']) - LISTED:,} more.")
    worst = [text for text in found["found"] if text["verdict"] in ("contained", "overlapping")]
    if worst:
        _print_worst(console, worst)


def _print_worst(console: Console, worst: list[dict[str, Any]]) -> None:
    console.print("\nMost in common, with the longest run and where it stands:", style="bold")
    for text in worst[:LISTED]:
        share = f"{text['share']:.1%} of {_count(text['tokens'], 'token', 'tokens')}"
        line = f"  {text['name']}: {share}, longest {text['longest_tokens']:,}"
        console.print(line, markup=False, soft_wrap=True)
        _print_run(console, text["longest_text"])
        console.print(f"    {_place(text['source'])}", markup=False, soft_wrap=True)
    if len(worst) > LISTED:
        console.print(f"and {len(worst) - LISTED:,} more; `--json` lists them.")


# --- value -------------------------------------------------------------------------------------

_GROUP_TITLES = {
    "own_document": "own document",
    "training": "training text",
    "one": "one place",
    "agree": "several, alike",
    "disagree": "several, not alike",
}


def show_value(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `value`."""
    console.print(
        f"{found['tokens']:,} held-out tokens; the longest match of what comes before has"
        f" {found['mean_length']:.1f} tokens on average and names {found['hit_rate']:.1%} of them."
    )
    rows = [*found["lengths"], found["all"]]
    _print_table(
        console,
        "By the length of the longest match",
        "<match",
        "of tokens",
        "match right",
        rows=[(row["label"], f"{row['share']:.1%}", _rate(row)) for row in rows],
    )
    shares = [f"{found['all'][name]['share']:.1%}" for name in _GROUP_TITLES]
    _print_table(
        console,
        "How often it is right, by where it last stands and what followed in all places",
        "<match",
        *_GROUP_TITLES.values(),
        rows=[
            *((row["label"], *(_rate(row[name]) for name in _GROUP_TITLES)) for row in rows),
            ("of tokens", *shares),
        ],
    )
    _print_curve(console, found)


def _rate(group: dict[str, Any]) -> str:
    return f"{group['hit_rate']:.1%}" if group["tokens"] else "–"


def _print_curve(console: Console, found: dict[str, Any]) -> None:
    curve = found["curve"]
    _print_table(
        console,
        f"With less training text, at {found['positions']:,} held-out positions",
        "<part of it",
        "tokens",
        "mean length",
        "match right",
        "±",
        "with own document",
        rows=[
            (
                "all" if point["history_share"] == 1 else f"1/{1 / point['history_share']:.0f}",
                f"{point['history_tokens']:,}",
                f"{point['mean_length']:.2f}",
                f"{point['hit_rate']:.1%}",
                f"{point['margin']:.1%}",
                f"{point['hit_rate_with_own']:.1%}",
            )
            for point in curve
        ],
    )
    gains = [100 * (curve[-1][key] - curve[-2][key]) for key in ("hit_rate", "hit_rate_with_own")]
    console.print(
        f"The last quadrupling of the training text brought {gains[0]:+.1f} percentage points,"
        f" and {gains[1]:+.1f} beside what the held-out document itself says. The parts are the"
        " beginning of the training text, so where it is sorted by subject they say little."
    )


PAGES: dict[str, Callable[[Console, dict[str, Any]], None]] = {
    "lookup": show_lookup,
    "duplicates": show_duplicates,
    "contamination": show_contamination,
    "value": show_value,
}
"""How the answer of each verb is printed."""
