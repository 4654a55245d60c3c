"""Documents of one source, read through the survey and once more, as `prepare` does it."""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pyarrow

from trainer_core.data.preparing.first_reading import survey
from trainer_core.data.preparing.survey import NamedSource
from trainer_core.data.sources.opening import describe, open_source
from trainer_core.data.sources.skipped import Skipped
from trainer_core.journal import read_records
from trainer_core.spec import BpeTokenizer, PrepareSpec, TextFiles


def open_named(source, name="it"):
    skipped = Skipped()
    opened = open_source(source, 1, skipped, lambda: None, Path(tempfile.gettempdir()))
    return NamedSource(name, describe(source), "source", opened, skipped)


def survey_of(*wanted):
    return survey([open_named(source) for source in wanted], lambda *_: None)


def texts_of(documents):
    """{title: text} of the second reading."""
    return {document.title: "".join(document.texts) for document in documents.again()}


def counts_of(documents):
    """What was left out: {reason: count}."""
    return dict(documents.sources[0].skipped.counts)


def read_source(source):
    """The documents, {title: text}, and what was left out, {reason: count}."""
    documents = survey_of(source)
    return texts_of(documents), counts_of(documents)


def read_files(*paths, **settings):
    return read_source(TextFiles(paths=tuple(str(path) for path in paths), **settings))


def zip_of(members, **settings):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, **settings) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tar_of(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zstandard(data):
    return pyarrow.compress(data, codec="zstd", asbytes=True)


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard}


def numbered_texts(folder):
    """Thirty short texts in a new folder."""
    folder.mkdir()
    for n in range(30):
        (folder / f"{n:02}.txt").write_text(f"Text number {n}. " * (n + 5) + "\n")
    return folder


def prepare_spec(texts, **settings):
    settings.setdefault("tokenizer", BpeTokenizer(vocab_size=280))
    return PrepareSpec(source=TextFiles(paths=(str(texts),)), validation_fraction=0.2, **settings)


def records(folder, kind):
    return [r for r in read_records(folder / "journal.bin")[0] if isinstance(r, kind)]
