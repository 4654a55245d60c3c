"""The datasets of the library: where their text and their index lie, and what is known of them."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio.storage.rows import DatasetRow
from studio.storage.slugs import make_folder
from studio.storage.store import Store, checked_name, gone
from studio.storage.tables import Dataset


class Datasets(Store):
    """The library's methods for datasets; see `Library` for the rest."""

    def datasets(self, *, trashed: bool = False) -> list[DatasetRow]:
        """Datasets, the newest first.

        Args:
            trashed: Also those in the trash.
        """
        query = select(Dataset).order_by(Dataset.created_s.desc(), Dataset.id.desc())
        if not trashed:
            query = query.where(Dataset.trashed_s.is_(None))
        with self._reading() as session:
            return [self._dataset_row(row) for row in session.scalars(query)]

    def count_datasets(self) -> int:
        """How many datasets there are, without those in the trash."""
        with self._reading() as session:
            found = session.scalars(select(Dataset.id).where(Dataset.trashed_s.is_(None)))
            return len(list(found))

    def dataset(self, dataset_id: int) -> DatasetRow:
        """One dataset.

        Raises:
            KnownError: There is none with this id.
        """
        with self._reading() as session:
            return self._dataset_row(get_dataset(session, dataset_id))

    def add_dataset(
        self,
        name: str,
        *,
        what: str = "",
        tokenizer: str = "",
        private: bool = False,
        folder: Path | None = None,
        index_folder: Path | None = None,
    ) -> DatasetRow:
        """Register a dataset.

        Args:
            name: As the user knows it.
            what: One line on what kind of text it is.
            tokenizer: As shown, such as `own, 4,096`.
            private: The user does not want it to leave this computer.
            folder: An existing prepare job; None makes a new, empty folder under `data/`.
            index_folder: An existing index job, or None.

        Raises:
            KnownError: The name is empty, or the folder is registered already or cannot be made.
        """
        checked = checked_name(name, "dataset")
        with self._writing() as session:
            where = folder or make_folder(self.home / "data", checked, "dataset")
            self._refuse_taken(session, Dataset, where)
            row = Dataset(
                name=checked,
                what=what,
                folder=self._stored(where),
                index_folder=None if index_folder is None else self._stored(index_folder),
                tokenizer=tokenizer,
                private=private,
                created_s=time.time(),
            )
            session.add(row)
            session.flush()
            return self._dataset_row(row)

    def add_index_folder(self, dataset_id: int, folder: Path | None = None) -> DatasetRow:
        """Give a dataset a folder for its index job, or keep the one it has.

        Args:
            dataset_id: Which dataset.
            folder: An existing index job; None makes a new, empty folder under `indexes/`.

        Raises:
            KnownError: There is no such dataset, or the folder cannot be made.
        """
        with self._writing() as session:
            row = get_dataset(session, dataset_id)
            if row.index_folder is None:
                where = folder or make_folder(self.home / "indexes", row.name, "index")
                row.index_folder = self._stored(where)
            return self._dataset_row(row)

    def change_dataset(
        self,
        dataset_id: int,
        *,
        name: str | None = None,
        what: str | None = None,
        tokenizer: str | None = None,
        private: bool | None = None,
        documents: int | None = None,
        tokens: int | None = None,
        size_bytes: int | None = None,
        index_bytes: int | None = None,
    ) -> DatasetRow:
        """Change what is known of a dataset; what is None stays.

        Raises:
            KnownError: There is no such dataset, or the name is empty.
        """
        changes = {
            "name": None if name is None else checked_name(name, "dataset"),
            "what": what,
            "tokenizer": tokenizer,
            "private": private,
            "documents": documents,
            "tokens": tokens,
            "size_bytes": size_bytes,
            "index_bytes": index_bytes,
        }
        with self._writing() as session:
            row = get_dataset(session, dataset_id)
            for column, value in changes.items():
                if value is not None:
                    setattr(row, column, value)
            return self._dataset_row(row)

    def _dataset_row(self, row: Dataset) -> DatasetRow:
        return DatasetRow(
            id=row.id,
            name=row.name,
            what=row.what,
            folder=self._folder(row.folder),
            index_folder=None if row.index_folder is None else self._folder(row.index_folder),
            tokenizer=row.tokenizer,
            private=row.private,
            created_s=row.created_s,
            documents=row.documents,
            tokens=row.tokens,
            size_bytes=row.size_bytes,
            index_bytes=row.index_bytes,
            trashed_s=row.trashed_s,
        )


def get_dataset(session: Session, dataset_id: int) -> Dataset:
    """The dataset with this id.

    Raises:
        KnownError: There is none.
    """
    row = session.get(Dataset, dataset_id)
    if row is None:
        raise gone("dataset")
    return row
