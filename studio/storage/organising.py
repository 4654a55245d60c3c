"""What a user sorts runs by: projects, tags, stars, what was put away, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from studio.storage.projects import get_project
from studio.storage.rows import RunRow
from studio.storage.run_list import Runs, get_run, get_runs
from studio.storage.store import gone
from studio.storage.tables import Note, Run, RunGroup
from trainer_core.errors import KnownError

TAG_LENGTH_MAX = 32
TAGS_MAX = 20


class Organising(Runs):
    """The library's methods that sort runs; see `Library` for the rest.

    Those for several runs return them as they were: `put_back_runs` takes that to undo.
    """

    def sort_runs(
        self,
        run_ids: Sequence[int],
        *,
        project_id: int | None = None,
        archived: bool | None = None,
        starred: bool | None = None,
    ) -> list[RunRow]:
        """Move runs to a project, put them away or back, star them or not; what is None stays.

        Returns:
            The runs as they were.

        Raises:
            KnownError: A run or the project is gone.
        """
        with self._writing() as session:
            if project_id is not None and get_project(session, project_id).trashed_s is not None:
                raise gone("project")
            rows = get_runs(session, run_ids)
            before = [self._run_row(row) for row in rows]
            for row in rows:
                row.project_id = row.project_id if project_id is None else project_id
                row.archived = row.archived if archived is None else archived
                row.starred = row.starred if starred is None else starred
            return before

    def tag_runs(
        self, run_ids: Sequence[int], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> list[RunRow]:
        """Put tags on runs and take others off; case does not tell tags apart.

        Args:
            run_ids: Which runs.
            add: Tags to put on, behind those that are there.
            remove: Tags to take off.

        Returns:
            The runs as they were.

        Raises:
            KnownError: A run is gone, a tag is empty or too long, or a run gets too many.
        """
        added = [checked_tag(tag) for tag in add]
        removed = {tag.casefold() for tag in remove}
        with self._writing() as session:
            rows = get_runs(session, run_ids)
            before = [self._run_row(row) for row in rows]
            for row, was in zip(rows, before, strict=True):
                row.tags = list(_tagged(was.tags, added, removed))
            return before

    def put_back_runs(self, rows: Iterable[RunRow]) -> None:
        """Give runs the name, project, tags and star that they had, and their place.

        Raises:
            KnownError: A run or its project is gone.
        """
        with self._writing() as session:
            for before in rows:
                row = get_run(session, before.id)
                row.project_id = get_project(session, before.project_id).id
                row.name, row.archived = before.name, before.archived
                row.starred, row.tags = before.starred, list(before.tags)

    def set_parent(self, run_id: int, parent_id: int | None) -> None:
        """Say which run's weights a run began with.

        Raises:
            KnownError: One of them is gone, or the run would come from itself.
        """
        with self._writing() as session:
            row = get_run(session, run_id)
            above = parent_id
            while above is not None:
                if above == run_id:
                    raise KnownError(
                        "A run cannot come from itself.",
                        safe="Nothing was changed.",
                        do="Choose another run.",
                    )
                above = get_run(session, above).parent_id
            row.parent_id = parent_id

    def notes_of_runs(self) -> dict[int, str]:
        """The text of all notes of each run that has any, for finding runs by it."""
        texts: dict[int, list[str]] = {}
        with self._reading() as session:
            found = session.execute(select(Note.run_id, Note.text).order_by(Note.id.desc()))
            for run_id, text in found:
                texts.setdefault(run_id, []).append(text)
        return {run_id: "\n".join(lines) for run_id, lines in texts.items()}

    def group_names(self) -> dict[int, str]:
        """Name of each group, by its id."""
        with self._reading() as session:
            return {row[0]: row[1] for row in session.execute(select(RunGroup.id, RunGroup.name))}

    def run_of_folder(self, folder: str) -> RunRow | None:
        """The run whose job folder this is, as the database or a file names it, or None.

        Args:
            folder: Absolute, or relative to the home.
        """
        with self._reading() as session:
            stored = self._stored(self._folder(folder))
            row = session.scalar(select(Run).where(Run.folder == stored))
            return None if row is None else self._run_row(row)


def checked_tag(tag: str) -> str:
    """A tag without spaces around it and without commas, which part tags.

    Raises:
        KnownError: It is empty, too long, or holds a comma.
    """
    stripped = " ".join(tag.split())
    problem = ""
    if not stripped:
        problem = "The tag is empty."
    elif len(stripped) > TAG_LENGTH_MAX:
        problem = f"A tag has at most {TAG_LENGTH_MAX} characters."
    elif "," in stripped:
        problem = "A tag has no comma in it."
    if problem:
        raise KnownError(
            problem, safe="Nothing was changed.", do="Type a short word.", field="tags"
        )
    return stripped


def _tagged(tags: Sequence[str], added: Sequence[str], removed: set[str]) -> list[str]:
    kept = [tag for tag in tags if tag.casefold() not in removed]
    for tag in added:
        if tag.casefold() not in {each.casefold() for each in kept}:
            kept.append(tag)
    if len(kept) > max(TAGS_MAX, len(tags)):
        raise KnownError(
            f"A run has at most {TAGS_MAX} tags.",
            safe="Nothing was changed.",
            do="Take one off first.",
            field="tags",
        )
    return kept
