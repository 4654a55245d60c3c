"""The tables of hearth.db, as SQLAlchemy maps them."""

from __future__ import annotations

from sqlalchemy import JSON, Double, ForeignKey, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have names from the first day, so that a later migration can drop them."""


class Table(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {float: Double}  # noqa: RUF012 - SQLAlchemy's own way to say it


class Project(Table):
    """A group of runs about one thing."""

    __tablename__ = "project"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)
    note: Mapped[str] = mapped_column(default="")
    created_s: Mapped[float]
    last_used_s: Mapped[float] = mapped_column(index=True)
    trashed_s: Mapped[float | None]
    """When the user threw it away, with the runs that have the same moment."""


class Dataset(Table):
    """Text made ready: a prepare job's folder, and an index job's folder once there is one.

    Folders are relative to the home when they lie in it. Counts are copies of what the folder
    says, so that a list of datasets need not open every folder; None is not known yet.
    """

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String)
    what: Mapped[str] = mapped_column(default="")
    folder: Mapped[str] = mapped_column(String, unique=True)
    index_folder: Mapped[str | None] = mapped_column(String, unique=True)
    tokenizer: Mapped[str] = mapped_column(default="")
    private: Mapped[bool] = mapped_column(default=False)
    created_s: Mapped[float]
    documents: Mapped[int | None]
    tokens: Mapped[int | None]
    size_bytes: Mapped[int | None]
    index_bytes: Mapped[int | None]
    trashed_s: Mapped[float | None]
    """When the user threw it away; its folder stays until the trash is emptied."""


class RunGroup(Table):
    """Runs that were started as one: seeds of the same run, or a sweep over settings."""

    __tablename__ = "run_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String)
    kind: Mapped[str]
    """`seeds` or `sweep`."""
    axes: Mapped[object] = mapped_column(JSON)
    """Paths of the varied settings, each with its values."""
    created_s: Mapped[float]


class RunDraft(Table):
    """A run that was planned and not started yet."""

    __tablename__ = "run_draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String)
    values: Mapped[object] = mapped_column(JSON)
    """What the wizard holds, as it reads it back."""
    changed_s: Mapped[float] = mapped_column(index=True)


class Run(Table):
    """One training: its folder, where the user put it, and copies of its latest figures."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("project.id", ondelete="CASCADE"), index=True
    )
    dataset_id: Mapped[int | None] = mapped_column(
        ForeignKey("dataset.id", ondelete="SET NULL"), index=True
    )
    name: Mapped[str] = mapped_column(String)
    folder: Mapped[str] = mapped_column(String, unique=True)
    color_slot: Mapped[int] = mapped_column(default=0)
    created_s: Mapped[float] = mapped_column(index=True)
    archived: Mapped[bool] = mapped_column(default=False)
    kind: Mapped[str] = mapped_column(default="train")
    """`train`, or `reference`: curves that were read from a log of another program."""
    starred: Mapped[bool] = mapped_column(default=False)
    tags: Mapped[object] = mapped_column(JSON, default=list)
    trashed_s: Mapped[float | None]
    group_id: Mapped[int | None] = mapped_column(
        ForeignKey("run_group.id", ondelete="SET NULL"), index=True
    )
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("run.id", ondelete="SET NULL"), index=True
    )
    """The run whose weights this one began with."""
    state: Mapped[str] = mapped_column(default="starting")
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int] = mapped_column(default=0)
    tokens_seen: Mapped[int] = mapped_column(default=0)
    total_tokens: Mapped[int] = mapped_column(default=0)
    elapsed_s: Mapped[float] = mapped_column(default=0.0)
    tokens_per_s: Mapped[float | None]
    val_loss: Mapped[float | None]
    best_loss: Mapped[float | None]
    bits_per_byte: Mapped[float | None]
    started_s: Mapped[float | None]
    ended_s: Mapped[float | None]
    problem: Mapped[str] = mapped_column(default="")
    sparkline: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


class Checkpoint(Table):
    """A checkpoint that lies in a run's folder."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("run_id", "step"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    step: Mapped[int]
    folder: Mapped[str]
    size_bytes: Mapped[int]
    val_loss: Mapped[float | None]
    best: Mapped[bool] = mapped_column(default=False)
    created_s: Mapped[float]


class Prompt(Table):
    """Text that the user asked a model to continue."""

    __tablename__ = "prompt"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String, unique=True)
    created_s: Mapped[float]
    last_used_s: Mapped[float] = mapped_column(index=True)


class Note(Table):
    """What the user wrote about a run, or about one of its steps."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    text: Mapped[str]
    step: Mapped[int | None]
    created_s: Mapped[float]


class Setting(Table):
    """One choice of the user, as a JSON value."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[object] = mapped_column(JSON)
