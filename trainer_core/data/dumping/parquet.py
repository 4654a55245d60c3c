"""Documents as Parquet, a row each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainer_core.data.corpus import Corpus, CorpusSplit
from trainer_core.data.dumping.texts import Advance, Decoder, fields_of, sides
from trainer_core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

GROUP_BYTES = 32_000_000
"""Text that is held until it is written as a row group."""
LARGEST_DOCUMENT_BYTES = 1_000_000_000
"""A document is one value here, and must be in memory as a whole."""


def write_parquet(corpus: Corpus, folder: Path, advance: Advance) -> None:
    """Write `train.parquet` and `validation.parquet`, a row for each document.

    Raises:
        DataError: The corpus is damaged, or a document is too large to be one value.
        OSError: The disk is full or gone.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    decoder = Decoder(corpus)
    several = len(corpus.manifest.sources) > 1
    names = ["text", "title", "path", *(["source"] if several else [])]
    schema = pa.schema([(name, pa.string()) for name in names])
    for name, split in sides(corpus):
        with pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd") as writer:
            _write(split, decoder, writer, schema, advance)


def _write(
    split: CorpusSplit,
    decoder: Decoder,
    writer: pq.ParquetWriter,
    schema: pa.Schema,
    advance: Advance,
) -> None:
    import pyarrow as pa

    rows: list[dict[str, str]] = []
    held = 0
    for number, document in enumerate(split.documents()):
        if document.n_bytes > LARGEST_DOCUMENT_BYTES:
            raise DataError(
                f"The document {document.title} has {document.n_bytes:,} bytes, too many for one"
                " value of a Parquet file.",
                safe="Nothing was written.",
                do='Set format to "jsonl", which has no such limit.',
                field="format",
            )
        text = "".join(decoder.pieces(split, document, advance))
        rows.append({"text": text} | fields_of(document))
        held += document.n_bytes
        if held >= GROUP_BYTES or number + 1 == split.n_documents:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rows, held = [], 0
