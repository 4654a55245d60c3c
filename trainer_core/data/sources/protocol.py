"""What every kind of source is once it is open, with or without its cleaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from trainer_core.data.sources.documents import FoundDocument, LeaveOut
from trainer_core.data.sources.files import Place, SourceFile


class OpenSource(Protocol):
    """A source whose files, or what stands for them, are listed."""

    @property
    def files(self) -> Sequence[SourceFile]:
        """What is read, in order."""

    @property
    def max_bytes(self) -> int:
        """Read no further after this much text; 0 reads all."""

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents of one of the files, in its order, the same at every reading."""
