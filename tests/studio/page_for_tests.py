"""A studio without a window, for the tests of pages: a real library, real jobs, real threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from studio.context import Context
from studio.keeper import Keeper
from studio.runs.supervisor import Supervisor
from studio.storage.library import DatasetRow, Library
from studio.tasks import JobWatcher, Tasks
from studio.theme import theme
from studio.undo import UndoStack
from trainer_core.job import run_job
from trainer_core.spec import BpeTokenizer, PrepareSpec, TextFiles, Tokenizer

TEXT = "The bees gather in a tight ball inside the hive and keep each other warm.\n"


@dataclass
class Seen:
    """What a page asked the studio for."""

    places: list[tuple[str, object | None]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


@contextmanager
def open_studio(app: QApplication, home: Path) -> Iterator[tuple[Context, Seen]]:
    """A context whose jobs are real, ended when the block is left."""
    theme().install(app)
    seen = Seen()
    library, tasks = Library.open(home), Tasks()
    supervisor = Supervisor(home)
    watcher = JobWatcher(on_tick=supervisor.reap)
    context = Context(
        home=home,
        library=library,
        tasks=tasks,
        watcher=watcher,
        supervisor=supervisor,
        keeper=Keeper(library, tasks, watcher),
        theme=theme(),
        settings=QSettings(str(home / "studio.ini"), QSettings.Format.IniFormat),
        navigate=lambda page, target: seen.places.append((page, target)),
        toast=seen.errors.append,
        undo=UndoStack(tasks),
    )
    tasks.failed.connect(seen.errors.append)
    try:
        yield context, seen
    finally:
        for model in watcher.models:
            if model.alive:
                supervisor.stop(model.folder).result(timeout=30)
        watcher.close()
        supervisor.close()
        tasks.close()
        library.close()


def write_texts(folder: Path, count: int = 12, *, text: str = TEXT) -> Path:
    """A folder of small documents, no two of them equal."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03}.txt").write_text(
            f"Document {number}.\n" + text * (3 + number), encoding="utf-8"
        )
    return folder


def add_read_dataset(
    library: Library, texts: Path, *, name: str = "Bees", tokenizer: Tokenizer | None = None
) -> DatasetRow:
    """A dataset whose text has been read, in this process."""
    spec = PrepareSpec(
        source=TextFiles(paths=(str(texts),)),
        tokenizer=tokenizer or BpeTokenizer(vocab_size=300),
        name=name,
        validation_fraction=0.2,
    )
    row = library.add_dataset(name, what="Own text", tokenizer="own, 300")
    code = run_job(row.folder, spec)
    if code != 0:
        raise RuntimeError(f"reading {texts} ended with {code}")
    return row


DATASET = DatasetRow(
    id=7,
    name="Bees",
    what="Own text",
    folder=Path("/home/data/bees"),
    index_folder=Path("/home/indexes/bees"),
    tokenizer="own, 300",
    private=False,
    created_s=0.0,
    documents=12,
    tokens=34_567,
    size_bytes=120_000,
    index_bytes=250_000,
)
