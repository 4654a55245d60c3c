"""What belongs to a run or to the user in small pieces: checkpoints, notes, prompts, settings."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from sqlalchemy import delete, select

from studio.storage.rows import CheckpointRow, NoteRow, PromptRow
from studio.storage.store import Store, gone
from studio.storage.tables import Checkpoint, Note, Prompt, Run, Setting
from trainer_core.records import CheckpointSaved

Value = TypeVar("Value")


class Particulars(Store):
    """The small things of the library; see `Library` for the rest."""

    # --- checkpoints ---------------------------------------------------------------------------

    def checkpoints(self, run_id: int) -> list[CheckpointRow]:
        """Checkpoints of a run that were remembered, by step."""
        with self._reading() as session:
            run = session.get(Run, run_id)
            if run is None:
                return []
            found = session.scalars(
                select(Checkpoint).where(Checkpoint.run_id == run_id).order_by(Checkpoint.step)
            )
            folder = self._folder(run.folder)
            return [
                CheckpointRow(
                    id=row.id,
                    run_id=row.run_id,
                    step=row.step,
                    folder=folder / row.folder,
                    size_bytes=row.size_bytes,
                    val_loss=row.val_loss,
                    best=row.best,
                    created_s=row.created_s,
                )
                for row in found
            ]

    def remember_checkpoints(self, run_id: int, checkpoints: Iterable[CheckpointSaved]) -> None:
        """Make the remembered checkpoints of a run exactly these, which its folder holds now.

        Raises:
            KnownError: There is no such run, or the database cannot be written.
        """
        wanted = {saved.step: saved for saved in checkpoints}
        with self._writing() as session:
            if session.get(Run, run_id) is None:
                raise gone("run")
            session.execute(delete(Checkpoint).where(Checkpoint.run_id == run_id))
            session.add_all(
                Checkpoint(
                    run_id=run_id,
                    step=saved.step,
                    folder=saved.folder,
                    size_bytes=saved.size_bytes,
                    val_loss=saved.val_loss,
                    best=saved.best,
                    created_s=saved.time_s,
                )
                for saved in wanted.values()
            )

    # --- notes ---------------------------------------------------------------------------------

    def notes(self, run_id: int) -> list[NoteRow]:
        """Notes on a run, newest first."""
        with self._reading() as session:
            found = session.scalars(
                select(Note)
                .where(Note.run_id == run_id)
                .order_by(Note.created_s.desc(), Note.id.desc())
            )
            return [_note_row(row) for row in found]

    def add_note(self, run_id: int, text: str, step: int | None = None) -> NoteRow:
        """Write a note on a run.

        Raises:
            KnownError: There is no such run, or the database cannot be written.
        """
        with self._writing() as session:
            if session.get(Run, run_id) is None:
                raise gone("run")
            row = Note(run_id=run_id, text=text, step=step, created_s=time.time())
            session.add(row)
            session.flush()
            return _note_row(row)

    def remove_note(self, note_id: int) -> None:
        """Remove a note; one that is gone already is no error."""
        with self._writing() as session:
            session.execute(delete(Note).where(Note.id == note_id))

    def put_back_note(self, note: NoteRow) -> None:
        """Write a note again that was removed, as it was.

        Raises:
            KnownError: The run is gone, or the database cannot be written.
        """
        with self._writing() as session:
            if session.get(Run, note.run_id) is None:
                raise gone("run")
            session.merge(
                Note(
                    id=note.id,
                    run_id=note.run_id,
                    text=note.text,
                    step=note.step,
                    created_s=note.created_s,
                )
            )

    # --- prompts -------------------------------------------------------------------------------

    def prompts(self, limit: int = 50) -> list[PromptRow]:
        """Prompts, the last used first."""
        with self._reading() as session:
            found = session.scalars(
                select(Prompt).order_by(Prompt.last_used_s.desc(), Prompt.id.desc()).limit(limit)
            )
            return [_prompt_row(row) for row in found]

    def add_prompt(self, text: str) -> PromptRow:
        """Keep a prompt, or mark it as used just now when it is known."""
        now = time.time()
        with self._writing() as session:
            row = session.scalar(select(Prompt).where(Prompt.text == text))
            if row is None:
                row = Prompt(text=text, created_s=now, last_used_s=now)
                session.add(row)
            row.last_used_s = now
            session.flush()
            return _prompt_row(row)

    def remove_prompt(self, prompt_id: int) -> None:
        """Remove a prompt; one that is gone already is no error."""
        with self._writing() as session:
            session.execute(delete(Prompt).where(Prompt.id == prompt_id))

    # --- settings ------------------------------------------------------------------------------

    def setting(self, key: str, default: Value) -> Value:
        """The user's choice, or the default when there is none or it has another type.

        Args:
            key: Such as `theme`.
            default: Also says which type the caller expects; None takes any.
        """
        with self._reading() as session:
            row = session.get(Setting, key)
        if row is None:
            return default
        if default is None:
            return row.value  # type: ignore[return-value]  # the caller asked for anything
        try:
            return msgspec.convert(row.value, type(default))
        except msgspec.ValidationError:
            return default

    def set_setting(self, key: str, value: object) -> None:
        """Keep a choice: text, a number, a truth value, None, or lists and dicts of these."""
        with self._writing() as session:
            session.merge(Setting(key=key, value=value))


def _note_row(row: Note) -> NoteRow:
    return NoteRow(
        id=row.id, run_id=row.run_id, text=row.text, step=row.step, created_s=row.created_s
    )


def _prompt_row(row: Prompt) -> PromptRow:
    return PromptRow(id=row.id, text=row.text, created_s=row.created_s, last_used_s=row.last_used_s)
