"""Run by Alembic for each upgrade, inside the transaction that `database.py` opened."""

from alembic import context

from studio.storage.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite changes a column by making the table anew
)
with context.begin_transaction():
    context.run_migrations()
