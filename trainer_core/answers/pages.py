"""How each answer reads in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

MATCHED = "black on dark_orange"
"""The studio's colour for text that stands in the training text."""
AROUND_CHARACTERS = 60
LISTED = 20


def _table(title: str, *columns: str) -> Table:
    """A table whose columns with a leading `<` are words and the others numbers."""
    table = Table(title=title, title_justify="left")
    for name in columns:
        words = name.startswith("<")
        table.add_column(name.removeprefix("<"), justify="left" if words else "right")
    return table


def _one_line(text: str) -> str:
    """Text in one line: line ends as arrows, other white space and controls as blanks."""
    shown = "".join(c if c.isprintable() else "↵" if c == "\n" else " " for c in text)
    return " ".join(shown.split(" ")) if "  " not in shown else _single_blanks(shown)


def _single_blanks(text: str) -> str:
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _clipped(text: str, size: int) -> str:
    text = _one_line(text)
    return text if len(text) <= size else text[: size - 1] + "…"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _in_documents(count: int) -> str:
    return "in one document" if count == 1 else f"in {count:,} documents"


def _place(place: dict[str, Any]) -> str:
    return f"{place['title']}, line {place['line']:,}"


def _snippet(console: Console, place: dict[str, Any]) -> Text:
    """The text around a match in one line, the match marked."""
    open_mark, close_mark = ("", "") if console.is_terminal else ("«", "»")
    before = _one_line(place["before"])
    after = _one_line(place["following"] + place["after"])
    matched = _one_line(place["matched"])
    if len(matched) > 2 * AROUND_CHARACTERS:
        matched = matched[:AROUND_CHARACTERS] + " … " + matched[-AROUND_CHARACTERS:]
    return Text.assemble(
        ("…" if len(before) > AROUND_CHARACTERS else "") + before[-AROUND_CHARACTERS:],
        (open_mark + matched + close_mark, MATCHED),
        after[:AROUND_CHARACTERS] + ("…" if len(after) > AROUND_CHARACTERS else ""),
    )


# --- lookup ------------------------------------------------------------------------------------


def show_lookup(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `lookup`."""
    phrase, match = found["phrase"], found["match"]
    if phrase["count"] is None:
        console.print("The text is too short to be counted as a whole.")
    elif phrase["count"]:
        times = f"{_times(phrase['count'])} {_in_documents(phrase['documents'])}"
        console.print(f"The text stands {times} of the training text.")
    else:
        console.print("The text as a whole does not stand in the training text.")
    if not match["tokens"]:
        console.print(found["note"])
        return
    times = f"{_times(match['count'])} {_in_documents(match['documents'])}"
    tokens = "1 token" if match["tokens"] == 1 else f"{match['tokens']} tokens"
    console.print(
        Text.assemble(
            f"Its longest end there has {tokens}: ",
            (_clipped(match["text"], 2 * AROUND_CHARACTERS), MATCHED),
            f", {times}.",
        )
    )
    if found["note"]:
        console.print(found["note"])
    if found["continuations"]:
        table = _table("What followed it", "<text", "times", "share")
        for row in found["continuations"]:
            table.add_row(Text(_quoted(row["text"])), f"{row['count']:,}", f"{row['share']:.1%}")
        console.print()
        console.print(table)
    if found["sources"]:
        console.print("\nWhere it stands, the latest first:")
    for place in found["sources"]:
        console.print(f"  {_place(place)}", style="bold", markup=False)
        console.print(Text("    ").append_text(_snippet(console, place)))


def _quoted(text: str) -> str:
    """A continuation whose blanks and line ends can be seen."""
    shown = text.replace("\n", "↵").replace("\t", "⇥")
    return f"“{shown}”" if shown else "(the text ended)"


# --- duplicates --------------------------------------------------------------------------------


def show_duplicates(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `duplicates`."""
    console.print(f"{found['tokens']:,} tokens in {found['documents']:,} documents.")
    if found["repeated_share"] is None:
        console.print(
            f"The index does not tell runs of {found['least_tokens']} tokens apart, so only equal"
            " documents were sought."
        )
    else:
        table = _table(
            f"Runs of {found['least_tokens']} tokens or more that also stand before",
            "<what they repeat",
            "share of tokens",
        )
        for label, key in (
            ("their own document", "repeated_same_document_share"),
            ("another document", "repeated_other_document_share"),
            ("either", "repeated_share"),
        ):
            table.add_row(label, f"{found[key]:.2%}")
        console.print(table)
    _print_groups(console, found)
    if found["passages"]:
        _print_passages(console, found["passages"])


def _print_groups(console: Console, found: dict[str, Any]) -> None:
    copies, removed = found["exact_duplicate_documents"], found["removed_when_prepared"]
    left_out = f"; {removed:,} more were left out when the data was prepared" if removed else ""
    if not copies:
        console.print(f"No two documents are equal{left_out}.")
        return
    console.print(
        f"{copies:,} documents are copies of an earlier one ({found['exact_duplicate_share']:.2%}"
        f" of the documents, {found['exact_duplicate_token_share']:.2%} of the tokens){left_out}."
    )
    table = _table("Equal documents", "copies", "tokens", "<documents")
    for group in found["groups"]:
        titles = [document["title"] for document in group["documents"]]
        more = group["copies"] - len(titles)
        listed = ", ".join(titles) + (f" and {more:,} more" if more else "")
        table.add_row(f"{group['copies']:,}", f"{group['tokens']:,}", Text(listed))
    console.print(table)


def _print_passages(console: Console, passages: list[dict[str, Any]]) -> None:
    table = _table(
        "What is repeated most",
        "tokens",
        "times",
        "documents",
        "of all tokens",
        "<beginning, and where it stands last",
    )
    for passage in passages:
        text = Text(_clipped(passage["text"].strip(), 2 * AROUND_CHARACTERS), style=MATCHED)
        table.add_row(
            f"{passage['tokens']:,}",
            f"{passage['count']:,}",
            f"{passage['documents']:,}",
            f"{passage['share']:.2%}",
            text.append(
                "\n" + _place(passage["places"][0]), style="not reverse default on default"
            ),
        )
    console.print(table)


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
    table = _table("", "<verdict", "texts", "share", "<in such runs")
    for verdict, meaning in meanings.items():
        count = found[verdict]
        if count or verdict != "short":
            table.add_row(verdict, f"{count:,}", f"{count / found['texts']:.1%}", meaning)
    console.print(table)
    for left in found["skipped"][:LISTED]:
        console.print(f"Passed over: {left['name']}: {left['reason']}.", markup=False)
    worst = [text for text in found["found"] if text["verdict"] in ("contained", "overlapping")]
    if worst:
        _print_worst(console, worst)


def _print_worst(console: Console, worst: list[dict[str, Any]]) -> None:
    table = _table(
        "Most in common",
        "<text",
        "tokens",
        "in common",
        "longest",
        "<longest run, and where it stands",
    )
    for text in worst[:LISTED]:
        run = Text(_clipped(text["longest_text"].strip(), AROUND_CHARACTERS), style=MATCHED)
        table.add_row(
            Text(text["name"]),
            f"{text['tokens']:,}",
            f"{text['share']:.1%}",
            f"{text['longest_tokens']:,}",
            run.append("\n" + _place(text["source"]), style="default on default"),
        )
    console.print(table)
    if len(worst) > LISTED:
        console.print(f"and {len(worst) - LISTED:,} more; `--json` lists them.")


# --- value -------------------------------------------------------------------------------------

_GROUP_TITLES = {
    "own_document": "own document",
    "training": "training text",
    "one": "one place",
    "agree": "several, agreeing",
    "disagree": "several, not agreeing",
}


def show_value(console: Console, found: dict[str, Any]) -> None:
    """Print the answer to `value`."""
    console.print(
        f"{found['tokens']:,} held-out tokens: the longest match names the next token of"
        f" {found['hit_rate']:.1%}; it has {found['mean_length']:.1f} tokens on average."
    )
    rows = [*found["lengths"], found["all"]]
    table = _table("By the length of the longest match", "<match", "of tokens", "right")
    for row in rows:
        table.add_row(row["label"], f"{row['share']:.1%}", _rate(row))
    console.print(table)
    table = _table("How often it is right, by where it is and what speaks for it", "<match")
    for title in _GROUP_TITLES.values():
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(row["label"], *(_rate(row[name]) for name in _GROUP_TITLES))
    table.add_section()
    table.add_row("of tokens", *(f"{found['all'][name]['share']:.1%}" for name in _GROUP_TITLES))
    console.print(table)
    _print_curve(console, found)


def _rate(group: dict[str, Any]) -> str:
    return f"{group['hit_rate']:.1%}" if group["tokens"] else "–"


def _print_curve(console: Console, found: dict[str, Any]) -> None:
    table = _table(
        f"With less training text, at {found['positions']:,} held-out positions",
        "<part of it",
        "tokens",
        "matched",
        "mean length",
        "right",
        "±",
    )
    for point in found["curve"]:
        part = "all" if point["history_share"] == 1 else f"1/{1 / point['history_share']:.0f}"
        table.add_row(
            part,
            f"{point['history_tokens']:,}",
            f"{point['matched_share']:.1%}",
            f"{point['mean_length']:.2f}",
            f"{point['hit_rate']:.1%}",
            f"{point['margin']:.1%}",
        )
    console.print(table)
    before, now = found["curve"][-2:]
    gain = now["hit_rate"] - before["hit_rate"]
    console.print(
        f"The last quadrupling of the training text brought {gain * 100:+.1f} percentage points,"
        " without the held-out documents' own beginnings."
    )


PAGES: dict[str, Callable[[Console, dict[str, Any]], None]] = {
    "lookup": show_lookup,
    "duplicates": show_duplicates,
    "contamination": show_contamination,
    "value": show_value,
}
"""How the answer of each verb is printed."""
