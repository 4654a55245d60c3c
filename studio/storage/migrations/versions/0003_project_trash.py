"""Projects can be thrown away too."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add when a project was thrown away."""
    with op.batch_alter_table("project") as batch:
        batch.add_column(sa.Column("trashed_s", sa.Double(), nullable=True))
