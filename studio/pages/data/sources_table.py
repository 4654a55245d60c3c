"""The table of a dataset's sources, where it has several."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.pages.data.corpus import ManifestFacts, NamedSourceFacts, SourceLengths
from studio.pages.data.facts import DatasetFacts
from studio.widgets.figures import MISSING, count, percent, size, whole
from studio.widgets.headings import card_title
from studio.widgets.table import Cell, Column, DataTable, Row

_COLUMNS = (
    Column("name", "Source", 150, stretch=2, style="strong"),
    Column("what", "What", 120, stretch=3, style="muted"),
    Column("documents", "Documents", 92, style="mono", right=True),
    Column("tokens", "Tokens", 76, style="mono", right=True),
    Column("share", "Of all tokens", 150, tooltip="How often it is drawn, if nothing is weighted."),
    Column("size", "Text", 84, style="mono", right=True),
    Column(
        "bytes_per_token",
        "Bytes per token",
        112,
        style="mono",
        right=True,
        tooltip="How well the tokenizer fits it; separators not counted.",
    ),
    Column("median", "Median tokens", 108, style="mono", right=True, tooltip="In a document."),
    Column("validation", "Held out", 80, style="mono", right=True, tooltip="Tokens to validate."),
)


class SourcesTable(QWidget):
    """What each source holds and how its documents are made up."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = DataTable(_COLUMNS, fit_rows=True, single_click=False, name="Sources")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(card_title("Sources"))
        column.addWidget(self.table)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Show a dataset's sources; hides itself where there is only one."""
        manifest = facts.manifest
        several = manifest is not None and len(manifest.sources) > 1
        self.setVisible(several)
        if manifest is None or not several:
            return
        known = facts.statistics.sources if facts.statistics is not None else ()
        lengths = {source.name: source for source in known}
        self.table.set_rows([_row(source, manifest, lengths) for source in manifest.sources])


def _row(source: NamedSourceFacts, manifest: ManifestFacts, known: dict[str, SourceLengths]) -> Row:
    documents = source.train.documents + source.validation.documents
    tokens = source.train.tokens + source.validation.tokens
    n_bytes = source.train.bytes + source.validation.bytes
    share = tokens / max(manifest.tokens, 1)
    text_tokens = tokens - documents
    per_token = n_bytes / text_tokens if text_tokens else math.nan
    lengths = known.get(source.name, SourceLengths(source.name))
    median = lengths.median_tokens
    return Row(
        source.name,
        {
            "name": source.name,
            "what": source.description,
            "documents": Cell(whole(documents), sort=documents),
            "tokens": Cell(count(tokens), sort=tokens, tooltip=f"{tokens:,} tokens"),
            "share": Cell(percent(share), sort=share, share=share, style="mono"),
            "size": Cell(size(n_bytes), sort=n_bytes, tooltip=f"{n_bytes:,} bytes"),
            "bytes_per_token": Cell(f"{per_token:.2f}" if text_tokens else MISSING, sort=per_token),
            "median": Cell(whole(median), sort=median, tooltip=_median_words(lengths)),
            "validation": Cell(count(source.validation.tokens), sort=source.validation.tokens),
        },
    )


def _median_words(lengths: SourceLengths) -> str:
    if not lengths.longest_tokens:
        return "Not known in a corpus of an old version."
    return f"mean {whole(lengths.mean_tokens)}, longest {whole(lengths.longest_tokens)} tokens"
