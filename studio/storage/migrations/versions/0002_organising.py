"""Stars, tags, trash, groups of runs, lineage, and drafts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the user organises runs by."""
    op.create_table(
        "run_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("axes", sa.JSON(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
            name=op.f("fk_run_group_project_id_project"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_group")),
    )
    op.create_index(op.f("ix_run_group_project_id"), "run_group", ["project_id"], unique=False)
    op.create_table(
        "run_draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("changed_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project.id"],
            name=op.f("fk_run_draft_project_id_project"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_draft")),
    )
    op.create_index(op.f("ix_run_draft_project_id"), "run_draft", ["project_id"], unique=False)
    op.create_index(op.f("ix_run_draft_changed_s"), "run_draft", ["changed_s"], unique=False)
    with op.batch_alter_table("dataset") as batch:
        batch.add_column(sa.Column("trashed_s", sa.Double(), nullable=True))
    with op.batch_alter_table("run") as batch:
        batch.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="train"))
        batch.add_column(
            sa.Column("starred", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch.add_column(sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("trashed_s", sa.Double(), nullable=True))
        batch.add_column(sa.Column("group_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("parent_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_run_group_id_run_group"),
            "run_group",
            ["group_id"],
            ["id"],
            ondelete="SET NULL",
        )
        batch.create_foreign_key(
            op.f("fk_run_parent_id_run"), "run", ["parent_id"], ["id"], ondelete="SET NULL"
        )
        batch.create_index(op.f("ix_run_group_id"), ["group_id"], unique=False)
        batch.create_index(op.f("ix_run_parent_id"), ["parent_id"], unique=False)
